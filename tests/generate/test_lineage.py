"""`explain` on generated rows: every request and answer behind a row, kept or rejected."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import thresher as th
from tests.generate.helpers import endpoint
from tests.generate.server import Server
from thresher import cli
from thresher.errors import ParameterError


@pytest.fixture(scope="module", params=["out", "rows.jsonl.zst", "rows.parquet"])
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lineage") / request.param
    with Server("domain") as server:
        th.generate.domain_instructions("law", 80, endpoint=endpoint(server.base_url), output=path)
    return path


def _table(out: Path, name: str) -> list[dict[str, object]]:
    return pq.read_table(out / name if out.is_dir() else f"{out}.{name}").to_pylist()


def test_a_kept_row_tells_what_it_was_made_of(out: Path) -> None:
    row = _table(out, "lineage.parquet")[7]
    found = th.explain(out, str(row["id"]))
    assert found.fate == "kept"
    assert found.report["row"]["id"] == row["id"]
    assert [asked["key"] for asked in found.report["answers"]] == row["answers"]
    last = found.report["answers"][-1]
    assert found.report["row"]["instruction"] in json.dumps(last["answer"]["text"], ensure_ascii=False)
    assert "law" in last["texts"][0][1]
    assert not found.notes
    assert "request 1 of" in str(found)


def test_a_rejected_candidate_tells_why(out: Path) -> None:
    rejected = _table(out, "rejected.parquet")
    assert rejected
    found = th.explain(out, str(rejected[0]["id"]))
    assert (found.fate, found.report["reasons"]) == ("rejected", rejected[0]["reasons"])
    assert found.report["answers"]


def test_without_the_journal_the_rest_is_told(out: Path) -> None:
    journal = out.parent / "answers.journal"
    away = journal.rename(out.parent / "away")
    try:
        found = th.explain(out, str(_table(out, "lineage.parquet")[0]["id"]))
    finally:
        away.rename(journal)
    assert found.fate == "kept"
    assert "is not there" in found.notes[0]


def test_a_row_that_is_not_there_is_an_error(out: Path) -> None:
    with pytest.raises(ParameterError, match="id is `domain-9`"):
        th.explain(out, "domain-9")


def test_the_command_shows_it_and_no_control_reaches_the_terminal(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", str(out), str(_table(out, "lineage.parquet")[0]["id"])])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "recipe domain/1" in said
    assert all(character.isprintable() or character == "\n" for character in said)


def test_a_notebook_has_a_loop_already_and_may_generate_all_the_same() -> None:
    async def cell(base_url: str) -> int:
        return len(th.generate.domain_instructions("law", 5, endpoint=endpoint(base_url)))

    with Server("domain") as server:
        assert asyncio.run(cell(server.base_url)) == 5


def test_a_row_is_found_whatever_its_text_holds(tmp_path: Path) -> None:
    script = tmp_path / "odd.py"
    pair = {
        "instruction": "One\u2028two\u0085three?",
        "response": "A \x0b b \u2029 c",
        "task_type": "explain",
    }
    script.write_text(
        "from tests.generate.scripted.answers import Reply\nIGNORES_SCHEMA = 1.0\n"
        f"def answer(body):\n    return Reply(content={json.dumps([pair])!r})\n"
    )
    with Server(str(script)) as server:
        one = endpoint(server.base_url)
        th.generate.domain_instructions("law", 1, endpoint=one, output=tmp_path / "out")
    found = th.explain(tmp_path / "out", "domain-000000.0")
    assert found.report["row"]["instruction"] == pair["instruction"]
    assert found.report["row"]["response"] == pair["response"]


def test_an_exception_of_the_progress_function_stops_the_run_and_reaches_the_caller(tmp_path: Path) -> None:
    def show(_status: object) -> None:
        raise RuntimeError("enough")

    with Server("domain", latency_ms=100) as server:
        with pytest.raises(RuntimeError, match="enough"):
            th.generate.domain_instructions(
                "law", 5000, endpoint=endpoint(server.base_url), output=tmp_path / "out", progress=show
            )
        assert sum(server.asked().values()) < 1000
    assert not (tmp_path / "out").exists()
