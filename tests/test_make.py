"""What `make` says before and while it builds: missing tools at once, each stage as it goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parent.parent / ".ci"


def _tools(folder: Path, **says: str) -> dict[str, str]:
    """An environment whose only tools beside those of the system print these versions."""
    for name, said in says.items():
        (folder / name).write_text(f"#!/bin/sh\n{said}\n", "ascii")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "PYTHON": "python", "CC": "sh"}


def _preflight(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(CI / "preflight")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


GOOD = {"python": "echo 3.14", "cargo": "echo cargo 1.99.0", "rustc": "echo 'rustc 1.99.0 (abc 2030-01-01)'"}


def test_tools_that_are_new_enough_pass(tmp_path: Path) -> None:
    done = _preflight(_tools(tmp_path, **GOOD))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("tool", "says", "words"),
    [
        ("python", "echo 3.10", ["Python 3.10", "3.11 or later", "make PYTHON="]),
        ("python", "exit 1", ["`python` does not run", "install Python"]),
        ("cargo", "exit 127", ["`cargo` is not on the PATH", "https://rustup.rs"]),
        ("rustc", "echo 'rustc 1.80.1 (abc 2024-01-01)'", ["`rustc` is 1.80.1", "rustup update"]),
        ("rustc", "exit 1", ["`rustc` does not run"]),
    ],
)
def test_a_tool_that_is_missing_or_old_is_named_with_what_to_install(
    tmp_path: Path, tool: str, says: str, words: list[str]
) -> None:
    done = _preflight(_tools(tmp_path, **{**GOOD, tool: says}))
    assert done.returncode == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    tools = dict.fromkeys(GOOD, "exit 1")
    done = _preflight({**_tools(tmp_path, **tools), "CC": "no-compiler"})
    assert done.stderr.count("thresher: ") == 3
    assert "no-compiler" in done.stderr


def _stage(*command: str) -> subprocess.CompletedProcess[str]:
    stage = [sys.executable, str(CI / "stage"), "testing", "a moment", *command]
    return subprocess.run(stage, capture_output=True, text=True, check=False)


def test_a_stage_has_a_title_and_ends_with_the_last_line() -> None:
    done = _stage("sh", "-c", "echo one; echo two")
    assert done.returncode == 0
    first, last = done.stdout.splitlines()
    assert first == "== testing (a moment)"
    assert last.endswith("s  two")


def test_a_stage_that_fails_shows_everything_and_keeps_the_exit_code() -> None:
    done = _stage("sh", "-c", "echo one; echo two >&2; exit 3")
    assert done.returncode == 3
    assert done.stdout.splitlines()[1:3] == ["one", "two"]
    assert done.stdout.splitlines()[3].endswith("failed with exit code 3")
