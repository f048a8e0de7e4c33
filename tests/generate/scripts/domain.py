"""Instruction-response pairs for a domain, in every form in which models hand them over.

The prompt says how many pairs it wants and of which task types. Some pairs are nearly the same as others, and
some break the format. With a JSON Schema that is honoured the form is the schema's.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import msgspec

from tests.generate.scripted.answers import Reply, chance_of, text_of
from tests.generate.scripted.words import ADJECTIVES, NOUNS, REASONS, VERBS, paragraph, pick

IGNORES_SCHEMA = 0.3

COUNT = re.compile(
    r"(\d+)\s+(?:[^\W\d]+[- ]){0,3}?(?:examples?|pairs?|instructions?|items?)\b", re.IGNORECASE
)
"""How many pairs the prompt wants; else five."""
TYPES = re.compile(r"task[ _]types\b[^:\n]{0,40}:\s*([^\n.]+)", re.IGNORECASE)
"""The task types, with commas between them."""
USUAL_TYPES = ("explain", "summarize", "compare", "give example", "list steps for")
"""Those of a prompt that names none."""
KEYS = ("pairs", "examples", "results", "output", "instruction_response_pairs", "training_data")

# Shares of the forms, together 1.
FORMS = {
    "array": 0.20,
    "items": 0.15,
    "data": 0.10,
    "other_key": 0.13,
    "single": 0.05,
    "error": 0.04,
    "nothing": 0.04,
    "short": 0.10,
    "cut": 0.07,
    "fenced": 0.07,
    "prose": 0.05,
}
CONTINUES = re.compile(r"\bInstruction:\s*\Z")
"""How a text ends that a base model continues with one pair, and the line of signs that ends a pair."""
END = "####"
NEAR = 0.15
"""Share of the pairs that are one of `SETS` well-worn ones, with a word changed."""
SETS = 40
BROKEN = 0.15
"""Share of the pairs that break the format."""

_OPENINGS = (
    "{verb} the {adjective} {noun} of a {other} when {reason}",
    "How would you {verb} a {adjective} {noun} if {reason}?",
    "What should a team {verb} first when the {adjective} {noun} depends on the {other} and {reason}?",
    "Describe how to {verb} one {adjective} {noun} without touching the {other}, although {reason}",
    "List the steps to {verb} every {adjective} {noun} before {reason}",
)


def answer(body: dict[str, Any]) -> Reply:
    text = text_of(body)
    chance = chance_of(body, "domain")
    types = task_types(text)
    if CONTINUES.search(text):
        return Reply(content=_continued(pair(chance, types), chance))
    return handed_over(number_of_pairs(text), lambda: pair(chance, types), chance)


def handed_over(count: int, make: Callable[[], dict[str, Any]], chance: random.Random) -> Reply:
    """So many pairs in one of the forms."""
    form = chance.choices(list(FORMS), list(FORMS.values()))[0]
    if form == "short":
        count = max(1, count // 2)
    pairs = [make() for _ in range(count)]
    if form == "cut":
        whole = msgspec.json.encode({"items": pairs}).decode()
        return Reply(content=whole[: len(whole) * chance.randint(30, 90) // 100], finish_reason="length")
    return Reply(content=_written(form, pairs, chance))


def _continued(made: dict[str, Any], chance: random.Random) -> str:
    """A pair as a base model goes on with it; what is no text is missing, and another pair follows."""
    texts = [made.get(name) for name in ("instruction", "response")]
    instruction, response = (text if isinstance(text, str) else "" for text in texts)
    text = f" {instruction}\nResponse: {response}" if response or chance.random() < 0.5 else f" {instruction}"
    return f"{text}\n{END}\nDomain: cooking\nTask: compare\nInstruction: Compare a pan and a pot."


def _written(form: str, pairs: list[dict[str, Any]], chance: random.Random) -> str:
    value: Any = pairs
    if form in ("items", "data", "short"):
        value = {"data" if form == "data" else "items": pairs}
    elif form == "other_key":
        value = {pick(chance, KEYS): pairs}
    elif form == "single":
        value = pairs[0]
    elif form == "error":
        value = {"error": "I cannot write examples for this domain."}
    elif form == "nothing":
        value = {}
    text = msgspec.json.encode(value).decode()
    if form == "fenced":
        return f"```json\n{msgspec.json.format(text, indent=2)}\n```"
    if form == "prose":
        return f"Sure! Here are {len(pairs)} examples [as JSON]:\n\n{text}\n\nLet me know if you need more."
    return text


def number_of_pairs(text: str) -> int:
    """How many pairs a prompt wants."""
    found = COUNT.search(text)
    return max(1, min(int(found[1]), 200)) if found else 5


def task_types(text: str) -> list[str]:
    """The task types that a prompt names."""
    found = TYPES.search(text)
    types = [one.strip(" `\"'[]") for one in found[1].split(",")] if found else []
    return [one for one in types if one] or list(USUAL_TYPES)


def pair(chance: random.Random, types: list[str]) -> dict[str, Any]:
    """One pair; it may be near to another one, or broken."""
    if chance.random() < NEAR:
        made = well_worn(chance.randrange(SETS), types)
        words = made["instruction"].split()
        words[chance.randrange(len(words))] = pick(chance, ADJECTIVES)
        made["instruction"] = " ".join(words)
    else:
        made = _good(chance, types)
    return _broken(made, chance) if chance.random() < BROKEN else made


def well_worn(place: int, types: list[str]) -> dict[str, Any]:
    """One of the pairs that others are near to."""
    return _good(random.Random(f"well-worn {place}"), types)


def _good(chance: random.Random, types: list[str]) -> dict[str, Any]:
    noun, other = chance.sample(NOUNS, 2)
    instruction = pick(chance, _OPENINGS).format(
        verb=pick(chance, VERBS),
        adjective=pick(chance, ADJECTIVES),
        noun=noun,
        other=other,
        reason=pick(chance, REASONS),
    )
    return {
        "instruction": instruction[0].upper() + instruction[1:],
        "response": paragraph(chance, chance.randint(1, 4)),
        "task_type": pick(chance, types),
    }


def _broken(made: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    fault = chance.randrange(9)
    if fault == 0:
        del made[pick(chance, list(made))]
    elif fault == 1:
        made["response"] = ""
    elif fault == 2:
        made["response"] = made["instruction"]
    elif fault == 3:
        made["task_type"] = "improvise"
    elif fault == 4:
        made["response"] = 42
    elif fault == 5:
        made["instruction"] = made["response"] = "..."
    elif fault == 6:
        made["instruction"] = None
    elif fault == 7:
        made["response"] = {"text": made["response"]}
    else:
        made["response"] += "\n### Instruction:\n" + made["instruction"]
    return made


def record(body: dict[str, Any], chance: random.Random, properties: dict[str, Any]) -> dict[str, Any] | None:
    """A pair for a schema that has an instruction in it; what breaks the schema is left whole here."""
    if "instruction" not in properties:
        return None
    kinds = properties.get("task_type", {}).get("enum") or task_types(text_of(body))
    made = pair(chance, kinds)
    if not all(
        isinstance(made.get(name), str) and made[name] for name in ("instruction", "response", "task_type")
    ):
        made = _good(chance, kinds)
    if made["task_type"] not in kinds:
        made["task_type"] = kinds[0]
    return {name: made.get(name, made["response"]) for name in properties}
