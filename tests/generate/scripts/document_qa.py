"""Questions about a passage, with an answer and the words of the passage that hold it.

Some quotes are not in the passage, some have other blanks than it has; some questions speak of the passage,
some are asked again.
"""

from __future__ import annotations

import random
import re
from typing import Any

from tests.generate.scripted.answers import Reply, chance_of, text_of
from tests.generate.scripted.words import NOUNS, pick
from tests.generate.scripts.domain import handed_over

IGNORES_SCHEMA = 0.3

PASSAGE = re.compile(r"^Passage\b[^\n]*:\n(.*?)\n\nWrite \d+", re.DOTALL | re.MULTILINE)
"""The passage in a prompt; without a match it is all of the prompt."""
COUNT = re.compile(r"\bwrite (\d+)\b", re.IGNORECASE)
"""How many pairs the prompt wants; else three."""
SHARES = {
    "invented": 0.08,
    "blanks": 0.08,
    "about": 0.06,
    "again": 0.05,
    "no_quote": 0.04,
    "long_quote": 0.04,
}
"""Of the pairs with a fault; the others are in order."""

_SENTENCE = re.compile(r"[^.!?]*\w[^.!?]*[.!?]*")


def answer(body: dict[str, Any]) -> Reply:
    text = text_of(body)
    chance = chance_of(body, "document_qa")
    counts = COUNT.findall(text)
    return handed_over(int(counts[-1]) if counts else 3, lambda: pair(chance, passage(text)), chance)


def passage(text: str) -> str:
    """The passage of a prompt."""
    found = PASSAGE.search(text)
    return found[1] if found else text


def pair(chance: random.Random, text: str) -> dict[str, Any]:
    """One question with its answer and its quote."""
    quote = pick(chance, _SENTENCE.findall(text) or [text]).strip()
    words = quote.split()
    subject = " ".join(words[: chance.randint(2, 4)]).rstrip(".,:;")
    made: dict[str, Any] = {
        "question": f"What is known about “{subject}” and the {pick(chance, NOUNS)}?",
        "answer": f"It is known that {quote[0].lower()}{quote[1:]}",
        "quote": quote,
    }
    kind = chance.choices([*SHARES, "none"], [*SHARES.values(), 1 - sum(SHARES.values())])[0]
    if kind == "invented":
        made["quote"] = " ".join([*words[:-1], pick(chance, NOUNS), "indeed."])
    elif kind == "blanks":
        made["quote"] = "  ".join(words)
    elif kind == "about":
        made["question"] = f"What does the passage say about “{subject}”?"
    elif kind == "again":
        made["question"] = "What is known about it?"
    elif kind == "no_quote":
        del made["quote"]
    elif kind == "long_quote":
        made["quote"] = text
    return made


def record(body: dict[str, Any], chance: random.Random, properties: dict[str, Any]) -> dict[str, Any] | None:
    """A pair for a schema that has a question in it."""
    if not {"question", "answer"} <= set(properties):
        return None
    made = pair(chance, passage(text_of(body)))
    return {name: made.get(name, "") for name in properties}
