"""Each recipe with its twin: the same settings for both, a run in this process, and no difference."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.generate.scripted.words import NOUNS, paragraph
from tests.generate.scripts import document_qa as document_qa_script
from tests.generate.scripts import domain as domain_script
from tests.generate.scripts import explain as explain_script
from tests.generate.scripts import self_instruct as self_instruct_script
from tests.generate.twins import distill, document_qa, domain, runs, self_instruct, stated
from tests.generate.twins.stated import Book, Run
from thresher.generate.checks import NearDuplicates
from thresher.generate.journal import Entry
from thresher.generate.recipes.distill import Distill, Task
from thresher.generate.recipes.document_qa import Document, DocumentQA
from thresher.generate.recipes.domain import Domain
from thresher.generate.recipes.self_instruct import SelfInstruct
from thresher.generate.seeds import Seed

DOMAIN = "retrieval for enterprise software"
FILTERED = 0.03
SEED = 3


def held(
    twin: Any,
    found: Run,
    entries: Iterable[Entry],
    checks: Sequence[stated.Check],
    target: int | None = None,
    model: str = runs.MODEL,
) -> Book:
    """Holds a twin against a run: rows, rejections, and requests; gives the requests.

    Raises:
        AssertionError: Something differs.
        stated.Missing: A request was not made.
    """
    book = Book(entries, model, is_completion=twin.is_completion)
    expected = stated.replay(twin, book, target, checks)
    assert stated.difference(expected, found) is None
    assert [entry.request for entry in book.unpredicted()] == []
    return book


def _driven(recipe: Any, twin: Any, transport: runs.Computed, folder: Path, target: int | None = None) -> Run:
    checks = [NearDuplicates()]
    found, entries = runs.driven(
        recipe, transport, folder, target=target, is_completion=twin.is_completion, checks=checks
    )
    held(twin, found, entries, [stated.near_duplicate()], target)
    return found


def follow_domain(folder: Path, manner: str, target: int) -> Run:
    """`domain`; the manner is `chat`, `chat without schemas` or `completion`."""
    is_completion = manner == "completion"
    return _driven(
        Domain(DOMAIN, is_completion=is_completion, seed=SEED),
        domain.Domain(DOMAIN, is_completion=is_completion, seed=SEED),
        runs.Computed(domain_script, _ignored(manner), FILTERED),
        folder,
        target,
    )


def _ignored(manner: str) -> Sequence[str]:
    return ("response_format",) if manner == "chat without schemas" else ()


def seeds() -> dict[str, str]:
    """As many seeds as the paper has, some of which break its filters."""
    random_ = random.Random("seeds")
    return {f"seed_task_{place}": self_instruct_script.instruction(random_, []) for place in range(175)}


def follow_self_instruct(folder: Path, manner: str, target: int) -> Run:
    """`self-instruct`; the manner is `chat` or `completion`."""
    is_completion = manner == "completion"
    own = seeds()
    return _driven(
        SelfInstruct(
            [Seed(id=name, instruction=text) for name, text in own.items()],
            is_completion=is_completion,
            seed=SEED,
        ),
        self_instruct.SelfInstruct(own, is_completion=is_completion, seed=SEED),
        runs.Computed(self_instruct_script, filtered=FILTERED),
        folder,
        target,
    )


def tasks(name: str, count: int) -> list[dict[str, str]]:
    """Sums, as tasks of three kinds."""
    chance, found = random.Random(name), []
    for place in range(count):
        a, b, kind = chance.randint(2, 99), chance.randint(2, 99), chance.choice(("sum", "story", ""))
        asked = (
            f"Tom has {a} + {b} apples. How many are {place}?" if kind == "story" else f"What is {a} + {b}?"
        )
        given = chance.choice(("", f"Think of a {chance.choice(NOUNS)}."))
        task = {"id": f"{name}:{place}", "instruction": asked, "input": given}
        found.append({**task, "task_type": kind, "output": f"{a + b}"})
    return found


def _tasks_of(rows: Sequence[dict[str, str]]) -> list[Task]:
    return [
        Task(answer=row["output"], **{name: row[name] for name in row if name != "output"}) for row in rows
    ]


def follow_distill(folder: Path, manner: str, target: int | None = None) -> Run:
    """`distill`; the manner is how a strategy is chosen."""
    own, dev, strategies = tasks("task", 200), tasks("example", 40), {"sum": "direct_answer"}
    return _driven(
        Distill(_tasks_of(own), choose=manner, strategies=strategies, dev=_tasks_of(dev), seed=SEED),
        distill.Distill(own, choose=manner, strategies=strategies, dev=dev, seed=SEED),
        runs.Computed(explain_script, filtered=FILTERED),
        folder,
        target,
    )


def documents() -> dict[str, str]:
    """Documents of paragraphs of many lengths."""
    chance = random.Random("documents")
    return {
        f"document {place}": "\n\n".join(
            paragraph(chance, chance.randint(1, 12)) for _ in range(chance.randint(1, 8))
        )
        for place in range(30)
    }


def follow_document_qa(folder: Path, manner: str, target: int | None = None) -> Run:
    """`document-qa`; the manner is `chat` or `chat without schemas`."""
    own = documents()
    return _driven(
        DocumentQA([Document(id=name, text=text) for name, text in own.items()], passage_chars=700),
        document_qa.DocumentQA(own, passage_chars=700),
        runs.Computed(document_qa_script, _ignored(manner), FILTERED),
        folder,
        target,
    )


FOLLOWERS: dict[str, tuple[Callable[..., Run], Sequence[str]]] = {
    "domain": (follow_domain, ("chat", "chat without schemas", "completion")),
    "self-instruct": (follow_self_instruct, ("completion", "chat")),
    "distill": (follow_distill, ("dev", "map", "random")),
    "document-qa": (follow_document_qa, ("chat", "chat without schemas")),
}
"""By recipe: what follows it, and its manners."""
