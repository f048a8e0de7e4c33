"""`thresher verify`: nothing that differs from what was written goes unseen, and nothing else is reported."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard

import thresher as th

TRIALS = 1000


def _lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with inputs of every format; some records are duplicates, and one is broken."""
    folder = tmp_path_factory.mktemp("inputs")
    table = pa.table({"text": ["a table of texts", "one more", "a table of texts"]})
    (folder / "a.jsonl").write_bytes(_lines("a rose", "a tulip", "a rose") + b"broken\n")
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(_lines("in gzip", "a rose", "also in gzip")))
    (folder / "c.jsonl.zst").write_bytes(zstandard.compress(_lines("in zstd", "a tulip")))
    (folder / "d.json").write_text(
        json.dumps([{"text": "an array"}, {"text": "of two\n"}], indent=1), "utf-8"
    )
    (folder / "e.json.gz").write_bytes(
        gzip.compress(json.dumps([{"text": "packed"}, {"text": "array"}]).encode())
    )
    pq.write_table(table, folder / "f.parquet")
    with pyarrow.ipc.new_file(folder / "g.arrow", table.schema) as file:
        file.write_table(pa.table({"text": ["an arrow", "a second arrow"]}))
    with pyarrow.ipc.new_stream(folder / "h.arrows", table.schema) as file:
        file.write_table(pa.table({"text": ["a stream"]}))
    (folder / "i.jsonl").write_bytes(b"")
    (folder / "docs" / "inner").mkdir(parents=True)
    for name in ("one.txt", "two.txt", "inner/three.txt"):
        (folder / "docs" / name).write_text(f"the document {name}", "utf-8")
    return folder


