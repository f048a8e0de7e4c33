"""A recipe of one's own: what it has to say, what it gets, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

import thresher as th
from tests.generate.helpers import endpoint
from tests.generate.server import Server
from thresher.errors import ParameterError


class Words(th.generate.Recipe):
    """A row for each word, a step before it, and one that is refused."""

    name, fields, is_finite = "words", ("word", "reply"), True

    def __init__(self, words: Sequence[str]) -> None:
        self.words, self.taken = list(words), list[str]()

    def slots(self, number: int, kept: Sequence[Any]) -> Iterable[th.generate.Slot] | None:
        return None if number else [th.generate.Slot(id=f"word-{one}", task=one) for one in self.words]

    def work(self, slot: th.generate.Slot) -> Any:
        asked = th.generate.Message(role="user", content=f"Say {slot.task}.")
        (answer,) = yield [
            th.generate.Request(messages=(asked,), sampling=th.generate.Sampling(temperature=0))
        ]
        row = {"word": slot.task, "reply": answer.text}
        return [th.generate.Candidate(row=row, keys=(answer.key,), notes={"length": len(answer.text)})]

    def rules(self, candidate: th.generate.Candidate) -> tuple[Sequence[str], str]:
        return (["short"], candidate.row["word"]) if len(candidate.row["word"]) < 3 else ((), "")


def test_it_has_what_every_recipe_has(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Server("echo", faults=0.3, retry_after=0) as server:
        given: dict[str, Any] = {
            "endpoint": endpoint(server.base_url),
            "near_duplicates": None,
            "output": out,
        }
        rows = th.generate.run(Words(["stone", "of", "river"]), **given)
        assert [row["word"] for row in rows] == ["stone", "river"]
        assert rows.rejected == {"short": 1}
        assert th.verify(out).ok
        before = (out / "data" / "rows.jsonl").read_bytes()
        again = th.generate.run(Words(["stone", "of", "river"]), overwrite=True, **given)
        chats = th.generate.run(Words(["stone"]), **{**given, "output": None, "to": "openai"})
        assert [turn["role"] for turn in next(iter(chats))["messages"]] == ["user", "assistant"]
    assert again.report["requests"]["sent"] == 0
    assert (out / "data" / "rows.jsonl").read_bytes() == before
    assert again.report["verb"] == "generate words"
    assert "Say stone." in str(th.explain(out, "word-stone.0"))


class Nameless(Words):
    name = ""


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        (object(), {}, "a class of your own below th.generate.Recipe"),
        (Nameless(["stone"]), {}, "the recipe Nameless has no `name`"),
        (Words(["stone"]), {"prompts": {"a": "b"}}, "has its prompts already"),
    ],
)
def test_what_is_no_recipe_is_refused(recipe: Any, options: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        th.generate.run(recipe, endpoint=endpoint("http://127.0.0.1:1/v1"), **options)


def test_ideas_need_somebody_who_takes_them() -> None:
    class Ideas(Words):
        def work(self, slot: th.generate.Slot) -> Any:
            yield []
            return [th.generate.Idea(value=slot.task)]

    with Server("echo") as server, pytest.raises(NotImplementedError, match="`words` makes ideas"):
        th.generate.run(Ideas(["stone"]), endpoint=endpoint(server.base_url))
