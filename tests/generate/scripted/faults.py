"""What goes wrong with a try: chosen by a hash of the body and the number of the try, so that runs are alike.

Faults that say nothing about the answer are chosen by body and try. `final` ones are chosen by the body:
each try of such a body ends alike, as with an answer that a filter refuses.
"""

from __future__ import annotations

import email.utils
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tests.generate.scripted.connection import Connection, Done, Reply

MOST_IN_A_ROW = 3
DRIP_EVERY_S = 0.02

TRANSIENT = (
    "429",
    "429-date",
    "500",
    "502",
    "503",
    "reset",
    "reset-body",
    "drip",
    "truncated",
    "garbage",
    "error-200",
    "empty-choices",
)
"""A client that asks again gets the answer. These are the default."""
ANSWERS = ("content-filter", "refusal")
"""Whole replies of a model that does not answer: an outcome as much as a fault, so only when asked for."""
OTHERS = ("insufficient-quota", "hang")
"""Ends a run, or takes a whole timeout: only when asked for."""
KINDS = (*TRANSIENT, *ANSWERS, *OTHERS)


class Faults(msgspec.Struct, frozen=True):
    """Which tries fail, and how.

    Attributes:
        rate: Share of the tries that fail.
        kinds: What can happen to them.
        final_rate: Share of the bodies of which each try ends in one of `final_kinds`.
        final_kinds: What can happen to those.
        seed: Another seed, other faults.
        retry_after_s: What `Retry-After` says, in whole seconds.
        drip_s: Seconds after which a slow drip ends without its last byte.
    """

    rate: float = 0.0
    kinds: Sequence[str] = TRANSIENT
    final_rate: float = 0.0
    final_kinds: Sequence[str] = ANSWERS
    seed: int = 1
    retry_after_s: int = 1
    drip_s: float = 60.0

    def choose(self, digest: str, number: int) -> str | None:
        """The fault of a try, numbered from 1; None for none. After three in a row comes an answer."""
        if self.final_rate:
            point, which = self._chance(f"final {digest}")
            if point < self.final_rate:
                return self.final_kinds[which % len(self.final_kinds)]
        if not self.rate or number % (MOST_IN_A_ROW + 1) == 0:
            return None
        point, which = self._chance(f"{number} {digest}")
        return self.kinds[which % len(self.kinds)] if point < self.rate else None

    def _chance(self, of: str) -> tuple[float, int]:
        found = hashlib.blake2b(f"{self.seed} {of}".encode(), digest_size=16).digest()
        return int.from_bytes(found[:8], "little") / 2**64, int.from_bytes(found[8:], "little")

    def carry_out(self, kind: str | None, reply: Reply, connection: Connection, done: Done) -> None:
        """Does to a reply what the kind says. `done` hears True when a whole reply has left."""
        if kind is None:
            connection.send(reply, done)
        elif kind == "reset":
            connection.reset(done)
        elif kind == "reset-body":
            connection.send_part(reply, len(reply.body) // 2, done)
        elif kind == "drip":
            connection.drip(reply, DRIP_EVERY_S, self.drip_s, done)
        elif kind == "hang":
            connection.hang(done)
        else:
            connection.send(_REPLIES[kind](reply, self), done)


def error(message: str, kind: str, parameter: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


def _error(status: int, body: dict[str, Any], **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, msgspec.json.encode(body), named)


def _busy(reply: Reply, faults: Faults) -> Reply:
    body = error("Rate limit reached for requests", "requests", code="rate_limit_exceeded")
    return _error(429, body, Retry_After=str(faults.retry_after_s))


def _busy_until(reply: Reply, faults: Faults) -> Reply:
    body = error("Rate limit reached for tokens", "tokens", code="rate_limit_exceeded")
    return _error(
        429, body, Retry_After=email.utils.formatdate(time.time() + faults.retry_after_s, usegmt=True)
    )


def _no_quota(reply: Reply, faults: Faults) -> Reply:
    message = "You exceeded your current quota, please check your plan and billing details."
    return _error(429, error(message, "insufficient_quota", code="insufficient_quota"))


def _internal(reply: Reply, faults: Faults) -> Reply:
    return _error(500, error("The server had an error while processing your request", "server_error"))


def _gateway(reply: Reply, faults: Faults) -> Reply:
    page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    return Reply(502, page, content_type="text/html")


def _overloaded(reply: Reply, faults: Faults) -> Reply:
    return _error(503, error("The engine is currently overloaded, please try again later", "server_error"))


def _cut(reply: Reply, faults: Faults) -> Reply:
    return Reply(200, reply.body[: len(reply.body) * 2 // 3])


def _garbage(reply: Reply, faults: Faults) -> Reply:
    noise = hashlib.shake_128(reply.body).digest(len(reply.body))
    return Reply(200, b"\xff\x00" + noise)


def _error_200(reply: Reply, faults: Faults) -> Reply:
    return _error(200, error("upstream connect error or disconnect/reset before headers", "server_error"))


def _changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Reply, Faults], Reply]:
    def changed(reply: Reply, faults: Faults) -> Reply:
        try:
            body = msgspec.json.decode(reply.body)
            change(body)
        except (msgspec.DecodeError, LookupError, TypeError):
            return reply  # a script's raw bytes
        return Reply(200, msgspec.json.encode(body))

    return changed


def _empty(body: dict[str, Any]) -> None:
    body["choices"] = []


def _filter(body: dict[str, Any]) -> None:
    for choice in body["choices"]:
        choice["finish_reason"] = "content_filter"
        _say(choice, "")


def _refuse(body: dict[str, Any]) -> None:
    for choice in body["choices"]:
        sorry = "I'm sorry, but I can't help with that."
        if "message" in choice:
            choice["message"] = {"role": "assistant", "content": None, "refusal": sorry}
        else:
            choice["text"] = sorry


def _say(choice: dict[str, Any], text: str) -> None:
    if "message" in choice:
        choice["message"]["content"] = text
    else:
        choice["text"] = text


_REPLIES: dict[str, Callable[[Reply, Faults], Reply]] = {
    "429": _busy,
    "429-date": _busy_until,
    "insufficient-quota": _no_quota,
    "500": _internal,
    "502": _gateway,
    "503": _overloaded,
    "truncated": _cut,
    "garbage": _garbage,
    "error-200": _error_200,
    "empty-choices": _changed(_empty),
    "content-filter": _changed(_filter),
    "refusal": _changed(_refuse),
}
