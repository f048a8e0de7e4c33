"""Columns that are not the text arrive as they were: pyarrow reads of the output what it reads of the input.

`make test-passthrough` compares 10,000 tables; `FILES=folder` adds the files of a folder, such as those of
apache/parquet-testing and apache/arrow-testing.
"""

from __future__ import annotations

import collections
import json
import os
import random
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pytest

import thresher as th
from tests.arrow_tables import Unsupported, random_table, read, write_ipc, write_parquet

SUFFIXES = [".parquet", ".arrow", ".arrows"]


def kept(table: pa.Table, text: str) -> pa.Table:
    """The first row of each text."""
    seen: set[object] = {None}
    rows = []
    for row, value in enumerate(table[text].to_pylist()):
        if value not in seen:
            seen.add(value)
            rows.append(row)
    try:
        return table.take(pa.array(rows, pa.int64()))
    except pa.ArrowNotImplementedError:
        return pa.concat_tables([table.slice(0, 0), *(table.slice(row, 1) for row in rows)])


def difference(expected: pa.Table, found: pa.Table) -> str | None:
    """The first thing that is not the same."""
    if not found.schema.equals(expected.schema, check_metadata=True):
        return f"schema: {found.schema.to_string()} instead of {expected.schema.to_string()}"
    if found.num_rows != expected.num_rows:
        return f"{found.num_rows} rows instead of {expected.num_rows}"
    try:
        found.validate(full=True)
    except pa.ArrowInvalid as error:
        # Under a null struct, pyarrow reads keys into a dictionary of no values.
        if "should be in [0, -1]" not in str(error):
            return f"invalid: {error}"
    for name, one, two in zip(found.column_names, found.columns, expected.columns, strict=True):
        # What pyarrow does not call equal: NaN, and dictionaries in another order.
        if not one.equals(two) and _written_out(one) != _written_out(two):
            return f"column {name}: {_written_out(one)[:300]} instead of {_written_out(two)[:300]}"
    return None


def _written_out(column: pa.ChunkedArray) -> str:
    return str([value for chunk in column.chunks for value in chunk.to_pylist()])


def run(source: Path, folder: Path, text: str) -> Path:
    """Deduplicates a file; gives the copy."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    th.dedup_files([str(source)], str(out), text=text, exact_only=True, threads=1, max_quarantine=1.0)
    return out / "data" / source.name


def check(seed: int, folder: Path) -> str | None:
    """Writes a table, runs over it, and compares."""
    rng = random.Random(seed)
    source = folder / f"in{rng.choice(SUFFIXES)}"
    table = random_table(rng)
    (write_parquet if source.suffix == ".parquet" else write_ipc)(rng, table, source)
    try:
        before = read(source)
        before.validate(full=True)
        expected = kept(before, "text")
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError) as error:
        raise Unsupported(f"{source.suffix}: {error}") from error
    return difference(expected, read(run(source, folder, "text")))


def sweep(seeds: range, folder: Path) -> tuple[int, collections.Counter[str], list[str]]:
    """How many tables were compared, what pyarrow does not do, and the differences."""
    compared, left_out, differences = 0, collections.Counter[str](), []
    for seed in seeds:
        try:
            found = check(seed, folder)
            compared += 1
        except Unsupported as error:
            left_out[str(error).splitlines()[0][:90]] += 1
            continue
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        if found:
            differences.append(f"seed {seed}: {found}")
    return compared, left_out, differences


def test_pyarrow_reads_of_the_output_what_it_reads_of_the_input(tmp_path: Path) -> None:
    compared, _, differences = sweep(range(100), tmp_path)
    assert compared > 60
    assert not differences, differences[:3]


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_ten_thousand_tables(tmp_path: Path) -> None:
    compared, seed, differences, left_out = 0, 0, [], collections.Counter[str]()
    while compared < 10_000:
        n, skipped, found = sweep(range(seed, seed + 500), tmp_path)
        compared, seed = compared + n, seed + 500
        differences += found
        left_out += skipped
    print(f"\n{compared} tables compared, {len(differences)} differences", file=sys.stderr)
    for reason, count in left_out.most_common():
        print(f"  left out by pyarrow, {count}: {reason}", file=sys.stderr)
    assert not differences, differences[:10]


FILES = os.environ.get("PASSTHROUGH_FILES")
ENDINGS = {".arrow_file": ".arrow", ".feather": ".arrow", ".stream": ".arrows"}


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.skipif(FILES is None, reason="PASSTHROUGH_FILES names no folder")
def test_files_of_a_folder(tmp_path: Path) -> None:
    compared, refused, differences = 0, [], []
    for foreign in sorted(Path(FILES or "").rglob("*")):
        ending = ENDINGS.get(foreign.suffix, foreign.suffix)
        if ending not in SUFFIXES:
            continue
        source = Path(shutil.copy(foreign, tmp_path / f"in{ending}"))
        try:
            before = read(source)
            text = next(name for name in before.column_names if _is_text(before, name))
            expected = kept(before, text)
        except Exception:
            # pyarrow does not read it, or it has no column of texts.
            continue
        compared += 1
        try:
            out = run(source, tmp_path, text)
            quarantine = tmp_path / "out" / "quarantine" / "records.jsonl"
            aside = (
                [json.loads(line) for line in quarantine.read_text().splitlines()]
                if quarantine.exists()
                else []
            )
            damage = [row["detail"] for row in aside if row["reason"] != "null_text"]
            if damage:
                refused.append(f"{foreign}: {damage[0]}")
                continue
            found = difference(expected, read(out))
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        if found:
            differences.append(f"{foreign}: {found}")
    print(f"\n{compared} files compared, {len(differences)} differences", file=sys.stderr)
    print(*refused, f"{len(refused)} refused by name", sep="\n", file=sys.stderr)
    assert compared
    assert not differences, "\n".join(differences)


def _is_text(table: pa.Table, name: str) -> bool:
    types = pa.types
    kind = table.schema.field(name).type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind):
        return all(value is None or isinstance(value.decode(), str) for value in table[name].to_pylist())
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
