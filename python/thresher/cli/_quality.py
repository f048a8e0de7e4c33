"""`thresher quality`: a classifier trained, and texts scored by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import check_streams, inputs_and_output, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(short_help="Train a quality classifier, and score texts by it.")
def quality() -> None:
    """Tell texts like those to keep from texts like those to remove."""


@quality.command()
@click.option(
    "--good",
    multiple=True,
    required=True,
    metavar="GOOD",
    help="Files of texts like those to keep. Repeatable.",
)
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="The file of the model, such as model.bin."
)
@options_of("quality_train")
@run_options
def train(
    good: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Train a classifier on good and bad texts (JSONL, Parquet, Arrow); fastText reads the model too."""
    trained = with_progress(
        lambda show: thresher.filters.train_quality(good, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(trained.report, ensure_ascii=False))
    if not quiet:
        click.echo(str(trained), err=True)


@quality.command()
@inputs_and_output(required=True)
@options_of("quality")
@run_options
def score(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Add the score of each text as a column, and remove texts whose score is too low."""
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.filters.quality_files(inputs, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)
