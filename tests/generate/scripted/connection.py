"""One HTTP/1.1 connection of the scripted server: requests in; replies out whole, slowly, or broken off.

It is a bare protocol, without a framework: faults are made of bytes that none would send, and a reply counts
as sent when its last byte has left this process, which none tells.
"""

from __future__ import annotations

import asyncio
import http
import socket
import struct
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

MOST_HEAD, MOST_BODY = 64 << 10, 512 << 20
JSON = "application/json"
_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}
_RESET_AFTER_S = 0.005  # so that the other side reads what came before the reset


class Request(msgspec.Struct):
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class BadRequest(Exception):
    """Bytes that are no request; after them the connection has no use."""


class Reply(msgspec.Struct):
    """Bytes to send back."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    content_type: str = JSON

    def head(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}\r\nContent-Type: {self.content_type}\r\n"
        ]
        lines += [f"{name}: {value}\r\n" for name, value in self.headers.items()]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "".join(lines).encode("latin-1")


Done = Callable[[bool], None]
Handle = Callable[[Request, "Connection"], None]


class Connection(asyncio.Protocol):
    """One connection, which takes one request after the other; `handle` ends each by a reply below.

    `done` is called once for each: with True when the whole reply has left, with False when it did not.
    """

    def __init__(self, handle: Handle, opened: set[Connection]) -> None:
        self._handle, self._opened = handle, opened
        self._buffer = bytearray()
        self._transport: Any = None
        self._is_busy = self._is_paused = self._closes = self._has_continued = False
        self._done: Done | None = None
        self._then: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.discard(self)
        self._transport = self._then = None
        if self._timer is not None:
            self._timer.cancel()
        self._finish(False)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_busy:
            self._take()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if (then := self._then) is not None:
            self._then = None
            then()

    # Replies. One of these ends a request.

    def send(self, reply: Reply, done: Done) -> None:
        """The whole reply."""
        self._begin(done)
        self._write(reply.head() + reply.body, lambda: self._finish(True))

    def reset(self, done: Done) -> None:
        """No reply at all: the connection is reset."""
        self._begin(done)
        self._abort()

    def send_part(self, reply: Reply, length: int, done: Done) -> None:
        """The head and `length` bytes of the body; then the connection is reset."""
        self._begin(done)
        self._write(reply.head() + reply.body[:length], lambda: self._later(_RESET_AFTER_S, self._abort))

    def drip(self, reply: Reply, interval_s: float, most_s: float, done: Done) -> None:
        """A byte of the body after each interval, but never the last; after `most_s` seconds a reset."""
        self._begin(done)
        loop = asyncio.get_running_loop()
        ends = loop.time() + most_s
        rest = iter(reply.body[:-1])

        def drop() -> None:
            if loop.time() >= ends:
                self._abort()
                return
            if (byte := next(rest, None)) is not None:
                self._transport.write(bytes((byte,)))
            self._later(interval_s, drop)

        self._write(reply.head(), drop)

    def hang(self, done: Done) -> None:
        """Nothing, until the other side goes."""
        self._begin(done)

    def _begin(self, done: Done) -> None:
        self._done = done
        if self._transport is None:
            self._finish(False)

    def _write(self, data: bytes, then: Callable[[], None]) -> None:
        if self._transport is None:
            return
        self._transport.write(data)
        if self._is_paused or self._transport.is_closing():
            # When the buffer is empty, or never: then `connection_lost` says so.
            self._then = then
        else:
            then()

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, lambda: self._transport and then())

    def _abort(self) -> None:
        if self._transport is not None:
            linger = struct.pack("ii", 1, 0)  # close() sends a reset
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()

    def _finish(self, was_sent: bool) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(was_sent)
        self._is_busy = False
        if self._transport is None:
            return
        if self._closes:
            self._transport.close()
        elif self._buffer:
            self._take()

    # Requests.

    def _take(self) -> None:
        try:
            request = self._request()
        except BadRequest as bad:
            self._is_busy = self._closes = True
            body = msgspec.json.encode({"error": {"message": str(bad), "type": "invalid_request_error"}})
            self.send(Reply(400, body), lambda _: None)
            return
        if request is not None:
            self._is_busy = True
            self._handle(request, self)

    def _request(self) -> Request | None:
        """The next request, if all of it is there."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", 0, MOST_HEAD)
        if end < 0:
            if len(buffer) >= MOST_HEAD:
                message = "the head of the request is too long"
                raise BadRequest(message)
            return None
        first, *lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue" and not self._has_continued:
            self._has_continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        found = self._body(headers, end + 4)
        if found is None:
            return None
        body, used = found
        del buffer[:used]
        self._has_continued = False
        self._closes = headers.get("connection", "").lower() == "close"
        method, _, rest = first.partition(" ")
        target, _, version = rest.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            message = f"`{first[:100]}` is no request line"
            raise BadRequest(message)
        if "?" not in target:
            return Request(method, target, {}, headers, body)
        parts = urlsplit(target)
        return Request(method, parts.path, dict(parse_qsl(parts.query)), headers, body)

    def _body(self, headers: dict[str, str], start: int) -> tuple[bytes, int] | None:
        """The body and where it ends in the buffer, if all of it is there."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunked(start)
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            length = -1
        if not 0 <= length <= MOST_BODY:
            message = f"Content-Length is `{headers['content-length'][:100]}`"
            raise BadRequest(message)
        if len(self._buffer) < start + length:
            return None
        return bytes(self._buffer[start : start + length]), start + length

    def _chunked(self, start: int) -> tuple[bytes, int] | None:
        buffer, parts = self._buffer, []
        while True:
            end = buffer.find(b"\r\n", start)
            if end < 0:
                return None
            try:
                size = int(bytes(buffer[start:end]).split(b";")[0], 16)
            except ValueError as error:
                message = f"`{bytes(buffer[start:end])[:100]!r}` is no size of a chunk"
                raise BadRequest(message) from error
            if not 0 <= size <= MOST_BODY:
                message = f"a chunk of {size} bytes"
                raise BadRequest(message)
            if len(buffer) < end + 2 + size + 2:
                return None
            if not size:
                return b"".join(parts), end + 4
            parts.append(bytes(buffer[end + 2 : end + 2 + size]))
            start = end + 2 + size + 2
