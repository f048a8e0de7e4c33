"""The experts' part: a sheet of rows spread over the scores goes out, verdicts come back.

The sheet is a CSV for a spreadsheet and the same rows as records of Argilla, one JSON line each. Whether the
judge's scores stand in it can be told when it comes back: an expert who saw them agrees more easily.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from thresher.errors import DataError, FileError, ParameterError
from thresher.generate.recipe import shuffled

if TYPE_CHECKING:
    from thresher.generate.judging.cases import Case
    from thresher.generate.judging.method import Verdict

ENTERED = ("verdict", "expert_score", "comment")
"""Columns that an expert fills in; `verdict` is accept or reject, `expert_score` may be left empty."""
_SAID = {
    **dict.fromkeys(("accept", "accepted", "yes", "y", "keep", "good", "ok", "true", "1"), True),
    **dict.fromkeys(("reject", "rejected", "no", "n", "drop", "bad", "false", "0"), False),
}
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would compute a cell that begins with one of these; a quote in front makes it a text."""


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What the experts say of a row, all of them together.

    Attributes:
        id: The id of the row.
        accepted: Whether they accept it; None if nobody says, or as many do as do not.
        score: The mean of their scores; None without any.
        says: What each says, in the order of the files.
    """

    id: str
    accepted: bool | None = None
    score: float | None = None
    says: tuple[bool, ...] = ()


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts of experts.

    Attributes:
        opinions: By the id of the row.
        was_shown: Whether the experts saw the judge's scores.
    """

    opinions: dict[str, Opinion]
    was_shown: bool


def choose(scored: Sequence[tuple[str, float]], count: int, best: float, seed: int) -> list[str]:
    """Rows for review, spread over the scores: one of each score after the other, at random within a score.

    Args:
        scored: Ids and scores.
        count: How many rows.
        best: The best score; scores up to 1 are taken in tenths.
        seed: Of the order within a score.
    """
    strata: dict[int, list[str]] = defaultdict(list)
    for name, score in scored:
        strata[round(score * 10) if best <= 1 else round(score)].append(name)
    chance = shuffled(seed, "review")
    for place in sorted(strata):
        chance.shuffle(strata[place])
    chosen: list[str] = []
    while len(chosen) < count and strata:
        for place in sorted(strata):
            if len(chosen) < count:
                chosen.append(strata[place].pop())
            if not strata[place]:
                del strata[place]
    # Else the sheet itself would tell the scores.
    chance.shuffle(chosen)
    return chosen


def sheet(rows: Sequence[tuple[Case, Verdict]], *, blind: bool) -> str:
    """The sheet as CSV."""
    answers = ["answer"] if all(len(case.answers) == 1 for case, _ in rows) else ["answer_a", "answer_b"]
    shown = [] if blind else ["judge_score", "judge_reason"]
    text = io.StringIO()
    # With the mark of UTF-8, without which a spreadsheet takes another encoding.
    text.write("\ufeff")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["id", "question", *answers, "reference", *shown, *ENTERED])
    for case, verdict in rows:
        cells = [case.id, case.question, *case.answers, case.reference]
        if not blind:
            cells += ["" if verdict.score is None else f"{verdict.score:g}", verdict.reason]
        writer.writerow([_cell(cell) for cell in cells] + [""] * len(ENTERED))
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _uncell(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULAS) else text