@pytest.fixture(scope="module")
def result(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a run over all of them."""
    out = tmp_path_factory.mktemp("result") / "out"
    th.dedup_files([*sorted(inputs.glob("*.*")), inputs / "docs"], out)
    return out


@pytest.fixture
def out(result: Path, tmp_path: Path) -> Path:
    """A copy of it; nothing is bound to the place of a result."""
    return Path(shutil.copytree(result, tmp_path / "moved"))


def _wrong(out: Path) -> dict[str, str]:
    report = th.verify(out)
    wrong = {file.name: file.verdict for file in report.files if file.verdict != "ok"}
    assert report.ok == (not wrong and not report.strangers)
    return wrong


def _files(out: Path) -> list[Path]:
    return sorted(path for path in out.rglob("*") if path.is_file())


def test_a_result_of_every_format_is_as_it_was_written(out: Path) -> None:
    report = th.verify(out, threads=3)
    assert (report.ok, report.strangers, _wrong(out)) == (True, [], {})
    names = [file.name for file in report.files]
    assert names[0] == "run.json"
    assert names[1:] == sorted(
        [
            *(f"data/{name}" for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.json", "e.json.gz")),
            *(f"data/{name}" for name in ("docs/", "f.parquet", "g.arrow", "h.arrows", "i.jsonl")),
            "clusters.parquet",
            "quarantine/records.jsonl",
            "removed.parquet",
            "report.html",
        ]
    )
    run = json.loads((out / "run.json").read_bytes())
    rows = {name: entry.get("rows") for name, entry in run["files"].items()}
    assert (rows["data/a.jsonl"], rows["data/e.json.gz"], rows["data/docs/"], rows["data/i.jsonl"]) == (
        2,
        2,
        3,
        0,
    )
    assert (rows["removed.parquet"], rows["clusters.parquet"], rows["quarantine/records.jsonl"]) == (4, 7, 1)
    assert report.report["bytes"] == sum(path.stat().st_size for path in _files(out))


@pytest.mark.parametrize("part", range(4))
def test_a_flipped_bit_is_found_wherever_it_is(out: Path, part: int) -> None:
    chance = random.Random(part)
    files = [path for path in _files(out) if path.stat().st_size]
    for _ in range(TRIALS // 4):
        path = chance.choice(files)
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        whole = path.read_bytes()
        path.write_bytes(content)
        name = path.relative_to(out).as_posix()
        try:
            wrong = list(_wrong(out))
            # In run.json it may change what the other files are compared with.
            assert wrong[:1] == ["data/docs/" if name.startswith("data/docs/") else name]
            assert len(wrong) == 1 or name == "run.json"
        except th.DataError as error:
            # It is no JSON any more, or not that of thresher.
            if path.name != "run.json":
                raise AssertionError(name) from error
        path.write_bytes(whole)
    assert _wrong(out) == {}


def test_a_file_that_is_missing_short_long_or_a_folder_is_named(out: Path) -> None:
    for path in _files(out):
        name = path.relative_to(out).as_posix()
        if name == "run.json":
            continue
        shown = "data/docs/" if name.startswith("data/docs/") else name
        whole = path.read_bytes()
        path.write_bytes(whole + b"\n")
        assert _wrong(out) == {shown: "size"}
        if whole:
            path.write_bytes(whole[:-1])
            assert _wrong(out) == {shown: "size"}
        path.unlink()
        assert _wrong(out) == {shown: "size" if shown == "data/docs/" else "missing"}
        if shown == name:
            path.mkdir()
            assert _wrong(out) == {shown: "missing"}
            path.rmdir()
        path.write_bytes(whole)
    shutil.rmtree(out / "data" / "docs")
    assert _wrong(out) == {"data/docs/": "missing"}


def test_what_no_run_has_written_is_named(out: Path) -> None:
    strangers = [out / "mine.txt", out / "data" / "x" / "mine.jsonl", out / "quarantine" / "more.jsonl"]
    for path in strangers:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine", "utf-8")
    report = th.verify(out)
    assert (report.ok, sorted(report.strangers)) == (False, sorted(map(str, strangers)))
    assert "stranger" in str(report)
    for path in strangers:
        path.unlink()
    (out / "data" / "docs" / "mine.txt").write_text("mine", "utf-8")
    assert _wrong(out) == {"data/docs/": "size"}


def test_an_edited_run_json_is_told_and_what_it_says_is_compared(out: Path) -> None:
    run = out / "run.json"
    whole = run.read_text("utf-8")
    run.write_text(whole.replace('"threshold": 0.8', '"threshold": 0.9'), "utf-8")
    assert _wrong(out) == {"run.json": "hash"}
    report = json.loads(whole)
    report["files"]["data/a.jsonl"]["rows"] += 1
    report["files"]["data/f.parquet"]["rows"] += 1
    report["files"]["data/g.arrow"]["rows"] += 1
    report["files"]["data/b.jsonl.gz"]["rows"] += 1
    del report["files"]["data/d.json"]
    report["files"]["../secret"] = report["files"]["data/a.jsonl"]
    report["files"]["data/../../secret"] = report["files"]["data/a.jsonl"]
    (out.parent / "secret").write_bytes((out / "data" / "a.jsonl").read_bytes())
    run.write_text(json.dumps(report), "utf-8")
    assert _wrong(out) == {
        "run.json": "hash",
        "../secret": "missing",
        "data/../../secret": "missing",
        "data/a.jsonl": "rows",
        "data/b.jsonl.gz": "rows",
        "data/f.parquet": "rows",
        "data/g.arrow": "rows",
    }
    assert th.verify(out).strangers == [str(out / "data" / "d.json")]


def test_no_result_is_an_error(out: Path, tmp_path: Path) -> None:
    with pytest.raises(th.FileError, match="nowhere"):
        th.verify(tmp_path / "nowhere")
    (out / "run.json").unlink()
    with pytest.raises(th.DataError, match="no finished result"):
        th.verify(out)
    (out / "run.json").write_text('{"tool": "other", "format": 1, "files": {}}', "utf-8")
    with pytest.raises(th.DataError, match="no finished result"):
        th.verify(out)
    (out / "run.json").write_text('{"tool": "thresher", "format": 99, "files": {}}', "utf-8")
    with pytest.raises(th.ParameterError, match="update thresher"):
        th.verify(out)


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.json"])
def test_a_single_file_is_verified_with_what_lies_beside_it(inputs: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    th.dedup_files([inputs / "a.jsonl", inputs / "b.jsonl.gz"], out)
    run = Path(f"{out}.run.json")
    for place in (out, run):
        report = th.verify(place)
        assert report.ok, str(report)
        assert [file.name for file in report.files] == [
            "run.json", "clusters.parquet", "data", "quarantine/records.jsonl", "removed.parquet",
            "report.html",
        ]  # fmt: skip
    # The folder around it may hold anything.
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    assert th.verify(out).ok
    quarantine = Path(f"{out}.quarantine")
    (quarantine / "mine.txt").write_text("mine", "utf-8")
    assert th.verify(out).strangers == [str(quarantine / "mine.txt")]
    (quarantine / "mine.txt").unlink()
    for part, shown in ((out, "data"), (Path(f"{out}.clusters.parquet"), "clusters.parquet")):
        part.rename(tmp_path / "away")
        assert _wrong(out) == {shown: "missing"}
        (tmp_path / "away").rename(part)
    link = tmp_path / "link.jsonl"
    link.symlink_to(out)
    assert th.verify(link).ok


@pytest.mark.parametrize("verb", ["convert", "validate", "render"])
def test_results_of_other_runs_are_verified_too(tmp_path: Path, verb: str) -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n" + "broken\n", "utf-8")
    out = tmp_path / "out"
    if verb == "convert":
        th.chat.convert_files(tmp_path / "in.jsonl", out, to="sharegpt")
    elif verb == "validate":
        th.chat.validate_files(tmp_path / "in.jsonl", out)
    else:
        th.chat.render_files(tmp_path / "in.jsonl", out, template="{{ messages }}", mask=False)
    assert _wrong(out) == {}
    (out / "data" / "in.jsonl").write_bytes(b"{}\n")
    assert "data/in.jsonl" in _wrong(out)


def test_the_command_tells_by_its_exit_code_and_by_json(out: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "thresher", "verify", str(out), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    done = run("--threads", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "15 files" in done.stdout
    assert "all as they were written" in done.stdout
    (out / "data" / "a.jsonl").write_bytes(b"x")
    (out / "bad\x1b[31m").write_bytes(b"x")
    done = run()
    assert done.returncode == 65
    assert "size       data/a.jsonl" in done.stdout
    assert "\x1b" not in done.stdout
    done = run("--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["strangers"]) == (65, False, [str(out / "bad\x1b[31m")])
    assert {file["name"]: file["verdict"] for file in report["files"]}["data/a.jsonl"] == "size"
    assert (run("--quiet").stdout, run("--quiet").returncode) == ("", 65)
    if os.geteuid() != 0:
        (out / "data" / "f.parquet").chmod(0)
        assert _wrong(out)["data/f.parquet"] == "unreadable"
