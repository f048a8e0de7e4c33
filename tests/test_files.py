"""Runs over files: the result of memory for every format, evidence for every removal, nothing lost."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard

import thresher as th

Rows = list[dict[str, Any]]


@pytest.fixture
def rows(texts: list[str | None]) -> Rows:
    """The corpus as records with an id, a rank and fields that nobody asks for."""
    present = [text for text in texts if text is not None]
    return [
        {
            "text": text,
            "doc": f"doc-{index}",
            "score": index * 37 % 101,
            "meta": {"n": index, "unused": [1, None]},
        }
        for index, text in enumerate(present)
    ]


def _lines(rows: Rows) -> bytes:
    return b"".join(
        json.dumps(row, ensure_ascii=index % 2 == 0).encode() + b"\n" for index, row in enumerate(rows)
    )


def _write(path: Path, rows: Rows) -> Path:
    data = _lines(rows)
    if path.suffix == ".jsonl":
        path.write_bytes(data)
    elif path.suffix == ".gz":
        half = data.index(b"\n", len(data) // 2) + 1
        path.write_bytes(gzip.compress(data[:half]) + gzip.compress(data[half:]))
    elif path.suffix == ".zst":
        path.write_bytes(zstandard.compress(data))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=70)
    else:
        table = pa.Table.from_pylist(rows)
        with pyarrow.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=70)
    return path


def _read(path: Path) -> Rows:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
    if path.suffix == ".arrow":
        return pyarrow.ipc.open_file(path).read_all().to_pylist()  # type: ignore[no-any-return]
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return [json.loads(line) for line in data.splitlines()]


SUFFIXES = [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".arrow"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("keep", ["first", "longest", "max:score"])
def test_files_of_every_format_give_the_result_of_memory(
    tmp_path: Path, rows: Rows, suffix: str, keep: str
) -> None:
    source = _write(tmp_path / f"in{suffix}", rows)
    report = th.dedup_files(source, tmp_path / "out", id="doc", keep=keep)
    table = pa.Table.from_pylist(rows)
    expected = th.dedup(table, text="text", keep=keep)
    kept = [row for row, stays in zip(rows, expected.keep.to_pylist(), strict=True) if stays]
    (output,) = [path for path in (tmp_path / "out" / "data").iterdir() if path.is_file()]
    assert _read(output) == kept
    assert (report.documents, report.kept, report.exact, report.near, report.quarantined) == (
        len(rows), len(kept), expected.summary.exact, expected.summary.near, 0,
    )  # fmt: skip
    removed = {row["id"]: row for row in pq.read_table(tmp_path / "out" / "removed.parquet").to_pylist()}
    names = [row["doc"] for row in rows]
    evidence = zip(names, expected.duplicate_of.to_pylist(), expected.similarity.to_pylist(), strict=True)
    assert {name: (row["duplicate_of"], row["similarity"]) for name, row in removed.items()} == {
        name: (names[target], similarity) for name, target, similarity in evidence if target is not None
    }


def test_kept_lines_stand_in_the_output_byte_for_byte_in_order(tmp_path: Path, rows: Rows) -> None:
    source = _write(tmp_path / "in.jsonl", rows)
    th.dedup_files(source, tmp_path / "out.jsonl")
    lines = iter(source.read_bytes().splitlines(keepends=True))
    kept = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)
    assert 0 < len(kept) < len(rows)
    assert all(line in lines for line in kept)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_output_does_not_depend_on_threads_or_the_size_of_batches(
    tmp_path: Path, rows: Rows, suffix: str
) -> None:
    sources = [_write(tmp_path / f"in{part}{suffix}", rows[part::2]) for part in range(2)]
    found = []
    for threads in (1, 2, 4):
        for batch_bytes in (100, 10_000, 4 * 2**20):
            out = tmp_path / f"{threads}-{batch_bytes}"
            th.dedup_files(sources, out, keep="longest", threads=threads, batch_bytes=batch_bytes)
            files = sorted(
                path
                for path in out.rglob("*")
                if path.is_file() and path.name not in ("report.html", "run.json")
            )
            found.append([(path.name, path.read_bytes()) for path in files])
    assert [name for name, _ in found[0]] == [
        "clusters.parquet",
        f"in0{suffix}",
        f"in1{suffix}",
        "removed.parquet",
    ]
    assert all(other == found[0] for other in found)


def test_a_pattern_and_a_folder_of_texts_are_inputs(tmp_path: Path, rows: Rows) -> None:
    for part in range(3):
        _write(tmp_path / f"in{part}.jsonl", rows[part::3])
    assert th.dedup_files(str(tmp_path / "in*.jsonl"), tmp_path / "out").documents == len(rows)
    folder = tmp_path / "folder"
    folder.mkdir()
    for index, text in enumerate(["a rose", "a rose", "a tulip"]):
        (folder / f"{index}.txt").write_text(text, "utf-8")
    assert th.dedup_files(folder, tmp_path / "texts").kept == 2


BAD = b"".join(
    line + b"\n"
    for line in [
        b'{"text": "good one"}',
        b'{"text": "unterminated',
        b'{"text": null}',
        b'{"no": "text"}',
        b'{"text": 5}',
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b"[]",
        b"",
        b'{"text": "good one"}',
    ]
)


def test_bad_lines_are_set_aside_and_counted_and_the_books_balance(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(BAD)
    report = th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", max_quarantine=1)
    books = report.report["accounting"]
    assert (report.documents, report.kept, report.exact, report.quarantined) == (9, 1, 1, 7)
    parts = [books["kept"], *books["removed"].values(), *books["quarantined"].values()]
    assert books["in"]["docs"] == sum(part["docs"] for part in parts)
    assert books["in"]["bytes"] == len(BAD) == sum(part["bytes"] for part in parts) + books["blank_bytes"]
    assert any((tmp_path / "out" / "quarantine").rglob("*"))
    assert str(report).startswith("in 9 documents")


def test_a_strict_run_stops_at_the_first_bad_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(BAD)
    with pytest.raises(th.DataError, match=r"in\.jsonl"):
        th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", strict=True)
    assert not (tmp_path / "out" / "run.json").exists()


def test_the_report_is_that_of_run_json(tmp_path: Path, rows: Rows) -> None:
    source = _write(tmp_path / "in.jsonl", rows)
    report = th.dedup_files(source, tmp_path / "out", id="doc")
    saved = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert saved == {**report.report, "xxh3_128": saved["xxh3_128"]}
    assert report.report["version"] == th.__version__
    assert [Path(path).name for path in report.outputs] == ["in.jsonl"]
    sizes = [cluster["size"] for cluster in report.largest_clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1
    assert repr(report).startswith(f"DedupReport(documents={len(rows)}, ")


def test_ids_in_the_html_of_a_report_are_escaped(tmp_path: Path) -> None:
    line = json.dumps({"text": "a b", "id": "<script>alert(1)</script>"}) + "\n"
    (tmp_path / "in.jsonl").write_text(line * 2, "utf-8")
    html = th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", id="id")._repr_html_()
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ({"threshold": 2.0}, th.ParameterError, "threshold is `2`"),
        ({"unit": "byte"}, th.ParameterError, "unit is `byte`"),
        ({"keep": "max"}, th.ParameterError, "keep is `max`"),
        ({"text": "a..b"}, th.ParameterError, "`a..b`"),
        ({"threads": 0}, th.ParameterError, "threads is `0`"),
        ({"threads": -1}, th.ParameterError, "`-1`"),
        ({"inputs": []}, th.ParameterError, "no input"),
        ({"inputs": ["missing.jsonl"]}, th.ThresherError, "missing.jsonl"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, parameters: dict[str, Any], kind: type[Exception], message: str
) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'{"text": "a"}\n')
    inputs = parameters.pop("inputs", [tmp_path / "in.jsonl"])
    with pytest.raises(kind, match=message):
        th.dedup_files(inputs, tmp_path / "out", **parameters)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_a_file_error(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'{"text": "a"}\n')
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(th.ThresherError, match="file"):
        th.dedup_files(tmp_path / "in.jsonl", tmp_path / "file" / "out")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file whose run takes a few seconds."""
    path = tmp_path / "large.jsonl"
    words = [f"word{index}" for index in range(400)]
    with path.open("w", encoding="utf-8") as file:
        for index in range(60_000):
            start = index * 7 % 150
            file.write(json.dumps({"text": f"{index} " + " ".join(words[start : start + 200])}) + "\n")
    return path


