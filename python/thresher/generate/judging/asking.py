"""Asking a judge: again if its verdict cannot be read, and several judges at the same time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

from thresher.generate.request import Answer, Message, Request

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_SHOWN = 2000
"""Characters of an answer that cannot be read that are shown to the judge again."""


class Heard(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What came of a question.

    Attributes:
        found: What was read; None if nothing could be.
        problem: Why not: `unreadable`, `cut_off`, or why there is no answer.
        answers: All answers, the last one is the one that was read.
    """

    found: T | None
    answers: tuple[Answer, ...]
    problem: str = ""


Asking: TypeAlias = Generator[Sequence[Request], Sequence[Answer], Heard[T]]


def ask(request: Request, read: Callable[[str], T | None], again: str, tries: int) -> Asking[T]:
    """Asks until an answer can be read.

    An answer that was cut off is asked for once with twice the bound. Any other that cannot be read is shown
    to the judge with the form that is wanted, below those before it. So each try is another question, which
    even without randomness may have another answer.

    Args:
        request: What is asked.
        read: Reads a text; None if it cannot.
        again: What the judge is told when its answer cannot be read.
        tries: How often it is asked at most.
    """
    answers: list[Answer] = []
    is_longer = False
    for _ in range(tries):
        (answer,) = yield [request]
        answers.append(answer)
        if answer.failure is not None:
            return Heard(found=None, answers=tuple(answers), problem=str(answer.failure))
        # A parser of the server may take all of it for reasoning; beside content, that is a draft.
        text = answer.text if answer.text.strip() else answer.reasoning
        found = read(text)
        if found is not None:
            return Heard(found=found, answers=tuple(answers))
        if answer.is_cut and not is_longer and 2 * request.max_tokens <= request.max_tokens_cap:
            # More than once would pay for a judge that goes round in circles.
            is_longer = True
            request = msgspec.structs.replace(request, max_tokens=2 * request.max_tokens)
        else:
            shown = Message(role="assistant", content=text[:_SHOWN])
            told = Message(role="user", content=again)
            request = msgspec.structs.replace(request, messages=(*request.messages, shown, told))
    is_cut = answers[-1].is_cut
    return Heard(found=None, answers=tuple(answers), problem="cut_off" if is_cut else "unreadable")


def together(
    askings: Sequence[Asking[T]],
) -> Generator[Sequence[Request], Sequence[Answer], list[Heard[T]]]:
    """Asks several questions at the same time, each as often as it needs; gives what came of each."""
    heard: dict[int, Heard[T]] = {}
    waiting: dict[int, Sequence[Request]] = {}

    def step(place: int, answers: Sequence[Answer] | None) -> None:
        try:
            asking = askings[place]
            waiting[place] = next(asking) if answers is None else asking.send(answers)
        except StopIteration as done:
            waiting.pop(place, None)
            heard[place] = done.value

    for place in range(len(askings)):
        step(place, None)
    while waiting:
        asked = dict(waiting)
        answers = iter((yield [request for requests in asked.values() for request in requests]))
        for place, requests in asked.items():
            step(place, [next(answers) for _ in requests])
    return [heard[place] for place in range(len(askings))]
