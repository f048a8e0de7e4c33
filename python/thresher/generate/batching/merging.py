"""The merge of one batch: each line of its output is an answer, or something to be asked again, or neither.

An answer is in the journal before anybody gets it, and what a request took is settled by what the server
counted. The batch itself is forgotten only when all of that is on disk; a merge that a kill has cut short is
done again from the start, and comes to the same.
"""

from __future__ import annotations

import asyncio
from typing import IO, TYPE_CHECKING, Any

import msgspec

from thresher.errors import ParameterError
from thresher.generate import wire
from thresher.generate.batching.lines import Unbegun, name_of, outputs
from thresher.generate.budget import cost_of
from thresher.generate.client import MOST_EMPTY
from thresher.generate.faults import EndpointError, Final, Transient
from thresher.generate.journal import Spent
from thresher.generate.request import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher.generate.batching.client import BatchClient
    from thresher.generate.batching.lines import Output
    from thresher.generate.batching.store import Asked, Batch
    from thresher.generate.client import Line
    from thresher.generate.request import Answer

MOST_TRIES = 5
"""How often a request is in a batch and fails before it is given up."""
_AT_A_TIME = 512
_FOR_LATER = ("token_limit_exceeded", "rate_limit")
"""What a server says of a batch that it would take later, or smaller."""