def records(rows: Sequence[tuple[Case, Verdict]], *, agent: str, blind: bool) -> str:
    """The sheet as records of Argilla 2, as `rg.Record.from_dict` takes them, one JSON line each.

    The questions are `verdict` (a label: accept, reject) and `expert_score` (a rating); the judge's score is
    the suggestion for the latter, rounded where it is the mean of several judges.
    """
    lines = []
    for case, verdict in rows:
        names = ("answer",) if len(case.answers) == 1 else ("answer_a", "answer_b")
        fields = {"question": case.question, **dict(zip(names, case.answers, strict=True))}
        if case.reference:
            fields["reference"] = case.reference
        suggestions = {}
        if not blind and verdict.score is not None and verdict.score >= 1 and not verdict.orders:
            suggestions["expert_score"] = {"value": round(verdict.score), "score": None, "agent": agent}
        record = {
            "id": case.id,
            "fields": fields,
            "metadata": {} if blind or verdict.score is None else {"judge_score": verdict.score},
            "suggestions": suggestions,
            "responses": {},
            "vectors": {},
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def names_of(output: str) -> tuple[Path, Path]:
    """Where the sheets of an output lie: beside it, so that a new result does not take them away."""
    place = output.rstrip("/")
    return Path(f"{place}.review.csv"), Path(f"{place}.review.jsonl")


def refuse_to_overwrite(output: str) -> None:
    """Refuses an output whose sheet has verdicts in it.

    Raises:
        ParameterError: It has.
    """
    path = names_of(output)[0]
    if not path.exists():
        return
    try:
        has_verdicts = bool(read(path).opinions)
    except (DataError, FileError):
        has_verdicts = True
    if has_verdicts:
        message = (
            f"`{path}` is there and may hold verdicts of experts; give it as `verdicts`, or move it away"
            " before a new sheet is made"
        )
        raise ParameterError(message)


def write(path: Path, text: str) -> None:
    """Writes a sheet at once: it is there whole, or not at all."""
    try:
        with tempfile.NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise FileError(error.errno or 5, f"cannot write `{path}`: {error.strerror}", str(path)) from error


def read_all(paths: Sequence[str | os.PathLike[str]]) -> Verdicts:
    """The verdicts of one or several sheets, of one expert each or of several.

    Raises:
        DataError: One is no sheet, or has a verdict that is none.
        FileError: One cannot be read.
    """
    found = [read(Path(path)) for path in paths]
    merged: dict[str, list[Opinion]] = defaultdict(list)
    for verdicts in found:
        for name, opinion in verdicts.opinions.items():
            merged[name].append(opinion)
    if not merged:
        message = (
            f"there is no verdict in {', '.join(f'`{path}`' for path in paths)}; the column `verdict` is"
            " accept or reject"
        )
        raise DataError(message)
    return Verdicts(
        opinions={name: _merged(name, several) for name, several in merged.items()},
        was_shown=any(verdicts.was_shown for verdicts in found),
    )


def _merged(name: str, several: Sequence[Opinion]) -> Opinion:
    says = [one for opinion in several for one in opinion.says]
    given = [opinion.score for opinion in several if opinion.score is not None]
    return _opinion(name, says, given)


def _opinion(name: str, says: Sequence[bool], given: Sequence[float]) -> Opinion:
    accepted = None if 2 * sum(says) == len(says) else 2 * sum(says) > len(says)
    score = sum(given) / len(given) if given else None
    return Opinion(id=name, accepted=accepted, score=score, says=tuple(says))


def read(path: Path) -> Verdicts:
    """The verdicts of a sheet that came back: CSV with commas, semicolons or tabs, or records of Argilla."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        code = getattr(error, "errno", None) or 5
        raise FileError(code, f"cannot read the verdicts `{path}`: {error}", str(path)) from error
    if text.lstrip().startswith(("{", "[")):
        return _of_records(path, text)
    return _of_sheet(path, text)


def _of_sheet(path: Path, text: str) -> Verdicts:
    # A spreadsheet saves with the separator of its country.
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    missing = [name for name in ("id", "verdict") if name not in (rows.fieldnames or ())]
    if missing:
        message = f"`{path}` has no column `{missing[0]}`; a sheet has `id` and `verdict` at least"
        raise DataError(message)
    opinions = {}
    for row in rows:
        place = f"{path}:{rows.line_num}"
        says = _says(place, row.get("verdict"))
        score = _score(place, row.get("expert_score"))
        if says is not None or score is not None:
            name = _uncell(row["id"])
            if name in opinions:
                message = f"{place}: the id `{name}` is there twice"
                raise DataError(message)
            opinions[name] = _opinion(name, [] if says is None else [says], [] if score is None else [score])
    return Verdicts(opinions=opinions, was_shown="judge_score" in (rows.fieldnames or ()))


def _of_records(path: Path, text: str) -> Verdicts:
    """Records of Argilla: a list, or one a line; a question has the responses of several experts."""
    try:
        # Not by `splitlines`: U+2028 and others may stand in a text of JSON.
        found = json.loads(text) if text.lstrip().startswith("[") else _lines(text)
    except ValueError as error:
        message = f"`{path}` holds no records: {error}"
        raise DataError(message) from error
    opinions: dict[str, Opinion] = {}
    was_shown = False
    for place, record in enumerate(found):
        name = record.get("id") if isinstance(record, Mapping) else None
        if name is None:
            message = f"{path}: record {place} has no `id`"
            raise DataError(message)
        responses = record.get("responses") or {}
        says = [
            said
            for value in _values(responses, "verdict")
            if (said := _says(f"{path}: record {place}", value)) is not None
        ]
        given = [
            score
            for value in _values(responses, "expert_score")
            if (score := _score(f"{path}: record {place}", value)) is not None
        ]
        was_shown = was_shown or bool(record.get("suggestions")) or bool(record.get("metadata"))
        if says or given:
            opinions[str(name)] = _opinion(str(name), says, given)
    return Verdicts(opinions=opinions, was_shown=was_shown)


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _values(responses: Any, question: str) -> list[Any]:  # noqa: ANN401 - any JSON
    several = responses.get(question) if isinstance(responses, Mapping) else None
    return [one.get("value") for one in several or () if isinstance(one, Mapping)]


def _says(place: str, value: Any) -> bool | None:  # noqa: ANN401
    said = "" if value is None else str(value).strip().lower()
    if not said:
        return None
    if said not in _SAID:
        message = f"{place}: the verdict is `{value}`, but it is accept or reject, or empty"
        raise DataError(message)
    return _SAID[said]


def _score(place: str, value: Any) -> float | None:  # noqa: ANN401
    said = "" if value is None else str(value).strip().replace(",", ".")
    if not said:
        return None
    try:
        return float(said)
    except ValueError as error:
        message = f"{place}: the score is `{value}`, but it is a number, or empty"
        raise DataError(message) from error
