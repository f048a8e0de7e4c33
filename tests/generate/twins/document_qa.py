"""A slow twin of `document-qa`: passages of whole paragraphs, and no row without its quote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.generate.twins.domain import ASKED_AGAIN, records_in
from tests.generate.twins.stated import Ask, Asked, Made, Slot, Values, Verdict, prompt

PARTS = ("question", "answer", "quote")


@dataclass
class DocumentQA:
    """What the twin is told of a run: texts by their ids, and the settings."""

    documents: Mapping[str, str]
    per_passage: int = 3
    passage_chars: int = 3000
    temperature: float = 0.7
    max_tokens: int = 2048
    is_completion = False

    def __post_init__(self) -> None:
        self._kept: list[str] = []
        self._passages = [
            (name, start, text)
            for name, document in self.documents.items()
            for start, text in passages(document, self.passage_chars)
        ]

    def slots(self, number: int, kept: Sequence[Verdict]) -> list[Slot]:
        """The passages, 256 a round."""
        first = 256 * number
        part = enumerate(self._passages[first : first + 256], start=first)
        return [(f"passage-{place:06d}", one) for place, one in part]

    def work(self, slot: Slot, ask: Ask) -> list[Made]:
        """Pairs about a passage; an answer without any is asked for again twice at most."""
        name, start, passage = slot[1]
        text = prompt("document_qa", count=f"{self.per_passage}", passage=passage, title=name)
        keys: tuple[str, ...] = ()
        for again in (0, 1, 2):
            asked = Asked(
                text=text,
                sampling={"temperature": self.temperature},
                most=self.max_tokens,
                cap=8192,
                sample=again * ASKED_AGAIN,
                schema=self._schema(),
            )
            answer = ask(asked)
            keys = (*keys, answer.key)
            if answer.failure is not None:
                return [Made({}, keys[-1:], (name,), (answer.failure,))]
            for said in (answer.text, answer.reasoning):
                pairs = [one for one in records_in(said) if "question" in one or "answer" in one]
                if pairs:
                    return [_judged(pair, name, start, passage, keys) for pair in pairs[: self.per_passage]]
        return [Made({}, keys, (name,), ("unreadable",))]

    def _schema(self) -> Values:
        pair = {
            "type": "object",
            "properties": {part: {"type": "string"} for part in PARTS},
            "required": list(PARTS),
            "additionalProperties": False,
        }
        pairs = {"type": "array", "items": pair, "minItems": 1, "maxItems": self.per_passage}
        return {
            "type": "object",
            "properties": {"pairs": pairs},
            "required": ["pairs"],
            "additionalProperties": False,
        }

    def reasons(self, made: Made, name: str) -> Sequence[str]:
        """A question stands by itself, and is asked once."""
        question = made.row["question"]
        words = re.findall(r"\w+", question.lower())
        for one, other in pairwise(words):
            if one in ("the", "this") and other in ("passage", "text", "excerpt", "document"):
                return ("about_passage",)
        if any(_folded(question) == _folded(one) for one in self._kept):
            return ("same_question",)
        return ()

    def keep(self, row: Values) -> None:
        """A pair was kept."""
        self._kept.append(row["question"])

    def text(self, row: Values) -> str:
        """What checks compare."""
        return f"{row['question']}\n{row['answer']}"


def _judged(pair: Values, name: str, start: int, passage: str, keys: tuple[str, ...]) -> Made:
    for part in PARTS:
        if not isinstance(pair.get(part), str) or pair[part].strip() == "":
            return Made(dict(pair), keys, (name,), (f"{part}_missing",))
    row = {part: pair[part].strip() for part in PARTS}
    place = _find(passage, row["quote"])
    if place is None:
        return Made(row, keys, (name,), ("quote_not_found",))
    first, last = place
    where = {"document": name, "start": start + first, "end": start + last}
    return Made({**row, "quote": passage[first:last], **where}, keys, (name,))


def _find(passage: str, quote: str) -> tuple[int, int] | None:
    """Where a passage has a quote, letter by letter but for blanks: the first place, from each one on."""
    wanted = "".join(quote.strip().strip('"“”').split())
    breaks = _breaks(quote.strip().strip('"“”'))
    for first in range(len(passage)):
        if not wanted or passage[first] != wanted[0]:
            continue
        at, done = first, 0
        while at < len(passage) and done < len(wanted):
            if done in breaks and passage[at].isspace():
                at += 1
            elif passage[at] == wanted[done] and (done not in breaks or passage[at - 1].isspace()):
                at, done = at + 1, done + 1
            else:
                break
        if done == len(wanted):
            return first, at
    return None


def _breaks(quote: str) -> set[int]:
    """Behind how many letters, blanks aside, a quote has a blank."""
    words = quote.split()
    return {sum(map(len, words[:count])) for count in range(1, len(words))}


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text.lower()).strip()


def passages(text: str, most: int) -> list[tuple[int, str]]:
    """Parts of at most so many characters: as many paragraphs as fit, and pieces of one that does not fit."""
    ends = [found.end() for found in re.finditer(r"\n\s*\n", text)]
    parts: list[tuple[int, int]] = []
    start = end = 0
    for stop in (*ends, len(text)):
        if stop - start > most and end > start:
            parts.append((start, end))
            start = end
        while stop - start > most:
            blanks = [at for at in range(start + 1, start + most + 1) if text[at] == " "]
            cut = blanks[-1] if blanks else start + most
            parts.append((start, cut))
            start = cut
        end = stop
    parts.append((start, len(text)))
    found = []
    for first, last in parts:
        piece = text[first:last]
        if piece.strip():
            found.append((first + len(piece) - len(piece.lstrip()), piece.strip()))
    return found
