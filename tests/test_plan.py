"""`thresher plan`: counts that hold for every format, and shares that hold where clusters are of one size."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

import thresher as th

SUFFIXES = [".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".parquet", ".arrow", ""]


def _texts(n_docs: int, words: int = 60) -> list[str]:
    """Texts of which every second one is a near-copy of the one before."""
    chance = random.Random(7)
    texts: list[str] = []
    while len(texts) < n_docs:
        original = [f"w{chance.randrange(5000)}" for _ in range(chance.randrange(words // 2, 2 * words))]
        texts += [" ".join(original), " ".join([*original, "more"])]
    return texts[:n_docs]


def _write(folder: Path, suffix: str, texts: list[str]) -> Path:
    path = folder / f"in{suffix}"
    lines = b"".join(json.dumps({"text": text, "n": 1}).encode() + b"\n" for text in texts)
    if suffix == ".parquet":
        pq.write_table(pa.table({"text": texts}), path, row_group_size=500)
    elif suffix == ".arrow":
        table = pa.table({"text": texts})
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table, max_chunksize=500)
    elif suffix == ".json":
        path.write_text(json.dumps([{"text": text} for text in texts]), "utf-8")
    elif suffix:
        pack: dict[str, Any] = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstandard.compress}
        path.write_bytes(pack[suffix](lines))
    else:
        path.mkdir()
        for number, text in enumerate(texts):
            (path / f"{number:05}.txt").write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_fits_into_the_sample_is_counted(tmp_path: Path, suffix: str) -> None:
    texts = _texts(1000)
    found = th.plan(_write(tmp_path, suffix, texts), threads=2, memory="2GB")
    done = th.dedup(texts).summary
    assert found.documents == found.report["sampled_documents"] == 1000
    assert found.report["text_bytes"] == done.bytes
    assert found.duplicates == found.report["sampled_duplicates"] == done.removed / 1000
    assert found.recall == done.expected_recall
    spill = (1000 - done.exact) * (8 * done.bands + 64 + 20)
    assert spill < found.disk_bytes < spill + 1000 * 120 * 8
    assert found.giant_clusters == []
    assert list(found.steps) == ["sign", "group", "verify", "write"]
    assert sum(found.steps.values()) == pytest.approx(found.seconds)
    assert 0 < found.memory_bytes <= found.report["memory_limit_bytes"] == 2_000_000_000
    assert "1,000" in str(found)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".arrow"])
def test_what_does_not_fit_is_extrapolated(tmp_path: Path, suffix: str) -> None:
    texts = _texts(240_000, 120)
    found = th.plan(_write(tmp_path, suffix, texts))
    assert found.report["sampled_documents"] < 160_000
    assert found.documents == pytest.approx(len(texts), rel=0.05)
    assert found.report["text_bytes"] == pytest.approx(sum(map(len, texts)), rel=0.05)
    assert found.duplicates == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_copies_that_lie_anywhere_are_more_than_the_sample_finds(tmp_path: Path) -> None:
    texts = _texts(240_000, 120)
    random.Random(3).shuffle(texts)
    found = th.plan(_write(tmp_path, ".jsonl", texts))
    assert found.report["sampled_duplicates"] < 0.35
    assert found.duplicates == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_giant_cluster_is_foretold(tmp_path: Path) -> None:
    texts = _texts(200_000, 120)
    for place in range(0, len(texts), 10):
        texts[place] = "the very same text " * 20
    found = th.plan(_write(tmp_path, ".jsonl", texts))
    assert found.giant_clusters[0] == pytest.approx(20_000, rel=0.15)
    assert "giant clusters" in str(found)


def test_nothing_is_written_and_wrong_inputs_are_refused(tmp_path: Path) -> None:
    source = _write(tmp_path, ".jsonl", ["a", "b"])
    th.plan(source, exact_only=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    with pytest.raises(th.FileError):
        th.plan(tmp_path / "nowhere.jsonl")
    with pytest.raises(th.ParameterError, match="threshold"):
        th.plan(source, threshold=2)
    source.write_bytes(b"broken\n")
    with pytest.raises(th.DataError, match="no document"):
        th.plan(source)
    source.write_bytes(b"")
    with pytest.raises(th.DataError, match="no document"):
        th.plan(source)


def test_a_part_stands_for_a_whole_of_another_size(tmp_path: Path) -> None:
    source = _write(tmp_path, ".jsonl", _texts(2000))
    part = th.plan(source, threads=2)
    whole = th.plan(source, threads=2, total_bytes=10 * source.stat().st_size)
    assert whole.documents == 10 * part.documents
    assert whole.duplicates == part.duplicates
    assert whole.disk_bytes == pytest.approx(10 * part.disk_bytes, rel=0.01)
    assert whole.seconds > part.seconds
    assert any("10.0 times as much" in note for note in whole.report["notes"])
    with pytest.raises(th.ParameterError, match=f"have {source.stat().st_size} already"):
        th.plan(source, total_bytes=source.stat().st_size - 1)


def test_disk_and_memory_are_those_that_the_run_takes(tmp_path: Path) -> None:
    texts = _texts(30_000, 120)
    random.Random(5).shuffle(texts)
    source = _write(tmp_path, ".jsonl", texts)
    found = th.plan(source, threads=2, memory="300MB")
    th.dedup_files(source, tmp_path / "out", threads=2, memory="300MB")
    done = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert found.disk_bytes == pytest.approx(done["spilled_bytes"], rel=0.3)
    assert found.memory_bytes < 300_000_000


def test_the_command_prints_figures_or_json(tmp_path: Path) -> None:
    source = _write(tmp_path, ".jsonl", _texts(100))

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "thresher", "plan", str(source), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    done = run("--threads", "2", "--keep", "longest")
    assert (done.returncode, done.stderr) == (0, "")
    assert "documents       100" in done.stdout
    assert "temporary disk" in done.stdout
    assert json.loads(run("--json").stdout)["documents"] == 100
