"""Random orders and shuffled files: against a slow twin, an order in memory, and kills at any time."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thresher as th
from tests.golden.make_permutations import GOLDEN, place

MOST = 2**64 - 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, MOST), st.integers(0, MOST), st.integers(0, MOST), st.integers(0, MOST))
def test_an_order_is_that_of_the_slow_twin_and_leads_back(n: int, seed: int, epoch: int, row: int) -> None:
    order = th.Permutation(n, seed, epoch)
    row %= n
    assert order.inverse[row] == place(row, n, seed, epoch)
    assert order[order.inverse[row]] == row
    assert order.inverse.inverse[row] == order[row]


def test_orders_are_those_written_down() -> None:
    for line in GOLDEN.read_text("ascii").splitlines():
        case = json.loads(line)
        order = th.Permutation(case["n"], case["seed"], case["epoch"])
        assert [order.inverse[row] for row in case["rows"]] == case["places"]


def test_slices_and_ranges_are_arrays_of_the_same_numbers() -> None:
    order = th.Permutation(5000, seed=3)
    plain = list(order)
    assert sorted(plain) == list(range(5000))
    assert plain == [order[k] for k in range(5000)]
    for part in (
        slice(None),
        slice(10, 20),
        slice(20, 10, -1),
        slice(0, 5000, 7),
        slice(-3, None),
        slice(7, 7),
    ):
        found = order[part]
        assert found.dtype == np.uint64
        assert found.tolist() == plain[part]
    assert order[range(4999, -1, -3)].tolist() == plain[::-3]
    assert order[-1] == plain[-1]
    assert order[np.int64(7)] == plain[7]
    assert len(order) == 5000
    assert repr(order.inverse) == "Permutation(5000, seed=3, epoch=0).inverse"


@pytest.mark.parametrize("wrong", [5000, -5001, range(4998, 5002), range(-2, 2)])
def test_what_is_no_place_is_an_index_error(wrong: Any) -> None:
    with pytest.raises(IndexError, match="5,000"):
        th.Permutation(5000)[wrong]


@pytest.mark.parametrize(("name", "value"), [("n", -1), ("seed", 2**64), ("epoch", 1.5), ("n", "10")])
def test_a_number_out_of_its_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(th.ParameterError, match=f"{name} is `{value}`"):
        th.Permutation(**{"n": 10, name: value})


def test_an_empty_order_has_no_number() -> None:
    order = th.Permutation(0)
    assert len(order) == 0
    assert order[:].tolist() == list(order) == []


def _rows(count: int) -> list[dict[str, Any]]:
    return [{"n": n, "text": "word " * (n * n % 37)} for n in range(count)]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=50)
    elif path.suffix == ".arrow":
        with pyarrow.ipc.new_file(path, table.schema) as file:
            file.write_table(table, max_chunksize=60)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _read(paths: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in paths:
        if path.endswith(".parquet"):
            found += pq.read_table(path).to_pylist()
        elif path.endswith(".arrow"):
            with pyarrow.ipc.open_file(path) as file:
                found += file.read_all().to_pylist()
        else:
            found += [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    return found


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "arrow"])
def test_row_k_is_that_of_the_order_in_every_format(tmp_path: Path, suffix: str) -> None:
    rows = _rows(900)
    inputs = [tmp_path / f"{part}.{suffix}" for part in range(3)]
    for part, path in enumerate(inputs):
        _write(path, rows[300 * part : 300 * part + 300])
    single = th.shuffle_files(inputs, tmp_path / f"out.{suffix}", seed=9, threads=2)
    expected = [rows[k] for k in th.Permutation(900, seed=9)]
    assert _read(single.outputs) == expected
    shards = th.shuffle_files(inputs, tmp_path / "out", seed=9, rows_per_shard=400)
    assert _read(shards.outputs) == expected
    assert [output["rows"] for output in shards.report["outputs"]] == [400, 400, 100]
    assert th.verify(tmp_path / "out").ok


def test_types_and_nulls_of_columns_stay(tmp_path: Path) -> None:
    chance = random.Random(1)
    rows = 500
    table = pa.table(
        {
            "n": pa.array(range(rows), pa.uint16()),
            "list": pa.array(
                [[1, None] * (n % 3) if n % 5 else None for n in range(rows)], pa.list_(pa.int8())
            ),
            "struct": pa.array([{"a": n, "b": [str(n)]} if n % 4 else None for n in range(rows)]),
            "when": pa.array([chance.randrange(2**40) for _ in range(rows)], pa.timestamp("us", "UTC")),
            "bytes": pa.array([bytes([n % 256]) * (n % 9) for n in range(rows)], pa.large_binary()),
            "price": pa.array([n * 7 for n in range(rows)]).cast(pa.decimal128(25, 2)),
            "word": pa.array(["some", "few", None, "words"] * (rows // 4)).dictionary_encode(),
            "none": pa.nulls(rows),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=64)
    th.shuffle_files(tmp_path / "in.parquet", tmp_path / "out.parquet", seed=2)
    found = pq.read_table(tmp_path / "out.parquet")
    expected = pq.read_table(tmp_path / "in.parquet").take(th.Permutation(rows, seed=2)[:])
    assert found.schema == expected.schema
    assert found.equals(expected.combine_chunks()) or found.to_pylist() == expected.to_pylist()


def test_a_dictionary_that_rows_cannot_share_is_refused_by_name_of_the_file(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 50, pa.int8()), ["a", "b"])
    pq.write_table(pa.table({"c": column}), tmp_path / "in.parquet")
    with pytest.raises(th.DataError, match=r"in\.parquet.*keys of 8 or 16 bits"):
        th.shuffle_files(tmp_path / "in.parquet", tmp_path / "out.parquet")


def test_inputs_of_several_formats_are_refused(tmp_path: Path) -> None:
    for suffix in ("jsonl", "parquet"):
        _write(tmp_path / f"a.{suffix}", _rows(3))
    with pytest.raises(th.ParameterError, match="one data format"):
        th.shuffle_files([tmp_path / "a.jsonl", tmp_path / "a.parquet"], tmp_path / "out")


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    line = json.dumps({"text": "word " * 300})
    with (tmp_path / "in.jsonl").open("w", encoding="utf-8") as file:
        for n in range(60_000):
            file.write(f'{{"n": {n}, {line[1:]}\n')
    command = [
        sys.executable,
        "-m",
        "thresher",
        "shuffle",
        "in.jsonl",
        "--shards",
        "3",
        "--quiet",
        "--threads",
        "2",
    ]
    subprocess.run([*command, "-o", "whole"], cwd=tmp_path, check=True)
    kills = 0
    for delay in (0.2, 0.4, 0.5, 0.6, 0.8, 1.0):
        run = subprocess.Popen([*command, "-o", "out", "--memory", f"{300 + 100 * kills}MB"], cwd=tmp_path)
        time.sleep(delay)
        kills += run.poll() is None
        run.send_signal(signal.SIGKILL)
        run.wait()
    if not (tmp_path / "out" / "run.json").exists():
        subprocess.run([*command, "-o", "out"], cwd=tmp_path, check=True)
    names = [f"shard-{shard:05}-of-00003.jsonl" for shard in range(3)]
    for name in names:
        assert (tmp_path / "out" / "data" / name).read_bytes() == (
            tmp_path / "whole" / "data" / name
        ).read_bytes()
    assert sorted(path.name for path in (tmp_path / "out" / "data").iterdir()) == names
    assert kills
