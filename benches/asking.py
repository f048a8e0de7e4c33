"""What a request costs the client: thresher with its journal on, against the openai package and bare aiohttp.

Run as `python -m benches.asking [--requests N]`. The server is the scripted one of the tests, a process of
its own on the loopback device that answers at once; the figure is requests a second of the *client's*
processor time, so the server does not count. Each client keeps a number of requests in flight, all distinct,
and every answer is compared with the one that the server gives to that question before the clock counts.

thresher does more for a request than the others: it looks into its journal, reserves the cost, adapts its
pace, and has the answer on disk before it gives it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.generate.server import Server

IN_FLIGHT = (100, 1000)
Ask = Callable[[str], Awaitable[str]]


async def _clocked(ask: Ask, questions: list[str], in_flight: int) -> tuple[float, float, dict[str, str]]:
    """Requests a second of the client's processor time and of the clock, and the answers."""
    answers: dict[str, str] = {}
    left = iter(questions)

    async def work() -> None:
        for text in left:
            answers[text] = await ask(text)

    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    cpu_s, wall_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    return len(questions) / cpu_s, len(questions) / wall_s, answers


async def with_thresher(base_url: str, questions: list[str], in_flight: int) -> Any:
    """Thresher's client, its journal on disk."""
    from thresher.generate.budget import Budget, Purse
    from thresher.generate.client import Client, Line
    from thresher.generate.endpoint import Endpoint
    from thresher.generate.journal import Journal, Spent
    from thresher.generate.request import Message, Request
    from thresher.generate.transport import Http

    endpoint = Endpoint(base_url, "scripted-1", max_in_flight=in_flight)
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal") as journal:
        async with Http(endpoint) as http:
            line = Line(endpoint, http)
            client = Client([line], journal, Purse(Budget(), Spent()), run="bench")

            async def ask(text: str) -> str:
                request = Request(messages=(Message(role="user", content=text),), max_tokens=64)
                return (await client.ask(line, request)).text

            found = await _clocked(ask, questions, in_flight)
            assert len(journal) == len(questions)
            return found


async def with_openai(
    base_url: str, questions: list[str], in_flight: int, *, on_aiohttp: bool = False
) -> Any:
    """The openai package, as it comes or on aiohttp."""
    import httpx
    import openai

    if on_aiohttp:
        transport: Any = openai.DefaultAioHttpClient()
    else:
        limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
        transport = httpx.AsyncClient(limits=limits, timeout=120)
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", http_client=transport) as client:

        async def ask(text: str) -> str:
            found = await client.chat.completions.create(
                model="scripted-1", messages=[{"role": "user", "content": text}], max_tokens=64, seed=0
            )
            return str(found.choices[0].message.content)

        return await _clocked(ask, questions, in_flight)


async def with_aiohttp(base_url: str, questions: list[str], in_flight: int) -> Any:
    """Nothing but HTTP and JSON."""
    import aiohttp
    import msgspec

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(text: str) -> str:
            messages = [{"role": "user", "content": text}]
            body = {"model": "scripted-1", "messages": messages, "max_tokens": 64, "seed": 0}
            data = msgspec.json.encode(body)
            async with session.post(f"{base_url}/chat/completions", data=data) as reply:
                found = msgspec.json.decode(await reply.read())
            return str(found["choices"][0]["message"]["content"])

        return await _clocked(ask, questions, in_flight)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    given = parser.parse_args()
    clients: dict[str, Any] = {"thresher": with_thresher, "aiohttp alone": with_aiohttp}
    if importlib.util.find_spec("openai"):
        clients["openai"] = with_openai
        if importlib.util.find_spec("httpx_aiohttp"):
            clients["openai on aiohttp"] = lambda *more: with_openai(*more, on_aiohttp=True)
    else:
        print("openai is not installed, so it is left out", file=sys.stderr)
    print("| client | in flight | requests a second of its processor time | by the clock |")
    print("|---|---|---|---|")
    for in_flight in IN_FLIGHT:
        expected: dict[str, str] = {}
        for name, client in clients.items():
            count = given.requests if not name.startswith("openai") else max(in_flight, given.requests // 5)
            questions = [f"What is number {place} of {in_flight}?" for place in range(count)]
            # A server of its own for each, so that none meets what another has warmed up.
            with Server("echo") as server:
                by_cpu, by_clock, answers = asyncio.run(client(server.base_url, questions, in_flight))
            wrong = [text for text in questions if expected.setdefault(text, answers[text]) != answers[text]]
            if wrong:
                sys.exit(f"{name} got another answer to `{wrong[0]}`")
            print(f"| {name} | {in_flight:,} | {by_cpu:,.0f} | {by_clock:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
