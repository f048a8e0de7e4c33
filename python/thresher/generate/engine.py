"""The engine: works on the slots of a recipe, as many at a time as pay, and merges what they make in order.

How many slots are under way changes what is asked, and never what comes of it. A run looks ahead as far as
its target is likely to need by the rows that slots gave so far, so a small target does not pay for a large
crowd.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from thresher.generate.endpoint import choose
from thresher.generate.faults import Stopped
from thresher.generate.recipe import Candidate, Idea, Kept, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from thresher.generate.client import Client, Line
    from thresher.generate.recipe import Recipe, Row, Slot, Work
    from thresher.generate.request import Answer, Request

STALL_CANDIDATES = 500
"""The last candidates that say whether new rows still come."""
STALL_SHARE = 0.02
"""Share of them that has to be kept."""
STALL_SLOTS = 100
"""Slots without a candidate after which nothing is expected to come."""
MOST_SLOTS = 100_000
"""Slots under way at most, whatever the endpoints take."""


Outcome: TypeAlias = "Candidate | Idea | Rejection"
"""What a slot may make."""


class Check(Protocol):
    """A check of the project's own on every row that a recipe accepts: a function from a row to reasons."""

    name: str

    def reasons(self, row: Row, text: str) -> tuple[Sequence[str], str]:
        """The rules that a row breaks, given the rows that were kept, and what was seen."""

    def keep(self, row: Row, text: str) -> None:
        """A row was kept."""


@dataclass(frozen=True)
class Made:
    """A row with what it was made of; `reasons` is empty if it was kept."""

    id: str
    slot: str
    number: int
    made: Outcome
    reasons: tuple[str, ...] = ()
    detail: str = ""


@dataclass
class Progress:
    """What an engine has done.

    Attributes:
        target: Rows to be kept; None for all there are.
        kept: The rows that were kept, in order.
        rejected: What became no row, in order.
        by_reason: Rejections by their first reason.
        rounds: Rounds that were begun.
        slots: Slots that were merged.
        stopped: Why the run ended before its target; None if it did not.
    """

    target: int | None
    kept: list[Made] = field(default_factory=list)
    rejected: list[Made] = field(default_factory=list)
    by_reason: collections.Counter[str] = field(default_factory=collections.Counter)
    rounds: int = 0
    slots: int = 0
    stopped: Stopped | None = None

    @property
    def is_reached(self) -> bool:
        """Whether the target is reached."""
        return self.target is not None and len(self.kept) >= self.target

    @property
    def acceptance(self) -> float | None:
        """Share of the candidates that were kept; None before the first."""
        n_candidates = len(self.kept) + len(self.rejected)
        return len(self.kept) / n_candidates if n_candidates else None


