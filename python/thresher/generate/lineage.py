"""Where one row of a generation comes from: its slot, its parents, and every request and answer behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from thresher._format import count
from thresher.errors import DataError, FileError, ParameterError
from thresher.explanation import escaped
from thresher.generate.journal import entries

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from thresher.generate.journal import Entry

_SHOWN = 4000
"""Characters of a text that are printed at most."""


@dataclass(frozen=True)
class Lineage:
    """What became of a candidate, and what it was made of.

    Attributes:
        report: Everything, as plain values that JSON can hold.
    """

    report: Mapping[str, Any] = field(repr=False)

    @property
    def fate(self) -> str:
        """`kept` or `rejected`."""
        return str(self.report["fate"])

    @property
    def reasons(self) -> list[str]:
        """The rules that it breaks; empty if it was kept."""
        return list(self.report["reasons"])

    @property
    def notes(self) -> list[str]:
        """What could not be told, and why."""
        return list(self.report["notes"])

    def __str__(self) -> str:
        """All of it for people; controls are shown as escapes."""
        return "\n".join(escaped(line) for line in self._lines())

    def _lines(self) -> Iterator[str]:
        report = self.report
        why = f" ({', '.join(self.reasons)})" if self.reasons else ""
        yield f"{report['id']}: {self.fate}{why}"
        if report["detail"]:
            yield f"what was seen: {report['detail']}"
        yield f"recipe {report['recipe']}, round {report['round']}, slot {report['slot']}"
        if report["parents"]:
            yield f"made from: {', '.join(report['parents'])}"
        yield from (f"{name}: {value}" for name, value in report["row"].items())
        for name, value in report["lineage"].items():
            yield f"{name.replace('_', ' ')}: {json.dumps(value, ensure_ascii=False)}"
        for place, asked in enumerate(report["answers"], 1):
            yield from _asked(place, len(report["answers"]), asked)
        yield from (f"note: {note}" for note in self.notes)


def _asked(place: int, of: int, asked: Mapping[str, Any]) -> Iterator[str]:
    answer = asked["answer"]
    mode = f", schema by {answer['mode']}" if answer["mode"] else ""
    yield (
        f"request {place} of {of}: {answer['model'] or asked['model']} at {answer['endpoint']}, "
        f"{count(answer['input_tokens'])} tokens in, {count(answer['output_tokens'])} out, "
        f"{answer['failure'] or answer['finish']}{mode}"
    )
    yield f"    sampling {json.dumps(asked['sampling'])}, sample {asked['sample']}, key {asked['key']}"
    for role, text in asked["texts"]:
        yield from _block(role, text)
    if answer["reasoning"]:
        yield from _block("reasoning", answer["reasoning"])
    yield from _block("answer", answer["text"])


def _block(name: str, text: str) -> Iterator[str]:
    shown = text[:_SHOWN]
    yield f"    {name}:"
    yield from (f"        {line}" for line in shown.splitlines())
    if len(text) > len(shown):
        yield f"        ... {count(len(text) - len(shown))} characters more"


def is_generation(output: str | os.PathLike[str]) -> bool:
    """Whether an output is that of a generation."""
    try:
        run = json.loads(_part(Path(output), "run.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(run, dict) and str(run.get("verb", "")).startswith("generate ")


def explain_row(output: str | os.PathLike[str], id: str) -> Lineage:
    """What became of a candidate of a generation, and what it was made of.

    Args:
        output: The output of the generation: a folder or a data file.
        id: The id of a row, or of a rejected candidate in `rejected.parquet`.

    Raises:
        ParameterError: There is no such candidate.
        DataError: A table or the journal is damaged.
        FileError: There is no such output.
    """
    place = Path(output)
    run = json.loads(_part(place, "run.json").read_text("utf-8"))
    kept = _row(place, "lineage.parquet", id)
    found = kept or _row(place, "rejected.parquet", id)
    if found is None:
        message = (
            f"id is `{id}`, but `{place}` has no such row, and none was rejected; ids are in lineage.parquet"
        )
        raise ParameterError(message)
    notes: list[str] = []
    answers = _answers(place, run, found["answers"], notes)
    row = _data(place, run, id) if kept else json.loads(found["row"])
    report = {
        "id": id,
        "fate": "kept" if kept else "rejected",
        "reasons": found.get("reasons") or [],
        "detail": found.get("detail") or "",
        "recipe": f"{run['config']['recipe']['name']}/{run['config']['recipe']['version']}",
        "round": found["round"],
        "slot": found["slot"],
        "parents": found["parents"],
        "row": row,
        "lineage": json.loads(found["notes"]) if kept else {},
        "answers": answers,
        "notes": notes,
    }
    return Lineage(report)


def _part(place: Path, part: str) -> Path:
    return place / part if place.is_dir() else Path(f"{place}.{part}")


def _row(place: Path, part: str, id: str) -> dict[str, Any] | None:
    path = _part(place, part)
    try:
        table = pq.read_table(path, filters=pc.field("id") == id)
    except FileNotFoundError as error:
        message = f"cannot open `{path}`: it is part of a generation's result, and is not there"
        raise FileError(error.errno or 2, message, str(path)) from error
    except (OSError, ValueError) as error:
        message = f"`{path}` is damaged: {error}"
        raise DataError(message) from error
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows[0] if rows else None


def _data(place: Path, run: Mapping[str, Any], id: str) -> dict[str, Any]:
    """A row of the data."""
    path = place / "data" / "rows.jsonl" if place.is_dir() else place
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path, filters=pc.field("id") == id).to_pylist()
        return rows[0]
    import pyarrow as pa

    wanted = json.dumps(id, ensure_ascii=False)
    codec = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    with pa.input_stream(str(path), compression=codec) as stream:
        for line in stream.read().decode().split("\n"):
            if line.startswith(f'{{"id":{wanted}'):
                row: dict[str, Any] = json.loads(line)
                return row
    message = (
        f"`{path}` has no row `{id}`, although lineage.parquet has; `thresher verify` tells what differs"
    )
    raise DataError(message)


def _answers(
    place: Path, run: Mapping[str, Any], keys: Sequence[str], notes: list[str]
) -> list[dict[str, Any]]:
    """The requests behind a row, from the journal, in the order in which they were asked."""
    named = Path(str(run["config"].get("journal") or ""))
    beside = place.absolute().parent / named.name
    journal = next((path for path in (named, beside) if path.is_file()), None)
    if journal is None:
        notes.append(f"the journal `{named}` is not there, so requests and answers cannot be shown")
        return []
    found: dict[str, Entry] = {}
    for entry in entries(journal, list(dict.fromkeys(keys))):
        if entry.key not in found or not entry.answer.is_cut:
            found[entry.key] = entry
    missing = sum(key not in found for key in keys)
    if missing:
        notes.append(f"{count(missing)} answers are no longer in the journal `{journal}`")
    return [_shown(found[key]) for key in keys if key in found]


def _shown(entry: Entry) -> dict[str, Any]:
    request, answer = entry.request, entry.answer
    texts = [(one["role"], one["content"]) for one in request.get("messages") or ()]
    if "prompt" in request:
        texts.append(("text to be continued", request["prompt"]))
    return {
        "key": entry.key,
        "model": request["model"],
        "sampling": request["sampling"],
        "sample": request["sample"],
        "max_tokens": entry.max_tokens,
        "texts": texts,
        "answer": {
            "text": answer.text,
            "reasoning": answer.reasoning,
            "finish": answer.finish,
            "failure": answer.failure,
            "detail": answer.detail,
            "endpoint": answer.endpoint,
            "model": answer.model,
            "mode": answer.mode,
            "input_tokens": answer.usage.input,
            "output_tokens": answer.usage.output,
        },
    }
