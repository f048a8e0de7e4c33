"""`th.generate.judge`: rows with scores of judge models, sheets for experts, and what their verdicts say."""

from __future__ import annotations

import inspect
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Unpack

from thresher import _params
from thresher.errors import DataError, ParameterError
from thresher.generate import local, prompts
from thresher.generate.functions import _documented
from thresher.generate.generated import Generated
from thresher.generate.judging import cases, families
from thresher.generate.judging import review as reviews
from thresher.generate.judging.checklist import Checklist
from thresher.generate.judging.families import Model
from thresher.generate.judging.pairwise import Pairwise
from thresher.generate.judging.recipe import Judge
from thresher.generate.judging.rubric import Score
from thresher.generate.options import GenerateOptions, checked
from thresher.generate.request import temperature_of
from thresher.generate.session import generate
from thresher.generate.sources import files_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thresher.generate.judging.cases import Case
    from thresher.generate.judging.method import Method
    from thresher.generate.options import Endpoints, Settings
    from thresher.generate.sources import Rows

METHODS = ("score", "checklist", "pairwise")


@_documented
def judge(
    rows: Rows | Any,  # noqa: ANN401 - an Arrow table of any library
    *,
    endpoint: Endpoints,
    method: str = "score",
    scale: int = 5,
    rubric: str | os.PathLike[str] | None = None,
    threshold: float | None = None,
    by: str = "score",
    question: str | None = None,
    answer: str | Sequence[str] | None = None,
    reference: str | None = None,
    items: str = "rubric",
    review: int | None = None,
    blind: bool = False,
    verdicts: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    logprobs: bool = True,
    tries: int = 3,
    temperature: float = 0.0,
    max_tokens: int = 1024,
    student: str | None = None,
    prefix: str = "judge",
    seed: int = 0,
    **options: Unpack[GenerateOptions],
) -> Generated:
    """Rows with the scores of judge models; nothing is left out unless a threshold says so.

    A judge gives its reason first and then its score, held to the scale by a JSON Schema. A verdict that
    cannot be read is asked for again, and then counted; the row has no score then. Several endpoints are a
    jury: each judges every row, and the score is their mean. Rows that are alike are judged all the same
    (`near_duplicates=None`).

    Args:
        rows: A JSONL or Parquet file, a folder of them (as a generation writes), rows, a table, or the result
            of a generation. Rows have question and answer in fields, or are chats of any format, of which the
            last answer is judged.
        endpoint: The judge: an `Endpoint`, an address, `local:PATH.gguf`, or several for a jury.
        method: `score` by a rubric; `checklist` by the items of each row, weighted yes or no, from 0 to 1;
            `pairwise` for the better of two answers in both orders: 1 if it is the first, 0 if the second,
            0.5 for a tie, which a winner that changes with the order is too.
        scale: The best score of `score`: 5 or 10.
        rubric: What each score stands for, or what decides between two: a text, or a file with one.
        threshold: The score below which a row is left out, and one without a score too.
        by: What is compared with the threshold: `score`, or `expected`, the mean over the probabilities of
            the scores, for endpoints that tell them (else the score).
        question: The field of the question. Default: `instruction` (with `input`), `question`, `prompt` or
            `query`, or all turns before the answer.
        answer: The field of the answer, or those of two. Default: `response`, `output`, `answer` or
            `completion`, or the last turn; of two, `answer_a` and `answer_b`, `chosen` and `rejected`.
        reference: The field of an answer that is known to be right, which the judge is shown.
        items: The field of a row's items: texts, or objects with `item` and `weight`.
        review: Rows for experts, spread over the scores: `OUTPUT.review.csv`, and `OUTPUT.review.jsonl` as
            records of Argilla. They are written once all rows are judged.
        blind: Leave the judge's scores out of these sheets.
        verdicts: Sheets that came back. They give the agreement with the experts, and set the threshold if
            there is none: the score from which on keeping a row agrees best with them.
        logprobs: Ask for the probabilities of the score.
        tries: How often a judge is asked whose verdict cannot be read.
        temperature: Temperature of the sampling.
        max_tokens: Tokens of an answer at most; one that is cut off is asked for once with twice as many.
        student: The family of the model that is to be trained; the report warns if it is that of the judge.
        prefix: What the names of the new columns begin with.
        seed: Seed of everything that is drawn at random.

    Returns:
        The rows with `judge_score`, `judge_expected`, `judge_reason` and `judge_problem` (why there is no
        score); of pairs `judge_winner` and `judge_orders`, of checklists `judge_items`, of a jury
        `judge_median`, `judge_spread` and `judge_scores`. The report has what was found in
        `config.recipe.found`.

    Raises:
        ParameterError: An endpoint or a parameter cannot be used, or no row can be judged.
        DataError: A row is no object, or verdicts are none, or cannot set a threshold.
        EndpointError: An endpoint answers nothing, refuses the key, or has no quota left.
        BusyError: Another run has the output or the journal.
        FileError: The system refused a file operation.
    """
    # Rows that are alike are no matter of a judge.
    options.setdefault("near_duplicates", None)
    settings = checked(endpoint, options, files_of(rows))
    _check(settings, review)
    name = _params.choice("method", method, METHODS)
    way = _method(name, scale, rubric, settings.prompts)
    found = cases.cases_of(
        cases.read(rows),
        is_pair=name == "pairwise",
        question=question,
        answer=answer,
        reference=reference,
        items=items if name == "checklist" else None,
    )
    said = None
    if review is not None or verdicts is not None:
        _check_ids(found)
    if verdicts is not None:
        said = _verdicts(verdicts, found)
    judges, teachers = _judges(settings), families.teachers_of(rows)
    recipe = Judge(
        found,
        way,
        _names(settings),
        threshold=None if threshold is None else _params.number("threshold", threshold),
        by=_params.choice("by", by, ("score", "expected")),
        verdicts=said,
        prefix=_params.word("prefix", prefix, "the beginning of a name"),
        temperature=temperature_of(temperature),
        max_tokens=_params.whole("max_tokens", max_tokens, 1),
        logprobs=_params.flag("logprobs", logprobs),
        tries=_params.whole("tries", tries, 1, 20),
        seed=_params.whole("seed", seed, 0, 2**64 - 1),
        more={
            "teachers": [{"identity": one.identity, "family": one.family} for one in teachers],
            "student": student,
        },
        warnings=families.notes(judges, teachers, student),
    )
    result = generate(recipe, settings)
    if review is not None and result.is_complete:
        _export(recipe, str(settings.output), _params.whole("review", review, 1), blind=blind)
    return result


