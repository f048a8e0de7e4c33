"""Runs of `thresher generate` as processes of their own, and what they leave behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.generate.server import Server

SEEDS = [
    f"{verb} {what} {how}."
    for verb in ("Describe", "List", "Explain", "Compare", "Summarise")
    for what in ("the parts of a clock", "two rivers of Europe", "a recipe for soup", "rules of chess")
    for how in ("for a child", "in one sentence", "with an example")
]


def command(server: Server, out: Path, *more: str, recipe: Sequence[str] = ("domain", "law")) -> list[str]:
    start = [sys.executable, "-m", "thresher", "generate", *recipe]
    where = ["--endpoint", server.base_url, "--model", "scripted-1", "--timeout-s", "1", "-o", str(out)]
    return [*start, *where, "--quiet", *more]


def run(given: Sequence[str], **others: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(given, capture_output=True, text=True, timeout=3000, check=False, **others)


def made(out: Path) -> dict[str, bytes]:
    """Every byte of a result but its report, which tells times."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "report.html")
    }


def report(out: Path) -> dict[str, Any]:
    return json.loads((out / "run.json").read_text())


def recipes(folder: Path) -> dict[str, Sequence[str]]:
    seeds = folder / "seeds.jsonl"
    seeds.write_text("".join(json.dumps({"instruction": one}) + "\n" for one in SEEDS))
    return {"domain": ("domain", "law"), "self-instruct": ("self-instruct", str(seeds))}


def until(is_so: Any, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)
