"""Mutants: small changes of what a recipe does, made while a test runs, each of which its twin has to notice.

Most of them set one name of a module. Where what is to change has no name, `rewrite` changes it in the source
of a function, and fails if the source does not have it.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from thresher.generate import answers, engine
from thresher.generate.novelty import Novelty
from thresher.generate.recipe import shuffled
from thresher.generate.recipes import distill, document_qa, domain, self_instruct
from thresher.generate.recipes import self_instruct_rules as rules

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def rewrite(patch: Patch, owner: Any, name: str, old: str, new: str) -> None:
    """Puts a function in the place of another one whose source differs from it in one place."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, (
        f"`{name}` has `{old}` {source.count(old)} times; this mutant needs a new place"
    )
    made: dict[str, Any] = {}
    # The annotations stay texts, as in the module that the function is from.
    code = "from __future__ import annotations\n" + source.replace(old, new)
    exec(code, function.__globals__, made)  # It is our own source.
    patch.setattr(owner, name, made[name])


def _set(owner: Any, name: str, value: Any) -> Mutant:
    return lambda patch: patch.setattr(owner, name, value)


def _rewritten(owner: Any, name: str, old: str, new: str) -> Mutant:
    return lambda patch: rewrite(patch, owner, name, old, new)


def _by_arrival(patch: Patch) -> None:
    """Slots are merged as they come."""

    async def arriving(self: Any, number: int, slots: Iterator[Any]) -> None:
        async def work(slot: Any) -> tuple[Any, Any]:
            return slot, await self._work(slot)

        for done in asyncio.as_completed([work(slot) for slot in slots]):
            slot, outcomes = await done
            self._merge(number, slot, outcomes)

    patch.setattr(engine.Engine, "_round", arriving)


class _Unshuffled(random.Random):
    """Takes what comes first."""

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        return list(population)[:k]

    def shuffle(self, x: Any) -> None:
        pass


def _without(patch: Patch, reason: str) -> None:
    original = domain.Domain.rules

    def fewer(self: Any, candidate: Any) -> tuple[list[str], str]:
        reasons, detail = original(self, candidate)
        return [one for one in reasons if one != reason], detail

    patch.setattr(domain.Domain, "rules", fewer)


def _four_names(value: Any) -> list[dict[str, Any]]:
    """As the listing of the seed document reads an answer."""
    if isinstance(value, list):
        return [one for one in value if isinstance(one, dict)]
    for name in ("items", "examples", "pairs", "data"):
        if name in value:
            return list(value[name])
    return []