class Engine:
    """Drives a recipe until its target, its end, or a stop.

    Args:
        recipe: The recipe.
        client: What asks.
        checks: The checks of every row, after the recipe's own rules.
        target: Rows to be kept; None for all that the recipe has.
        refuse: Says why a request may not be sent, as for one that contains a row held out; None if it may.
    """

    def __init__(
        self,
        recipe: Recipe,
        client: Client,
        *,
        checks: Sequence[Check] = (),
        target: int | None = None,
        refuse: Callable[[Request], str | None] | None = None,
    ) -> None:
        self.recipe, self.client, self.checks = recipe, client, checks
        self.progress = Progress(target)
        self._refuse = refuse
        self._stopping: Stopped | None = None
        self._recent: collections.deque[bool] = collections.deque(maxlen=STALL_CANDIDATES)
        self._barren = 0
        self._most = min(MOST_SLOTS, client.window)

    def stop(self, reason: str, message: str) -> None:
        """Sends nothing new from here on; what is under way is waited for, unless it is in a batch."""
        if self._stopping is None:
            self._stopping = Stopped(reason, message)
            self.client.leave(self._stopping)

    async def run(self) -> Progress:
        """Works until the target is reached, nothing is left, or the run is stopped.

        Raises:
            EndpointError: An endpoint cannot be used.
            FileError: The journal cannot be written.
        """
        progress = self.progress
        for number in itertools.count():
            if progress.is_reached or self._stopping is not None:
                break
            kept = [Kept(id=made.id, row=made.made.row) for made in progress.kept]
            slots = self.recipe.slots(number, kept)
            if slots is None:
                break
            progress.rounds += 1
            await self._round(number, iter(slots))
        progress.stopped = None if progress.is_reached else self._stopping
        return progress

    async def _round(self, number: int, slots: Iterator[Slot]) -> None:
        """Works on the slots of a round, and merges them in order."""
        under_way: collections.deque[tuple[Slot, asyncio.Task[Sequence[Outcome] | None]]]
        under_way = collections.deque()
        is_open = True
        try:
            while not self.progress.is_reached:
                while is_open and self._stopping is None and len(under_way) < self._ahead():
                    slot = next(slots, None)
                    if slot is None:
                        is_open = False
                        break
                    under_way.append((slot, asyncio.create_task(self._work(slot))))
                if not under_way:
                    return
                slot, task = under_way.popleft()
                outcomes = await task
                if outcomes is None:
                    # What comes behind a slot that is not done has no place to be merged at.
                    return
                self._merge(number, slot, outcomes)
                self._watch(len(outcomes))
        except asyncio.CancelledError:
            for _, task in under_way:
                task.cancel()
            raise
        finally:
            # What was sent is paid for: its answers are waited for, and kept in the journal.
            if under_way:
                self.stop("ended", "the round has ended")
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    def _ahead(self) -> int:
        """Slots that may be under way."""
        progress = self.progress
        if progress.target is None:
            return self._most
        missing = progress.target - len(progress.kept)
        a_slot = self.recipe.a_slot
        if progress.slots:
            # What was seen counts for more with each slot.
            a_slot = (len(progress.kept) + a_slot) / (progress.slots + 1)
        return max(1, min(self._most, math.ceil(missing / max(a_slot, 1e-3))))

    async def _work(self, slot: Slot) -> Sequence[Outcome] | None:
        """Carries out the work of a slot; None if the run was stopped before it was done."""
        work = self.recipe.work(slot)
        line = self.client.lines[choose([line.endpoint for line in self.client.lines], slot.id)]
        try:
            requests = next(work)
            while True:
                if self._stopping is not None:
                    return None
                if (refused := self._refused(requests)) is not None:
                    return [Rejection(reasons=("holdout_in_prompt",), detail=refused)]
                answers = await self._ask(line, requests)
                requests = work.send(answers)
        except StopIteration as done:
            return list(done.value)
        except Stopped as stopped:
            self.stop(stopped.reason, str(stopped))
            return None
        finally:
            work.close()

    def _refused(self, requests: Sequence[Request]) -> str | None:
        if self._refuse is None:
            return None
        return next((refused for request in requests if (refused := self._refuse(request)) is not None), None)

    async def _ask(self, line: Line, requests: Sequence[Request]) -> Sequence[Answer]:
        lines = self.client.lines
        asked = [
            self.client.ask(line if request.endpoint is None else lines[request.endpoint], request)
            for request in requests
        ]
        if len(asked) == 1:
            return [await asked[0]]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers  # type: ignore[return-value]

    def _merge(self, number: int, slot: Slot, outcomes: Sequence[Outcome]) -> None:
        """Takes what a slot has made: the recipe's rules, then the checks, then the books."""
        progress = self.progress
        progress.slots += 1
        for place, made in enumerate(outcomes):
            name = f"{slot.id}.{place}"
            if progress.is_reached:
                return
            if isinstance(made, Rejection):
                self._reject(Made(name, slot.id, number, made, tuple(made.reasons), made.detail))
                continue
            if isinstance(made, Idea):
                reasons, detail = self.recipe.take(made, name)
                if reasons:
                    self._reject(Made(name, slot.id, number, made, tuple(reasons), detail))
                continue
            text = self.recipe.text(made.row)
            reasons, detail = self.recipe.rules(made)
            for check in self.checks:
                if not reasons:
                    reasons, detail = check.reasons(made.row, text)
            if reasons:
                self._reject(Made(name, slot.id, number, made, tuple(reasons), detail))
                continue
            progress.kept.append(Made(name, slot.id, number, made))
            self._recent.append(True)
            self.recipe.keep(Kept(id=name, row=made.row))
            for check in self.checks:
                check.keep(made.row, text)

    def _reject(self, made: Made) -> None:
        self.progress.rejected.append(made)
        self.progress.by_reason[made.reasons[0]] += 1
        self._recent.append(False)

    def _watch(self, n_outcomes: int) -> None:
        """Stops a run in which nothing new comes any more, unless its slots come to an end by themselves."""
        if self.recipe.is_finite:
            return
        self._barren = 0 if n_outcomes else self._barren + 1
        kept = sum(self._recent)
        is_full = len(self._recent) == STALL_CANDIDATES
        if (is_full and kept < STALL_SHARE * STALL_CANDIDATES) or self._barren >= STALL_SLOTS:
            seen = f"{kept} of the last {len(self._recent)} candidates were new and good enough"
            if self._barren >= STALL_SLOTS:
                seen = f"the last {self._barren} slots gave no candidate at all"
            common = ", ".join(
                f"{reason} {count:,}" for reason, count in self.progress.by_reason.most_common(3)
            )
            message = (
                f"the run stops with {len(self.progress.kept):,} rows, since nothing new comes any more:"
                f" {seen} (rejected: {common or 'none'}). More seeds, another domain, a higher temperature"
                " or another model may help"
            )
            self.stop("stalled", message)


def drive(work: Work, answer: Callable[[Request], Answer]) -> Sequence[Outcome]:
    """Carries out a slot's work with answers from a function: for tests, and to replay a journal."""
    try:
        requests = next(work)
        while True:
            requests = work.send([answer(request) for request in requests])
    except StopIteration as done:
        return list(done.value)
