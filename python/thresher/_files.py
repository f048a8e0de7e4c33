"""What every run over files takes and gives: common parameters, and the books that balance."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from thresher import _core, _format, _params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    Paths: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
    """One file, pattern or folder, or several."""

MAX_THREADS = 4096
"""More threads than any machine of today has cores; a larger number is a mistake."""

MAX_BYTES = 2**63 - 1
"""More bytes than any file has."""

MAX_RECORD_BYTES = 256 * 2**20
"""The longest record of a file by default; a longer line is a broken file, not a document."""


MAX_QUARANTINE = 0.5
"""Share of the records of which more may not be set aside: a run that sets aside more has the wrong input."""

BATCH_BYTES = 4 * 2**20
"""Bytes of input that a thread works on at a time: they stay in cache, and outweigh what a batch costs."""


def run_config(
    inputs: Paths,
    output: str | os.PathLike[str] | None,
    *,
    overwrite: bool,
    threads: int | None,
    tmp: str | os.PathLike[str] | None,
    strict: bool,
    max_quarantine: float,
    max_record_bytes: int,
    batch_bytes: int,
    **own: object,
) -> str:
    """The configuration of a run as JSON: what all runs have, and what this one has of its own."""
    several = [inputs] if isinstance(inputs, str | os.PathLike) else _params.several("inputs", inputs)
    return json.dumps(
        {
            "inputs": [_params.path("inputs", path) for path in several],
            "output": None if output is None else _params.path("output", output),
            "overwrite": _params.flag("overwrite", overwrite),
            "threads": _core.available_threads()
            if threads is None
            else _params.whole("threads", threads, 1, MAX_THREADS),
            "tmp": None if tmp is None else _params.path("tmp", tmp),
            "strict": _params.flag("strict", strict),
            "max_quarantine": _params.share("max_quarantine", max_quarantine),
            "max_record_bytes": _params.whole("max_record_bytes", max_record_bytes, 1, MAX_BYTES),
            "batch_bytes": _params.whole("batch_bytes", batch_bytes, 1, MAX_BYTES),
            **own,
        }
    )


@dataclass(frozen=True)
class RunReport:
    """What every run over files reports: what was read, written and set aside.

    Attributes:
        report: Everything, as it stands in `run.json`.
    """

    report: Mapping[str, Any] = field(repr=False)

    @classmethod
    def _from_json(cls, text: str) -> Self:
        return cls(json.loads(text))

    @property
    def documents(self) -> int:
        """Records read, bad ones included."""
        return int(self.report["accounting"]["in"]["docs"])

    @property
    def kept(self) -> int:
        """Records in the output."""
        return int(self.report["accounting"]["kept"]["docs"])

    @property
    def quarantined(self) -> int:
        """Records set aside, and so in no output."""
        return sum(int(tally["docs"]) for tally in self.report["accounting"]["quarantined"].values())

    @property
    def set_aside(self) -> dict[str, int]:
        """Records set aside, by reason."""
        tallies = self.report["accounting"]["quarantined"].items()
        return {reason: int(tally["docs"]) for reason, tally in tallies if tally["docs"]}

    @property
    def quarantine(self) -> str | None:
        """The file that holds them; None if there is none, as without an output and on standard output."""
        output = self.report["config"]["output"]
        if not self.report["quarantine"]["written"] or output in (None, "-"):
            return None
        # The file that a link leads to is the output, and its evidence lies beside it.
        place = Path(output).resolve() if Path(output).is_symlink() else Path(output)
        folder = place / "quarantine" if place.is_dir() else Path(f"{place}.quarantine")
        return str(folder / "records.jsonl")

    @property
    def notes(self) -> list[str]:
        """What was left out of the inputs, and why; files that were named twice."""
        return [str(note) for note in self.report["notes"]]

    @property
    def outputs(self) -> list[str]:
        """Paths of the files written."""
        return [str(output["path"]) for output in self.report["outputs"]]

    def _removed(self, reason: str) -> int:
        return int(self.report["accounting"]["removed"].get(reason, {"docs": 0})["docs"])

    def _parts(self) -> list[tuple[str, int, int]]:
        books = self.report["accounting"]
        parts = [("kept", books["kept"]["docs"], books["kept"]["bytes"])]
        removed = sorted(books["removed"].items())
        parts += [(reason, tally["docs"], tally["bytes"]) for reason, tally in removed]
        bad_bytes = sum(tally["bytes"] for tally in books["quarantined"].values())
        parts.append(("quarantined", self.quarantined, bad_bytes))
        return parts

    def __str__(self) -> str:
        """The accounting line."""
        books = self.report["accounting"]
        line = _format.accounting(books["in"]["docs"], books["in"]["bytes"], self._parts())
        blank = books["blank_bytes"]
        return f"{line} + blank ({_format.size(blank)})" if blank else line
