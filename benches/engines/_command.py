"""Running a whole command inside a bench: its wall time is the caller's, its peak memory is found here."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

# Often enough to see the peak of a run of tenths of a second, seldom enough to cost under 1 % of a core.
_POLL_S = 0.025


class CommandError(RuntimeError):
    """A command of an engine ended with a code other than 0."""


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _status_kib(pid: int, key: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
    return 0


def peak_kib() -> int:
    """Returns the peak resident memory of this process since it began or was last reset."""
    return _status_kib(os.getpid(), "VmHWM")


def reset_peak() -> None:
    """Lets `peak_kib` count from now on, where the kernel allows it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def run_command(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> int:
    """Runs a command to its end and returns the peak resident memory of it and its children, in KiB.

    Args:
        argv: The command.
        log: File that gets its output.
        env: Variables to add to the environment.

    Returns:
        The larger of the command's own high-water mark and the largest sum over the process tree seen at one
        time.

    Raises:
        CommandError: If it ends with a code other than 0; the message holds the end of its output.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, env={**os.environ, **(env or {})})
        done = threading.Event()
        seen = 0

        def watch() -> None:
            nonlocal seen
            while not done.wait(_POLL_S):
                tree = _tree(process.pid)
                seen = max(
                    seen, _status_kib(process.pid, "VmHWM"), sum(_status_kib(pid, "VmRSS") for pid in tree)
                )

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        code = process.wait()
        done.set()
        watcher.join()
    if code != 0:
        tail = log.read_text(errors="replace")[-2_000:]
        message = f"`{' '.join(argv)}` ended with code {code}:\n{tail}"
        raise CommandError(message)
    return seen
