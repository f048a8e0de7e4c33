"""HTTP to one endpoint: a body out, a body back, over connections that stay open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from thresher._core import version
from thresher.generate.faults import Transient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Self

    from thresher.generate.endpoint import Endpoint

_CONNECT_S = 30.0
_CHUNK = 1 << 18
MOST_BYTES = 64 << 20
"""Bytes of a reply at most."""


class Http:
    """Connections to one endpoint, for one event loop; used as a context.

    Args:
        endpoint: Where to send; its key is read from the environment here, and held nowhere else.
        base_url: The address instead of the endpoint's, of a server in this process.
    """

    def __init__(self, endpoint: Endpoint, base_url: str | None = None) -> None:
        self._base = (base_url or endpoint.base_url).rstrip("/")
        headers = {"Content-Type": "application/json", "User-Agent": f"thresher/{version()}"}
        if key := endpoint.key():
            headers["Authorization"] = f"Bearer {key}"
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # The number of requests at a time is the pace's matter. Without cookies and proxies of the
        # environment.
        connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            auto_decompress=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, path: str, body: bytes, timeout_s: float) -> tuple[int, Mapping[str, str], bytes]:
        """Sends a body; gives status, headers and body of the reply.

        Raises:
            Transient: The connection broke, time was over, or the reply is larger than `MOST_BYTES`.
        """
        return await self.send("POST", path, body, timeout_s)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | aiohttp.FormData | None,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """As `post`, with any method and body."""
        if self._session is None:
            message = "used outside of its context"
            raise RuntimeError(message)
        try:
            async with asyncio.timeout(timeout_s):
                # A redirect would take the key to another host.
                async with self._session.request(
                    method, self._base + path, data=body, headers=headers, allow_redirects=False
                ) as reply:
                    raw = await _body(reply)
                    return reply.status, reply.headers, raw
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _transient(error, timeout_s) from error

    async def download(
        self, path: str, to: IO[bytes], timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Gets a file of any size, whose bytes go into `to` as they come.

        Args:
            path: Below the address.
            to: What takes the bytes of a reply with status 200; those of another are in the result.
            timeout_s: Seconds without a byte after which it is given up.

        Raises:
            Transient: The connection broke, or time was over.
        """
        if self._session is None:
            message = "used outside of its context"
            raise RuntimeError(message)
        try:
            async with (
                asyncio.timeout(timeout_s) as limit,
                self._session.get(self._base + path, allow_redirects=False) as reply,
            ):
                if reply.status != 200:
                    return reply.status, reply.headers, await reply.read()
                async for chunk in reply.content.iter_chunked(_CHUNK):
                    to.write(chunk)
                    limit.reschedule(asyncio.get_running_loop().time() + timeout_s)
                return reply.status, reply.headers, b""
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _transient(error, timeout_s) from error


def _transient(error: Exception, timeout_s: float) -> Transient:
    if isinstance(error, TimeoutError):
        return Transient("timeout", f"no complete reply within {timeout_s:g} s")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Transient("unreachable", str(error))
    if isinstance(error, aiohttp.ClientPayloadError):
        return Transient("broken_body", str(error))
    return Transient("connection", f"{type(error).__name__}: {error}")


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    """The body, as far as it is one that may be held."""
    is_told = reply.content_length is not None and "Content-Encoding" not in reply.headers
    if is_told and (reply.content_length or 0) <= MOST_BYTES:
        return await reply.read()
    parts, size = [], 0
    async for part in reply.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise Transient("garbage", f"a reply of more than {MOST_BYTES:,} bytes")
    return b"".join(parts)
