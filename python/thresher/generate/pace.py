"""How fast one endpoint is asked: requests in flight, requests and tokens a minute.

The number in flight adapts: a refusal for too many requests cuts it by a quarter, once for all that were sent
before it, and each time that as many succeed as are in flight adds one (additive increase, multiplicative
decrease: Chiu and Jain 1989). The server's own word on when to come back is followed. Requests and tokens a
minute are token buckets; tokens are reserved by an estimate and settled by what the server counted.
"""

from __future__ import annotations

import asyncio
import collections
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thresher.generate.endpoint import Endpoint

CUT = 0.75
"""What is left of the requests in flight after a refusal."""
PAUSE_S = 1.0
"""Pause after a refusal whose server does not say how long."""
_BURST_S = 1.0
"""Seconds' worth of a rate that may be used at once."""


class _Bucket:
    """A rate: what flows in by time, up to a bound, and may be overdrawn by what was taken already."""

    def __init__(self, a_minute: int | None) -> None:
        self._rate = None if a_minute is None else a_minute / 60
        self._most = 0.0 if self._rate is None else max(1.0, self._rate * _BURST_S)
        self._level, self._at_s = self._most, time.monotonic()

    def wait_s(self, amount: float) -> float:
        """Seconds until `amount` may be taken; an amount beyond the bound waits for a full bucket."""
        if self._rate is None:
            return 0.0
        now = time.monotonic()
        self._level = min(self._most, self._level + (now - self._at_s) * self._rate)
        self._at_s = now
        return max(0.0, (min(amount, self._most) - self._level) / self._rate)

    def take(self, amount: float) -> None:
        """Takes it; a negative amount is given back."""
        if self._rate is not None:
            self._level = min(self._most, self._level - amount)


class Pace:
    """The pace of one endpoint, for one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._most = endpoint.max_in_flight
        self.limit = float(endpoint.max_in_flight)
        self.in_flight = 0
        self._requests, self._tokens = _Bucket(endpoint.rpm), _Bucket(endpoint.tpm)
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._successes = 0
        self._cut_at_s = 0.0
        self._paused_until_s = 0.0

    async def enter(self, tokens: int) -> float:
        """Waits for the turn of a request of so many tokens; gives the time at which it came."""
        while self.in_flight >= int(self.limit):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.in_flight += 1
        try:
            while True:
                pause = self._paused_until_s - time.monotonic()
                wait_s = max(pause, self._requests.wait_s(1), self._tokens.wait_s(tokens))
                if wait_s <= 0:
                    break
                await asyncio.sleep(wait_s)
        except BaseException:
            self._leave()
            raise
        self._requests.take(1)
        self._tokens.take(tokens)
        return time.monotonic()

    def leave(self, reserved: int, used: int | None) -> None:
        """Ends a request; `used` are its tokens as the server counted them, None if that is not known."""
        if used is not None:
            self._tokens.take(used - reserved)
        self._leave()

    def succeeded(self) -> None:
        """A request was answered."""
        self._successes += 1
        if self._successes >= self.limit and self.limit < self._most:
            self.limit, self._successes = min(self._most, self.limit + 1), 0
            self._wake()

    def refused(self, sent_s: float, wait_s: float | None) -> None:
        """A request that was sent at a time was one too many."""
        now = time.monotonic()
        self._paused_until_s = max(self._paused_until_s, now + (PAUSE_S if wait_s is None else wait_s))
        if sent_s >= self._cut_at_s:
            self.limit, self._successes, self._cut_at_s = max(1.0, self.limit * CUT), 0, now

    def _leave(self) -> None:
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        room = int(self.limit) - self.in_flight
        while self._waiting and room > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1
