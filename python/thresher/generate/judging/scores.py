"""Scores: the expectation over the probabilities of the score's token, and what a jury says together.

The expected score is that of G-Eval (arXiv 2303.16634): the sum of the scores, each by the probability that
the judge gave it. The probabilities are read where the verdict stands in the answer, and made to add up to
one over the verdicts that there are.
"""

from __future__ import annotations

import math
import re
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thresher.generate.request import TokenChoice

AMBIGUOUS = 0.01
"""Share of the probability that may be left out since a token could begin several scores, as `1` of 10."""
_EDGES = " \t\r\n\"'`*[](){}:,."
"""What may stand around a verdict in its token; nothing else, so that `<4>` is no 4."""


def shares(
    choices: Sequence[TokenChoice], member: str, said: str, labels: Sequence[str]
) -> dict[str, float] | None:
    """The probability of each verdict where it stands in an answer; they add up to one.

    Args:
        choices: The tokens of the answer, with their alternatives.
        member: The member of the JSON object that holds the verdict.
        said: The verdict that was read there.
        labels: All verdicts that there are.

    Returns:
        None if the tokens do not tell: they have no alternatives, the verdict is not where it should be, or
        more than `AMBIGUOUS` of the probability could belong to several verdicts.
    """
    place = _place(choices, member, said)
    if place is None:
        return None
    found = dict.fromkeys(labels, 0.0)
    unknown = 0.0
    alternatives = choices[place].alternatives
    cores: dict[str, float] = {}
    for token, log in alternatives.items():
        core = _core(token)
        cores[core] = cores.get(core, 0.0) + math.exp(log)
    for core, share in cores.items():
        owners = [label for label in labels if core and label.startswith(core)]
        longer = [label for label in owners if label != core]
        if len(owners) == 1:
            found[owners[0]] += share
        elif core in owners and any(label in cores for label in longer):
            # The tokenizer has a token for the longer one, so this one means itself.
            found[core] += share
        elif owners and core == _core(choices[place].token) and len(longer) == 1 and core in owners:
            goes_on = _goes_on(choices, place, longer[0][len(core) :])
            if goes_on is None:
                unknown += share
            else:
                found[core] += share * (1 - goes_on)
                found[longer[0]] += share * goes_on
        elif owners:
            unknown += share
    total = math.fsum(found.values())
    if total <= 0 or unknown > AMBIGUOUS * (total + unknown):
        return None
    return {label: share / total for label, share in found.items()}


def expectation(parts: Mapping[str, float], values: Mapping[str, float]) -> float:
    """The sum of the values, each by its share.

    >>> expectation({"1": 0.25, "5": 0.75}, {"1": 1, "5": 5})
    4.0
    """
    return math.fsum(share * values[label] for label, share in parts.items())


def _core(token: str) -> str:
    return token.strip(_EDGES)


def _place(choices: Sequence[TokenChoice], member: str, said: str) -> int | None:
    """The token that the verdict begins in: behind the member's name, else where it stands last."""
    text = "".join(choice.token for choice in choices)
    named = list(re.finditer(rf'"{re.escape(member)}"\s*:\s*"?', text))
    if named:
        start = named[-1].end()
        if not re.match(rf"{re.escape(said)}(?!\w)", text[start:]):
            return None
    else:
        alone = list(re.finditer(rf"(?<![\w/.]){re.escape(said)}(?!\w)", text))
        if not alone:
            return None
        start = alone[-1].start()
    at = 0
    for place, choice in enumerate(choices):
        if at <= start < at + len(choice.token):
            # Words in the same token before the verdict would stand in its alternatives too.
            is_begun = re.search(r"\w", choice.token[: start - at]) is not None
            return None if is_begun or not choice.alternatives else place
        at += len(choice.token)
    return None


def _goes_on(choices: Sequence[TokenChoice], place: int, rest: str) -> float | None:
    """The probability that the token behind a place begins with the rest of a longer verdict."""
    if place + 1 >= len(choices) or not choices[place + 1].alternatives:
        return None
    chances = {token: math.exp(log) for token, log in choices[place + 1].alternatives.items()}
    total = math.fsum(chances.values())
    if total <= 0:
        return None
    return math.fsum(share for token, share in chances.items() if token.startswith(rest)) / total


def mean(values: Sequence[float]) -> float:
    """The mean, rounded once."""
    return math.fsum(values) / len(values)


def jury(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, median, and how far the highest score is from the lowest.

    >>> jury([2, 3, 5])
    (3.3333333333333335, 3, 3)
    """
    return mean(values), statistics.median(values), max(values) - min(values)
