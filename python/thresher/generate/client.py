"""The client: a request in, its answer out, whatever happens on the way.

```text
ask ─ journal? ─ same request under way? ─ budget ─ pace ─ transport ─ reply read ─ journal ─> answer
          └────────────────── found ───────────────────────────────────────────────────────────┘
                                        └──── try again, after a pause with full jitter ───┘
```
What can succeed later is tried again (full jitter: Brooker, "Exponential backoff and jitter", 2015). What the
model refuses to answer is an answer too, and is in the journal like any other. An endpoint that answers
nothing at all ends the run; the same run goes on from the journal.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from thresher.errors import ParameterError
from thresher.generate import wire
from thresher.generate.faults import EndpointError, Final, Transient
from thresher.generate.journal import Spent
from thresher.generate.pace import Pace
from thresher.generate.request import Answer, Usage, key_of
from thresher.generate.wire import MODES, Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thresher.generate.budget import Purse
    from thresher.generate.endpoint import Endpoint
    from thresher.generate.faults import Stopped
    from thresher.generate.journal import Journal
    from thresher.generate.request import Request

MOST_TRIES = 12
"""How often a request is sent before it is given up, while others succeed."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
MOST_EMPTY = 3
"""How often an answer without content is asked for again."""
GIVEN_UP = frozenset({"server_error", "empty"})
"""Failures that another time may not meet."""
_FAILURES_IN_A_ROW = 30
"""Failures of an endpoint, none of its requests answered in between, after which it counts as down."""
_UNREACHABLE = 6
"""The same for one that nobody has reached in this session."""
_WINDOW = 4
"""Slots under way for each request that may be in flight."""


class Transport(Protocol):
    """What sends a body and brings back status, headers and body."""

    async def post(self, path: str, body: bytes, timeout_s: float) -> tuple[int, Mapping[str, str], bytes]:
        """Sends a body to a path below the address of the endpoint.

        Raises:
            Transient: The connection broke, or time was over.
        """


@dataclass
class Tally:
    """What a client did, for the progress and the report.

    Attributes:
        found: Requests that the journal, or the same request under way, had the answer to.
        sent: Requests sent, tries included.
        answered: Requests that were answered by a server.
        failed: Requests without an answer, by why.
        tried_again: Tries that failed, by why.
        tokens: What the servers counted.
    """

    found: int = 0
    sent: int = 0
    answered: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    tried_again: dict[str, int] = field(default_factory=dict)
    tokens: Usage = field(default_factory=Usage)

    def count(self, usage: Usage) -> None:
        """Adds the tokens of an answer."""
        pairs = {name: getattr(self.tokens, name) + getattr(usage, name) for name in Usage.__struct_fields__}
        self.tokens = Usage(**pairs)


class Line:
    """One endpoint in use: its transport, its pace, what was learned of it, and whether it answers."""

    def __init__(self, endpoint: Endpoint, transport: Transport) -> None:
        self.endpoint, self.transport = endpoint, transport
        self.identity = endpoint.identity
        self.pace, self.dialect = Pace(endpoint), Dialect()
        self.probing = asyncio.Lock()
        self.failures, self.answered = 0, 0

    @property
    def path(self) -> str:
        """What is asked, below the address."""
        return "/completions" if self.endpoint.api == "completion" else "/chat/completions"


