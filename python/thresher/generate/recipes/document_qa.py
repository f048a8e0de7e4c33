"""Questions and answers grounded in documents: each pair names the words that hold its answer.

A document is cut into passages at the ends of paragraphs. An answer without its quote in the passage, letter
by letter but for blanks, is rejected, so no row rests on what the model made up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from thresher import _params
from thresher.generate import prompts
from thresher.generate.answers import ask_for, objects
from thresher.generate.recipe import Candidate, Recipe, Rejection, Slot, chat_of, of_failure
from thresher.generate.request import Message, Request, Sampling, temperature_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from thresher.generate.recipe import Kept, Row, Work

ROUND = 256
FIELDS = ("question", "answer", "quote", "document", "start", "end")
_PARAGRAPH = re.compile(r"\n\s*\n")
_ABOUT_PASSAGE = re.compile(r"\b(the|this) (passage|text|excerpt|document|article above)\b", re.IGNORECASE)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document.

    Attributes:
        id: Its id.
        text: Its text.
    """

    id: str
    text: str


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a document.

    Attributes:
        document: The document's id.
        start: Its first character in the document.
        text: Its text.
    """

    document: str
    start: int
    text: str


def passages(document: Document, most: int) -> Iterator[Passage]:
    r"""A document in parts of at most so many characters: whole paragraphs, and longer ones cut at blanks.

    >>> [part.text for part in passages(Document(id="d", text="one two\n\nthree\n\nfour five"), 16)]
    ['one two\n\nthree', 'four five']
    """
    text, start, end = document.text, 0, 0
    for stop in [*(found.end() for found in _PARAGRAPH.finditer(text)), len(text)]:
        if stop - start > most and end > start:
            yield from _part(document, start, end)
            start = end
        while stop - start > most:
            cut = text.rfind(" ", start + 1, start + most + 1)
            cut = cut if cut > start else start + most
            yield from _part(document, start, cut)
            start = cut
        end = stop
    yield from _part(document, start, len(text))


def _part(document: Document, start: int, end: int) -> Iterator[Passage]:
    part = document.text[start:end]
    if part.strip():
        lead = len(part) - len(part.lstrip())
        yield Passage(document=document.id, start=start + lead, text=part.strip())


class DocumentQA(Recipe):
    """The recipe.

    Args:
        documents: The documents.
        per_passage: Pairs that a passage is asked for.
        passage_chars: Characters of a passage at most.
        temperature: Of the sampling.
        max_tokens: Tokens of an answer at most.
        own_prompts: Files that replace prompts, by their names.
    """

    name, version = "document-qa", 1
    about = "Questions and answers about documents, each with the words of the document that hold the answer."
    fields: tuple[str, ...] = FIELDS
    is_finite = True

    def __init__(
        self,
        documents: Sequence[Document],
        *,
        per_passage: int = 3,
        passage_chars: int = 3000,
        temperature: float = 0.7,
        max_tokens: int = 2048,
        own_prompts: Mapping[str, str] | None = None,
    ) -> None:
        self.per_passage = _params.whole("per_passage", per_passage, 1, 50)
        self.passage_chars = _params.whole("passage_chars", passage_chars, 100)
        self.passages = [part for document in documents for part in passages(document, self.passage_chars)]
        self.documents = len(documents)
        self.sampling = Sampling(temperature=temperature_of(temperature))
        self.max_tokens = _params.whole("max_tokens", max_tokens, 1)
        prompts.check_names(own_prompts, {"document_qa"})
        self.prompt = prompts.load("document_qa", own_prompts)
        self.a_slot = 0.7 * self.per_passage
        self._seen: set[str] = set()

    def settings(self) -> Mapping[str, Any]:
        """What was asked for."""
        return {
            "documents": self.documents,
            "passages": len(self.passages),
            "per_passage": self.per_passage,
            "passage_chars": self.passage_chars,
            "temperature": self.sampling.temperature,
            "max_tokens": self.max_tokens,
            "prompts": {"document_qa": self.prompt.sha256},
        }

    def deviations(self) -> Sequence[str]:
        """There is no one published method."""
        return ()

    def slots(self, number: int, kept: Sequence[Kept]) -> Iterable[Slot] | None:
        """The passages, in order."""
        first = number * ROUND
        part = self.passages[first : first + ROUND]
        return [Slot(id=f"passage-{first + at:06}", task=one) for at, one in enumerate(part)] or None

    def work(self, slot: Slot) -> Work:
        """Asks for pairs about a passage."""
        passage: Passage = slot.task
        text = self.prompt.fill(count=str(self.per_passage), passage=passage.text, title=passage.document)
        request = Request(
            messages=(Message(role="user", content=text),),
            sampling=self.sampling,
            max_tokens=self.max_tokens,
            schema=_schema(self.per_passage),
            purpose="pairs",
            slot=slot.id,
        )
        found, answers = yield from ask_for(request, _pairs)
        keys, parents = tuple(answer.key for answer in answers), (passage.document,)
        if found is None:
            if answers[-1].failure is not None:
                return [of_failure(answers[-1], "pairs", parents=parents)]
            detail = answers[-1].text[:200]
            return [Rejection(reasons=("unreadable",), detail=detail, keys=keys, parents=parents)]
        return [self._candidate(pair, passage, keys) for pair in found[: self.per_passage]]

    def _candidate(
        self, pair: Mapping[str, Any], passage: Passage, keys: tuple[str, ...]
    ) -> Candidate | Rejection:
        parents = (passage.document,)
        for field in FIELDS[:3]:
            if not isinstance(pair.get(field), str) or not pair[field].strip():
                reason = f"{field}_missing"
                return Rejection(reasons=(reason,), row=dict(pair), keys=keys, parents=parents)
        row: Row = {field: pair[field].strip() for field in FIELDS[:3]}
        place = find_quote(passage.text, row["quote"])
        if place is None:
            return Rejection(reasons=("quote_not_found",), row=row, keys=keys, parents=parents)
        start, end = (passage.start + at for at in place)
        row |= {"quote": passage.text[place[0] : place[1]], "document": passage.document}
        row |= {"start": start, "end": end}
        return Candidate(row=row, keys=keys, parents=parents)

    def rules(self, candidate: Candidate) -> tuple[Sequence[str], str]:
        """A question stands by itself, and is asked once."""
        question = candidate.row["question"]
        if found := _ABOUT_PASSAGE.search(question):
            return ["about_passage"], found[0]
        if " ".join(question.lower().split()) in self._seen:
            return ["same_question"], question[:200]
        return (), ""

    def keep(self, kept: Kept) -> None:
        """Notes a question."""
        self._seen.add(" ".join(kept.row["question"].lower().split()))

    def conversation(self, row: Row) -> Row:
        """The question and its answer."""
        return chat_of(("user", row["question"]), ("assistant", row["answer"]))

    def text(self, row: Row) -> str:
        """Question and answer."""
        return f"{row['question']}\n{row['answer']}"


def _schema(count: int) -> dict[str, Any]:
    text = {"type": "string"}
    names = list(FIELDS[:3])
    pair = {
        "type": "object",
        "properties": dict.fromkeys(names, text),
        "required": names,
        "additionalProperties": False,
    }
    pairs = {"type": "array", "items": pair, "minItems": 1, "maxItems": count}
    return {
        "type": "object",
        "properties": {"pairs": pairs},
        "required": ["pairs"],
        "additionalProperties": False,
    }


def _pairs(text: str) -> list[dict[str, Any]] | None:
    found = [one for one in objects(text) if one.keys() & {"question", "answer"}]
    return found or None


def find_quote(passage: str, quote: str) -> tuple[int, int] | None:
    r"""Where a passage holds a quote, blanks aside; None if it does not.

    >>> find_quote("The sea\nis  salty.", "sea is salty")
    (4, 17)
    """
    words = quote.strip().strip('"“”').split()
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), passage)
    return None if found is None else found.span()