def test_progress_is_reported_and_its_exceptions_stop_the_run(tmp_path: Path, large: Path) -> None:
    moments: list[Any] = []

    def stop(moment: Any) -> None:
        moments.append(dict(moment))
        if len(moments) == 2:
            message = "enough"
            raise LookupError(message)

    with pytest.raises(LookupError, match="enough"):
        th.dedup_files(large, tmp_path / "out", progress=stop, threads=1)
    assert set(moments[0]) == {
        "step",
        "docs",
        "bytes",
        "total_bytes",
        "quarantined",
        "elapsed_s",
        "rss_bytes",
        "memory_bytes",
    }
    assert 0 < moments[0]["elapsed_s"] < moments[1]["elapsed_s"]
    assert not (tmp_path / "out" / "run.json").exists()


def test_an_output_in_use_is_refused_as_busy(tmp_path: Path, large: Path) -> None:
    seen: list[Exception] = []

    def second(moment: Any) -> None:
        # While the first run plans, it has not taken the output yet.
        if not seen and moment["step"] != "plan":
            try:
                th.dedup_files(large, tmp_path / "out")
            except th.BusyError as error:
                seen.append(error)

    th.dedup_files(large, tmp_path / "out", progress=second, threads=1)
    assert isinstance(seen[0], OSError)
    assert "out" in str(seen[0])


