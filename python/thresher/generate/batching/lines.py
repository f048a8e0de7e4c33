"""The lines of a batch, in OpenAI's format, which vLLM's batch runner and others read too.

A request is called by its key and its bound, so an answer can be told from its line alone.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import msgspec

from thresher.generate import wire
from thresher.generate.faults import Transient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thresher.generate.request import Answer

MOST_LINES = 50_000
"""Requests of a batch at most."""
MOST_BYTES = 200_000_000
"""Bytes of a batch at most."""
_UNBEGUN = frozenset({"batch_expired", "batch_cancelled"})
_Place = tuple[bytes, int]


class Unbegun(Exception):
    """A request that the server has not begun, as its time was over: nothing was taken for it."""


class _Response(msgspec.Struct):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")


class Output(msgspec.Struct):
    """A line of an output file or an error file."""

    custom_id: str = ""
    response: _Response | None = None
    error: Any = None

    def read(self, url: str) -> tuple[Answer, bytes]:
        """The answer in it, and the reply as it came.

        Raises:
            Unbegun: It was not begun.
            Transient: It may succeed later.
            Final: It has no answer, now or later.
            EndpointError: The endpoint cannot be used.
        """
        error = self.error if isinstance(self.error, dict) else {}
        if error.get("code") in _UNBEGUN:
            raise Unbegun
        if self.response is None or not self.response.status_code:
            raise Transient("server_error", str(error.get("message") or self.error or "no reply"))
        raw = bytes(self.response.body)
        if raw == b"null" and self.error:
            raw = msgspec.json.encode(self.error)
        return wire.read(self.response.status_code, {}, raw, url), raw


_decoder = msgspec.json.Decoder(Output, strict=False)


def name_of(place: _Place) -> str:
    r"""The name of a request in a batch.

    >>> name_of((b"\x01", 256))
    '01-256'
    """
    key, max_tokens = place
    return f"{key.hex()}-{max_tokens}"


def line_of(place: _Place, path: str, body: bytes) -> bytes:
    """The line of a request."""
    line = {
        "custom_id": name_of(place),
        "method": "POST",
        "url": f"/v1{path}",
        "body": msgspec.Raw(body),
    }
    return msgspec.json.encode(line) + b"\n"


def outputs(file: IO[bytes]) -> Iterator[Output]:
    """The lines of an output file; what is none, as a line that was cut off, counts as not there."""
    for raw in file:
        try:
            yield _decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
