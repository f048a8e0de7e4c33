"""Faults at every system call that writes: a kill, a full disk, a failing disk. Run by `make test-faults`.

strace injects the fault at the Nth call of a kind, for every N that an undisturbed run reaches. Afterwards
the same command has to end with the bytes of an undisturbed run, and nothing that is not complete may ever
have had a final name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thresher as th

STRACE = shutil.which("strace")
ASKED = "THRESHER_FAULTS" in os.environ
CALLS = ["write", "pwrite64", "fsync", "rename", "unlink", "mkdir", "ftruncate"]
FAULTS = {"kill": "signal=SIGKILL", "full": "error=ENOSPC", "broken": "error=EIO"}

pytestmark = pytest.mark.skipif(not (STRACE and ASKED), reason="`make test-faults` runs it, with strace")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    for part in range(2):
        with (folder / f"in{part}.jsonl").open("w") as out:
            for number in range(400):
                base = (number * 7919 + part) % 211
                words = [f"w{(base * 31 + word * word) % 997}" for word in range(40)]
                words[number % 40] = f"edit{number % 3}"
                out.write(json.dumps({"id": f"{part}-{number}", "text": " ".join(words)}) + "\n")
            out.write("{bad\n")
    return folder


def _command(source: Path, output: Path) -> list[str]:
    options = ["--id", "id", "--threads", "1", "--batch-bytes", "1024", "--quiet"]
    inputs = [str(source / f"in{part}.jsonl") for part in range(2)]
    return [sys.executable, "-m", "thresher", "dedup", *inputs, "-o", str(output), *options]


def _run(command: list[str], *strace: str) -> subprocess.CompletedProcess[str]:
    front = [str(STRACE), "-f", "-qq", *strace] if strace else []
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*front, *command], capture_output=True, text=True, env=environment, check=False)


def _contents(output: Path) -> dict[str, bytes]:
    files = (path for path in sorted(output.rglob("*")) if path.is_file())
    # Reports hold times. The lock of a run that could not remove it is nobody's.
    reports = {"run.json", "report.html", "lock"}
    return {str(path.relative_to(output)): path.read_bytes() for path in files if path.name not in reports}


def _count(command: list[str], call: str, log: Path) -> int:
    done = _run(command, "-e", f"trace={call}", "-o", str(log))
    assert done.returncode == 0, done.stderr
    return len(re.findall(rf"\b{call}\(", log.read_text()))


def _run_with(fault: str, call: str, turn: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    return _run(command, "-e", f"trace={call}", "-e", f"inject={call}:{FAULTS[fault]}:when={turn}")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_at_any_call_loses_nothing(call: str, fault: str, source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert _run(_command(source, whole)).returncode == 0
    expected = _contents(whole)
    for turn in range(1, _count(_command(source, tmp_path / "counted"), call, tmp_path / "log") + 1):
        output = tmp_path / f"out-{turn}"
        done = _run_with(fault, call, turn, _command(source, output))
        if fault == "kill":
            assert done.returncode in (-9, 137, 0), (turn, done.stderr)
        else:
            # What only cleans up may fail without a word.
            assert done.returncode in (74, 0), (turn, done.returncode, done.stderr)
        if done.returncode == 0:
            assert _contents(output) == expected, turn
            continue
        published = output / "run.json"
        assert not published.exists() or (output / ".thresher").exists() or _contents(output) == expected, (
            turn
        )
        again = _run(_command(source, output))
        # The fault may have come when everything had been published.
        if again.returncode == 2 and "finished result" in again.stderr:
            assert _contents(output) == expected, turn
            continue
        assert again.returncode == 0, (turn, again.stderr)
        assert _contents(output) == expected, turn
        assert not (output / ".thresher").exists(), turn
        shutil.rmtree(output)


MADE = """
import json, pathlib, sys
from thresher._core.runs import Output
output = Output(sys.argv[1], True, "generate")
for part in ("data/a.jsonl", "data/b/c.jsonl", "README.md", *sys.argv[3:]):
    pathlib.Path(output.path(part)).write_text(json.dumps({"text": sys.argv[2]}) + "\\n")
output.publish(json.dumps({"config": {"output": "out"}}), {})
output.close(keep=False)
"""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_while_a_made_result_replaces_another_leaves_one_of_them_whole(
    call: str, fault: str, tmp_path: Path
) -> None:
    def command(output: Path, text: str, *parts: str) -> list[str]:
        return [sys.executable, "-c", MADE, str(output), text, *parts]

    def texts(output: Path) -> set[str]:
        report = th.verify(output)
        assert report.ok, str(report)
        data = (path for path in _contents(output).items() if ".thresher" not in path[0])
        return {json.loads(content)["text"] for _, content in data}

    counted, turn = tmp_path / "counted", 0
    assert _run(command(counted, "old")).returncode == 0
    n_turns = _count(command(counted, "new"), call, tmp_path / "log")
    for turn in range(1, n_turns + 1):
        output = tmp_path / f"out-{turn}"
        # What of the old result has no successor has to go.
        assert _run(command(output, "old", "data/old.jsonl")).returncode == 0
        done = _run_with(fault, call, turn, command(output, "new"))
        assert done.returncode in ((-9, 137, 0) if fault == "kill" else (1, 0)), (turn, done.stderr)
        if done.returncode == 1:
            assert "No space left" in done.stderr or "Input/output error" in done.stderr, done.stderr
        if (output / "run.json").exists():
            assert texts(output) in ({"old"}, {"new"}), turn
        assert _run(command(output, "newest")).returncode == 0, turn
        assert texts(output) == {"newest"}, turn
        assert not (output / ".thresher").exists(), turn
        shutil.rmtree(output)
    assert turn > 0 or call in ("pwrite64", "ftruncate")
