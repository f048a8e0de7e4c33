"""What became of one document of an earlier run over files, and why."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from thresher import _core, _format, _params

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from thresher._types import Progress

_COLUMN, _LINES = 52, 200


@dataclass(frozen=True)
class Explanation:
    """What became of a document.

    Attributes:
        report: Everything, as plain values that JSON can hold.
    """

    report: Mapping[str, Any] = field(repr=False)

    @property
    def fate(self) -> Literal["kept", "removed", "quarantined", "reference"]:
        """What became of it; a reference (`against`) stays and is not written."""
        fate: Literal["kept", "removed", "quarantined", "reference"] = self.report["fate"]
        return fate

    @property
    def reason(self) -> str | None:
        """Why it was removed or set aside: a reason as in `removed.parquet` and in the quarantine."""
        return None if self.report["reason"] is None else str(self.report["reason"])

    @property
    def kept(self) -> str | None:
        """The id of the kept document that stands for it, if it was removed."""
        return None if self.report["kept"] is None else str(self.report["kept"]["id"])

    @property
    def similarity(self) -> float | None:
        """Their exact Jaccard similarity, as the run wrote it."""
        return None if self.report["similarity"] is None else float(self.report["similarity"])

    @property
    def notes(self) -> list[str]:
        """What could not be told, and why."""
        return [str(note) for note in self.report["notes"]]

    def __str__(self) -> str:
        """All of it for people; controls are shown as escapes, and differing words in double brackets."""
        return "\n".join(escaped(line) for line in self._lines())

    def _lines(self) -> Iterator[str]:
        report = self.report
        yield f"{_named(report['document'])}: {self.fate}" + (f" ({self.reason})" if self.reason else "")
        if self.kept is not None:
            yield f"kept in its place: {_named(report['kept'])}, similarity {self.similarity}"
        if report["policy"]:
            yield f"why that one: {report['policy']}"
        if report["comparison"]:
            yield from _shared(report["comparison"])
        if bad := report["quarantined"]:
            yield f"at byte {bad['offset']}, {_format.size(bad['bytes'])}: {bad['detail']}"
            yield from _wrapped(bad["raw"] or bad["raw_base64"] or "", 2 * _COLUMN)
        if report["stands_for"] is not None:
            yield from self._stands_for()
        yield from (f"note: {note}" for note in self.notes)
        if report["kept_text"] is not None:
            yield "the texts; words that only one of them has are in [[ ]]:"
            yield from _side_by_side(report["text"], report["kept_text"])
        elif report["text"] is not None:
            yield "the text:"
            yield from _wrapped(_marked(report["text"]), 2 * _COLUMN)

    def _stands_for(self) -> Iterator[str]:
        found = self.report["stands_for"]
        if not found["documents"]:
            yield "it stands for no other document"
            return
        yield f"it stands for {_format.count(found['documents'])} removed documents:"
        for row in found["first"]:
            yield f"    {row['id']} ({row['reason']}, similarity {row['similarity']})"
        if rest := found["documents"] - len(found["first"]):
            yield f"    and {_format.count(rest)} more"


def explain(
    output: str | os.PathLike[str],
    id: str,
    *,
    progress: Callable[[Progress], object] | None = None,
) -> Explanation:
    """What became of one document of a run over files; see `thresher.explain`."""
    what = "the id of a document: what stands in its id field, or `input:row`"
    config = {"output": _params.path("output", output), "id": _params.word("id", id, what)}
    found = _core.results.explain(json.dumps(config), _params.callback("progress", progress))
    return Explanation(json.loads(found))


def escaped(text: str) -> str:
    """A line with everything that could steer a terminal shown as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def _named(place: Mapping[str, Any]) -> str:
    name = str(place["id"])
    by_place = f"{place['source']}:{place['row']}"
    return (
        name
        if place["source"] is None or name == by_place
        else f"{name} (row {place['row']} of {place['source']})"
    )


def _shared(found: Mapping[str, Any]) -> Iterator[str]:
    if found["equal"]:
        yield "the texts are equal, byte for byte"
    yield (
        f"shingles: {found['shared_shingles']} of both, {found['shingles']} of this one and "
        f"{found['kept_shingles']} of the kept one: similarity {found['similarity']:.6f}"
    )
    bands = ", ".join(map(str, found["shared_bands"])) or "none"
    yield f"bands that both share: {len(found['shared_bands'])} of {found['bands']} ({bands})"
    yield f"lanes that agree: {found['agreeing_lanes']} of {found['lanes']}"


def _marked(text: Mapping[str, Any]) -> str:
    def segment(found: Mapping[str, Any]) -> str:
        words = str(found["text"])
        inner = words.strip()
        return words.replace(inner, f"[[{inner}]]", 1) if found["differs"] and inner else words

    more = f" ... and {_format.count(text['more'])} characters more" if text["more"] else ""
    return "".join(map(segment, text["segments"])) + more


def _wrapped(text: str, width: int) -> list[str]:
    lines = [piece for line in text.split("\n") for piece in textwrap.wrap(escaped(line), width) or [""]]
    rest = len(lines) - _LINES
    return lines if rest <= 0 else [*lines[:_LINES], f"... {_format.count(rest)} lines more"]


def _side_by_side(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[str]:
    columns = [[head, *_wrapped(_marked(text), _COLUMN)] for head, text in (("this", left), ("kept", right))]
    for one, other in zip_longest(*columns, fillvalue=""):
        yield f"{one:<{_COLUMN}} | {other}".rstrip()
