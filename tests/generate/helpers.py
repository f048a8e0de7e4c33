"""What several tests of generation need: a client against a server, requests, a journal that is read back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from thresher.generate.budget import Budget, Purse
from thresher.generate.client import Client, Line
from thresher.generate.endpoint import Endpoint
from thresher.generate.journal import Entry, Journal, entries
from thresher.generate.request import Message, Request
from thresher.generate.transport import Http

TIMEOUT_S = 1.5


def question(text: str, **others: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **others)


def endpoint(base_url: str, **others: Any) -> Endpoint:
    return Endpoint(base_url, **{"model": "scripted-1", "timeout_s": TIMEOUT_S, **others})


def with_client(
    base_url: str,
    path: Path,
    use: Callable[[Client, Line], Awaitable[Any]],
    *,
    budget: Budget | None = None,
    strict: bool = False,
    run: str = "run",
    **others: Any,
) -> Any:
    """Calls `use` with a client for one endpoint; gives what it gives."""
    one = endpoint(base_url, **others)

    async def main() -> Any:
        with Journal(path) as journal:
            async with Http(one) as http:
                line = Line(one, http)
                purse = Purse(budget or Budget(), journal.spent(run))
                client = Client([line], journal, purse, run=run, strict=strict, seed=1)
                return await use(client, line)

    return asyncio.run(main())


def journal_of(path: Path) -> list[Entry]:
    return list(entries(path))