def test_an_interrupted_run_leaves_no_final_file(tmp_path: Path, large: Path) -> None:
    code = (
        "import os, signal, sys, threading, thresher as th\n"
        "once = []\n"
        "def interrupt(_):\n"
        "    if not once:\n"
        "        once.append(1); os.kill(os.getpid(), signal.SIGINT)\n"
        "try:\n"
        "    th.dedup_files(sys.argv[1], sys.argv[2], progress=interrupt, threads=1)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    command = [sys.executable, "-c", code, str(large), str(tmp_path / "out.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.strip() == "interrupted"
    assert not (tmp_path / "out.jsonl").exists()
    assert not (tmp_path / "out.jsonl.run.json").exists()


@pytest.mark.parametrize("id", [None, "doc"])
def test_every_document_of_a_cluster_is_in_the_table_of_clusters(
    tmp_path: Path, rows: Rows, id: str | None
) -> None:
    source = _write(tmp_path / "in.jsonl", rows)
    report = th.dedup_files(source, tmp_path / "out", id=id, keep="longest")
    removed = pq.read_table(tmp_path / "out" / "removed.parquet").to_pylist()
    clusters = pq.read_table(tmp_path / "out" / "clusters.parquet").to_pylist()
    names = [row["doc"] if id else f"in.jsonl:{index}" for index, row in enumerate(rows)]
    of_cluster = {row["id"]: row["duplicate_of"] for row in removed}
    members = of_cluster | {kept: kept for kept in of_cluster.values()}
    sizes = Counter(members.values())
    assert [(row["document"], row["cluster"], row["size"]) for row in clusters] == [
        (name, members[name], sizes[members[name]]) for name in names if name in members
    ]
    # Where the kept document is.
    for row in removed:
        assert (row["duplicate_of_source"], names[row["duplicate_of_row"]]) == (
            "in.jsonl",
            row["duplicate_of"],
        )
    run = report.report
    assert run["clusters"] == len(sizes) == sum(run["cluster_sizes"].values())
    assert run["cluster_sizes"] == {
        str(power): count
        for power, count in sorted(Counter(1 << size.bit_length() - 1 for size in sizes.values()).items())
    }
    near = [row["similarity"] for row in removed if row["reason"] == "near"]
    assert near
    steps = Counter(f"{math.floor(similarity * 100 + 1e-6) / 100:.2f}" for similarity in near)
    assert run["similarities"] == dict(sorted(steps.items()))


def test_a_giant_cluster_is_noted(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"text": "the same"}\n' * 10_000)
    assert th.dedup_files(source, tmp_path / "out").notes == []
    with source.open("ab") as file:
        file.write(b'{"text": "the same"}\n')
    (note,) = th.dedup_files(source, tmp_path / "out", overwrite=True).notes
    assert "1 cluster has more than 10000 documents, the largest 10001" in note
