"""How many requests the scripted server answers: it must not be what a benchmark of a client measures.

```sh
python -m tests.generate.scripted.load --script echo --in-flight 100 --requests 30000
```
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from tests.generate.server import Server


class _Asker(asyncio.Protocol):
    """Sends a request after each reply, as long as there are numbers left."""

    def __init__(self, numbers: count[int], most: int, ended: asyncio.Future[None]) -> None:
        self._numbers, self._most, self._ended = numbers, most, ended
        self._transport: Any = None
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        number = next(self._numbers)
        if number >= self._most:
            self._transport.close()
            self._ended.set_result(None)
            return
        text = f"{number} " + "What does a team do first? " * 30
        body = msgspec.json.encode(
            {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 500}
        )
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, rest = self._buffer.partition(b"\r\n\r\n")
        if gap and len(rest) == int(head[head.index(b"Content-Length: ") + 16 :].split(b"\r")[0]):
            assert head.startswith(b"HTTP/1.1 200")
            self._buffer = b""
            self._ask()


async def _load(port: int, in_flight: int, requests: int) -> None:
    loop = asyncio.get_running_loop()
    numbers, ends = count(), []
    for _ in range(in_flight):
        ends.append(loop.create_future())
        await loop.create_connection(lambda: _Asker(numbers, requests, ends[-1]), "127.0.0.1", port)
    await asyncio.gather(*ends)


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Prints the rate by processor time of the server, and by the clock."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--script", default="echo")
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--requests", type=int, default=30_000)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    given = parser.parse_args()
    with Server(given.script, latency_ms=given.latency_ms) as server:
        asyncio.run(_load(server.port, given.in_flight, 2000))
        before, start = _processor_s(server.pid), time.perf_counter()
        asyncio.run(_load(server.port, given.in_flight, given.requests))
        taken, passed = _processor_s(server.pid) - before, time.perf_counter() - start
        most = max(line.get("in_flight", 0) for line in server.log()) + 1
        assert sum(server.answered().values()) == given.requests + 2000
    print(
        f"{given.requests / taken:,.0f} requests a second of processor time,"
        f" {given.requests / passed:,.0f} by the clock; at most {most:,} in flight"
    )


if __name__ == "__main__":
    main()
