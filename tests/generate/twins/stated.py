"""What the twins share: choices, prompts, keys, bodies, answers and the order of a run, all stated once more.

Nothing of `thresher.generate` is used here but its prompt files and what `journal.entries` reads: this is a
second statement, as slow and as plain as it can be, of what the package promises. A twin makes every request
that a run must have made, looks its answer up in the journal, and judges every candidate.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, NamedTuple, Protocol

from thresher import _reference

Values = Mapping[str, Any]


def chance(seed: int, *name: object) -> random.Random:
    """The random numbers for one place of a run: Python's own, seeded by SHA-256 of seed and name."""
    return random.Random(int.from_bytes(hashlib.sha256(repr((seed, *name)).encode()).digest(), "little"))


def prompt(name: str, **places: str) -> str:
    """A prompt file without its `#!` lines and without blank lines at its ends, each place filled once."""
    lines = (
        resources.files("thresher.generate.prompts").joinpath(f"{name}.txt").read_text("utf-8").split("\n")
    )
    text = "\n".join(line for line in lines if not line.startswith("#!")).strip("\n")
    pieces = re.split(r"\{\{(\w+)\}\}", text)
    for at in range(1, len(pieces), 2):
        pieces[at] = places[pieces[at]]
    return "".join(pieces)


class Asked(NamedTuple):
    """A request, as a twin states it."""

    text: str
    sampling: Values
    most: int
    """Tokens of the answer at most."""
    cap: int
    """Up to which that is doubled while the answer is cut before it says anything."""
    sample: int = 0
    schema: Values | None = None
    system: str = ""


class Answer(NamedTuple):
    """What came back."""

    key: str
    text: str = ""
    reasoning: str = ""
    is_cut: bool = False
    failure: str | None = None


class Missing(Exception):
    """A request that a run must have made is not in its journal."""


