"""Packing over files: what others read of it, and that it is what packing in memory gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import thresher as th

CONTEXT = 64


def _rows(count: int, seed: int = 0) -> pa.Table:
    """Token rows as `thresher tokenize` writes them, with an empty document and a long one."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(2.5, 1.0, count).astype(int), 1, 300)
    lengths[:2] = 0, 200
    ids = [rng.integers(0, 1000, length).astype(np.uint32) for length in lengths]
    return pa.table(
        {
            "document": [f"{seed}-{row}" for row in range(count)],
            "input_ids": pa.array(ids, pa.list_(pa.uint32())),
            "length": pa.array(lengths, pa.uint32()),
            "assistant_masks": pa.array([row % 2 for row in ids], pa.list_(pa.uint8())),
        }
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files of token rows, one Parquet and one Arrow."""
    pq.write_table(_rows(300), tmp_path / "a.parquet", row_group_size=50)
    pyarrow.feather.write_feather(_rows(200, 1), str(tmp_path / "b.arrow"), compression="uncompressed")
    return [tmp_path / "a.parquet", tmp_path / "b.arrow"]


@pytest.mark.parametrize("strategy", ["best_fit", "first_fit", "wrapped"])
def test_files_are_packed_as_their_rows_in_memory_are(
    files: list[Path], tmp_path: Path, strategy: Any
) -> None:
    report = th.pack_files(files, tmp_path / "out.parquet", context=CONTEXT, strategy=strategy, eos=5, pad=0)
    whole = pa.concat_tables([_rows(300), _rows(200, 1)])
    expected = th.pack(whole, CONTEXT, strategy=strategy, eos=5, pad=0)
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected.to_pylist()
    books = json.loads(expected.schema.metadata[b"thresher.pack"])
    assert {**report.accounts.to_dict(), "bins": report.num_bins} == books
    assert th.verify(tmp_path / "out.parquet").ok


def test_datasets_reads_the_bins_and_says_where_documents_end(files: list[Path], tmp_path: Path) -> None:
    th.pack_files(files, tmp_path / "out", context=CONTEXT, cu_seqlens=True)
    data = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "out" / "data" / "*.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    seen = []
    for row in data:
        lengths, bounds = row["seq_lengths"], row["cu_seqlens"]
        assert bounds == np.cumsum([0, *lengths]).tolist()
        assert bounds[-1] == len(row["input_ids"]) == len(row["loss_mask"]) <= CONTEXT
        restarts = [at for at, position in enumerate(row["position_ids"]) if position == 0]
        assert restarts == bounds[:-1]
        assert row["loss_mask"] == [token % 2 for token in row["input_ids"]]
        seen += row["document_ids"]
    assert set(seen) == {f"{seed}-{row}" for seed, count in ((0, 300), (1, 200)) for row in range(1, count)}


def test_formats_of_the_output_hold_the_same_bins(files: list[Path], tmp_path: Path) -> None:
    for name in ("out.parquet", "out.arrow", "out.jsonl"):
        th.pack_files(files, tmp_path / name, context=CONTEXT)
    expected = pq.read_table(tmp_path / "out.parquet").to_pylist()
    with pa.ipc.open_file(tmp_path / "out.arrow") as reader:
        assert reader.read_all().to_pylist() == expected
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == expected


def test_threads_and_memory_change_no_byte(files: list[Path], tmp_path: Path) -> None:
    outputs = []
    for threads, memory in ((1, None), (2, "400MB"), (4, "1GB")):
        output = tmp_path / f"{threads}.parquet"
        th.pack_files(files, output, context=CONTEXT, threads=threads, memory=memory)
        outputs.append(output.read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]


def test_no_rows_make_no_bins(tmp_path: Path) -> None:
    pq.write_table(_rows(300).slice(0, 0), tmp_path / "none.parquet")
    report = th.pack_files(tmp_path / "none.parquet", tmp_path / "out.parquet", context=CONTEXT)
    assert (report.num_bins, report.fill, report.documents) == (0, 1.0, 0)
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.num_rows == 0
    assert "loss_mask" in found.column_names


def test_the_books_count_what_is_left_out(files: list[Path], tmp_path: Path) -> None:
    report = th.pack_files(files, tmp_path / "out.parquet", context=CONTEXT, overlong="drop")
    books = report.report["accounting"]
    assert books["removed"]["empty"]["docs"] == 2
    assert books["removed"]["overlong"]["docs"] == report.accounts.dropped > 0
    assert report.documents == 500 == report.kept + sum(part["docs"] for part in books["removed"].values())


def test_inputs_with_and_without_a_mask_are_not_mixed(files: list[Path], tmp_path: Path) -> None:
    pq.write_table(_rows(10).drop_columns(["assistant_masks"]), tmp_path / "c.parquet")
    with pytest.raises(th.ParameterError, match="2 of 3 inputs have a column `assistant_masks`"):
        th.pack_files([*files, tmp_path / "c.parquet"], tmp_path / "out.parquet", context=CONTEXT)


def test_lines_are_refused_with_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"input_ids": [1]}\n', "utf-8")
    with pytest.raises(th.ParameterError, match=r"a\.jsonl.*Parquet or Arrow"):
        th.pack_files(tmp_path / "a.jsonl", tmp_path / "out.parquet", context=CONTEXT)


def test_the_command_packs_and_says_how_full_bins_are(files: list[Path], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "thresher",
        "pack",
        *map(str, files),
        "-o",
        str(tmp_path / "out.parquet"),
    ]
    done = subprocess.run(
        [*command, "--context", str(CONTEXT), "--strategy", "first_fit"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "bins, fill 0.9" in done.stderr
    assert pq.read_table(tmp_path / "out.parquet").num_rows > 0
