"""A teacher: answers with their explanation, some of which speak of the instructions that they were given.

Sums (`17 + 25`) are done, rightly more often under some system messages than under others, so that a strategy
can be chosen by its accuracy.
"""

from __future__ import annotations

import hashlib
import operator
import random
import re
from typing import Any

from tests.generate.scripted.answers import Reply, chance_of
from tests.generate.scripted.words import paragraph, pick, sentence

SUM = re.compile(r"(\d+)\s*([-+*])\s*(\d+)")
"""The sum that a question asks for."""
STEPS = re.compile(r"step[- ]by[- ]step|small step|explain\b|justify|reasoning", re.IGNORECASE)
"""Stands in a system message under which the teacher is at its best."""
MENTIONS = (
    "As the system prompt says, I will think step by step.",
    "According to my instructions, I first recall the facts.",
    "You asked me to explain my reasoning, as instructed above.",
    "The system message tells me to be careful.",
)
MENTIONED, REFUSED, CUT, THOUGHT = 0.08, 0.02, 0.03, 0.15
"""Shares of the answers that tell of their instructions, refuse, are cut off, or have reasoning apart."""
BEST, LEAST = 0.95, 0.4
"""How often a sum is right under the best system message and under the worst."""

_DO = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def answer(body: dict[str, Any]) -> Reply:
    chance = chance_of(body, "explain")
    system, question = _asked(body)
    point = chance.random()
    if point < REFUSED:
        return Reply(content="I'm sorry, but I can't help with that.")
    steps = [f"{place}. {paragraph(chance, 1)}" for place in range(1, chance.randint(2, 5) + 1)]
    parts = [
        "Let us go through it.",
        *steps,
        f"Therefore, the answer is {_result(system, question, chance)}.",
    ]
    if point < REFUSED + MENTIONED:
        told = (*MENTIONS, " ".join(system.split()[2:12]))
        parts.insert(chance.randrange(len(parts)), pick(chance, told))
    content = "\n".join(parts)
    if point > 1 - CUT:
        return Reply(content=content[: len(content) // 2], finish_reason="length")
    return Reply(content=content, reasoning=paragraph(chance, 2) if chance.random() < THOUGHT else "")


def _asked(body: dict[str, Any]) -> tuple[str, str]:
    """The system message and the question."""
    messages = body.get("messages") or [{"role": "user", "content": str(body.get("prompt", ""))}]
    texts = {message["role"]: str(message.get("content", "")) for message in messages}
    return texts.get("system", ""), texts.get("user", "")


def accuracy(system: str) -> float:
    """How often a sum is right under a system message."""
    if STEPS.search(system):
        return BEST
    share = hashlib.blake2b(system.encode(), digest_size=1).digest()[0] / 255
    return LEAST + (BEST - LEAST) * 0.8 * share


def _result(system: str, question: str, chance: random.Random) -> str:
    found = SUM.search(question)
    if found is None:
        return sentence(chance, 4).rstrip(".").lower()
    result = _DO[found[2]](int(found[1]), int(found[3]))
    return str(result if chance.random() < accuracy(system) else result + chance.randint(1, 9))
