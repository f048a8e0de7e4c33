"""`thresher doctor`: what this build is, what it runs on, and what a run may use here."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import click

import thresher
from thresher import _core, _format
from thresher.cli._run import printable

_BLOCK_BYTES: Final = 4 * 2**20
_MEASURED_BYTES: Final = 64 * 2**20
_FEW_FILES: Final = 1024
"""A run has some files open a thread, and a pass over many inputs one after the other."""


@click.command(short_help="Show version and machine, and what may be used.")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def doctor(folders: tuple[str, ...], as_json: bool) -> None:
    """Show what thresher is, what it runs on, and what it may use.

    Of each folder, such as that of an output (default: the working one), and of that for temporary files, the
    free space and the speed of the disk are shown; 64 MiB are written there for it, and removed.
    """
    import platform

    import numpy as np
    import pyarrow as pa

    machine = json.loads(_core.machine())
    tmp = tempfile.gettempdir()
    named = dict.fromkeys([*(folders or (str(Path.cwd()),)), tmp])
    facts = {
        "version": thresher.__version__,
        "hash_scheme": _core.scheme_version(),
        "instruction_set": _core.instruction_set(),
        "threads": _core.available_threads(),
        **machine,
        "tmp": tmp,
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "folders": [_folder(Path(name)) for name in named],
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    disks: list[dict[str, Any]] = facts.pop("folders")
    for name, value in facts.items():
        click.echo(f"{name.removesuffix('_bytes').replace('_', ' '):<16} {_shown(name, value)}")
    for disk in disks:
        click.echo(f"{'folder':<16} {printable(disk['path'])}: {_speed(disk)}")
    if machine["open_files"] is not None and machine["open_files"] < _FEW_FILES:
        click.echo(f"note: few files may be open; `ulimit -n {_FEW_FILES}` allows more", err=True)


def _shown(name: str, value: object) -> object:
    if value is None:
        return "no limit" if name.startswith("cgroup") else "unknown"
    return _format.size(value) if isinstance(value, int) and name.endswith("_bytes") else value


def _speed(disk: dict[str, Any]) -> str:
    if disk["error"]:
        return f"cannot be measured ({printable(disk['error'])})"
    kind = f"{disk['file_system']}, " if disk["file_system"] else ""
    in_memory = "; files there take memory" if disk["file_system"] in ("tmpfs", "ramfs") else ""
    return (
        f"{kind}{_format.size(disk['free_bytes'])} free, writes {_format.size(disk['write_bytes_s'])}/s, "
        f"reads {_format.size(disk['read_bytes_s'])}/s{in_memory}"
    )


def _folder(folder: Path) -> dict[str, Any]:
    """Free space and speed of the disk of a folder; one that is not there yet stands for the one above it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    found: dict[str, Any] = {
        "path": str(folder),
        "file_system": _file_system(folder),
        "free_bytes": None,
        "write_bytes_s": None,
        "read_bytes_s": None,
        "error": None,
    }
    try:
        space = os.statvfs(folder)
        found["free_bytes"] = space.f_bavail * space.f_frsize
        # A small disk is not filled for a figure.
        n_bytes = min(_MEASURED_BYTES, found["free_bytes"] // 4 // _BLOCK_BYTES * _BLOCK_BYTES)
        found["write_bytes_s"], found["read_bytes_s"] = _measure(folder, n_bytes)
    except OSError as error:
        found["error"] = str(error)
    return found


def _measure(folder: Path, n_bytes: int) -> tuple[int, int]:
    """Bytes a second written and read in a file without a name, on the disk and not in the cache."""
    block = os.urandom(_BLOCK_BYTES)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        began = time.perf_counter()
        for _ in range(0, n_bytes, _BLOCK_BYTES):
            file.write(block)
        os.fsync(file.fileno())
        written = time.perf_counter() - began
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        began = time.perf_counter()
        while file.read(_BLOCK_BYTES):
            pass
        read = time.perf_counter() - began
    return int(n_bytes / max(written, 1e-9)), int(n_bytes / max(read, 1e-9))


def _file_system(folder: Path) -> str | None:
    """The kind of file system that holds a folder; None where the system does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    best, kind = "", None
    place = str(folder.resolve())
    for mount in mounts:
        point, found = mount.split(" ")[1:3]
        point = point.replace("\\040", " ")
        inside = place == point or place.startswith(f"{point.rstrip('/')}/")
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind
