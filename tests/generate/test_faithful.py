"""The recipes do what is published, to the last request: slow twins recompute each run from its journal.

`tests/generate/twins` has the twins. A mutant of a recipe that its twin does not notice is a gap in these
tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import thresher
from tests.generate import mutants
from tests.generate.scripted.answers import digest_of
from tests.generate.server import Server
from tests.generate.twins import distill, document_qa, domain, follow, runs, self_instruct, stated
from tests.generate.twins.stated import Run
from thresher.generate import client, journal
from thresher.generate.endpoint import Endpoint

TARGETS: dict[str, int | None] = {"domain": 400, "self-instruct": 200, "distill": None, "document-qa": None}
SEEN = {
    "domain": {"response_is_instruction", "response_missing"},
    "self-instruct": {
        *("not_novel", "keyword", "too_short", "write_a_program", "cut_off", "contradiction"),
        *("same_instance", "output_is_input", "too_many_instances", "no_instances"),
    },
    "distill": {"mentions_instructions", "cut_off", "content_filter"},
    "document-qa": {"quote_not_found", "quote_missing", "about_passage", "same_question"},
}
"""Rejections that have to be among those of each run, by recipe."""


@pytest.mark.parametrize(
    ("recipe", "manner"),
    [(recipe, manner) for recipe, (_, manners) in follow.FOLLOWERS.items() for manner in manners],
)
def test_a_recipe_asks_and_judges_as_its_twin(tmp_path: Path, recipe: str, manner: str) -> None:
    found = follow.FOLLOWERS[recipe][0](tmp_path, manner, TARGETS[recipe])
    assert SEEN[recipe] <= {one.reasons[0] for one in found.rejected}


KINDS = "500,502,reset,reset-body,truncated,garbage,error-200,empty-choices"


def served(script: str, manner: str = "chat") -> Server:
    """A server a tenth of whose tries fail, and a filter that stops some answers for good."""
    ignores = "response_format" if manner == "chat without schemas" else None
    final = {"final": 0.03, "final_kinds": "content-filter"}
    return Server(script, faults=0.1, kinds=KINDS, ignore=ignores, log_bodies=True, **final)


def follow_files(
    twin: Any, server: Server, output: Path, checks: Sequence[stated.Check], target: int | None = None
) -> Run:
    """Holds a twin against the files of a run, its journal, and the log of the server."""
    found = runs.read(output)
    book = follow.held(twin, found, journal.entries(output.parent / "answers.journal"), checks, target)
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


def endpoint(server: Server, manner: str = "chat") -> Endpoint:
    return Endpoint(server.base_url, runs.MODEL, api="completion" if manner == "completion" else "chat")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.001)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("manner", follow.FOLLOWERS["domain"][1])
def test_the_twin_of_domain_follows_a_server_with_faults(tmp_path: Path, manner: str) -> None:
    with served("domain", manner) as server:
        thresher.generate.domain_instructions(
            follow.DOMAIN, 300, endpoint=endpoint(server, manner), output=tmp_path / "out", seed=3
        )
        twin = domain.Domain(follow.DOMAIN, is_completion=manner == "completion", seed=3)
        found = follow_files(twin, server, tmp_path / "out", [stated.near_duplicate()], 300)
    assert {"content_filter", "response_missing"} <= {one.reasons[0] for one in found.rejected}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("manner", follow.FOLLOWERS["self-instruct"][1])
def test_the_twin_of_self_instruct_follows_a_server_with_faults(tmp_path: Path, manner: str) -> None:
    own = follow.seeds()
    with served("self_instruct", manner) as server:
        thresher.generate.self_instruct(
            [{"id": name, "instruction": text} for name, text in own.items()],
            endpoint=endpoint(server, manner),
            output=tmp_path / "out",
            target=300,
            seed=3,
        )
        twin = self_instruct.SelfInstruct(own, is_completion=manner == "completion", seed=3)
        checks = [stated.repeats("seed_overlap", own.values()), stated.near_duplicate()]
        found = follow_files(twin, server, tmp_path / "out", checks, 300)
    assert {"content_filter", "not_novel", "contradiction"} <= {one.reasons[0] for one in found.rejected}
    shown = runs.column(tmp_path / "out" / "rejected.parquet", "detail")
    assert twin.similar
    assert twin.similar == {name: shown[name] for name in twin.similar}
    notes = runs.column(tmp_path / "out" / "lineage.parquet", "notes")
    for one in found.kept[::20]:
        assert_most_similar(twin, one, json.loads(notes[one.id])["most_similar"])


def assert_most_similar(twin: self_instruct.SelfInstruct, row: stated.Verdict, told: Any) -> None:
    """The ten most similar instructions that were there before a row's instruction, and how similar."""
    names = [task.name for task in twin.pool]
    before = twin.pool[: names.index(row.parents[0])]
    known = [*twin.seeds.values(), *(task.instruction for task in before)]
    scores = {other: self_instruct.rouge_l(row.row["instruction"], other) for other in known}
    assert [score for _, score in told] == [round(one, 6) for one in sorted(scores.values())[:-11:-1]]
    assert all(round(scores[other], 6) == score for other, score in told)


@pytest.mark.usefixtures("at_once")
def test_the_twin_of_distill_follows_a_server_with_faults(tmp_path: Path) -> None:
    own, dev = follow.tasks("task", 100), follow.tasks("example", 20)
    with served("explain") as server:
        thresher.generate.distill(
            own, endpoint=endpoint(server), output=tmp_path / "out", choose="dev", dev=dev
        )
        twin = distill.Distill(own, choose="dev", dev=dev)
        follow_files(twin, server, tmp_path / "out", [stated.near_duplicate()])


@pytest.mark.usefixtures("at_once")
def test_the_twin_of_document_qa_follows_a_server_with_faults(tmp_path: Path) -> None:
    own = follow.documents()
    with served("document_qa") as server:
        thresher.generate.document_qa(
            [{"id": name, "text": text} for name, text in own.items()],
            endpoint=endpoint(server),
            output=tmp_path / "out",
        )
        twin = document_qa.DocumentQA(own)
        follow_files(twin, server, tmp_path / "out", [stated.near_duplicate()])


def follow_all(
    follower: Callable[..., Run], manners: Sequence[str], folder: Path, target: int | None
) -> None:
    for manner in manners:
        follower(folder / manner, manner, target)


@pytest.mark.parametrize(
    ("recipe", "name"), [(recipe, name) for recipe, known in mutants.MUTANTS.items() for name in known]
)
def test_a_mutant_is_noticed(recipe: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutants.MUTANTS[recipe][name](monkeypatch)
    target = {"domain": 120, "self-instruct": 100}.get(recipe)
    with pytest.raises((AssertionError, stated.Missing)):
        follow_all(*follow.FOLLOWERS[recipe], tmp_path, target)


def test_an_answer_may_speak_of_prompts_if_the_task_does(tmp_path: Path) -> None:
    script = tmp_path / "tells.py"
    script.write_text(
        "from tests.generate.scripted.answers import Reply\n"
        "def answer(body):\n    return Reply(content='The system prompt says what a model has to do.')\n"
    )
    tasks = ["What is a system prompt?", "What is a tide?"]
    with Server(str(script)) as server:
        found = thresher.generate.distill(tasks, endpoint=endpoint(server), near_duplicates=None)
    assert [row["instruction"] for row in found] == tasks[:1]
    assert found.rejected == {"mentions_instructions": 1}