class Merger:
    """The merge of one batch.

    Args:
        client: Who asked.
        line: Where it was submitted.
        batch: The batch.
        status: How it ended; empty if its answers come from files.

    Attributes:
        n_answered: Requests that have an answer now, or never will.
        has_learned: Whether the endpoint refused something that can be done without.
        has_schema: Whether an answer followed a schema, as it was asked for.
        halves: Whether the next batch has to be smaller.
        seen: Why a request has no answer, for messages.
        failure: Why the endpoint cannot be used; None if it can.
    """

    def __init__(self, client: BatchClient, line: Line, batch: Batch, status: str) -> None:
        self.line, self.batch, self.status = line, batch, status
        self.n_answered = 0
        self.has_learned = self.has_schema = self.halves = False
        self.seen = "nothing was answered"
        self.failure: Exception | None = None
        self._client = client
        self._left = {name_of(place): asked for place, asked in batch.asked.items()}
        self._again: list[Asked] = []

    async def take(self, file: IO[bytes]) -> None:
        """Takes the lines of an output file or an error file."""
        ready = []
        for output in outputs(file):
            asked = self._left.pop(output.custom_id, None)
            if asked is None:
                continue
            if (found := self._read(asked, output)) is not None:
                ready.append((asked, *found))
            if len(ready) >= _AT_A_TIME:
                await self._keep(ready)
                ready = []
        await self._keep(ready)

    def refuse(self, errors: Any) -> None:  # noqa: ANN401 - it is what a server wrote
        """Takes what a server says of a batch that it did not begin."""
        data = errors.get("data") if isinstance(errors, dict) else None
        found = [one for one in data or () if isinstance(one, dict)]
        codes = [str(one.get("code")) for one in found]
        self.seen = "; ".join(str(one.get("message") or one) for one in found[:3]) or "it says no reason"
        self.halves = bool(codes) and all(code.startswith(_FOR_LATER) for code in codes)
        if not self.halves:
            url, name = self.batch.noted.url, self.batch.noted.id
            message = f"`{url}` refuses the batch `{name}`: {self.seen}"
            self.failure = EndpointError(message, url)

    async def rest(self) -> list[Asked]:
        """What may succeed later: lines that failed, and requests of which no line tells."""
        ready = []
        for asked in self._left.values():
            # A batch that came to its end may have answered what it does not tell of.
            is_lost = self.status == "completed"
            self._settle(asked, None, is_begun=is_lost)
            if is_lost and (found := self._later(asked, Transient("server_error", "no line of it"))):
                ready.append((asked, *found))
            elif not is_lost:
                self._again.append(asked)
        self._left.clear()
        await self._keep(ready)
        return self._again

    def _read(self, asked: Asked, output: Output) -> tuple[Answer, bytes] | None:
        """The answer in a line; None if there is none yet."""
        try:
            answer, raw = output.read(self.line.endpoint.base_url)
        except Unbegun:
            self.seen = "its time was over"
            self._settle(asked, None, is_begun=False)
            self._again.append(asked)
            return None
        except Transient as fault:
            self._settle(asked, Usage())
            return self._later(asked, fault)
        except Final as final:
            self._settle(asked, Usage())
            return self._never(asked, final)
        except EndpointError as error:
            self._settle(asked, Usage())
            self.failure = self.failure or error
            return None
        self._settle(asked, answer.usage)
        tally = self._client.tally
        tally.answered += 1
        tally.count(answer.usage)
        request, noted = asked.request, self.batch.noted
        is_schema = request.schema is not None and request.prompt is None
        self.has_schema |= is_schema
        answer = msgspec.structs.replace(
            answer,
            endpoint=self.line.endpoint.name,
            tries=asked.tries + 1,
            changes=noted.changes,
            mode=noted.mode if is_schema else "",
        )
        return answer, raw

    def _later(self, asked: Asked, fault: Transient) -> tuple[Answer, bytes] | None:
        """Has a request asked again, unless that was done often enough."""
        again = self._client.tally.tried_again
        again[fault.kind] = again.get(fault.kind, 0) + 1
        asked.tries += 1
        self.seen = str(fault)
        if fault.kind == "empty" and asked.tries >= MOST_EMPTY:
            return self._client.no_answer(self.line, Final("empty", fault.detail), asked.tries)
        if asked.tries >= MOST_TRIES and fault.kind != "rate_limited":
            return self._client.no_answer(self.line, Final("server_error", str(fault)), asked.tries)
        self._again.append(asked)
        return None

    def _never(self, asked: Asked, final: Final) -> tuple[Answer, bytes] | None:
        """The end of a request that has no answer, unless the endpoint refused what can be done without."""
        self.seen = str(final)
        try:
            can_go_on = self._learn(final)
        except ParameterError as error:
            self.failure = self.failure or error
            return None
        if can_go_on:
            self.has_learned = True
            self._again.append(asked)
            return None
        return self._client.no_answer(self.line, final, asked.tries + 1)

    def _learn(self, final: Final) -> bool:
        dialect, noted = self.line.dialect, self.batch.noted
        if final.failure != "bad_request":
            return False
        if wire.is_about_schema(final):
            place = wire.MODES.index(noted.mode) + 1
            if dialect.mode == noted.mode and place < len(wire.MODES):
                dialect.mode = wire.MODES[place]
            return dialect.mode != noted.mode
        if dialect.refused.keys() != noted.refused.keys():
            # Another line has learned meanwhile.
            return True
        return self._client.learn(self.line, final)

    def _settle(self, asked: Asked, usage: Usage | None, *, is_begun: bool = True) -> None:
        """Notes what a request took: what the server counted, all if nobody knows, nothing if not begun."""
        amount, endpoint, purse = asked.amount, self.line.endpoint, self._client.purse
        if amount is None:
            return
        if asked.is_ours:
            taken = (
                purse.settle(endpoint, amount, usage, is_batch=True) if is_begun else purse.give_back(amount)
            )
        elif is_begun:
            taken = amount if usage is None else cost_of(endpoint, usage, is_batch=True)
        else:
            taken = Spent()
        asked.amount, asked.is_ours = None, True
        self._client.journal.note_cost(asked.number, taken)

    async def _keep(self, ready: Sequence[tuple[Asked, Answer, bytes]]) -> None:
        """Puts answers into the journal, then hands them over."""
        kept = await asyncio.gather(*(self._put(*one) for one in ready))
        for asked, answer in kept:
            self.n_answered += 1
            self._client.hand_over(asked, answer)

    async def _put(self, asked: Asked, answer: Answer, raw: bytes) -> tuple[Asked, Answer]:
        answer = msgspec.structs.replace(answer, key=asked.key.hex())
        canonical = asked.request.canonical(self.line.identity)
        await self._client.journal.put(asked.key, asked.request.max_tokens, canonical, answer, raw)
        return asked, answer
