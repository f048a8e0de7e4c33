"""What was found of each benchmark, and its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thresher._format import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkFound:
    """What was found of one benchmark.

    Attributes:
        benchmark: Its name: that of its file without endings, or the name that it was given.
        items: Its rows.
        repeated: Rows with the same fields as an earlier row, in whose place they are found.
        unfindable: Rows of which nothing can be found: they have too few words, or only n-grams that more
            than `common` items have.
        documents: Documents that hold something of it.
        contaminated: Items that some document holds.
        rows: The rows of these items, from 0, in order.
    """

    benchmark: str
    items: int
    repeated: int
    unfindable: int
    documents: int
    contaminated: int
    rows: tuple[int, ...] = field(repr=False)


def benchmarks_of(found: Iterable[Mapping[str, Any]]) -> tuple[BenchmarkFound, ...]:
    """The native report on each benchmark as ours."""
    return tuple(BenchmarkFound(**{**one, "rows": tuple(one["rows"])}) for one in found)


def table(benchmarks: Iterable[BenchmarkFound]) -> str:
    """A line for each benchmark, under a head."""
    lines = [("benchmark", "items", "contaminated", "documents", "unfindable")]
    lines += [
        (
            one.benchmark,
            count(one.items),
            count(one.contaminated),
            count(one.documents),
            count(one.unfindable),
        )
        for one in benchmarks
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
