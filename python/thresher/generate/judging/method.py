"""What every way of judging has: questions to a judge, how answers are read, and the verdict they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher.generate.judging.asking import Heard
    from thresher.generate.judging.cases import Case
    from thresher.generate.prompts import Prompt
    from thresher.generate.request import Message


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read in an answer.

    Attributes:
        label: The verdict in a word: a score, `A`, `B` or `tie`; empty for a list of items.
        reason: The reason that was given.
        items: Whether each item is met.
    """

    label: str = ""
    reason: str = ""
    items: tuple[bool, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one judge says of one row.

    Attributes:
        score: The score; None if it could not be read.
        expected: The expected score, where probabilities tell.
        reason: The reason.
        items: Whether each item is met, of a checklist.
        orders: The winner in each order, by its name in the row, of a pair.
        problem: Why there is no score.
        asked: How often it was asked.
    """

    score: float | None = None
    expected: float | None = None
    reason: str = ""
    items: tuple[bool, ...] = ()
    orders: tuple[str, ...] = ()
    problem: str = ""
    asked: int = 0


class Method(Protocol):
    """A way of judging."""

    name: str
    rubric: str
    """What decides, in words; empty where each row says it."""
    best: float
    """The best score."""
    prompts: dict[str, Prompt]
    """All prompts that it uses."""
    again: str
    """What a judge is told when its answer cannot be read, with a place for the form."""
    labels: dict[str, float]
    """The verdicts in words and what each is worth; empty if there is no token to look at."""
    tops: int
    """Alternatives of each token that are asked for."""

    def questions(self, case: Case) -> Sequence[tuple[Message, ...]]:
        """What a judge is asked about a case, each by itself."""

    def schema(self, case: Case) -> dict[str, Any]:
        """The JSON Schema of an answer."""

    def form(self, case: Case) -> str:
        """The form of an answer in words."""

    def read(self, case: Case, text: str) -> Reading | None:
        """Reads an answer; None if it cannot."""

    def verdict(self, case: Case, heard: Sequence[Heard[Reading]]) -> Verdict:
        """What the answers to all questions about a case say."""


def problem_of(heard: Sequence[Heard[Any]]) -> str:
    """Why there is no verdict: the first thing that went wrong."""
    return next((one.problem for one in heard if one.found is None), "")


def asked(heard: Sequence[Heard[Any]]) -> int:
    """How often a judge was asked."""
    return sum(len(one.answers) for one in heard)
