"""What a generation gives: its rows as a sequence, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from thresher.generate.recipe import Row


@dataclass(frozen=True)
class Generated(Sequence["Row"]):
    """What a generation gave: its rows, in order, as a sequence.

    Attributes:
        rows: The rows, each with its `id`.
        report: Everything, as it stands in `run.json`.
        output: Where the files are; None if there are none.
    """

    rows: Sequence[Row] = field(repr=False)
    report: Mapping[str, Any] = field(repr=False)
    output: str | None = None

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        """A row, or some."""
        return self.rows[place]

    def __len__(self) -> int:
        """How many rows were kept."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        """The rows."""
        return iter(self.rows)

    @property
    def is_complete(self) -> bool:
        """Whether the target was reached, or all that there is was made."""
        return bool(self.report["complete"])

    @property
    def stopped(self) -> str | None:
        """Why it ended before; None if it did not."""
        stopped = self.report["stopped"]
        return None if stopped is None else str(stopped["message"])

    @property
    def rejected(self) -> dict[str, int]:
        """Rejections, by their first reason."""
        return {reason: tally["docs"] for reason, tally in self.report["accounting"]["removed"].items()}

    def __str__(self) -> str:
        """The books in one line."""
        books = self.report["accounting"]
        parts = [f"kept {books['kept']['docs']:,}"]
        parts += [f"{reason} {tally['docs']:,}" for reason, tally in books["removed"].items()]
        return f"in {books['in']['docs']:,} candidates = {' + '.join(parts)}"