class Client:
    """Asks endpoints through a journal.

    Args:
        lines: The endpoints in use.
        journal: Where answers are kept.
        purse: What may be spent.
        run: The name under which the journal counts what is spent.
        strict: Refuse to leave out or rename a parameter that an endpoint does not take.
        retry_failed: Ask again, once in a session, what the journal says was given up after all tries.
        seed: Of the pauses between tries; no answer depends on it.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        journal: Journal,
        purse: Purse,
        *,
        run: str,
        strict: bool = False,
        retry_failed: bool = False,
        seed: int | None = None,
    ) -> None:
        self.lines, self.journal, self.purse = list(lines), journal, purse
        self.tally = Tally()
        self._retries: set[tuple[bytes, int]] | None = set() if retry_failed else None
        self._run, self._strict = run, strict
        self._under_way: dict[tuple[bytes, int], asyncio.Future[Answer]] = {}
        self._random = random.Random(seed)

    @property
    def window(self) -> int:
        """Slots under way that pay: more than can be in flight, so that a slow one holds nobody up."""
        return _WINDOW * sum(line.endpoint.max_in_flight for line in self.lines)

    @property
    def in_flight(self) -> int:
        """Requests on their way."""
        return sum(line.pace.in_flight for line in self.lines)

    @property
    def goes_on(self) -> str:
        """What a user who has interrupted a run is told."""
        return "the same command goes on from here"

    def leave(self, stopped: Stopped) -> None:
        """The run is stopped; what is under way is waited for."""

    async def ask(self, line: Line, request: Request) -> Answer:
        """The answer to a request.

        One that ends by the bound on its length before it says anything is asked for again with twice the
        bound, up to the request's cap.

        Raises:
            EndpointError: The endpoint cannot be used.
            Stopped: The budget is used up.
            FileError: The journal cannot be written.
        """
        while True:
            answer = await self._once(line, request)
            is_silent = answer.is_cut and not answer.text.strip() and answer.failure is None
            if not is_silent or 2 * request.max_tokens > request.max_tokens_cap:
                return answer
            request = msgspec.structs.replace(request, max_tokens=2 * request.max_tokens)

    async def _once(self, line: Line, request: Request) -> Answer:
        canonical = request.canonical(line.identity)
        key = key_of(canonical)
        place = (key, request.max_tokens)
        if (found := self.journal.find(*place)) and not self._is_to_retry(place, found):
            self.tally.found += 1
            return found
        if under_way := self._under_way.get(place):
            self.tally.found += 1
            return await asyncio.shield(under_way)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._under_way[place] = future
        try:
            answer = await self._obtain(line, request, key, canonical)
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # Whoever waits sees it; if nobody does, it is no news.
            raise
        finally:
            del self._under_way[place]
        future.set_result(answer)
        return answer

    def _is_to_retry(self, place: tuple[bytes, int], found: Answer) -> bool:
        if self._retries is None or found.failure not in GIVEN_UP or place in self._retries:
            return False
        self._retries.add(place)
        return True

    async def _obtain(self, line: Line, request: Request, key: bytes, canonical: bytes) -> Answer:
        """Gets an answer that is not there yet, into the journal."""
        answer, raw = await self._fetch(line, request, key)
        answer = msgspec.structs.replace(answer, key=key.hex())
        await self.journal.put(key, request.max_tokens, canonical, answer, raw)
        return answer

    async def _fetch(self, line: Line, request: Request, key: bytes) -> tuple[Answer, bytes]:
        """Sends a request until it is answered, or cannot be."""
        tries, empty, answered = 0, 0, line.answered
        while True:
            tries += 1
            try:
                answer, raw = await self._with_schema(line, request, key)
            except Final as final:
                line.failures, line.answered = 0, line.answered + 1
                return self.no_answer(line, final, tries)
            except Transient as fault:
                again = self.tally.tried_again
                again[fault.kind] = again.get(fault.kind, 0) + 1
                self._note_failure(line, fault)
                empty += fault.kind == "empty"
                if empty >= MOST_EMPTY:
                    return self.no_answer(line, Final("empty", fault.detail), tries)
                # If nothing was answered meanwhile, it may be the server.
                is_alone = line.answered == answered
                if tries >= MOST_TRIES and not is_alone and fault.kind != "rate_limited":
                    return self.no_answer(line, Final("server_error", f"{fault.kind}: {fault.detail}"), tries)
                await asyncio.sleep(self._pause_s(tries, fault))
                continue
            line.failures, line.answered = 0, line.answered + 1
            return msgspec.structs.replace(answer, endpoint=line.endpoint.name, tries=tries), raw

    def no_answer(self, line: Line, final: Final, tries: int) -> tuple[Answer, bytes]:
        """The answer that stands for one that will never come, and no reply."""
        self.tally.failed[final.failure] = self.tally.failed.get(final.failure, 0) + 1
        answer = Answer(
            failure=final.failure,
            detail=final.detail,
            endpoint=line.endpoint.name,
            tries=tries,
            finish="failed",
        )
        return answer, b""

    def _note_failure(self, line: Line, fault: Transient) -> None:
        if fault.kind == "rate_limited":
            return
        line.failures += 1
        most = max(_FAILURES_IN_A_ROW, 2 * line.pace.in_flight)
        if fault.kind == "unreachable" and not line.answered:
            most = _UNREACHABLE
        if line.failures >= most:
            message = (
                f"`{line.endpoint.base_url}` has answered none of the last {line.failures} requests, the"
                f" last one with {fault}; when it is back, the same command goes on from here"
            )
            raise EndpointError(message, line.endpoint.base_url)

    def _pause_s(self, tries: int, fault: Transient) -> float:
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
        return (fault.wait_s or 0.0) + self._random.uniform(0.0, longest)

    async def _with_schema(self, line: Line, request: Request, key: bytes) -> tuple[Answer, bytes]:
        """Sends a request; the first one with a schema finds out how this endpoint takes it, alone."""
        if request.schema is None or request.prompt is not None:
            return await self._adapted(line, request, key, None)
        if line.dialect.mode is None:
            async with line.probing:
                if line.dialect.mode is None:
                    return await self._probe(line, request, key)
        return await self._adapted(line, request, key, line.dialect.mode)

    async def _probe(self, line: Line, request: Request, key: bytes) -> tuple[Answer, bytes]:
        fact = f"mode {line.endpoint.base_url} {line.identity}"
        known = self.journal.fact(fact)
        modes = [known] if known in MODES else list(MODES)
        for mode in modes:
            try:
                found = await self._adapted(line, request, key, mode)
            except Final as final:
                if mode == modes[-1] or not wire.is_about_schema(final):
                    raise
                continue
            line.dialect.mode = mode
            if mode != known:
                await self.journal.note_fact(fact, mode)
            return found
        raise AssertionError

    async def _adapted(
        self, line: Line, request: Request, key: bytes, mode: str | None
    ) -> tuple[Answer, bytes]:
        """Sends a request without the parameters that the endpoint is known to refuse."""
        while True:
            changes = line.dialect.changes
            try:
                answer, raw = await self._send(line, request, key, mode)
            except Final as final:
                if changes != line.dialect.changes:
                    # Another request has learned meanwhile.
                    continue
                if final.failure != "bad_request" or (mode is not None and wire.is_about_schema(final)):
                    raise
                if not self.learn(line, final):
                    raise
                continue
            return msgspec.structs.replace(answer, changes=changes, mode=mode or ""), raw

    def learn(self, line: Line, final: Final) -> bool:
        """Takes the refusal of a parameter into account; False if it is none that can be done without."""
        if self._strict and final.parameter not in (None, "seed"):
            message = (
                f"`{line.endpoint.base_url}` refuses `{final.parameter}`: {final.detail}. The recipe"
                " asks for it; without strict_recipe it is left out, and noted"
            )
            raise ParameterError(message) from final
        return line.dialect.learn(final)

    async def _send(self, line: Line, request: Request, key: bytes, mode: str | None) -> tuple[Answer, bytes]:
        """One try, from its place in the budget to the reply."""
        endpoint = line.endpoint
        body = line.dialect.body(request, endpoint.model, mode)
        amount = self.purse.reserve(endpoint, request)
        usage: Usage | None = Usage()
        number = None
        try:
            sent_s = await line.pace.enter(amount.tokens)
            try:
                number, noted = self.journal.note_sent(self._run, key, amount)
                if self.purse.budget.is_bounded:
                    await noted
                self.tally.sent += 1
                usage = None
                status, headers, raw = await line.transport.post(line.path, body, endpoint.timeout_s)
                # The server has answered: what it did not count, it did not do.
                usage = Usage()
                answer = wire.read(status, headers, raw, endpoint.base_url)
                usage = answer.usage
            except Transient as fault:
                if fault.kind == "rate_limited":
                    line.pace.refused(sent_s, fault.wait_s)
                raise
            finally:
                line.pace.leave(amount.tokens, None if usage is None else usage.input + usage.output)
        finally:
            taken = self._settle(endpoint, amount, usage, was_sent=number is not None)
            if number is not None:
                self.journal.note_cost(number, taken)
        line.pace.succeeded()
        self.tally.answered += 1
        self.tally.count(usage)
        return answer, raw

    def _settle(self, endpoint: Endpoint, amount: Spent, usage: Usage | None, *, was_sent: bool) -> Spent:
        if not was_sent:
            return self.purse.give_back(amount)
        return self.purse.settle(endpoint, amount, usage)
