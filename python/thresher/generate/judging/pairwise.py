"""Pairwise judging: which of two answers is better, asked in both orders.

A winner that changes with the order is a tie, as FastChat counts it (`show_result.py`). How often that is so
is the flip rate. Since every pair is shown in both orders, its quality cancels: the share of the decided
verdicts that name the answer shown first would be a half without a bias.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from thresher.generate import prompts
from thresher.generate.judging import scores
from thresher.generate.judging.agreement import interval
from thresher.generate.judging.method import Reading, Verdict, asked, problem_of
from thresher.generate.judging.rubric import members, reason_in, reference_of, rubric_of
from thresher.generate.request import Message

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from thresher.generate.judging.asking import Heard
    from thresher.generate.judging.cases import Case

VALUES = {"A": 1.0, "B": 0.0, "tie": 0.5}
"""What a winner is worth for the first answer of the row."""
OTHER = {"A": "B", "B": "A", "tie": "tie"}
"""The same winner where the answers were shown the other way round."""
_BARE = re.compile(r"(?:\[\[)?(A|B|C|tie)(?:\]\])?\.?", re.IGNORECASE)
_NAMES = {"a": "A", "b": "B", "tie": "tie", "c": "tie"}
"""`C` is how MT-bench writes a tie."""


def winner_of(orders: Sequence[str]) -> str:
    """The winner of both orders, by its name in the row; a tie unless both name the same.

    >>> winner_of(["A", "A"]), winner_of(["A", "B"]), winner_of(["A", "tie"])
    ('A', 'tie', 'tie')
    """
    return orders[0] if len(set(orders)) == 1 else "tie"


class Pairwise:
    """Judging which of two is better.

    Args:
        rubric: What decides.
        own_prompts: Files that replace prompts, by their names.
    """

    name = "pairwise"
    best, tops = 1.0, 10

    def __init__(
        self,
        rubric: str | os.PathLike[str] | None = None,
        *,
        own_prompts: Mapping[str, str] | None = None,
    ) -> None:
        names = ("judge_pairwise", "judge_reference", "judge_criteria", "judge_again")
        self.prompts = {name: prompts.load(name, own_prompts) for name in names}
        self.rubric = rubric_of(rubric, self.prompts["judge_criteria"])
        self.again = self.prompts["judge_again"].text
        self.labels = dict(VALUES)

    def questions(self, case: Case) -> Sequence[tuple[Message, ...]]:
        """Two: the answers in the order of the row, and the other way round."""
        return [self._question(case, *case.answers), self._question(case, *reversed(case.answers))]

    def _question(self, case: Case, first: str, second: str) -> tuple[Message, ...]:
        text = self.prompts["judge_pairwise"].fill(
            rubric=self.rubric,
            mark=case.mark,
            question=case.question,
            reference=reference_of(case, self.prompts["judge_reference"]),
            first=first,
            second=second,
        )
        return (Message(role="user", content=text),)

    def schema(self, case: Case) -> dict[str, Any]:
        """Reason, then winner."""
        return {
            "type": "object",
            "properties": {
                "reason": {"type": "string"},
                "winner": {"type": "string", "enum": list(VALUES)},
            },
            "required": ["reason", "winner"],
            "additionalProperties": False,
        }

    def form(self, case: Case) -> str:
        """The form of an answer in words."""
        return '{"reason": "...", "winner": W}, where W is "A", "B" or "tie".'

    def read(self, case: Case, text: str) -> Reading | None:
        """The winner of the last object that has one, or of an answer that says nothing else."""
        found = members(text, "winner")
        if found:
            label = _NAMES.get(str(found[0]["winner"]).strip().lower())
            return None if label is None else Reading(label=label, reason=reason_in(found[0]))
        said = _BARE.fullmatch(text.strip().strip("*_` "))
        return None if said is None else Reading(label=_NAMES[said[1].lower()])

    def verdict(self, case: Case, heard: Sequence[Heard[Reading]]) -> Verdict:
        """The winner that both orders name, else a tie; both have to be readable."""
        labels = [one.found.label for one in heard if one.found is not None]
        if len(labels) < len(heard):
            return Verdict(problem=problem_of(heard), asked=asked(heard))
        orders = (labels[0], OTHER[labels[1]])
        return Verdict(
            score=VALUES[winner_of(orders)],
            expected=self._expected(heard, labels),
            reason=heard[0].found.reason if heard[0].found else "",
            orders=orders,
            asked=asked(heard),
        )

    def _expected(self, heard: Sequence[Heard[Reading]], labels: Sequence[str]) -> float | None:
        """The mean over both orders of what the first answer of the row is worth."""
        worth = []
        for place, (one, label) in enumerate(zip(heard, labels, strict=True)):
            parts = scores.shares(one.answers[-1].choices, "winner", label, list(VALUES))
            if parts is None:
                return None
            first = scores.expectation(parts, VALUES)
            worth.append(1 - first if place else first)
        return scores.mean(worth)


def bias(orders: Sequence[Sequence[str]], seed: int = 0) -> dict[str, Any]:
    """How verdicts change with the order, over pairs that were judged in both.

    Args:
        orders: The winner in each order, by its name in the row, of each pair.
        seed: Of the interval.

    Returns:
        `flips`: pairs whose winner changes with the order, to a tie or from one included, and `flip_rate`,
        their share. `reversed`: those in which each order names the other answer. `first_share`: share of
        the decided verdicts that name the answer shown first, a half without a bias, with `first_interval`.
    """
    flips = sum(len(set(pair)) > 1 for pair in orders)
    turned = sum(set(pair) == {"A", "B"} for pair in orders)
    first = [(pair[0] == "A") + (pair[1] == "B") for pair in orders]
    decided = [(pair[0] != "tie") + (pair[1] != "tie") for pair in orders]
    return {
        "pairs": len(orders),
        "wins_a": sum(winner_of(pair) == "A" for pair in orders),
        "wins_b": sum(winner_of(pair) == "B" for pair in orders),
        "ties": sum(winner_of(pair) == "tie" for pair in orders),
        "flips": flips,
        "flip_rate": flips / len(orders) if orders else None,
        "reversed": turned,
        "first_share": _share(first, decided),
        "first_interval": interval(_share, first, decided, seed=seed) if orders else None,
    }


def _share(first: Any, decided: Any) -> float | None:  # noqa: ANN401 - a list or an array of counts
    total = int(np.sum(decided))
    return int(np.sum(first)) / total if total else None
