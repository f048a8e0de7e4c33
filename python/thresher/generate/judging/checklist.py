"""Per-prompt rubrics: each row has its own items; the score is the weighted share of those that are met."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from thresher.generate import prompts
from thresher.generate.judging.method import Reading, Verdict, asked, problem_of
from thresher.generate.judging.rubric import members, reason_in, reference_of
from thresher.generate.request import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thresher.generate.judging.asking import Heard
    from thresher.generate.judging.cases import Case

_SAID = {"yes": True, "no": False, "true": True, "false": False}


def share_met(items: Sequence[tuple[str, float]], met: Sequence[bool]) -> float:
    """The weighted share of the items that are met.

    >>> share_met([("a", 1), ("b", 3)], [False, True])
    0.75
    """
    total = math.fsum(weight for _, weight in items)
    return math.fsum(weight for (_, weight), is_met in zip(items, met, strict=True) if is_met) / total


class Checklist:
    """Judging by the items of each row.

    Args:
        own_prompts: Files that replace prompts, by their names.
    """

    name = "checklist"
    rubric = ""
    best, tops = 1.0, 0

    def __init__(self, own_prompts: Mapping[str, str] | None = None) -> None:
        names = ("judge_checklist", "judge_reference", "judge_again")
        self.prompts = {name: prompts.load(name, own_prompts) for name in names}
        self.again = self.prompts["judge_again"].text
        self.labels: dict[str, float] = {}

    def questions(self, case: Case) -> Sequence[tuple[Message, ...]]:
        """One, about all items."""
        listed = "\n".join(f"item_{place}: {text}" for place, (text, _) in enumerate(case.items, 1))
        text = self.prompts["judge_checklist"].fill(
            items=listed,
            mark=case.mark,
            question=case.question,
            reference=reference_of(case, self.prompts["judge_reference"]),
            answer=case.answers[0],
        )
        return [(Message(role="user", content=text),)]

    def schema(self, case: Case) -> dict[str, Any]:
        """Reason, then yes or no for each item."""
        names = [f"item_{place}" for place in range(1, len(case.items) + 1)]
        return {
            "type": "object",
            "properties": {
                "reason": {"type": "string"},
                **{name: {"type": "string", "enum": ["yes", "no"]} for name in names},
            },
            "required": ["reason", *names],
            "additionalProperties": False,
        }

    def form(self, case: Case) -> str:
        """The form of an answer in words."""
        names = ", ".join(f'"item_{place}": "yes" or "no"' for place in range(1, len(case.items) + 1))
        return f'{{"reason": "...", {names}}}.'

    def read(self, case: Case, text: str) -> Reading | None:
        """What the last object says of every item; an item that it leaves out makes it unreadable."""
        names = [f"item_{place}" for place in range(1, len(case.items) + 1)]
        for found in members(text, names[0])[:1]:
            said = [_SAID.get(str(found.get(name)).strip().lower()) for name in names]
            met = tuple(one for one in said if one is not None)
            if len(met) == len(names):
                return Reading(items=met, reason=reason_in(found))
        return None

    def verdict(self, case: Case, heard: Sequence[Heard[Reading]]) -> Verdict:
        """The weighted share of the items that are met."""
        (one,) = heard
        if one.found is None:
            return Verdict(problem=problem_of(heard), asked=asked(heard))
        return Verdict(
            score=share_met(case.items, one.found.items),
            items=one.found.items,
            reason=one.found.reason,
            asked=asked(heard),
        )
