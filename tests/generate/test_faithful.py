"""The recipes do what is published, to the last request: slow twins recompute each run from its journal.

`tests/generate/twins` has the twins. A mutant of a recipe that its twin does not notice is a gap in these
tests.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import thresher
from tests.generate import mutants
from tests.generate.scripted.answers import digest_of
from tests.generate.scripts import domain as domain_script
from tests.generate.scripts import self_instruct as self_instruct_script
from tests.generate.server import Server
from tests.generate.twins import domain as domain_twin
from tests.generate.twins import runs, stated
from tests.generate.twins import self_instruct as self_instruct_twin
from tests.generate.twins.stated import Book, Run
from thresher.generate import client, journal
from thresher.generate.checks import NearDuplicates
from thresher.generate.endpoint import Endpoint
from thresher.generate.journal import Entry
from thresher.generate.recipes.domain import Domain
from thresher.generate.recipes.self_instruct import SelfInstruct
from thresher.generate.seeds import Seed

DOMAIN = "retrieval for enterprise software"
MANNERS = ("chat", "chat without schemas", "completion")


def seeds() -> dict[str, str]:
    """As many seeds as the paper has, some of which break its filters."""
    chance = random.Random("seeds")
    return {f"seed_task_{place}": self_instruct_script.instruction(chance, []) for place in range(175)}


def followed(
    twin: Any, found: Run, entries: Sequence[Entry], target: int, checks: Sequence[stated.Check]
) -> Book:
    """Holds a twin against a run: rows, rejections, and requests."""
    book = Book(entries, runs.MODEL, is_completion=twin.is_completion)
    expected = stated.replay(twin, book, target, checks)
    assert stated.difference(expected, found) is None
    assert [entry.request for entry in book.unpredicted()] == []
    return book


def run_domain(folder: Path, manner: str, target: int, filtered: float = 0.03) -> tuple[Run, list[Entry]]:
    is_completion = manner == "completion"
    ignores = ("response_format",) if manner == "chat without schemas" else ()
    return runs.driven(
        Domain(DOMAIN, is_completion=is_completion, seed=3),
        runs.Computed(domain_script, ignores, filtered),
        folder,
        target=target,
        is_completion=is_completion,
        checks=[NearDuplicates()],
    )


def follow_domain(folder: Path, manner: str, target: int) -> Run:
    found, entries = run_domain(folder, manner, target)
    twin = domain_twin.Domain(DOMAIN, is_completion=manner == "completion", seed=3)
    followed(twin, found, entries, target, [stated.near_duplicate()])
    return found


def follow_self_instruct(folder: Path, manner: str, target: int) -> Run:
    is_completion = manner == "completion"
    found, entries = runs.driven(
        SelfInstruct(
            [Seed(id=name, instruction=text) for name, text in seeds().items()],
            is_completion=is_completion,
            seed=3,
        ),
        runs.Computed(self_instruct_script, filtered=0.03),
        folder,
        target=target,
        is_completion=is_completion,
        checks=[NearDuplicates()],
    )
    twin = self_instruct_twin.SelfInstruct(seeds(), is_completion=is_completion, seed=3)
    followed(twin, found, entries, target, [stated.near_duplicate()])
    return found


@pytest.mark.parametrize("manner", MANNERS)
def test_domain_asks_and_judges_as_its_twin(tmp_path: Path, manner: str) -> None:
    found = follow_domain(tmp_path, manner, 400)
    seen = Counter(one.reasons[0] for one in found.rejected)
    assert {"response_is_instruction", "response_missing"} <= seen.keys()


@pytest.mark.parametrize("manner", ["chat", "completion"])
def test_self_instruct_asks_and_judges_as_its_twin(tmp_path: Path, manner: str) -> None:
    found = follow_self_instruct(tmp_path, manner, 200)
    seen = Counter(one.reasons[0] for one in found.rejected)
    assert {"not_novel", "keyword", "too_short", "cut_off", "contradiction", "same_instance"} <= seen.keys()
    assert {"output_is_input", "too_many_instances", "no_instances", "write_a_program"} <= seen.keys()


KINDS = "500,502,reset,reset-body,truncated,garbage,error-200,empty-choices"


def served(script: str, manner: str) -> Server:
    """A server a tenth of whose tries fail, and a filter that stops some answers for good."""
    ignores = "response_format" if manner == "chat without schemas" else None
    final = {"final": 0.03, "final_kinds": "content-filter"}
    return Server(script, faults=0.1, kinds=KINDS, ignore=ignores, log_bodies=True, **final)


def follow_files(twin: Any, server: Server, output: Path, checks: Sequence[stated.Check], target: int) -> Run:
    """Holds a twin against the files of a run, its journal, and the log of the server."""
    found = runs.read(output)
    entries = list(journal.entries(output.parent / "answers.journal"))
    book = followed(twin, found, entries, target, checks)
    ends = runs.ends(server.settled())
    assert ends.keys() == {digest_of(body) for body in book.bodies.values()}
    for place, body in book.bodies.items():
        entry, tries = book.entries[place], ends[digest_of(body)]
        if entry.answer.failure is not None:
            assert {one["fault"] for one in tries} == {entry.answer.failure.replace("_", "-")}
        else:
            replies = [one["reply"] for one in tries if (one["event"], one["fault"]) == ("sent", "ok")]
            assert replies == [entry.raw.decode()]
    return found


def endpoint(server: Server, manner: str) -> Endpoint:
    return Endpoint(server.base_url, runs.MODEL, api="completion" if manner == "completion" else "chat")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.001)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("manner", MANNERS)
def test_the_twin_of_domain_follows_a_server_with_faults(tmp_path: Path, manner: str) -> None:
    with served("domain", manner) as server:
        thresher.generate.domain_instructions(
            DOMAIN, 300, endpoint=endpoint(server, manner), output=tmp_path / "out", seed=3
        )
        twin = domain_twin.Domain(DOMAIN, is_completion=manner == "completion", seed=3)
        found = follow_files(twin, server, tmp_path / "out", [stated.near_duplicate()], 300)
    assert {"content_filter", "response_missing"} <= {one.reasons[0] for one in found.rejected}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("manner", ["chat", "completion"])
def test_the_twin_of_self_instruct_follows_a_server_with_faults(tmp_path: Path, manner: str) -> None:
    own = seeds()
    with served("self_instruct", manner) as server:
        thresher.generate.self_instruct(
            [{"id": name, "instruction": text} for name, text in own.items()],
            endpoint=endpoint(server, manner),
            output=tmp_path / "out",
            target=300,
            seed=3,
        )
        twin = self_instruct_twin.SelfInstruct(own, is_completion=manner == "completion", seed=3)
        checks = [stated.repeats("seed_overlap", own.values()), stated.near_duplicate()]
        found = follow_files(twin, server, tmp_path / "out", checks, 300)
    assert {"content_filter", "not_novel", "contradiction"} <= {one.reasons[0] for one in found.rejected}
    shown = runs.column(tmp_path / "out" / "rejected.parquet", "detail")
    assert twin.similar
    assert twin.similar == {name: shown[name] for name in twin.similar}
    notes = runs.column(tmp_path / "out" / "lineage.parquet", "notes")
    for one in found.kept[::20]:
        assert_most_similar(twin, one, json.loads(notes[one.id])["most_similar"])


def assert_most_similar(twin: self_instruct_twin.SelfInstruct, row: stated.Verdict, told: Any) -> None:
    """The ten most similar instructions that were there before a row's instruction, and how similar."""
    names = [task.name for task in twin.pool]
    before = twin.pool[: names.index(row.parents[0])]
    known = [*twin.seeds.values(), *(task.instruction for task in before)]
    scores = {other: self_instruct_twin.rouge_l(row.row["instruction"], other) for other in known}
    assert [score for _, score in told] == [round(one, 6) for one in sorted(scores.values())[:-11:-1]]
    assert all(round(scores[other], 6) == score for other, score in told)


def follow_all(follow: Callable[..., Run], folder: Path, manners: Sequence[str], target: int) -> None:
    for manner in manners:
        follow(folder / manner, manner, target)


@pytest.mark.parametrize("name", mutants.DOMAIN)
def test_a_mutant_of_domain_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutants.DOMAIN[name](monkeypatch)
    with pytest.raises((AssertionError, stated.Missing)):
        follow_all(follow_domain, tmp_path, MANNERS, 120)


@pytest.mark.parametrize("name", mutants.SELF_INSTRUCT)
def test_a_mutant_of_self_instruct_is_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutants.SELF_INSTRUCT[name](monkeypatch)
    with pytest.raises((AssertionError, stated.Missing)):
        follow_all(follow_self_instruct, tmp_path, ("completion", "chat"), 100)
