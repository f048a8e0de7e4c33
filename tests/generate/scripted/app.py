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

from tests.generate.scripted.answers import CREATED, Manner, Script, digest_of, reply_to
from tests.generate.scripted.batches import Batches
from tests.generate.scripted.connection import Connection, Reply, Request
from tests.generate.scripted.faults import Faults, error

QUESTIONS = ("/v1/chat/completions", "/v1/completions")
"""Where the model is asked."""

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
        batches: How batches end, in the order of their submission; see `batches.KINDS`.
        batch_polls: How often a batch is looked at until it has ended.
        batch_errors: Share of the lines of a batch that end in the error file.
        batch_faults: What goes wrong with calls of the batch API.
    """

    faults: Faults
    manner: Manner
    latency_s: float = 0.0
    refuses: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    most_in_flight: int | None = None
    logs_bodies: bool = False
    model: str = "scripted"
    batches: tuple[str, ...] = ("complete",)
    batch_polls: int = 3
    batch_errors: float = 0.0
    batch_faults: Faults = Faults()


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
        self._calls: Counter[str] = Counter()
        self._batches = Batches(
            self._line,
            log.write,
            kinds=options.batches,
            polls=options.batch_polls,
            errors=options.batch_errors,
            seed=options.faults.seed,
        )
        self._count = self._in_flight = 0
        self.opened: set[Connection] = set()

    def connect(self) -> Connection:
        """For `create_server`."""
        return Connection(self.handle, self.opened)

    def handle(self, request: Request, connection: Connection) -> None:
        """Answers a request, now or after the latency."""
        self._count += 1
        if request.path in QUESTIONS and request.method == "POST":
            self._complete(request, connection, self._count)
        elif request.path.startswith(("/v1/files", "/v1/batches")):
            self._batch_call(request, connection)
        else:
            self._plain(request, connection, self._page(request))

    def _page(self, request: Request) -> Reply:
        if request.path in QUESTIONS:
            return Reply(405, _encoder.encode(error("This address is for POST.", "invalid_request_error")))
        if request.path == "/health":
            return Reply(200, b'{"status":"ok"}')
        if request.path == "/v1/models":
            model = {"id": self._options.model, "object": "model", "created": CREATED, "owned_by": "script"}
            return Reply(200, _encoder.encode({"object": "list", "data": [model]}))
        message = f"Invalid URL ({request.method} {request.path})"
        return Reply(404, _encoder.encode(error(message, "invalid_request_error")))

    def _batch_call(self, request: Request, connection: Connection) -> None:
        """A call of the batch API. What it does, it has done, even if a fault meets the reply."""
        call = f"{request.method} {request.path}"
        self._calls[call] += 1
        reply = self._batches.handle(request)
        fault = self._options.batch_faults.choose(call, self._calls[call])
        self._plain(request, connection, reply, fault)

    def _plain(
        self, request: Request, connection: Connection, reply: Reply, fault: str | None = None
    ) -> None:
        """A reply to anything but a question to the model."""
        number = self._count
        named = {"method": request.method, "path": request.path}
        if fault is not None:
            named["fault"] = fault
        self._log.write("request", id=number, **named, authorization=_is_authorized(request))
        self._options.batch_faults.carry_out(
            fault,
            reply,
            connection,
            lambda was_sent: self._log_end(number, was_sent, **named, status=reply.status),
        )

    def _log_end(self, number: int, was_sent: bool, **members: Any) -> None:
        self._log.write("sent" if was_sent else "lost", id=number, **members)

    def _evaluate(self, path: str, raw: bytes) -> tuple[str, Any, Reply, dict[str, Any] | None]:
        """Digest, body, reply and usage; without a usage it is no answer."""
        digest, body = "", None
        try:
            body = _decode(raw)
            digest = digest_of(body)
            if (refused := self._refusal(path, body)) is not None:
                return digest, body, refused, None
        except (msgspec.DecodeError, UnicodeDecodeError, AttributeError) as bad:
            message = f"We could not parse the JSON body of your request: {bad}"
            return digest, body, _invalid(message), None
        asked = {name: value for name, value in body.items() if name not in self._options.ignores}
        try:
            made, usage = reply_to(asked, digest, self._script, self._options.manner)
        except (LookupError, TypeError, AttributeError, ValueError) as bad:
            message = f"The request cannot be answered: {type(bad).__name__}: {bad}"
            return digest, body, _invalid(message), None
        return digest, body, Reply(200, made, {"x-request-id": f"req-{self._count}"}), usage

    def _complete(self, request: Request, connection: Connection, number: int) -> None:
        options = self._options
        digest, body, reply, usage = self._evaluate(request.path, request.body)
        if options.most_in_flight is not None and self._in_flight >= options.most_in_flight:
            message = "Too many requests at a time"
            reply = Reply(429, _encoder.encode(error(message, "requests", code="rate_limit_exceeded")))
            usage = None
        tried, fault = 0, None
        if usage is not None:
            self._tries[digest] = tried = self._tries[digest] + 1
            fault = options.faults.choose(digest, tried)
        name = "refused" if usage is None else fault or "ok"
        self._log.write(
            "request",
            id=number,
            method="POST",
            path=request.path,
            digest=digest,
            **{"try": tried},
            fault=name,
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
                fault=name,
                usage=usage,
                **({"reply": reply.body.decode("utf-8", "replace")} if options.logs_bodies else {}),
            )

        def send() -> None:
            options.faults.carry_out(fault, reply, connection, done)

        if options.latency_s:
            asyncio.get_running_loop().call_later(options.latency_s, send)
        else:
            send()

    def _line(self, path: str, raw: bytes) -> tuple[str, Reply, bool]:
        """Digest and reply for a line of a batch, and whether it is an answer."""
        digest, _, reply, usage = self._evaluate(path, raw)
        return digest, reply, usage is not None

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


def _invalid(message: str, parameter: str | None = None, code: str | None = None) -> Reply:
    return Reply(400, _encoder.encode(error(message, "invalid_request_error", parameter, code)))


def _is_authorized(request: Request) -> bool:
    return "authorization" in request.headers
