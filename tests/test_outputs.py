"""Outputs never lose: names, what may be replaced, and what a run that is killed leaves."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import thresher as th

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = [sys.executable, "-m", "thresher"]


def _run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, check=False, timeout=50, **options
    )


def _lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three documents, two of them equal."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(_lines("a rose", "a tulip", "a rose"))
    return path


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# Names


def test_every_input_has_an_output_of_its_own_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    for name, text in (("a.jsonl", "one"), ("2/a.jsonl", "two")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(_lines(text))
    (tmp_path / "link.jsonl").symlink_to("a.jsonl")
    named = ["2/a.jsonl", "a.jsonl", "a.jsonl", "./2/../a.jsonl", "link.jsonl"]
    done = _run("dedup", *named, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.count(b"note: ") == 3
    assert _names(tmp_path / "out" / "data") == ["2/a.jsonl", "a.jsonl"]
    assert (tmp_path / "out/data/2/a.jsonl").read_bytes() == _lines("two")
    assert (tmp_path / "out/data/a.jsonl").read_bytes() == _lines("one")


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(_lines("one"))
    (tmp_path / "b.jsonl").write_bytes(_lines("two"))
    done = _run("dedup", "../in/a.jsonl", "../b.jsonl", "-o", "out", cwd=tmp_path / "work")
    assert done.returncode == 0, done.stderr
    assert _names(tmp_path / "work/out/data") == ["b.jsonl", "in/a.jsonl"]


@pytest.mark.parametrize("layout", [{}, {"indent": 2}])
def test_an_array_comes_out_as_an_array_with_its_records_byte_for_byte(
    tmp_path: Path, layout: dict[str, Any]
) -> None:
    rows = [{"text": text, "n": [1, {"a, b": "]"}]} for text in ("a\n", "b", "a\n", "ü")]
    text = json.dumps(rows, ensure_ascii=False, **layout)
    (tmp_path / "a.json").write_text(text, "utf-8")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b"[]"))
    th.dedup_files([tmp_path / "a.json", tmp_path / "b.json.gz"], tmp_path / "out")
    written = (tmp_path / "out/data/a.json").read_text("utf-8")
    assert json.loads(written) == [rows[0], rows[1], rows[3]]
    record = json.dumps([rows[3]], ensure_ascii=False, **layout)[1:-1].strip()
    assert record in written
    assert json.loads(gzip.decompress((tmp_path / "out/data/b.json.gz").read_bytes())) == []
    # The name of a single output says how it is laid out.
    th.dedup_files(tmp_path / "a.json", tmp_path / "lines.jsonl")
    assert len((tmp_path / "lines.jsonl").read_bytes().splitlines()) == 3
    th.dedup_files(tmp_path / "lines.jsonl", tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_bytes()) == [rows[0], rows[1], rows[3]]


def test_other_runs_write_arrays_too(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]
    (tmp_path / "a.json").write_text(json.dumps(rows), "utf-8")
    for name, run in {
        "convert": lambda out: th.chat.convert_files(tmp_path / "a.json", out, to="sharegpt"),
        "validate": lambda out: th.chat.validate_files(tmp_path / "a.json", out),
        "render": lambda out: th.chat.render_files(
            tmp_path / "a.json", out, template="{{ messages }}", mask=False
        ),
    }.items():
        run(tmp_path / name)
        run(tmp_path / f"{name}.json")
        for path in (tmp_path / name / "data/a.json", tmp_path / f"{name}.json"):
            assert len(json.loads(path.read_bytes())) == 1, path


# Standard output


def test_columns_go_to_standard_output_as_one_file(tmp_path: Path) -> None:
    table = pa.table({"text": ["a rose", "a tulip", "a rose"], "n": [1, 2, 3]})
    pq.write_table(table, tmp_path / "in.parquet")
    with pyarrow.ipc.new_file(tmp_path / "in.arrow", table.schema) as file:
        file.write_table(table)
    done = _run("dedup", "in.parquet", "-o", "-", cwd=tmp_path)
    assert pq.read_table(io.BytesIO(done.stdout)).to_pylist() == table.slice(0, 2).to_pylist()
    done = _run("dedup", "in.arrow", "-o", "-", cwd=tmp_path)
    assert pyarrow.ipc.open_file(done.stdout).read_all().to_pylist() == table.slice(0, 2).to_pylist()
    mixed = _run("dedup", "in.arrow", "in.parquet", "-o", "-", cwd=tmp_path)
    assert (mixed.returncode, mixed.stdout) == (2, b"")
    assert _names(tmp_path) == ["in.arrow", "in.parquet"]


def test_with_standard_output_nothing_appears_where_the_user_stands(source: Path) -> None:
    source.write_bytes(source.read_bytes() + b"broken\n")
    done = _run("dedup", source, "-o", "-", cwd=source.parent)
    assert (done.returncode, done.stdout) == (0, _lines("a rose", "a tulip"))
    assert b"quarantined 1" in done.stderr
    assert _names(source.parent) == ["in.jsonl"]


# Standard input


def test_standard_input_has_a_fixed_name_and_leaves_no_copy(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    data = _lines("a rose", "a tulip", "a rose")
    found = []
    for out, content in (("one", data), ("two", data), ("packed", gzip.compress(data))):
        done = _run("dedup", "-", "-o", tmp_path / out, "--tmp", tmp_path / "tmp", input=content)
        assert done.returncode == 0, done.stderr
        found.append({name: (tmp_path / out / name).read_bytes() for name in _names(tmp_path / out)})
    assert list(found[0]) == [
        "clusters.parquet",
        "data/stdin.jsonl",
        "removed.parquet",
        "report.html",
        "run.json",
    ]
    assert "data/stdin.jsonl.gz" in found[2]
    for name in ("clusters.parquet", "data/stdin.jsonl", "removed.parquet"):
        assert found[0][name] == found[1][name]
    (row,) = pq.read_table(tmp_path / "one" / "removed.parquet").to_pylist()
    assert (row["id"], row["source"], row["duplicate_of"]) == (
        "stdin.jsonl:2",
        "stdin.jsonl",
        "stdin.jsonl:0",
    )
    assert json.loads(found[0]["run.json"])["inputs"][0]["path"] == "-"
    assert _names(tmp_path / "tmp") == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the copy has a name")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_no_copy_of_standard_input(tmp_path: Path, number: signal.Signals) -> None:
    command = [*COMMAND, "dedup", "-", "-o", str(tmp_path / "out"), "--tmp", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(_lines("a rose") * 100_000)
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(number)
        process.wait(50)
    assert _names(tmp_path) == []


def _interrupted(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """The exit code, and the seconds from the signal to the end."""
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    code = process.wait(50)
    return code, time.monotonic() - sent


def _until(done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        time.sleep(0.05)
    pytest.fail("nothing happened in 25 seconds")


def test_standard_input_that_falls_silent_is_interruptible(tmp_path: Path) -> None:
    command = [*COMMAND, "dedup", "-", "-o", str(tmp_path / "out"), "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        pipe = process.stdin
        pipe.write(_lines("a rose"))
        pipe.flush()
        left = bytearray(4)

        def is_read() -> bool:
            fcntl.ioctl(pipe, termios.FIONREAD, left)
            return not any(left)

        _until(is_read)
        code, seconds = _interrupted(process)
    # Promised is a second; a loaded machine gets more.
    assert (code, seconds < 5) == (130, True)
    assert not (tmp_path / "out").exists()


def test_a_pipe_that_nobody_writes_to_is_interruptible(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    command = [*COMMAND, "dedup", str(tmp_path / "pipe"), "-o", str(tmp_path / "out"), "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        writer: list[int] = []

        def is_held() -> bool:
            try:
                writer.append(os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                return False
            return True

        _until(is_held)
        code, seconds = _interrupted(process)
        os.close(writer[0])
    assert (code, seconds < 5) == (130, True)


def test_reading_a_pipe_is_a_step_of_the_progress(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    steps: list[str] = []

    def write() -> None:
        with pipe.open("wb") as file:
            for _ in range(10):
                file.write(_lines("a rose"))
                file.flush()
                time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    report = th.dedup_files(pipe, tmp_path / "out", progress=lambda moment: steps.append(moment["step"]))
    writer.join()
    assert "read stdin" in steps
    assert (report.documents, report.kept) == (10, 1)
    assert _names(tmp_path / "out/data") == ["pipe.jsonl"]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no process substitution")
def test_a_process_substitution_is_read(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(_lines("a rose", "a rose")))
    script = f"{' '.join(COMMAND)} dedup <(gzip -dc in.jsonl.gz) -o out.jsonl"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == _lines("a rose")


def test_what_cannot_be_read_is_an_error_of_that_file(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("/dev/null", tmp_path / "socket", tmp_path / "missing.jsonl"):
            done = _run("dedup", name, "-o", tmp_path / "out")
            assert done.returncode == 74, name
            assert str(name).encode() in done.stderr
    done = _run("dedup", "-", "-o", tmp_path / "out", "--tmp", tmp_path / "nowhere", input=b"")
    assert (done.returncode, b"nowhere" in done.stderr) == (74, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a small file system")
def test_a_full_disk_is_an_error_of_input_and_output(tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        # Like a full disk: a file may not grow beyond this.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    data = _lines("a rose") * 200_000
    done = _run("dedup", "-", "-o", tmp_path / "out", input=data, preexec_fn=limit)
    assert done.returncode == 74
    assert b"standard input" in done.stderr
    assert not (tmp_path / "out").exists()


# What stands there


def test_a_folder_of_somebody_else_is_refused_whatever_its_run_json_says(source: Path) -> None:
    project = source.parent / "project"
    (project / "data").mkdir(parents=True)
    (project / "data" / "precious.txt").write_text("precious", "utf-8")
    (project / "run.json").write_text("{}", "utf-8")
    before = {name: (project / name).read_bytes() for name in _names(project)}
    for options in ([], ["--overwrite"]):
        done = _run("dedup", source, "-o", project, *options)
        assert done.returncode == 2
        assert b"data" in done.stderr
    assert {name: (project / name).read_bytes() for name in _names(project)} == before


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_finished_result_is_replaced_on_request_only_and_as_a_whole(source: Path, name: str) -> None:
    source.write_bytes(source.read_bytes() + b"broken\n")
    out = source.with_name(name)
    th.dedup_files(source, out)
    before = {path: (source.parent / path).read_bytes() for path in _names(source.parent)}
    assert any("quarantine" in path for path in before)
    clean = source.with_name("clean.jsonl")
    clean.write_bytes(_lines("a rose"))
    with pytest.raises(th.ParameterError, match="--overwrite"):
        th.dedup_files(clean, out)
    # A run that fails leaves what was there.
    with pytest.raises(th.DataError):
        th.dedup_files(source, out, overwrite=True, strict=True)
    with pytest.raises(LookupError):
        th.dedup_files(source, out, overwrite=True, progress=_fail)
    clean.unlink()
    assert {path: (source.parent / path).read_bytes() for path in _names(source.parent)} == before
    clean.write_bytes(_lines("a rose"))
    th.dedup_files(clean, out, overwrite=True)
    assert not any("quarantine" in path or ".thresher" in path for path in _names(source.parent))
    data = out if name.endswith(".jsonl") else out / "data" / "clean.jsonl"
    assert data.read_bytes() == _lines("a rose")


def _fail(_: Any) -> None:
    message = "enough"
    raise LookupError(message)


def test_a_data_file_that_thresher_did_not_write_is_refused(source: Path) -> None:
    precious = source.with_name("precious.jsonl")
    precious.write_text("precious", "utf-8")
    for run in (
        lambda **more: th.dedup_files(source, precious, **more),
        lambda **more: th.chat.convert_files(source, precious, to="openai", from_format="alpaca", **more),
    ):
        with pytest.raises(th.ParameterError, match="did not write"):
            run()
        assert precious.read_text("utf-8") == "precious"
    th.dedup_files(source, precious, overwrite=True)
    assert precious.read_bytes() == _lines("a rose", "a tulip")


def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(source: Path) -> None:
    source.write_bytes(source.read_bytes() + b"broken\n")
    elsewhere = source.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "real.jsonl").write_text("old", "utf-8")
    link = source.with_name("link.jsonl")
    link.symlink_to(elsewhere / "real.jsonl")
    report = th.dedup_files(source, link, overwrite=True)
    assert link.is_symlink()
    assert link.read_bytes() == _lines("a rose", "a tulip")
    assert report.quarantine is not None
    assert Path(report.quarantine).is_file()
    assert _names(elsewhere) == [
        "real.jsonl",
        "real.jsonl.clusters.parquet",
        "real.jsonl.quarantine/records.jsonl",
        "real.jsonl.removed.parquet",
        "real.jsonl.report.html",
        "real.jsonl.run.json",
    ]


def test_a_file_put_into_a_folder_of_documents_is_seen(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in "abc":
        (tmp_path / "docs" / f"{name}.txt").write_text(f"text {name}", "utf-8")
    out = tmp_path / "out"
    th.dedup_files(tmp_path / "docs", out)
    th.dedup_files(tmp_path / "docs", out, overwrite=True)
    mine = out / "data" / "docs" / "mine.txt"
    mine.write_text("precious", "utf-8")
    os.utime(mine, (time.time() + 5, time.time() + 5))
    with pytest.raises(th.ParameterError, match=r"mine\.txt"):
        th.dedup_files(tmp_path / "docs", out, overwrite=True)
    assert mine.read_text("utf-8") == "precious"


def test_inputs_that_lie_in_the_output_are_refused(source: Path) -> None:
    out = source.with_name("out")
    th.dedup_files(source, out)
    inside = out / "data" / "in.jsonl"
    source.with_name("link.jsonl").symlink_to(inside)
    for path in (inside, source.with_name("link.jsonl")):
        with pytest.raises(th.ParameterError, match="would overwrite or hold"):
            th.dedup_files(path, out, overwrite=True)
    assert inside.read_bytes() == _lines("a rose", "a tulip")


def test_two_runs_on_one_data_file_do_not_mix(tmp_path: Path) -> None:
    for name in ("x", "y"):
        lines = (json.dumps({"text": f"{name} {index}"}) for index in range(50_000))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
    for _ in range(3):
        processes = [
            subprocess.Popen(
                [*COMMAND, "dedup", f"{name}.jsonl", "-o", "same.jsonl", "--overwrite", "--quiet"],
                cwd=tmp_path,
                stderr=subprocess.DEVNULL,
            )
            for name in ("x", "y")
        ]
        codes = [process.wait(50) for process in processes]
        assert set(codes) <= {0, 75}
        assert 0 in codes
        assert _is_whole(tmp_path / "same.jsonl.run.json")
    assert not list(tmp_path.glob(".*"))


# Kills


def _is_whole(run: Path) -> bool:
    """Whether the files that a `run.json` lists are those that stand there."""
    import xxhash

    report = json.loads(run.read_bytes())
    for name, expected in report["files"].items():
        path = run.parent / name
        if run.name != "run.json":
            base = str(run).removesuffix(".run.json")
            path = Path(base if name == "data" else f"{base}.{name}")
        if xxhash.xxh3_128_hexdigest(path.read_bytes()) != expected["xxh3_128"]:
            return False
    return True


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_run_killed_at_any_moment_leaves_a_whole_result(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / name
    source.write_bytes(b"".join(_lines(f"text {index % 900}") for index in range(1000)) + b"broken\n")
    run = out / "run.json" if name == "out" else tmp_path / "out.jsonl.run.json"
    started = time.monotonic()
    th.dedup_files(source, out)
    assert _is_whole(run)
    code = "import sys, thresher; print(flush=True); thresher.dedup_files(*sys.argv[1:], overwrite=True)"
    chance = random.Random(7)
    longest = max(time.monotonic() - started, 0.02)
    for _ in range(25):
        command = [sys.executable, "-c", code, str(source), str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.random() * longest)
            process.kill()
        # Between two renames there is no `run.json`; the next run on this output completes what was begun.
        assert not run.exists() or _is_whole(run)
        if not run.exists():
            th.dedup_files(source, out, overwrite=True)
            assert _is_whole(run)
    th.dedup_files(source, out, overwrite=True)
    assert _is_whole(run)
    assert not list(tmp_path.rglob("*thresher*"))