def _check(settings: Settings, wanted: int | None) -> None:
    """What a judge cannot do.

    Raises:
        ParameterError: It was asked for.
    """
    if settings.is_completion:
        message = "an endpoint has `api` completion, but a judge is asked in chats"
        raise ParameterError(message)
    if settings.to is not None:
        message = (
            f"to is `{settings.to}`, but a chat format has no place for scores; convert the rows afterwards,"
            " for instance with `th.chat.convert_files`"
        )
        raise ParameterError(message)
    if wanted is not None:
        _params.whole("review", wanted, 1)
        if settings.output is None:
            message = "review needs an `output`, beside which the sheets are written"
            raise ParameterError(message)
        reviews.refuse_to_overwrite(settings.output)


def _method(
    name: str, scale: int, rubric: str | os.PathLike[str] | None, own: Mapping[str, str] | None
) -> Method:
    if name == "checklist" and rubric is not None:
        message = (
            "rubric is given, but method is `checklist`, where each row has its own; `items` names its field"
        )
        raise ParameterError(message)
    way: Method
    if name == "score":
        way = Score(rubric, scale=_params.whole("scale", scale), own_prompts=own)
    elif name == "checklist":
        way = Checklist(own)
    else:
        way = Pairwise(rubric, own_prompts=own)
    prompts.check_names(own, set(way.prompts))
    return way


def _check_ids(found: Sequence[Case]) -> None:
    """Verdicts are told apart by ids.

    Raises:
        DataError: Two rows have the same one.
    """
    name, count = Counter(case.id for case in found).most_common(1)[0]
    if count > 1:
        message = f"{count} rows have the id `{name}`, but verdicts of experts are told apart by ids"
        raise DataError(message)


def _verdicts(
    given: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], found: Sequence[Case]
) -> reviews.Verdicts:
    is_one = isinstance(given, str | os.PathLike)
    paths = [given] if is_one else _params.several("verdicts", given, "a sheet, or a list of them")
    said = reviews.read_all([_params.path("verdicts", path) for path in paths])
    if not said.opinions.keys() & {case.id for case in found}:
        message = (
            f"none of the {len(said.opinions):,} verdicts is of a row that is here; the first is of"
            f" `{next(iter(said.opinions))}`, the first row is `{found[0].id}`"
        )
        raise DataError(message)
    return said


def _judges(settings: Settings) -> list[Model]:
    """The judges.

    Raises:
        ParameterError: Two are the same model, whose answers would be the same.
    """
    several = [local.resolved(one) if one.is_local else one for one in settings.endpoints]
    models = [Model(identity=one.identity, family=one.family or "") for one in several]
    name, count = Counter(one.identity for one in models).most_common(1)[0]
    if count > 1:
        message = f"{count} endpoints serve `{name}`, but each judge of a jury is another model"
        raise ParameterError(message)
    return models


def _names(settings: Settings) -> list[str]:
    """The names of the judges in columns and reports."""
    names = [endpoint.name for endpoint in settings.endpoints]
    return [f"{name}#{place}" if names.count(name) > 1 else name for place, name in enumerate(names, 1)]


def _export(recipe: Judge, output: str, count: int, *, blind: bool) -> None:
    """Writes the sheets for experts."""
    scored = {one.case.id: one for one in recipe.scored()}
    chosen = reviews.choose(
        [(name, float(one.verdict.score or 0.0)) for name, one in scored.items()],
        count,
        recipe.method.best,
        recipe.seed,
    )
    rows = [(scored[name].case, scored[name].verdict) for name in chosen]
    table, lines = reviews.names_of(output)
    reviews.write(table, reviews.sheet(rows, blind=blind))
    reviews.write(lines, reviews.records(rows, agent=", ".join(recipe.judges), blind=blind))


def _without_the_check_of_others() -> None:
    """The signature says what the default of `near_duplicates` is here."""
    signature = inspect.signature(judge)
    own = [
        one.replace(default=None) if one.name == "near_duplicates" else one
        for one in signature.parameters.values()
    ]
    judge.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]


_without_the_check_of_others()
