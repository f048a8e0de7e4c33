"""Cases: what a judge is shown of a row, whatever shape the row has.

Rows of our recipes name question and answer; other rows are chats of any format, of which the last answer is
judged and everything before it is the question. A row without either stays a row, and says so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from thresher import _params, chat
from thresher.errors import DataError, FileError, ParameterError
from thresher.generate.sources import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thresher.generate.recipe import Row
    from thresher.generate.sources import Rows

QUESTIONS = ("instruction", "question", "prompt", "query")
"""Fields that hold a question; the first that is there counts."""
ANSWERS = ("response", "output", "answer", "completion")
"""Fields that hold an answer."""
PAIRS = (
    ("answer_a", "answer_b"),
    ("response_a", "response_b"),
    ("output_a", "output_b"),
    ("chosen", "rejected"),
)
"""Fields that hold two answers."""
_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A row to be judged.

    Attributes:
        id: Its `id`, or its place.
        row: The row.
        question: What was asked, all turns before the answer.
        answers: The answer, or both of a pair; empty if there is none.
        reference: An answer that is known to be right.
        items: The row's own rubric: texts and their weights.
        problem: Why it cannot be judged: `no_question`, `no_answer`, `no_items`; empty if it can.
    """

    id: str
    row: Row
    question: str = ""
    answers: tuple[str, ...] = ()
    reference: str = ""
    items: tuple[tuple[str, float], ...] = ()
    problem: str = ""

    @property
    def mark(self) -> str:
        """A line that ends a text, and is in none of them."""
        texts = (self.question, *self.answers, self.reference)
        seen = "\0".join(texts).encode()
        for turn in range(1 << 16):
            mark = hashlib.sha256(b"%d\0%b" % (turn, seen)).hexdigest()[:8]
            if not any(mark in text for text in texts):
                return mark
        raise AssertionError


def read(rows: Rows | Any) -> list[Row]:  # noqa: ANN401 - an Arrow table of any library
    """The rows of a JSONL or Parquet file, of a folder of such files, of a list or a table.

    Raises:
        ParameterError: There are none.
        DataError: A line is no JSON, or a row no object.
        FileError: A file cannot be read.
    """
    if isinstance(rows, str | os.PathLike):
        found = [row for path in _files(Path(rows)) for row in _of_file(path)]
    elif hasattr(rows, "__arrow_c_stream__"):
        found = pa.table(rows).to_pylist()
    else:
        found = [row for _, row in rows_of("rows", rows)]
    for place, row in enumerate(found):
        if not isinstance(row, Mapping):
            message = f"row {place} is of type `{type(row).__name__}`, but a row is an object with fields"
            raise DataError(message)
    if not found:
        message = f"there is no row in `{rows}`"
        raise ParameterError(message)
    return [dict(row) for row in found]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    data = path / "data" if (path / "data").is_dir() else path
    found = sorted(one for one in data.rglob("*") if one.name.endswith(_SUFFIXES))
    if not found:
        message = f"there is no file in `{path}` that ends in {', '.join(f'`{one}`' for one in _SUFFIXES)}"
        raise ParameterError(message)
    return found


def _of_file(path: Path) -> Iterable[Any]:
    try:
        if path.suffix == ".parquet":
            return list(pq.read_table(path).to_pylist())
        data = path.read_bytes()
        if path.suffix in (".gz", ".zst"):
            with pa.CompressedInputStream(
                pa.BufferReader(data), "gzip" if path.suffix == ".gz" else "zstd"
            ) as stream:
                data = stream.read()
        return list(_lines(path, data.decode()))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        message = f"`{path}` is not what its name says: {error}"
        raise DataError(message) from error
    except OSError as error:
        raise FileError(error.errno or 5, f"cannot read `{path}`: {error}", str(path)) from error


def _lines(path: Path, text: str) -> Iterator[Any]:
    # Not by `splitlines`: U+2028 and others may stand in a text of JSON.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                message = f"{path}:{number}: no JSON: {error}"
                raise DataError(message) from error


def cases_of(
    rows: Sequence[Row],
    *,
    is_pair: bool = False,
    question: str | None = None,
    answer: str | Sequence[str] | None = None,
    reference: str | None = None,
    items: str | None = None,
) -> list[Case]:
    """What a judge is shown of rows.

    Args:
        rows: The rows.
        is_pair: Whether each has two answers.
        question: The field of the question. Default: one of `QUESTIONS`, or all turns before the answer.
        answer: The field of the answer, or those of two. Default: `ANSWERS`, `PAIRS`, or the last turn.
        reference: The field of an answer that is known to be right.
        items: The field of a row's own rubric.

    Raises:
        ParameterError: No row can be judged.
    """
    named = _named(answer, is_pair=is_pair)
    found: list[Case] = []
    others: list[int] = []
    for place, row in enumerate(rows):
        asked = _first(row, (question,) if question else QUESTIONS)
        given = _answers(row, named, is_pair=is_pair)
        if (not asked or not given) and not question and not named:
            others.append(place)
        if asked and question is None and isinstance(row.get("input"), str) and row["input"].strip():
            asked = f"{asked}\n\n{row['input']}"
        found.append(
            Case(
                id=str(row["id"]) if row.get("id") is not None else f"row-{place:06}.0",
                row=row,
                question=asked,
                answers=given,
                reference=_text(row.get(reference)) if reference else "",
                items=items_of(row.get(items)) if items else (),
            )
        )
    for place, (before, last) in _chats([rows[place] for place in others], others, is_pair=is_pair):
        one = found[place]
        found[place] = msgspec.structs.replace(
            one, question=before or one.question, answers=one.answers or ((last,) if last else ())
        )
    checked = [_checked(one, is_pair=is_pair, wants_items=items is not None) for one in found]
    if all(one.problem for one in checked):
        message = (
            f"no row can be judged: {_missing(checked[0].problem, question, named, items, is_pair=is_pair)}"
        )
        raise ParameterError(message)
    return checked


