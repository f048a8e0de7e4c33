"""`thresher judge`: rows scored by judge models, sheets for experts, and how far both agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._generate import model_options, run_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Score rows with judge models.")
@click.argument("rows", metavar="ROWS")
@click.option(
    "--method",
    type=click.Choice(["score", "checklist", "pairwise"]),
    default="score",
    show_default=True,
    help="Score by a rubric, weighted yes or no by the items of each row, or the better of two answers.",
)
@click.option("--scale", type=int, default=5, show_default=True, help="Best score: 5 or 10.")
@click.option("--rubric", metavar="FILE", help="File that says what each score stands for.")
@click.option("--threshold", type=float, help="Score below which a row is left out.")
@click.option(
    "--by",
    type=click.Choice(["score", "expected"]),
    default="score",
    show_default=True,
    help="What is compared with the threshold: the score, or its mean by log-probabilities.",
)
@click.option("--question", metavar="FIELD", help="Field of the question. Default: the usual ones.")
@click.option("--answer", multiple=True, metavar="FIELD", help="Field of the answer; twice for a pair.")
@click.option("--reference", metavar="FIELD", help="Field of an answer that is known to be right.")
@click.option(
    "--items", default="rubric", show_default=True, metavar="FIELD", help="Field of the items of a checklist."
)
@click.option("--review", type=int, help="Rows to be written to sheets for experts, spread over the scores.")
@click.option("--blind", is_flag=True, help="Leave the judge's scores out of the sheets.")
@click.option("--verdicts", multiple=True, metavar="FILE", help="A sheet that came back. Repeatable.")
@click.option(
    "--logprobs/--no-logprobs", default=True, show_default=True, help="Ask for probabilities of the score."
)
@click.option(
    "--tries", type=int, default=3, show_default=True, help="Times that a judge is asked for a verdict."
)
@click.option(
    "--temperature", type=float, default=0.0, show_default=True, help="Temperature of the sampling."
)
@click.option("--max-tokens", type=int, default=1024, show_default=True, help="Tokens of an answer at most.")
@click.option("--student", metavar="NAME", help="Family of the model that is to be trained.")
@click.option("--prefix", default="judge", show_default=True, help="Beginning of the names of new columns.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all that is drawn at random.")
@model_options
def judge(rows: str, **options: Any) -> int:  # noqa: ANN401 - they go on under the same names
    """Score ROWS (JSONL, Parquet, or the output of a generation) with judge models.

    Nothing is left out unless --threshold says so, or --verdicts set one. Several endpoints are a jury.
    """
    names = (
        *(
            "method",
            "scale",
            "rubric",
            "threshold",
            "by",
            "question",
            "reference",
            "items",
            "review",
            "blind",
        ),
        *("logprobs", "tries", "temperature", "max_tokens", "student", "prefix", "seed"),
    )
    own = {name: options.pop(name) for name in names}
    own["answer"] = _one_or_more(options.pop("answer"))
    own["verdicts"] = list(options.pop("verdicts")) or None
    # Rows that are alike are no matter of a judge, unless it is asked for.
    source = click.get_current_context().get_parameter_source("near_duplicates")
    if source is click.core.ParameterSource.DEFAULT:
        options["near_duplicates"] = None
    return run_recipe(
        lambda endpoint, given: thresher.generate.judge(rows, endpoint=endpoint, **own, **given), options
    )


def _one_or_more(values: Sequence[str]) -> str | list[str] | None:
    return None if not values else values[0] if len(values) == 1 else list(values)
