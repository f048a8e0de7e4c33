"""A slow twin of `domain`, after the listing of the seed document and what the issue asks of it.

A request asks for some pairs at once, and its answer may be anything. Pairs are read out of it; a short
answer is topped up twice at most; an answer without pairs is asked for again twice at most.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.generate.twins.stated import Ask, Asked, Made, Slot, Values, Verdict, chance, prompt

ASKED_AGAIN = 1_000_003
"""Between the numbers of the samples of one question that is asked again."""
PARTS = ("instruction", "response", "task_type")


@dataclass
class Domain:
    """What the twin is told of a run."""

    domain: str
    task_types: Sequence[str] = ("explain", "summarize", "compare", "give example", "list steps for")
    per_request: int = 5
    temperature: float = 0.9
    max_tokens: int = 3000
    seed: int = 0
    is_completion: bool = False

    def __post_init__(self) -> None:
        self._kept: list[str] = []

    def slots(self, number: int, kept: Sequence[Verdict]) -> list[Slot]:
        """16 slots, 32, up to 1,024: each with an order of the task types, and 12 instructions to avoid."""
        found = []
        sizes = [min(16 * 2**one, 1024) for one in range(number + 1)]
        for place in range(sum(sizes[:-1]), sum(sizes)):
            random = chance(self.seed, "domain", place)
            types = random.sample(list(self.task_types), len(self.task_types))
            avoided = random.sample([one.row["instruction"] for one in kept], min(12, len(kept)))
            found.append((f"domain-{place:06d}", (place, types, avoided)))
        return found

    def work(self, slot: Slot, ask: Ask) -> list[Made]:
        """Pairs, until there are as many as were asked for."""
        place, types, avoided = slot[1]
        if self.is_completion:
            return [
                self._continued(place, turn, types[turn % len(types)], ask)
                for turn in range(self.per_request)
            ]
        made: list[Made] = []
        wanted = self.per_request
        for turn in (0, 1, 2):
            pairs, keys, failure = self._pairs(place, turn, types, avoided, wanted, ask)
            if failure is not None:
                return [*made, Made({}, keys[-1:], reasons=(failure,))]
            if not pairs:
                return [*made, Made({}, keys, reasons=("unreadable",))]
            made += [_read(pair, keys) for pair in pairs[:wanted]]
            wanted -= len(pairs)
            if wanted <= 0:
                break
        return made

    def _pairs(
        self, place: int, turn: int, types: Sequence[str], avoided: Sequence[str], wanted: int, ask: Ask
    ) -> tuple[list[Values], tuple[str, ...], str | None]:
        """What an answer has, the keys of all tries, and why there is no answer."""
        avoid = ""
        if avoided:
            avoid = prompt("domain_avoid", instructions="\n".join(f"- {one}" for one in avoided))
        text = prompt(
            "domain", domain=self.domain, count=f"{wanted}", task_types=", ".join(types), avoid=avoid
        )
        keys: tuple[str, ...] = ()
        for again in (0, 1, 2):
            answer = ask(
                Asked(
                    text=text,
                    sampling={"temperature": self.temperature},
                    most=self.max_tokens,
                    cap=8192,
                    sample=3 * place + turn + again * ASKED_AGAIN,
                    schema=self._schema(wanted),
                )
            )
            keys = (*keys, answer.key)
            if answer.failure is not None:
                return [], keys, answer.failure
            pairs = pairs_in(answer.text) or pairs_in(answer.reasoning)
            if pairs:
                return pairs, keys, None
        return [], keys, None

    def _schema(self, count: int) -> Values:
        pair = {
            "type": "object",
            "properties": {
                "task_type": {"type": "string", "enum": list(self.task_types)},
                "instruction": {"type": "string"},
                "response": {"type": "string"},
            },
            "required": ["task_type", "instruction", "response"],
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {"pairs": {"type": "array", "items": pair, "minItems": count, "maxItems": count}},
            "required": ["pairs"],
            "additionalProperties": False,
        }

    def _continued(self, place: int, turn: int, kind: str, ask: Ask) -> Made:
        """One pair, written by a base model up to a line of signs."""
        answer = ask(
            Asked(
                text=prompt("domain_completion", domain=self.domain, task_type=kind),
                sampling={"temperature": self.temperature, "stop": ["####"]},
                most=self.max_tokens,
                cap=8192,
                sample=self.per_request * place + turn,
            )
        )
        keys = (answer.key,)
        if answer.failure is not None:
            return Made({}, keys, reasons=(answer.failure,))
        if answer.is_cut:
            return Made({}, keys, reasons=("cut_off",))
        lines = answer.text.split("\n")
        at = next((at for at, line in enumerate(lines) if at and line.startswith("Response:")), None)
        if at is None:
            return Made({}, keys, reasons=("unreadable",))
        response = "\n".join([lines[at].removeprefix("Response:"), *lines[at + 1 :]])
        return _read({"instruction": "\n".join(lines[:at]), "response": response, "task_type": kind}, keys)

    def reasons(self, made: Made, name: str) -> Sequence[str]:
        """The rules of a pair."""
        instruction, response, kind = (made.row[part] for part in PARTS)
        broken = []
        if all(kind != one for one in self.task_types):
            broken.append("unknown_task_type")
        if _folded(instruction) == _folded(response):
            broken.append("response_is_instruction")
        if instruction == "..." or response == "...":
            broken.append("placeholder")
        if any(_folded(instruction) == _folded(one) for one in self._kept):
            broken.append("same_instruction")
        return broken

    def keep(self, row: Values) -> None:
        """A pair was kept."""
        self._kept.append(row["instruction"])

    def text(self, row: Values) -> str:
        """What checks compare."""
        return row["instruction"] + "\n" + row["response"]


def _read(pair: Values, keys: tuple[str, ...]) -> Made:
    """A pair, if each part of it is a text that says something."""
    for part in PARTS:
        value = pair.get(part)
        if not isinstance(value, str) or value.strip() == "":
            return Made(dict(pair), keys, reasons=(f"{part}_missing",))
    return Made({part: pair[part].strip() for part in PARTS}, keys)


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text.lower()).strip()


def pairs_in(text: str) -> list[Values]:
    """The pairs in an answer: an array, a list under any name, a single one; cut off, fenced, amid words."""
    return [one for one in records_in(text) if "instruction" in one or "response" in one]


def records_in(text: str) -> list[Values]:
    """The objects in an answer."""
    return [one for value in _values(text) for one in _records(value)]


def _records(value: Any) -> list[Values]:
    if isinstance(value, list):
        return [one for one in value if isinstance(one, dict)]
    for inner in value.values():
        records = [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
        if records:
            return records
    if value and all(isinstance(inner, dict) for inner in value.values()):
        return list(value.values())
    return [value]


def _values(text: str) -> Iterator[Any]:
    """All of the text, else the first fence that holds JSON, else each value that begins somewhere in it."""
    candidates = [text.strip()]
    for piece in re.split(r"```[a-zA-Z]*[^\S\n]*\n", text)[1:]:
        candidates.append(piece.split("```")[0].strip())
    for one in candidates:
        if one[:1] in ("{", "[") and (value := _decoded(one)) is not None:
            yield value
            return
    at, starts = 0, 0
    while at < len(text) and starts < 64:
        if text[at] not in "{[":
            at += 1
            continue
        starts += 1
        try:
            value, at = json.JSONDecoder().raw_decode(text, at)
        except ValueError:
            at += 1
        else:
            yield value


def _decoded(text: str) -> Any | None:
    try:
        return json.loads(text)
    except ValueError:
        return None
