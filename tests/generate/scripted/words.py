"""Words of which scripts make their texts, and sentences of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NOUNS = _words(
    """
    index query shard cache replica ledger invoice budget contract clause tenant report schema column
    vector ranking crawler archive policy permission webhook queue worker gateway timeout backup
    snapshot cluster partition metric alert dashboard pipeline connector catalog glossary template
    workflow approval ticket escalation customer supplier warehouse shipment forecast margin audit
    retention region language model prompt document paragraph citation answer passage embedding filter
    facet synonym typo session token
    """
)
VERBS = _words(
    """
    rebuild compare summarize explain migrate validate shorten translate rank merge split encrypt
    archive estimate schedule review classify rewrite monitor restore prioritize document simplify test
    """
)
ADJECTIVES = _words(
    """
    stale slow shared regional encrypted partial nightly expired multilingual nested weighted manual
    legacy public internal recent duplicate verbose missing quarterly seasonal redundant urgent hybrid
    """
)
REASONS = (
    "the load doubles",
    "two teams disagree about the owner",
    "the results differ between regions",
    "an auditor asks for evidence",
    "the vendor changes its terms",
    "a customer reports wrong numbers",
    "the deadline moves to Friday",
    "half of the fields are empty",
    "nobody remembers why it was built",
    "the old system is switched off",
    "users search in four languages",
    "the budget is cut by a third",
)


def pick(chance: random.Random, pool: Sequence[T]) -> T:
    """One of a pool, in a fourth of the time of `choice`."""
    return pool[int(chance.random() * len(pool))]


def sentence(chance: random.Random, words: int) -> str:
    """A sentence of so many words, with a capital and a full stop."""
    pools = (ADJECTIVES, NOUNS, VERBS)
    chosen = [pick(chance, pools[place % 3]) for place in range(max(1, words))]
    return " ".join(chosen).capitalize() + "."


def paragraph(chance: random.Random, sentences: int) -> str:
    """Several sentences."""
    return " ".join(sentence(chance, pick(chance, range(5, 15))) for _ in range(sentences))
