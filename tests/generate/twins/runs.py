"""Runs of recipes for the twins to follow: in this process, with the replies of a server, or out of files.

In this process everything but the network is the package's own: engine, client, journal.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from tests.generate.scripted.answers import Manner, Script, digest_of, reply_to
from tests.generate.twins.stated import Run, Verdict
from thresher.generate.budget import Budget, Purse
from thresher.generate.client import Client, Line, Transport
from thresher.generate.endpoint import Endpoint
from thresher.generate.engine import Check, Engine, Made, Progress
from thresher.generate.journal import Entry, Journal, Spent, entries
from thresher.generate.recipe import Recipe

MODEL = "scripted"


class Computed:
    """A transport without a network: replies as the scripted server gives them, and some that a filter stops.

    Args:
        script: What answers.
        ignores: Parameters of a body that are passed over.
        filtered: Share of the bodies whose answer a filter stops.
    """

    def __init__(self, script: Script, ignores: Sequence[str] = (), filtered: float = 0.0) -> None:
        self._script, self._ignores, self._filtered = script, ignores, filtered

    async def post(self, path: str, body: bytes, timeout_s: float) -> tuple[int, Mapping[str, str], bytes]:
        """The reply to a body."""
        asked = {
            name: value for name, value in msgspec.json.decode(body).items() if name not in self._ignores
        }
        raw, _ = reply_to(asked, digest_of(asked), self._script, Manner())
        if hashlib.sha256(body).digest()[0] < 256 * self._filtered:
            reply = msgspec.json.decode(raw)
            reply["choices"][0]["finish_reason"] = "content_filter"
            raw = msgspec.json.encode(reply)
        # Answers come in another order than questions.
        for _ in range(raw[-3] % 4):
            await asyncio.sleep(0)
        return 200, {}, raw


def driven(
    recipe: Recipe,
    transport: Transport,
    folder: Path,
    *,
    target: int | None = None,
    is_completion: bool = False,
    checks: Sequence[Check] = (),
) -> tuple[Run, list[Entry]]:
    """A run in this process, and its journal."""
    endpoint = Endpoint("http://127.0.0.1:9/v1", MODEL, api="completion" if is_completion else "chat")
    path = folder / "answers.journal"

    async def drive() -> Progress:
        with Journal(path) as journal:
            client = Client([Line(endpoint, transport)], journal, Purse(Budget(), Spent()), run="a test")
            return await Engine(recipe, client, checks=checks, target=target).run()

    progress = asyncio.run(drive())
    if progress.stopped is not None or (target is not None and not progress.is_reached):
        raise RuntimeError(str(progress.stopped))
    run = Run(
        [_verdict(one, ()) for one in progress.kept],
        [_verdict(one, one.reasons) for one in progress.rejected],
    )
    return run, list(entries(path))


def _verdict(one: Made, reasons: Sequence[str]) -> Verdict:
    made = one.made
    return Verdict(
        one.id, one.slot, one.number, made.row, tuple(reasons), tuple(made.keys), tuple(made.parents)
    )


def read(output: Path) -> Run:
    """A run from its files."""
    lines = (output / "data" / "rows.jsonl").read_text("utf-8").splitlines()
    lineage = pq.read_table(output / "lineage.parquet").to_pylist()
    kept = []
    for line, one in zip(lines, lineage, strict=True):
        row = json.loads(line)
        assert row.pop("id") == one["id"]
        written = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        assert one["row_sha256"] == hashlib.sha256(written.encode()).hexdigest()
        kept.append(_of_files(one, row, ()))
    rejected = [
        _of_files(one, json.loads(one["row"]), one["reasons"])
        for one in pq.read_table(output / "rejected.parquet").to_pylist()
    ]
    return Run(kept, rejected)


def _of_files(one: Mapping[str, Any], row: Mapping[str, Any], reasons: Sequence[str]) -> Verdict:
    parts = tuple(reasons), tuple(one["answers"]), tuple(one["parents"])
    return Verdict(one["id"], one["slot"], one["round"], row, *parts)


def column(table: Path, name: str) -> dict[str, Any]:
    """A column of a table, by the ids of the rows."""
    return {one["id"]: one[name] for one in pq.read_table(table, columns=["id", name]).to_pylist()}


def ends(log: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The ends of the tries in a server's log, by the digests of the bodies."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for line in log:
        if line["event"] in ("sent", "lost"):
            found.setdefault(line["digest"], []).append(line)
    return found
