"""Results made in Python as the tests of their publication make them: staged, read back, by others."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

import thresher as th
from thresher._core.runs import Output

if TYPE_CHECKING:
    from collections.abc import Callable

SINGLE = ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"]


CHILD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("made", sys.argv[1])
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
getattr(made, sys.argv[2])(*sys.argv[3:])
"""


def rows(text: str, count: int = 3) -> list[dict[str, Any]]:
    return [{"id": str(number), "text": f"{text} {number}"} for number in range(count)]


def books(kept: int = 3, removed: int = 2) -> dict[str, Any]:
    return {
        "in": {"docs": kept + removed, "bytes": 10 * (kept + removed)},
        "kept": {"docs": kept, "bytes": 10 * kept},
        "removed": {"too_short": {"docs": removed, "bytes": 10 * removed}} if removed else {},
        "quarantined": {},
        "blank_bytes": 0,
    }


def write(path: str, rows: list[dict[str, Any]], form: str = "jsonl", codec: str = "plain") -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    packers: dict[str, Callable[[bytes], bytes]] = {
        "plain": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.compress,
    }
    if form == "parquet":
        pq.write_table(pa.table({"text": [row["text"] for row in rows]}), path)
    else:
        Path(path).write_bytes(packers[codec](lines))


def stage(
    output: Output, text: str, parts: tuple[str, ...] = ("rejected.parquet", "README.md")
) -> dict[str, int]:
    """Makes a result of three rows; gives the rows of its parts."""
    is_folder = output.form == "folder"
    data = "data/rows.jsonl" if is_folder else "data"
    write(output.path(data), rows(text), "jsonl" if is_folder else output.form, output.codec)
    counts = {data: 3}
    for part in parts:
        if part == "README.md":
            Path(output.path(part)).write_text(f"# {text}\n", "utf-8")
        else:
            pq.write_table(pa.table({"reason": [text, text]}), output.path(part))
            counts[part] = 2
    return counts


def report(**members: Any) -> str:
    return json.dumps({"config": {"output": "out"}, "accounting": books(), "notes": [], **members})


def make(place: Path, text: str, overwrite: bool = False, **staged: Any) -> dict[str, Any]:
    output = Output(str(place), overwrite, "generate")
    published: dict[str, Any] = json.loads(output.publish(report(), stage(output, text, **staged)))
    output.close(keep=False)
    return published


def part(place: Path, name: str) -> Path:
    return place / name if place.suffix == "" else Path(f"{place}.{name}")


def text(place: Path) -> str:
    """What a whole result says; all of its files say the same."""
    report = th.verify(place)
    assert report.ok, str(report)
    said = {part(place, "README.md").read_text("utf-8").strip("# \n")}
    said |= set(pq.read_table(part(place, "rejected.parquet"))["reason"].to_pylist())
    assert len(said) == 1
    return said.pop()


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def child(function: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, __file__, function, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def hold(place: str) -> None:
    """Stages a result, says so, and waits to be killed."""
    output = Output(place, True, "generate")
    (Path(output.work) / "journal").write_text("paid for", "utf-8")
    stage(output, "half")
    print("staged", flush=True)
    time.sleep(60)


def publish_on(place: str) -> None:
    """Publishes one result after the other until it is killed."""
    for number in range(1_000_000):
        output = Output(place, True, "generate")
        parts = ("rejected.parquet", "README.md", *(["lineage.parquet"] if number % 2 else []))
        output.publish(report(), stage(output, f"result {number}", parts))
        output.close(keep=False)
        print(number, flush=True)
