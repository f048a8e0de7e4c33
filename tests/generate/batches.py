"""What the tests of batches share: asking by batches, and what the server saw of it."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.generate.helpers import endpoint, question
from tests.generate.processes import command
from tests.generate.scripted.asking import get
from tests.generate.server import Server
from thresher.generate.batching import BatchClient
from thresher.generate.batching.store import Store
from thresher.generate.budget import Budget, Purse
from thresher.generate.client import Line
from thresher.generate.journal import Journal, Spent
from thresher.generate.transport import Http

TASKS = [f"Explain {what} {how}." for what in ("tides", "rust", "soup", "chess") for how in "abcde"]


def ask(
    base_url: str,
    path: Path,
    texts: list[str],
    *,
    budget: Budget | None = None,
    folder: str | None = None,
    strict: bool = False,
    during: Callable[[BatchClient], Any] | None = None,
    requests: dict[str, Any] | None = None,
    **others: Any,
) -> tuple[list[Any], BatchClient]:
    """Asks all at once by batches; answers, or what was raised instead, and the client."""
    one = endpoint(base_url, **others)

    async def main() -> Any:
        with Journal(path) as journal:
            async with Http(one) as http:
                purse = Purse(budget or Budget(), journal.spent("run"))
                client = BatchClient(
                    [Line(one, http)], journal, purse, run="run", folder=folder, strict=strict
                )
                async with client:
                    line = client.lines[0]
                    asked = [client.ask(line, question(text, **(requests or {}))) for text in texts]
                    waiting = asyncio.gather(*asked, return_exceptions=True)
                    if during is not None:
                        await during(client)
                    return await waiting, client

    return asyncio.run(main())


def spent(path: Path) -> Spent:
    with Journal(path) as journal:
        return journal.spent("run")


def under_way(path: Path) -> int:
    async def main() -> int:
        with Journal(path) as journal:
            return len(await Store(journal, "run").open())

    return asyncio.run(main())


def batches(server: Server) -> list[dict[str, Any]]:
    """The batches of a server, which may lose the reply to this question too."""
    while True:
        try:
            return get(server, "GET", "/v1/batches?limit=1000")["data"]
        except (OSError, http.client.HTTPException):
            continue


def lines(server: Server) -> Counter[str]:
    """How often each request was in a batch that ran."""
    return Counter(line["custom_id"] for line in server.log() if line["event"] == "batch_line")


def singly(server: Server) -> int:
    """Requests that were sent by themselves."""
    return sum(1 for line in server.log() if line["event"] == "request" and line.get("try"))


def distilled(server: Server, out: Path, *more: str) -> list[str]:
    tasks = out.parent / "tasks.jsonl"
    tasks.parent.mkdir(parents=True, exist_ok=True)
    tasks.write_text("".join(json.dumps({"instruction": task}) + "\n" for task in TASKS))
    recipe = ["distill", str(tasks), "--strategy", "=step_by_step"]
    return command(server, out, *more, recipe=recipe)
