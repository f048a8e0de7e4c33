"""Verdicts: a score of a scale, yes or no, or the better of two, in words, as a digit or as JSON.

A text has a `quality` of its own, which a score follows with a little noise by model and seed; a test can
compute it. Of two, the one that is shown first has an advantage, so some verdicts turn with the order. Where
probabilities are asked for, those of the digits lie around the quality.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from typing import Any

import msgspec

from tests.generate.scripted.answers import Reply, chance_of, text_of
from tests.generate.scripted.words import pick, sentence

IGNORES_SCHEMA = 0.08

SCALE = re.compile(r"\b1\s*(?:to|and|through|-|–)\s*(10|5)\b")
"""The scale that a prompt names; else 1 to 5."""
YES_NO = re.compile(r"\byes\b[^.\n]{0,20}\bno\b", re.IGNORECASE)
"""Stands in a prompt that wants yes or no."""
PAIR = re.compile(
    r"^\W*(?:the start of )?(?:the )?(?:answer|response|assistant|text) A\b[^\n]{0,20}\n+(?P<a>[^\n]+).*?"
    r"^\W*(?:the start of )?(?:the )?(?:answer|response|assistant|text) B\b[^\n]{0,20}\n+(?P<b>[^\n]+)",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
"""Two texts to be compared, each below a line that says which it is; its first line stands for it."""
JUDGED = re.compile(
    r"^[^\n]*\b(?:answer|response|output|completion)\b[^\n]*:[ \t]*\n+([^\n]+)", re.IGNORECASE | re.MULTILINE
)
"""The text to be judged: its first line; without a match it is all of the prompt."""
FIRST = 0.12
"""The advantage of the one that is shown first, in quality."""
TIE = 0.04
"""Less of a difference than this is a tie, where a prompt allows for one."""
SPREAD = 0.6
"""Of the probabilities around a score, in points of the scale."""
NOISE = 0.08
"""Of a verdict, by model and seed, in quality."""


def quality(text: str) -> float:
    """How good a text is, from 0 to 1, by its first line."""
    line = text.strip().split("\n")[0].strip()
    return int.from_bytes(hashlib.blake2b(line.encode(), digest_size=8).digest(), "little") / 2**64


def answer(body: dict[str, Any]) -> Reply:
    text = text_of(body)
    chance = chance_of(body, "form")
    if (verdict := winner(body)) is not None:
        wants_brackets = "[[" in text
        shown = f"[[{verdict[0].upper() if verdict == 'tie' else verdict}]]" if wants_brackets else verdict
        if chance.random() < 0.3 and not wants_brackets:
            shown = msgspec.json.encode({"reason": sentence(chance, 9), "winner": verdict}).decode()
        return Reply(content=shown, alternatives=alternatives(body, shown))
    if YES_NO.search(text) and not SCALE.search(text):
        shown = pick(chance, ("{}", "{}.", '{{"answer": "{}"}}')).format(yes_or_no(body))
        return Reply(content=shown)
    content = _written(score(body), top(text), "json" in text.lower(), chance)
    return Reply(content=content, alternatives=alternatives(body, content))


def _written(points: int, most: int, wants_json: bool, chance: random.Random) -> str:
    form = chance.random()
    if form < 0.03:
        return f"{points - 0.5:.1f}"
    if form < 0.05:
        return f"I would say {sentence(chance, 4)}"
    if form < 0.07:
        return str(most + 1)
    if wants_json:
        reason = sentence(chance, 9)
        value = {"reason": reason, "score": points} if form < 0.5 else {"score": points, "reason": reason}
        return msgspec.json.encode(value).decode()
    return pick(chance, ("{}", "Score: {}", "{}/" + str(most), "Rating: [[{}]]")).format(points)


def top(text: str) -> int:
    """The best score of the scale."""
    found = SCALE.search(text)
    return int(found[1]) if found else 5


def judged(text: str) -> str:
    """The text that is judged."""
    found = JUDGED.findall(text)
    return found[-1] if found else text


def _opinion(body: dict[str, Any], text: str) -> float:
    """The quality of a text as this model sees it with this seed."""
    seen = hashlib.blake2b(f"{body.get('model')} {body.get('seed')} {text}".encode(), digest_size=8).digest()
    noise = int.from_bytes(seen, "little") / 2**64 - 0.5
    return min(1.0, max(0.0, quality(text) + 2 * NOISE * noise))


def score(body: dict[str, Any]) -> int:
    """The likeliest score."""
    shares = _shares(body)
    return int(max(shares, key=lambda name: shares[name]))


def _shares(body: dict[str, Any]) -> dict[str, float]:
    text = text_of(body)
    most = top(text)
    middle = 1 + _opinion(body, judged(text)) * (most - 1)
    weights = {str(point): math.exp(-(((point - middle) / SPREAD) ** 2) / 2) for point in range(1, most + 1)}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def yes_or_no(body: dict[str, Any]) -> str:
    """Whether the whole question is answered with yes."""
    return "yes" if _opinion(body, text_of(body).replace("\n", " ")) < 0.6 else "no"


def winner(body: dict[str, Any]) -> str | None:
    """`A`, `B` or, where the prompt has the word, `tie`; None if nothing is compared."""
    text = text_of(body)
    found = PAIR.search(text)
    if found is None:
        return None
    lead = _lead(body, found)
    if abs(lead) < TIE and re.search(r"\btie\b", text, re.IGNORECASE):
        return "tie"
    return "A" if lead > 0 else "B"


def _lead(body: dict[str, Any], found: re.Match[str]) -> float:
    return _opinion(body, found["a"]) + FIRST - _opinion(body, found["b"])


def alternatives(body: dict[str, Any], content: str) -> dict[int, dict[str, float]]:
    """The likely tokens where the verdict stands."""
    found = PAIR.search(text_of(body))
    if found is not None:
        place = re.search(r"\b[AB]\b", content)
        share = 1 / (1 + math.exp(-8 * _lead(body, found)))
        return {place.start(): {"A": share, "B": 1 - share}} if place else {}
    name = re.search(r'"(?:score|rating)"\s*:\s*', content)
    place = re.compile(r"\d+").search(content, name.end() if name else 0)
    return {place.start(): _shares(body)} if place else {}


def record(body: dict[str, Any], chance: random.Random, properties: dict[str, Any]) -> dict[str, Any] | None:
    """A verdict for a schema with a member that is a number, or one of a few names."""
    made: dict[str, Any] = {}
    for name, kind in properties.items():
        choices = kind.get("enum", [])
        if name in ("score", "rating"):
            made[name] = choices[min(score(body), len(choices)) - 1] if choices else score(body)
        elif name in ("winner", "verdict", "choice", "better", "preferred"):
            verdict = winner(body)
            made[name] = next((one for one in choices if one == verdict), choices[0] if choices else verdict)
        elif kind.get("type") == "boolean":
            made[name] = _opinion(body, f"{name} {text_of(body)}") < 0.6
        elif set(choices) == {"yes", "no"}:
            made[name] = "yes" if _opinion(body, f"{name} {text_of(body)}") < 0.6 else "no"
        elif choices or kind.get("type") != "string":
            return None
        else:
            made[name] = sentence(chance, 9)
    return made or None
