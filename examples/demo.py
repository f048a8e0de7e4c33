"""Deduplicates the Python files of this machine and shows what was found: `make demo`.

Only the public functions of thresher are used, so this is also an example of how to read the evidence of
a run.
"""

from __future__ import annotations

import difflib
import itertools
import re
import sysconfig
import time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

import thresher as th

OUTPUT = Path("demo-out")
EVERY_S = 5
"""Seconds between two lines of progress."""
SHOWN_PAIRS = 3
COLUMN = 52
"""Characters of one of two texts side by side."""
SHOWN_LINES = 4
SHOWN_WORDS = 6


def main() -> None:
    """Runs the search and prints what it found."""
    folders = sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")})
    print("Deduplicating the Python files below")
    for folder in folders:
        print(f"  {folder}")
    began_s = time.monotonic()
    report = th.dedup_files(folders, OUTPUT, glob="*.py", overwrite=True, progress=_Progress())
    seconds = time.monotonic() - began_s
    _print_table(report, seconds)
    _print_pairs(report)
    print(f"\nEvery removal with its evidence: {OUTPUT}/removed.parquet; what was kept: {OUTPUT}/data;")
    print(f"parameters, accounting and timings: {OUTPUT}/run.json. Now try it on your own data:")
    print("\n  .venv/bin/thresher dedup YOUR.jsonl -o clean/ --text text\n")


class _Progress:
    """Prints a line when a step begins, and every few seconds."""

    def __init__(self) -> None:
        self._step, self._last_s = "", 0.0

    def __call__(self, moment: dict[str, Any]) -> None:
        if moment["step"] == self._step and moment["elapsed_s"] - self._last_s < EVERY_S:
            return
        self._step, self._last_s = moment["step"], moment["elapsed_s"]
        print(
            f"  {moment['elapsed_s']:5.1f} s  {moment['step']:<7} {moment['docs']:>9,} documents", flush=True
        )


def _print_table(report: th.DedupReport, seconds: float) -> None:
    megabytes = report.report["accounting"]["in"]["bytes"] / 1e6
    print()
    for name, value in (
        ("documents", f"{report.documents:,}"),
        ("kept", f"{report.kept:,}"),
        ("removed, exact duplicates", f"{report.exact:,}"),
        ("removed, near-duplicates", f"{report.near:,}"),
        ("quarantined, not UTF-8", f"{report.quarantined:,}"),
        ("MB read", f"{megabytes:,.0f}"),
        ("seconds", f"{seconds:.1f}"),
        ("MB/s, from disk to disk", f"{megabytes / seconds:.0f}"),
    ):
        print(f"  {name:<27}{value:>12}")


def _print_pairs(report: th.DedupReport) -> None:
    removed = pq.read_table(OUTPUT / "removed.parquet")
    near = removed.filter(pc.equal(pc.cast(removed["reason"], "string"), "near"))
    roots = {source["name"]: Path(source["path"]) for source in report.report["inputs"]}
    # One of each kept document, from the most similar to the least: they show more than many of one kind.
    by_kept = {row["duplicate_of"]: row for row in near.sort_by("similarity").to_pylist()}
    rows = sorted(by_kept.values(), key=lambda row: -row["similarity"])
    step = max(1, len(rows) // SHOWN_PAIRS)
    for row in rows[step // 2 :: step][:SHOWN_PAIRS]:
        gone = roots[row["source"]] / row["id"]
        kept = next(path for root in roots.values() if (path := root / row["duplicate_of"]).is_file())
        print(f"\nA near-duplicate, with a similarity of {row['similarity']:.3f}")
        _side_by_side(gone, kept)


def _side_by_side(gone: Path, kept: Path) -> None:
    left, right = (path.read_text("utf-8", "replace").splitlines() for path in (gone, kept))
    print(f"  {_cut('removed: ' + gone.name)} | {_cut('kept: ' + kept.name)}")
    shown, words = 0, []
    for kind, i, i_end, j, j_end in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        words += _words_that_differ(" ".join(left[i:i_end]), " ".join(right[j:j_end]))
        for a, b in itertools.zip_longest(left[i:i_end], right[j:j_end], fillvalue=""):
            if shown < SHOWN_LINES and (a.strip() or b.strip()):
                print("  {} | {}".format(*_from_where_they_differ(a.strip(), b.strip())))
                shown += 1
    more = f", and {len(words) - SHOWN_WORDS} more" if len(words) > SHOWN_WORDS else ""
    print(f"  words that differ: {', '.join(words[:SHOWN_WORDS]) or 'none, but their order or number'}{more}")


def _words_that_differ(left: str, right: str) -> list[str]:
    a, b = (re.findall(r"\w+", text.lower()) for text in (left, right))
    changes = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return [
        f"{_cut(' '.join(a[i:i_end]) or '-').strip()} -> {_cut(' '.join(b[j:j_end]) or '-').strip()}"
        for kind, i, i_end, j, j_end in changes
        if kind != "equal"
    ]


def _from_where_they_differ(a: str, b: str) -> tuple[str, str]:
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    start = max(0, same - COLUMN // 3)
    return tuple(_cut(f"...{line[start:]}" if start else line) for line in (a, b))  # type: ignore[return-value]


def _cut(line: str) -> str:
    shown = "".join(character if character.isprintable() else " " for character in line)
    return f"{shown if len(shown) <= COLUMN else shown[: COLUMN - 3] + '...':<{COLUMN}}"


if __name__ == "__main__":
    main()
