"""The table of a mix as lines of text: what was asked for against what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def lines(mix: Mapping[str, Any]) -> Iterator[str]:
    """The lines: a block for each phase, and one for what there was of each source."""
    unit = mix["unit"]
    for phase in mix["phases"]:
        yield f"{phase['phase']}: {phase['size']:,} {unit}, {phase['documents']:,} documents"
        shares = [
            (
                line["source"],
                _share(line["asked"]),
                _share(line["planned"]),
                _share(line["achieved"]),
                f"{line['size']:,}",
                ", ".join(line["bound_by"]),
            )
            for line in phase["sources"]
        ]
        yield from _aligned([("source", "asked", "planned", "achieved", unit, "bound by"), *shares])
        bounds = [
            (
                f"{line['field']}: {line['value']}",
                _share(line["floor"]),
                _share(line["ceiling"]),
                _share(line["achieved"]),
                f"{line['size']:,}",
            )
            for line in phase["values"]
        ]
        if bounds:
            yield from _aligned([("value", "floor", "ceiling", "achieved", unit), *bounds])
    taken = [
        (
            line["source"],
            f"{line['size']:,}",
            f"{line['taken']:,}",
            f"{line['epochs']:.3f}",
            f"{line['max_epochs']:g}",
        )
        for line in mix["sources"]
    ]
    yield from _aligned([("source", f"{unit} there", "taken", "epochs", "at most"), *taken])


def _share(share: float) -> str:
    return f"{100 * share:.3f} %"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with columns of one width, names to the left and figures to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if at in (0, 5) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}".rstrip()