class Book:
    """A journal, looked up by what was asked.

    Args:
        entries: Its entries.
        model: What names the model in keys, and in bodies.
        is_completion: Whether texts are continued; else a chat of one message is answered.
    """

    def __init__(self, entries: Iterable[Any], model: str, *, is_completion: bool) -> None:
        self.entries = {(entry.key, entry.max_tokens): entry for entry in entries}
        self.model, self.is_completion = model, is_completion
        self.bodies: dict[tuple[str, int], dict[str, Any]] = {}

    def ask(self, asked: Asked) -> Answer:
        """The answer to a request, and to the same one with a doubled bound if that is called for."""
        answer = self._once(asked)
        while answer.is_cut and not answer.text.strip() and 2 * asked.most <= asked.cap:
            asked = asked._replace(most=2 * asked.most)
            answer = self._once(asked)
        return answer

    def _once(self, asked: Asked) -> Answer:
        content = self._content(asked)
        request = {
            "v": 1,
            "model": self.model,
            "api": "completion" if self.is_completion else "chat",
            "sampling": dict(asked.sampling),
            "sample": asked.sample,
            **content,
        }
        if asked.schema is not None:
            request["schema"] = asked.schema
        written = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        place = hashlib.sha256(written.encode()).hexdigest(), asked.most
        if place not in self.entries:
            raise Missing(written)
        self.bodies[place] = self._body(asked)
        entry = self.entries[place]
        assert entry.request == json.loads(written)
        if entry.answer.failure is not None:
            return Answer(place[0], failure=entry.answer.failure)
        return _read(place[0], json.loads(entry.raw))

    def _content(self, asked: Asked) -> dict[str, Any]:
        if self.is_completion:
            return {"prompt": asked.text}
        system = [{"role": "system", "content": asked.system}] if asked.system else []
        return {"messages": [*system, {"role": "user", "content": asked.text}]}

    def _body(self, asked: Asked) -> dict[str, Any]:
        """What the server was sent, if it takes a schema as OpenAI does. Samples differ by their seeds."""
        body = {"model": self.model, **self._content(asked), **asked.sampling, "max_tokens": asked.most}
        if asked.sampling["temperature"]:
            body["seed"] = asked.sample % 2**31
        if asked.schema is not None:
            named = {"name": "answer", "strict": True, "schema": asked.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return body

    def unpredicted(self) -> list[Any]:
        """The entries that no twin has asked for."""
        return [entry for place, entry in self.entries.items() if place not in self.bodies]


def _read(key: str, reply: Values) -> Answer:
    (choice,) = reply["choices"]
    message = choice.get("message") or {"content": choice["text"]}
    return Answer(
        key=key,
        text=message["content"] or "",
        reasoning=message.get("reasoning_content") or "",
        is_cut=choice["finish_reason"] == "length",
    )


class Made(NamedTuple):
    """What a slot made: a row, a step on the way to rows, or nothing of use."""

    row: Values
    keys: tuple[str, ...]
    parents: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    is_step: bool = False


class Verdict(NamedTuple):
    """What became of it; without a reason it is a row that was kept."""

    id: str
    slot: str
    round: int
    row: Values
    reasons: tuple[str, ...]
    keys: tuple[str, ...]
    parents: tuple[str, ...]


@dataclass
class Run:
    """The rows and the rejections of a run, in order."""

    kept: list[Verdict] = field(default_factory=list)
    rejected: list[Verdict] = field(default_factory=list)


Ask = Callable[[Asked], Answer]
Slot = tuple[str, Any]


class Method(Protocol):
    """What a twin says of its recipe."""

    def slots(self, number: int, kept: Sequence[Verdict]) -> list[Slot]:
        """The slots of a round: names, and what there is to do."""

    def work(self, slot: Slot, ask: Ask) -> list[Made]:
        """What comes of a slot."""

    def reasons(self, made: Made, name: str) -> Sequence[str]:
        """Which of the recipe's rules it breaks, of those that need what came before it."""

    def keep(self, row: Values) -> None:
        """A row was kept."""

    def text(self, row: Values) -> str:
        """What checks compare."""


Check = Callable[[str, Sequence[str]], str | None]
"""From a text and those of the rows that were kept to a reason against it."""


def replay(method: Method, book: Book, target: int | None, checks: Sequence[Check] = ()) -> Run:
    """A run, up to its target; None for all that there is.

    Raises:
        Missing: A request that it must have made is not in the journal.
    """
    run, number, texts = Run(), 0, []
    while len(run.kept) != target:
        slots = method.slots(number, run.kept)
        if not slots:
            return run
        while slots and len(run.kept) != target:
            slot = slots.pop(0)
            for place, made in enumerate(method.work(slot, book.ask)):
                if len(run.kept) == target:
                    break
                name = f"{slot[0]}.{place}"
                reasons = tuple(made.reasons or method.reasons(made, name))
                if made.is_step and not reasons:
                    continue
                text = method.text(made.row) if not reasons else ""
                for check in checks:
                    if not reasons and (broken := check(text, texts)):
                        reasons = (broken,)
                verdict = Verdict(name, slot[0], number, made.row, reasons, made.keys, made.parents)
                if reasons:
                    run.rejected.append(verdict)
                else:
                    run.kept.append(verdict)
                    texts.append(text)
                    method.keep(made.row)
        for slot in slots:
            # The rest of the round may have been under way when the target was reached.
            try:
                method.work(slot, book.ask)
            except Missing:
                continue
        number += 1
    return run


def near_duplicate(threshold: float = 0.8) -> Check:
    """Whether a text is a near-duplicate of one that was kept: by exact Jaccard similarity, of all pairs.

    A pair without a band in common is never compared by the package, so it is none here either: of pairs at
    the threshold that is one in 200 at most.
    """
    bands, rows = _reference.choose_banding(threshold)
    shingles: dict[str, set[int]] = {}

    def check(text: str, kept: Sequence[str]) -> str | None:
        for one in (text, *kept):
            if one not in shingles:
                shingles[one] = _reference.shingles(one)
        own = shingles[text]
        for other in kept:
            their = shingles[other]
            similarity = len(own & their) / len(own | their) if own and their else 0.0
            if similarity >= threshold and _share_a_band(own, their, bands, rows):
                return "near_duplicate"
        return None

    return check


def _share_a_band(left: set[int], right: set[int], bands: int, rows: int) -> bool:
    one, two = _reference.signature(left), _reference.signature(right)
    return any(one[at * rows : (at + 1) * rows] == two[at * rows : (at + 1) * rows] for at in range(bands))


def repeats(name: str, texts: Iterable[str], count: int = 13) -> Check:
    """Whether a text has as many words in a row as one of some texts has them."""
    padded = [f" {' '.join(_words(text))} " for text in texts]

    def check(text: str, kept: Sequence[str]) -> str | None:
        words = _words(text)
        runs = (f" {' '.join(words[at : at + count])} " for at in range(len(words) - count + 1))
        return name if any(run in one for run in runs for one in padded) else None

    return check


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def difference(expected: Run, found: Run) -> str | None:
    """The first difference between two runs, in words; None if they are equal."""
    for name in ("kept", "rejected"):
        left, right = getattr(expected, name), getattr(found, name)
        for at, (one, other) in enumerate(zip(left, right, strict=False)):
            for part in Verdict._fields:
                if getattr(one, part) != getattr(other, part):
                    return (
                        f"{name} {at} ({one.id}): {part}: {getattr(one, part)!r} is {getattr(other, part)!r}"
                    )
        if len(left) != len(right):
            return f"{name}: {len(left)} expected, {len(right)} found"
    return None
