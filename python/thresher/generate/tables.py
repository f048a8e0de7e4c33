"""The tables of a result: rows in the order in which they were kept, rejections with their rules, lineage.

They hold nothing that depends on time, on the order in which answers came, or on how often something was
tried: the same journal gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from thresher import chat
from thresher.errors import DataError
from thresher.generate.recipe import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thresher.generate.engine import Made
    from thresher.generate.journal import Journal
    from thresher.generate.recipe import Recipe, Row
    from thresher.generate.request import Answer

_TEXTS = pa.list_(pa.string())

LINEAGE = pa.schema(
    [
        ("id", pa.string()),
        ("recipe", pa.string()),
        ("round", pa.int32()),
        ("slot", pa.string()),
        ("parents", _TEXTS),
        ("answers", _TEXTS),
        ("endpoints", _TEXTS),
        ("models", _TEXTS),
        ("modes", _TEXTS),
        ("finish", _TEXTS),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("notes", pa.string()),
        ("row_sha256", pa.string()),
    ]
)
"""Columns of `lineage.parquet`; `answers` are keys of the journal, in hex."""

REJECTED = pa.schema(
    [
        ("id", pa.string()),
        ("round", pa.int32()),
        ("slot", pa.string()),
        ("reason", pa.string()),
        ("reasons", _TEXTS),
        ("detail", pa.string()),
        ("row", pa.string()),
        ("parents", _TEXTS),
        ("answers", _TEXTS),
    ]
)
"""Columns of `rejected.parquet`; `row` is JSON."""


def json_of(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value as compact JSON, its members in their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def rows_of(recipe: Recipe, kept: Sequence[Made], to: str | None) -> list[Row]:
    """The rows that were kept, each with its id in front; in a chat format if one is asked for."""
    if to is None:
        return [{"id": made.id, **_row(made)} for made in kept]
    if not kept:
        return []
    chats = [recipe.conversation(_row(made)) for made in kept]
    converted = chat.convert(chats, to=to, from_format="openai")
    if converted.errors:
        first = converted.errors[0]
        message = f"row `{kept[first.row].id}` cannot be written as `{to}`: {first.detail}"
        raise DataError(message)
    return [{"id": made.id, **row} for made, row in zip(kept, converted.rows, strict=True)]


def _row(made: Made) -> Row:
    return made.made.row


def write_rows(rows: Iterable[Row], path: str, form: str, codec: str) -> None:
    """Writes rows as JSON lines, plain or compressed, or as Parquet."""
    if form == "parquet":
        # By way of texts: a column whose values have several types is refused by Arrow, and stays a text
        # then.
        rows = list(rows)
        write_table(_table_of(rows), path)
        return
    data = "".join(f"{json_of(row)}\n" for row in rows).encode()
    if codec != "plain":
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        data = sink.getvalue().to_pybytes()
    Path(path).write_bytes(data)


def write_table(table: pa.Table, path: str) -> None:
    """Writes a table of evidence."""
    pq.write_table(table, path, compression="zstd")


def _table_of(rows: Sequence[Row]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["id"]
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns.append(pa.array(values, pa.string() if not values else None))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns.append(pa.array([None if value is None else json_of(value) for value in values]))
    return pa.Table.from_arrays(columns, names)


def lineage_of(recipe: Recipe, kept: Sequence[Made], journal: Journal) -> pa.Table:
    """Where each row comes from."""
    columns: dict[str, list[Any]] = {name: [] for name in LINEAGE.names}
    for made in kept:
        answers = [answer for key in made.made.keys if (answer := journal.answer(key)) is not None]
        values = {
            "id": made.id,
            "recipe": f"{recipe.name}/{recipe.version}",
            "round": made.number,
            "slot": made.slot,
            "parents": list(made.made.parents),
            "answers": list(made.made.keys),
            **_of_answers(answers),
            "notes": json_of(made.made.notes) if isinstance(made.made, Candidate) else "{}",
            "row_sha256": hashlib.sha256(json_of(_row(made)).encode()).hexdigest(),
        }
        for name, column in columns.items():
            column.append(values[name])
    return pa.table(columns, schema=LINEAGE)


def _of_answers(answers: Sequence[Answer]) -> dict[str, Any]:
    return {
        "endpoints": [answer.endpoint for answer in answers],
        "models": [answer.model for answer in answers],
        "modes": [answer.mode for answer in answers],
        "finish": [answer.finish for answer in answers],
        "input_tokens": sum(answer.usage.input for answer in answers),
        "output_tokens": sum(answer.usage.output for answer in answers),
    }


def rejected_of(rejected: Sequence[Made]) -> pa.Table:
    """What became no row, and why."""
    columns: dict[str, list[Any]] = {name: [] for name in REJECTED.names}
    for made in rejected:
        values = {
            "id": made.id,
            "round": made.number,
            "slot": made.slot,
            "reason": made.reasons[0],
            "reasons": list(made.reasons),
            "detail": made.detail,
            "row": json_of(_row(made)),
            "parents": list(made.made.parents),
            "answers": list(made.made.keys),
        }
        for name, column in columns.items():
            column.append(values[name])
    return pa.table(columns, schema=REJECTED)


def books(kept: Sequence[Made], rejected: Sequence[Made]) -> Mapping[str, Any]:
    """The books: candidates and their bytes as JSON; in = kept + removed, by the first reason."""
    kept_bytes = sum(len(json_of(_row(made)).encode()) for made in kept)
    removed: Counter[str] = Counter()
    removed_bytes: Counter[str] = Counter()
    for made in rejected:
        removed[made.reasons[0]] += 1
        removed_bytes[made.reasons[0]] += len(json_of(_row(made)).encode())
    return {
        "in": {
            "docs": len(kept) + len(rejected),
            "bytes": kept_bytes + sum(removed_bytes.values()),
        },
        "kept": {"docs": len(kept), "bytes": kept_bytes},
        "removed": {
            reason: {"docs": removed[reason], "bytes": removed_bytes[reason]} for reason in sorted(removed)
        },
        "quarantined": {},
        "blank_bytes": 0,
    }
