"""Budgets: what a run may spend in money, tokens, requests and time, reserved before anything is sent.

A request is sent only if it fits at its most: a token for each byte of its text, which no tokenizer exceeds
by much, and the bound on its answer. What it took is settled by what the server counted. So what was spent
never exceeds the budget, and a run stops a little before it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thresher import _params
from thresher.errors import ParameterError
from thresher.generate.faults import Stopped
from thresher.generate.journal import Spent

if TYPE_CHECKING:
    from thresher.generate.endpoint import Endpoint
    from thresher.generate.request import Request, Usage

_OVERHEAD = 64
"""Tokens for what a template puts around a request, and as many again for each message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Bounds on what a run spends, all sessions of it together; None for no bound.

    Attributes:
        money: In the unit of the prices of the endpoints.
        tokens: Tokens of questions and answers.
        requests: Requests, tries included.
        seconds: Time of this session.
    """

    money: float | None = None
    tokens: int | None = None
    requests: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("money", "seconds"):
            if getattr(self, name) is not None and _params.number(f"budget_{name}", getattr(self, name)) < 0:
                message = f"budget_{name} is `{getattr(self, name):g}`, but it is at least 0"
                raise ParameterError(message)
        for name in ("tokens", "requests"):
            if getattr(self, name) is not None:
                _params.whole(f"budget_{name}", getattr(self, name), 0)

    @property
    def is_bounded(self) -> bool:
        """Whether it bounds what is sent."""
        return (self.money, self.tokens, self.requests) != (None, None, None)


class Purse:
    """What is left of a budget: `spent` of all sessions, and what is reserved for requests on their way."""

    def __init__(self, budget: Budget, spent: Spent) -> None:
        self.budget, self.spent = budget, spent
        self.reserved = Spent()
        self._began_s = time.monotonic()

    def reserve(self, endpoint: Endpoint, request: Request, *, is_batch: bool = False) -> Spent:
        """Reserves what a request may cost.

        Raises:
            Stopped: It does not fit.
            ParameterError: The budget is in money, and the endpoint has no price.
        """
        tokens = request.text_bytes + _OVERHEAD * (1 + len(request.messages))
        money = endpoint.price.of(tokens, 0, request.max_tokens, is_batch=is_batch)
        if money is None and self.budget.money is not None:
            message = (
                f"the budget is in money, but the price of `{endpoint.name}` is unknown; give its `price`"
                " for input and output, or a budget in tokens"
            )
            raise ParameterError(message)
        amount = Spent(requests=1, input_tokens=tokens, output_tokens=request.max_tokens, money=money or 0.0)
        then = self.spent + self.reserved + amount
        for name, unit in (("requests", "requests"), ("tokens", "tokens"), ("money", "")):
            bound = getattr(self.budget, name)
            if bound is not None and getattr(then, name) > bound:
                message = (
                    f"the budget of {bound:,} {unit}".rstrip()
                    + f" is used up: {getattr(self.spent, name):,.6g} spent, and the next request may take"
                    f" {getattr(amount, name):,.6g}; a larger budget goes on from here"
                )
                raise Stopped("budget", message)
        self.check_time()
        self.reserved += amount
        return amount

    def check_time(self) -> None:
        """Raises `Stopped` when the time is over."""
        bound = self.budget.seconds
        if bound is not None and time.monotonic() - self._began_s > bound:
            message = f"the budget of {bound:,.6g} seconds is used up; the same command goes on from here"
            raise Stopped("budget", message)

    def settle(
        self, endpoint: Endpoint, amount: Spent, usage: Usage | None, *, is_batch: bool = False
    ) -> Spent:
        """What a request that was sent took instead of what was reserved.

        Args:
            endpoint: Where it was sent.
            amount: What was reserved.
            usage: What the server counted; None if nobody knows, and then all of it counts.
            is_batch: Whether it was part of a batch.
        """
        self.give_back(amount)
        taken = amount if usage is None else cost_of(endpoint, usage, is_batch=is_batch)
        self.spent += taken
        return taken

    def take_up(self, amount: Spent) -> None:
        """Makes what counts as spent, since its fate was unknown, a reservation again."""
        self.reserved += amount
        self.spent = _minus(self.spent, amount)

    def give_back(self, amount: Spent) -> Spent:
        """Ends a reservation of which nothing was taken; gives that."""
        self.reserved = _minus(self.reserved, amount)
        return Spent()


def cost_of(endpoint: Endpoint, usage: Usage, *, is_batch: bool = False) -> Spent:
    """What a request took that the server has counted."""
    money = endpoint.price.of(usage.input, usage.cached, usage.output, is_batch=is_batch)
    return Spent(requests=1, input_tokens=usage.input, output_tokens=usage.output, money=money or 0.0)


def _minus(whole: Spent, part: Spent) -> Spent:
    return Spent(
        requests=whole.requests - part.requests,
        input_tokens=whole.input_tokens - part.input_tokens,
        output_tokens=whole.output_tokens - part.output_tokens,
        money=whole.money - part.money,
    )
