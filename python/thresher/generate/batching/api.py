"""The calls of OpenAI's batch API, each tried again until the server has answered it.

The one call that must not be made twice, the submission, is not tried again here: who makes it looks among
the batches of the server first.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from thresher.generate import wire
from thresher.generate.client import FIRST_PAUSE_S, LONGEST_PAUSE_S
from thresher.generate.faults import EndpointError, Final, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
MOST_TRIES = 20
"""How often a call is made until the endpoint counts as down."""
_BYTES_PER_S = 100_000
"""An upload may be as slow as that."""
_PAGE = 100


class FileTransport(Protocol):
    """What sends and downloads."""

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Makes a call."""

    async def download(
        self, path: str, to: IO[bytes], timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Gets a file."""


class Remote(msgspec.Struct):
    """A batch as its server shows it."""

    id: str
    status: str = ""
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: Any = None
    metadata: Any = None


class _File(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    data: list[Remote] = []
    has_more: bool = False


class Api:
    """The batch API of one endpoint.

    Args:
        transport: What carries the calls.
        url: The address, for messages.
        timeout_s: Seconds that a call may take; those that carry files may take more.
    """

    def __init__(self, transport: FileTransport, url: str, timeout_s: float) -> None:
        self._transport, self._url, self._timeout_s = transport, url, timeout_s

    async def upload(self, name: str, content: bytes) -> str:
        """Uploads an input file; gives its id."""
        boundary = f"thresher-{name}"
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{boundary}\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{name}.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        )
        body = b"".join([head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        timeout_s = self._timeout_s + len(body) / _BYTES_PER_S
        return (
            await again(lambda: self._call("POST", "/files", _File, body, timeout_s, headers), self._url)
        ).id

    async def create(self, name: str, file: str, path: str) -> Remote:
        """Submits a file, once.

        Raises:
            Transient: Nobody knows whether it was submitted.
        """
        asked = {
            "input_file_id": file,
            "endpoint": f"/v1{path}",
            "completion_window": "24h",
            "metadata": {"thresher": name},
        }
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"thresher-{name}"}
        return await self._call(
            "POST", "/batches", Remote, msgspec.json.encode(asked), self._timeout_s, headers
        )

    async def find(self, name: str, file: str) -> Remote | None:
        """The batch of a name, or of a file, among those of the server; None if there is none."""
        after = ""
        while True:
            path = f"/batches?limit={_PAGE}{after}"
            page = await again(lambda path=path: self._call("GET", path, _Page), self._url)  # type: ignore[misc]
            for one in page.data:
                is_named = isinstance(one.metadata, dict) and one.metadata.get("thresher") == name
                if is_named or (file and one.input_file_id == file):
                    return one
            if not page.has_more or not page.data:
                return None
            after = f"&after={page.data[-1].id}"

    async def get(self, batch: str) -> Remote:
        """The batch of an id."""
        return await again(lambda: self._call("GET", f"/batches/{batch}", Remote), self._url)

    async def download(self, file: str, to: IO[bytes]) -> None:
        """Gets an output file."""

        async def once() -> None:
            to.seek(0)
            to.truncate()
            path = f"/files/{file}/content"
            status, headers, raw = await self._transport.download(path, to, self._timeout_s)
            if status != 200:
                self._refuse(status, headers, raw, path)

        await again(once, self._url)

    async def _call(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: bytes | None = None,
        timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        status, replied, raw = await self._transport.send(
            method, path, body, timeout_s or self._timeout_s, headers
        )
        if status not in (200, 201):
            self._refuse(status, replied, raw, path)
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Transient("garbage", f"the body is no answer: {error}") from error

    def _refuse(self, status: int, headers: Mapping[str, str], raw: bytes, path: str) -> None:
        said = raw[:300].decode("utf-8", "replace")
        if status in (404, 405, 501):
            what = path.partition("?")[0]
            has_none = what in ("/files", "/batches")
            message = (
                f"`{self._url}` has no batch API (status {status} for `{what}`): {said}. Without batch the"
                " requests are sent one by one; files for vLLM's run-batch are written with"
                " batch=`files:FOLDER` (--batch-files FOLDER)"
                if has_none
                else f"`{self._url}` does not know `{what}` (status {status}), which the journal waits for:"
                f" {said}. With the key that submitted it the same command goes on; without batch its"
                " requests are sent again one by one"
            )
            raise EndpointError(message, self._url)
        try:
            wire.refuse(status, headers, raw, self._url)
        except Final as final:
            message = f"`{self._url}` refuses a batch: {final.detail}"
            raise EndpointError(message, self._url) from final


def pause_s(tries: int, fault: Transient) -> float:
    """Seconds until the next try, with full jitter."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
    return (fault.wait_s or 0.0) + random.uniform(0.0, longest)


def exhausted(url: str, tries: int, fault: Transient) -> EndpointError:
    """The end of a run whose endpoint does not answer."""
    message = (
        f"`{url}` has failed {tries} times in a row, the last time with {fault}; when it is back, the same"
        " command goes on from here"
    )
    return EndpointError(message, url)


async def again(call: Callable[[], Awaitable[T]], url: str) -> T:
    """Makes a call until it succeeds.

    Raises:
        EndpointError: It has failed too often, or will fail always.
    """
    tries = 0
    while True:
        try:
            return await call()
        except Transient as fault:
            tries += 1
            if tries >= MOST_TRIES:
                raise exhausted(url, tries, fault) from fault
            await asyncio.sleep(pause_s(tries, fault))
