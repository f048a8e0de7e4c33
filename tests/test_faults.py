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


def _count(source: Path, folder: Path, call: str) -> int:
    log = folder / f"{call}.log"
    done = _run(_command(source, folder / f"counted-{call}"), "-e", f"trace={call}", "-o", str(log))
    assert done.returncode == 0, done.stderr
    return len(re.findall(rf"\b{call}\(", log.read_text()))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_at_any_call_loses_nothing(call: str, fault: str, source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert _run(_command(source, whole)).returncode == 0
    expected = _contents(whole)
    for turn in range(1, _count(source, tmp_path, call) + 1):
        output = tmp_path / f"out-{turn}"
        done = _run(
            _command(source, output),
            "-e",
            f"trace={call}",
            "-e",
            f"inject={call}:{FAULTS[fault]}:when={turn}",
        )
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