DOMAIN: dict[str, Mutant] = {
    "a short answer is not topped up": _rewritten(
        domain.Domain, "work", "if missing <= 0 or not found:", "if True:"
    ),
    "a top-up asks for all again": _rewritten(
        domain.Domain, "work", "avoided, missing, turn", "avoided, self.per_request, turn"
    ),
    "an unreadable answer is not asked for again": _rewritten(domain, "ask_for", "range(tries)", "range(1)"),
    "wrong task types are accepted": lambda patch: _without(patch, "unknown_task_type"),
    "a response that repeats the instruction is accepted": lambda patch: _without(
        patch, "response_is_instruction"
    ),
    "placeholders are accepted": lambda patch: _without(patch, "placeholder"),
    "nothing is avoided": _set(domain, "AVOIDED", 0),
    "one more is avoided": _set(domain, "AVOIDED", 13),
    "the latest are avoided": _rewritten(
        domain.Domain,
        "slots",
        "chance.sample(kept, min(AVOIDED, len(kept)))",
        "list(kept)[-AVOIDED:]",
    ),
    "task types in one order": _set(domain, "shuffled", lambda *name: _Unshuffled()),
    "one order a round": _set(
        domain, "shuffled", lambda seed, name, place: shuffled(seed, name, place // 16 * 16)
    ),
    "rounds of eight": _set(domain, "ROUND", 8),
    "four names of a list": _set(answers, "_list_in", _four_names),
    "cut answers are dropped": _set(
        domain, "objects", lambda text: answers.objects(text) if _is_whole(text) else []
    ),
    "another temperature": _rewritten(
        domain.Domain, "_request", "sampling=self.sampling", "sampling=Sampling(temperature=1.0)"
    ),
    "the schema has no number": _rewritten(
        domain.Domain, "_schema", '"items": pair, "minItems": count, "maxItems": count', '"items": pair'
    ),
    "texts keep their blanks": _rewritten(domain.Domain, "_candidate", "= value.strip()", "= value"),
    "merged by arrival": _by_arrival,
}
"""Of `domain`, by what they do."""


def _is_whole(text: str) -> bool:
    return text.rstrip().endswith(("}", "]", "```"))


def _seeds_pass(patch: Patch, change: Callable[[Any], Any]) -> None:
    original = self_instruct.SelfInstruct.__init__

    def changed(self: Any, seeds: Any, **more: Any) -> None:
        original(self, change(seeds), **more)

    patch.setattr(self_instruct.SelfInstruct, "__init__", changed)


class _OfPool(Novelty):
    """A novelty rule that looks at what is added behind the seeds alone."""

    seeds = 0

    def __init__(self, threshold: float, tokens: Any) -> None:
        super().__init__(threshold, tokens)
        self._added = 0

    def add(self, text: str) -> None:
        self._added += 1
        if self._added > self.seeds:
            super().add(text)

    def check(self, text: str) -> Any:
        found = super().check(text)
        return None if found is None else (found[0] + self.seeds, found[1])

    def nearest(self, text: str, count: int = 10) -> Any:
        return [(at + self.seeds, score) for at, score in super().nearest(text, count)]


def _pool_only(patch: Patch) -> None:
    def changed(seeds: Any) -> Any:
        _OfPool.seeds = len(seeds)
        return seeds

    _seeds_pass(patch, changed)
    patch.setattr(self_instruct, "Novelty", _OfPool)


def _sampling(**more: Any) -> Mutant:
    def mutant(patch: Patch) -> None:
        changed = msgspec.structs.replace(self_instruct.SAMPLING, **more)
        patch.setattr(self_instruct, "SAMPLING", changed)

    return mutant


_OF_RECIPE = self_instruct.SelfInstruct
SELF_INSTRUCT: dict[str, Mutant] = {
    "five of people and three of the pool": _set(self_instruct, "SHOWN_OF_POOL", 3),
    "eight of people in all rounds": _set(self_instruct, "SHOWN_OF_POOL", 0),
    "nine are shown": _set(self_instruct, "SHOWN", 9),
    "those of the pool come first": _rewritten(_OF_RECIPE, "_instructions", "chance.shuffle(shown)", "pass"),
    "rounds of six": _rewritten(
        _OF_RECIPE, "__init__", '"round_size", round_size,', '"round_size", round_size + 1,'
    ),
    "0.7 is a repetition": _rewritten(
        _OF_RECIPE,
        "__init__",
        "Novelty(threshold=self.threshold",
        f"Novelty(threshold={math.nextafter(0.7, 0)!r}",
    ),
    "new against the pool alone": _pool_only,
    "new against seeds alone": _rewritten(_OF_RECIPE, "take", "self._novelty.add(instruction)", "pass"),
    "filters for seeds": lambda patch: _seeds_pass(
        patch, lambda seeds: [one for one in seeds if not rules.instruction_rules(one.instruction)]
    ),
    "no filter for keywords": _set(rules, "_KEYWORD", re.compile(r"(?!)")),
    "keywords inside of words": _set(rules, "_KEYWORD", re.compile("|".join(rules.KEYWORDS), re.IGNORECASE)),
    "three words are enough": _set(rules, "LEAST_WORDS", 3),
    "inputs first for all": _set(rules, "is_yes", lambda text: False),
    "labels first for all": _set(rules, "is_yes", lambda text: True),
    "cut lists are kept": _rewritten(_OF_RECIPE, "_instructions", "if answer.is_cut:", "if False:"),
    "cut instances are kept": _rewritten(_OF_RECIPE, "_rows", "if answer.is_cut:", "if False:"),
    "contradictions are kept": _set(rules, "contradict", lambda instances: False),
    "outputs may be inputs": _rewritten(rules, "instance_rules", "if given == output:", "if False:"),
    "four instances": _set(self_instruct, "MOST_INSTANCES", 4),
    "instances with a temperature": _set(
        self_instruct, "INSTANCES", msgspec.structs.replace(self_instruct.INSTANCES, temperature=0.7)
    ),
    "no stop sequence": _sampling(stop=()),
    "temperature 1.0": _sampling(temperature=1.0),
    "no penalty": _sampling(presence_penalty=None),
    "small letters, as in the published code": _set(
        rules,
        "instructions",
        lambda text, original=rules.instructions: [one.capitalize() for one in original(text)],
    ),
    "merged by arrival": _by_arrival,
}
"""Of `self-instruct`, by what they do."""

_OF_DISTILL = distill.Distill
DISTILL: dict[str, Mutant] = {
    "no erasing": _rewritten(_OF_DISTILL, "work", '"system": self.student', '"system": system'),
    "no system prompt for the teacher": _rewritten(
        _OF_DISTILL,
        "work",
        'Message(role="system", content=system), Message(role="user", content=task.question)',
        'Message(role="user", content=task.question),',
    ),
    "the map is not looked at": _rewritten(
        _OF_DISTILL, "strategy_of", "self.strategies.get(task.task_type, ", "("
    ),
    "one strategy for all by chance": _rewritten(
        _OF_DISTILL, "strategy_of", '"distill", task.id', '"distill"'
    ),
    "the worst on the examples": _rewritten(
        _OF_DISTILL, "strategy_of", "return max(tried", "return min(tried"
    ),
    "the last of the best": _rewritten(
        _OF_DISTILL, "strategy_of", "max(tried, key", "max(reversed(tried), key"
    ),
    "accuracy over all kinds": _rewritten(
        _OF_DISTILL,
        "take",
        "kind, strategy, is_right = idea.value",
        "kind, (_, strategy, is_right) = '', idea.value",
    ),
    "wrong examples are right": _rewritten(
        _OF_DISTILL, "work", "is None and is_correct", "is None and not is_correct"
    ),
    "mentions are kept": _set(distill, "_MENTIONS", re.compile(r"(?!)")),
    "copies are kept": _set(distill, "copied", lambda *of: ""),
    "eleven words are a copy": _set(distill, "COPIED_WORDS", 11),
    "cut answers are kept": _rewritten(_OF_DISTILL, "work", "if answer.is_cut:", "if False:"),
    "the input is left out": _set(distill.Task, "question", property(lambda task: task.instruction)),
    "another temperature": _rewritten(
        _OF_DISTILL, "work", "sampling=self.sampling", "sampling=Sampling(temperature=1.0)"
    ),
    "merged by arrival": _by_arrival,
}
"""Of `distill`, by what they do."""

_OF_QA = document_qa.DocumentQA
DOCUMENT_QA: dict[str, Mutant] = {
    "quotes are not looked for": _set(document_qa, "find_quote", lambda passage, quote: (0, len(quote))),
    "blanks have to be the same": _set(
        document_qa,
        "find_quote",
        lambda passage, quote: (at, at + len(quote)) if (at := passage.find(quote)) >= 0 else None,
    ),
    "the quote stays as it was written": _rewritten(
        _OF_QA, "_candidate", "passage.text[place[0] : place[1]]", 'row["quote"]'
    ),
    "places in the passage": _rewritten(_OF_QA, "_candidate", "passage.start + at for at", "at for at"),
    "questions about the passage are kept": _set(document_qa, "_ABOUT_PASSAGE", re.compile(r"(?!)")),
    "a question may be asked again": _rewritten(_OF_QA, "keep", "self._seen.add", "str"),
    "passages of half the size": _rewritten(
        _OF_QA,
        "__init__",
        "passages(document, self.passage_chars)",
        "passages(document, self.passage_chars // 2)",
    ),
    "paragraphs are not kept whole": _set(document_qa, "_PARAGRAPH", re.compile(r"(?!)")),
    "two pairs of an answer": _rewritten(
        _OF_QA, "work", "found[: self.per_passage]", "found[: self.per_passage - 1]"
    ),
    "an unreadable answer is not asked for again": _rewritten(
        document_qa, "ask_for", "range(tries)", "range(1)"
    ),
    "the schema has no bound": _rewritten(document_qa, "_schema", ', "maxItems": count', ""),
    "four names of a list": _set(answers, "_list_in", _four_names),
    "the passage has no title": _rewritten(_OF_QA, "work", "title=passage.document", 'title=""'),
    "merged by arrival": _by_arrival,
}
"""Of `document-qa`, by what they do."""

MUTANTS = {"domain": DOMAIN, "self-instruct": SELF_INSTRUCT, "distill": DISTILL, "document-qa": DOCUMENT_QA}
