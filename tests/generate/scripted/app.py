"""The scripted server itself: which address answers what, tries, faults and the log.

Everything happens on one event loop, without a task for a request: a reply is computed when the request is
there and sent at once, or by a timer after the latency.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tests.generate.scripted.answers import Manner, Script, digest_of, reply_to
from tests.generate.scripted.connection import Connection, Reply, Request
from tests.generate.scripted.faults import Faults, error

_decode = msgspec.json.Decoder().decode
_encoder = msgspec.json.Encoder()


class Options(msgspec.Struct):
    """What a server does beside its script.

    Attributes:
        faults: What goes wrong.
        manner: How it answers.
        latency_s: Seconds between a request and its reply.
        refuses: Parameters that are answered with 400: names, or `response_format:json_schema` for one type.
        ignores: Parameters that are passed over in silence.
        most_in_flight: More requests than these at a time are answered with 429; None for no bound.
        logs_bodies: Bodies and replies are in the log.
        model: The name of the model that it serves.
    """

    faults: Faults
    manner: Manner
    latency_s: float = 0.0
    refuses: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    most_in_flight: int | None = None
    logs_bodies: bool = False
    model: str = "scripted"


class Log:
    """Lines of JSON, each with the operating system before the next thing happens."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._start = time.monotonic()

    def write(self, event: str, **members: Any) -> None:
        line = {"event": event, "t": round(time.monotonic() - self._start, 6), **members}
        self._file.write(_encoder.encode(line) + b"\n")


class App:
    """What answers the requests of all connections."""

    def __init__(self, script: Script, options: Options, log: Log) -> None:
        self._script, self._options, self._log = script, options, log
        self._tries: Counter[str] = Counter()
        self._count = self._in_flight = 0
        self.opened: set[Connection] = set()

    def connect(self) -> Connection:
        """For `create_server`."""
        return Connection(self.handle, self.opened)

    def handle(self, request: Request, connection: Connection) -> None:
        self._count += 1
        if request.path in ("/v1/chat/completions", "/v1/completions"):
            if request.method == "POST":
                self._complete(request, connection, self._count)
            else:
                self._plain(
                    request,
                    connection,
                    Reply(405, msgspec.json.encode(error("POST it", "invalid_request_error"))),
                )
        elif request.path == "/health":
            self._plain(request, connection, Reply(200, b'{"status":"ok"}'))
        elif request.path == "/v1/models":
            model = {
                "id": self._options.model,
                "object": "model",
                "created": 1_700_000_000,
                "owned_by": "script",
            }
            self._plain(request, connection, Reply(200, _encoder.encode({"object": "list", "data": [model]})))
        else:
            message = f"Invalid URL ({request.method} {request.path})"
            self._plain(
                request, connection, Reply(404, _encoder.encode(error(message, "invalid_request_error")))
            )

    def _plain(self, request: Request, connection: Connection, reply: Reply) -> None:
        """A reply that no fault meets."""
        number = self._count
        self._log.write(
            "request",
            id=number,
            method=request.method,
            path=request.path,
            authorization=_is_authorized(request),
        )
        connection.send(reply, lambda was_sent: self._log_end(number, was_sent, status=reply.status))

    def _log_end(self, number: int, was_sent: bool, **members: Any) -> None:
        self._log.write("sent" if was_sent else "lost", id=number, **members)

    def _complete(self, request: Request, connection: Connection, number: int) -> None:
        options = self._options
        fault, refused = None, None
        digest, tried, usage, body = "", 0, None, None
        try:
            body = _decode(request.body)
            digest = digest_of(body)
            refused = self._refusal(request.path, body)
        except (msgspec.DecodeError, UnicodeDecodeError, AttributeError) as bad:
            message = f"We could not parse the JSON body of your request: {bad}"
            refused = Reply(400, _encoder.encode(error(message, "invalid_request_error")))
        if (
            refused is None
            and options.most_in_flight is not None
            and self._in_flight >= options.most_in_flight
        ):
            message = "Too many requests at a time"
            refused = Reply(429, _encoder.encode(error(message, "requests", code="rate_limit_exceeded")))
        if refused is None:
            try:
                reply, usage = self._answer(body, digest)
            except (LookupError, TypeError, AttributeError, ValueError) as bad:
                message = f"The request cannot be answered: {type(bad).__name__}: {bad}"
                refused = Reply(400, _encoder.encode(error(message, "invalid_request_error")))
        if refused is not None:
            reply = refused
        else:
            self._tries[digest] = tried = self._tries[digest] + 1
            fault = options.faults.choose(digest, tried)
        self._log.write(
            "request",
            id=number,
            method="POST",
            path=request.path,
            digest=digest,
            **{"try": tried},
            fault="refused" if refused is not None else fault or "ok",
            authorization=_is_authorized(request),
            in_flight=self._in_flight,
            **({"body": body} if options.logs_bodies else {}),
        )
        self._in_flight += 1

        def done(was_sent: bool) -> None:
            self._in_flight -= 1
            self._log_end(
                number,
                was_sent,
                status=reply.status,
                digest=digest,
                **{"try": tried},
                fault="refused" if refused is not None else fault or "ok",
                usage=usage,
                **({"reply": reply.body.decode("utf-8", "replace")} if options.logs_bodies else {}),
            )

        def send() -> None:
            if fault is None:
                connection.send(reply, done)
            else:
                options.faults.carry_out(fault, reply, connection, done)

        if options.latency_s:
            asyncio.get_running_loop().call_later(options.latency_s, send)
        else:
            send()

    def _answer(self, body: dict[str, Any], digest: str) -> tuple[Reply, dict[str, Any]]:
        asked = {name: value for name, value in body.items() if name not in self._options.ignores}
        raw, usage = reply_to(asked, digest, self._script, self._options.manner)
        return Reply(200, raw, {"x-request-id": f"req-{self._count}"}), usage

    def _refusal(self, path: str, body: dict[str, Any]) -> Reply | None:
        """What is wrong with a body, or what this server does not take."""
        needed = "messages" if path.endswith("/chat/completions") else "prompt"
        if not body.get(needed):
            message = f"Missing required parameter: '{needed}'."
            return _invalid(message, needed, "missing_required_parameter")
        if body.get("stream"):
            return _invalid("This server does not stream.", "stream", "unsupported_value")
        for name in self._options.refuses:
            parameter, _, kind = name.partition(":")
            value = body.get(parameter)
            if value is None or (kind and not (isinstance(value, dict) and value.get("type") == kind)):
                continue
            if parameter in ("temperature", "top_p"):
                if value == 1:
                    continue
                message = (
                    f"Unsupported value: '{parameter}' does not support {value} with this model."
                    " Only the default (1) value is supported."
                )
                return _invalid(message, parameter, "unsupported_value")
            other = " Use 'max_completion_tokens' instead." if parameter == "max_tokens" else ""
            message = f"Unsupported parameter: '{parameter}' is not supported with this model.{other}"
            return _invalid(message, parameter, "unsupported_parameter")
        return None


def _invalid(message: str, parameter: str, code: str) -> Reply:
    return Reply(400, _encoder.encode(error(message, "invalid_request_error", parameter, code)))


def _is_authorized(request: Request) -> bool:
    return "authorization" in request.headers
