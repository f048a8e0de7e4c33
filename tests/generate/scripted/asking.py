"""What the tests of the scripted server ask it with."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any

import msgspec

from tests.generate.server import Server

CHAT = "/v1/chat/completions"


def ask(
    server: Server, body: Any, path: str = CHAT, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", path, msgspec.json.encode(body), headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def answer(server: Server, body: Any, path: str = CHAT) -> dict[str, Any]:
    status, raw = ask(server, body, path)
    assert status == 200, raw
    return msgspec.json.decode(raw)


def content(server: Server, body: Any) -> str:
    return answer(server, body)["choices"][0]["message"]["content"]


def question(text: str, **others: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **others}


def events(server: Server, wanted: Callable[[dict[str, Any]], bool], count: int = 1) -> list[dict[str, Any]]:
    """The lines that are wanted, once there are so many: some are written after the client has its reply."""
    for _ in range(500):
        found = [line for line in server.log() if wanted(line)]
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not in the log: {server.log()}")


def has_ended(line: dict[str, Any]) -> bool:
    return line["event"] in ("sent", "lost")


def call(server: Server, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def get(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    status, raw = call(server, method, path, b"" if body is None else msgspec.json.encode(body))
    assert status == 200, raw
    return msgspec.json.decode(raw)