def _named(answer: str | Sequence[str] | None, *, is_pair: bool) -> tuple[str, ...]:
    if answer is None:
        return ()
    named = (answer,) if isinstance(answer, str) else tuple(_params.several("answer", answer))
    if len(named) != 1 + is_pair:
        allowed = "two fields, as `chosen` and `rejected`" if is_pair else "one field"
        message = f"answer is `{', '.join(map(str, named))}`, but it is {allowed}"
        raise ParameterError(message)
    return named


def _checked(case: Case, *, is_pair: bool, wants_items: bool) -> Case:
    problem = ""
    if not case.question:
        problem = "no_question"
    elif len(case.answers) != 1 + is_pair:
        problem = "no_answer"
    elif wants_items and not case.items:
        problem = "no_items"
    return msgspec.structs.replace(case, problem=problem) if problem else case


def _missing(
    problem: str, question: str | None, named: Sequence[str], items: str | None, *, is_pair: bool
) -> str:
    """What the first row lacks, and what there could be."""
    if problem == "no_items":
        return f"the first has no list of items as `{items}`; `items` names the field"
    if problem == "no_question":
        fields: Sequence[str] = (question,) if question else QUESTIONS
        what, option = "question", "question"
    else:
        fields = named or ([" and ".join(pair) for pair in PAIRS] if is_pair else ANSWERS)
        what, option = ("two answers" if is_pair else "answer"), "answer"
    looked = ", ".join(f"`{one}`" for one in fields)
    return f"the first has no {what} as {looked}, and is no chat; `{option}` names the field"


def _first(row: Row, fields: Sequence[str]) -> str:
    return next((text for field in fields if (text := _text(row.get(field)))), "")


def _answers(row: Row, named: Sequence[str], *, is_pair: bool) -> tuple[str, ...]:
    if named:
        found = tuple(_text(row.get(field)) for field in named)
        return found if all(found) else ()
    if not is_pair:
        text = _first(row, ANSWERS)
        return (text,) if text else ()
    for pair in PAIRS:
        found = tuple(_text(row.get(field)) for field in pair)
        if all(found):
            return found
    return ()


def _text(value: Any) -> str:  # noqa: ANN401 - it is what a row holds
    """A text, or the last turn of a list of turns."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and value and isinstance(value[-1], Mapping):
        return _content(value[-1])
    return ""


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content.strip() if isinstance(content, str) else ""


def _chats(
    rows: Sequence[Row], places: Sequence[int], *, is_pair: bool
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Questions and last answers of chats of whatever format, by the places of the rows."""
    if not rows:
        return
    try:
        lines = chat.convert(rows, to="openai").lines.to_pylist()
    except ParameterError:
        # They are no chats; each case says what it lacks.
        return
    for place, line in zip(places, lines, strict=True):
        messages = json.loads(line).get("messages") if line is not None else None
        if isinstance(messages, list):
            yield place, _turns([one for one in messages if isinstance(one, Mapping)], is_pair=is_pair)


def _turns(messages: Sequence[Mapping[str, Any]], *, is_pair: bool) -> tuple[str, str]:
    """Everything before the last answer, and the answer; of a pair, all turns are the question."""
    last = len(messages)
    if not is_pair:
        said = [place for place, one in enumerate(messages) if one.get("role") == "assistant"]
        if not said:
            return "", ""
        last = said[-1]
    before = [one for one in messages[:last] if _content(one)]
    if len(before) == 1:
        question = _content(before[0])
    else:
        question = "\n\n".join(f"[{one.get('role')}]\n{_content(one)}" for one in before)
    return question, _content(messages[last]) if last < len(messages) else ""


def items_of(value: Any) -> tuple[tuple[str, float], ...]:  # noqa: ANN401 - it is what a row holds
    """The items of a row's rubric with their weights; empty if they are none.

    They are a list of texts, a list of objects with a text and perhaps a weight, or an object from texts to
    weights.

    >>> items_of(["Names the cause", {"item": "Gives a number", "weight": 2}])
    (('Names the cause', 1.0), ('Gives a number', 2.0))
    """
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, Mapping):
                text = next((one[name] for name in ("item", "criterion", "text") if name in one), None)
                pairs.append((text, next((one[name] for name in ("weight", "points") if name in one), 1)))
            else:
                pairs.append((one, 1))
    found = []
    for text, weight in pairs:
        if not isinstance(text, str) or not text.strip():
            return ()
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            message = (
                f"the weight of the item `{text[:60]}` is `{weight}`, but it is more than 0; word a fault as"
                " something that a good answer does not do"
            )
            raise DataError(message)
        found.append((text.strip(), float(weight)))
    return tuple(found)
