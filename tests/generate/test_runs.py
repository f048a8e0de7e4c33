"""Whole runs of `thresher generate` as processes: killed, stopped, repeated, beside each other."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import thresher
from tests.generate.processes import command, made, recipes, report, run, until
from tests.generate.server import Server
from thresher.generate.journal import entries

KILLS = 5
REQUESTS = int(os.environ.get("THRESHER_REQUESTS", "375"))
ROWS = {"domain": 4 * REQUESTS, "self-instruct": 2 * REQUESTS // 3}
"""Rows that take about so many requests."""


@pytest.mark.parametrize("name", ["domain", "self-instruct"])
@pytest.mark.timeout(300 if REQUESTS < 1000 else 3600)
def test_kills_change_no_byte_and_nothing_stored_is_asked_again(tmp_path: Path, name: str) -> None:
    recipe = recipes(tmp_path)[name]
    script, rows = name.replace("-", "_"), str(ROWS[name])
    with Server(script, latency_ms=5) as server:
        calm = run(command(server, tmp_path / "calm", "--target", rows, recipe=recipe))
        assert calm.returncode == 0, calm.stderr
    out = tmp_path / "killed" / "out"
    chance = random.Random(7)
    with Server(script, latency_ms=5, faults=0.2, retry_after=0) as server:
        given = command(server, out, "--target", rows, "--max-in-flight", "16", recipe=recipe)
        n_kills = 0
        for _ in range(KILLS):
            process = subprocess.Popen(given, stderr=subprocess.PIPE)
            try:
                process.wait(timeout=chance.uniform(0.8, 2.5) * max(1.0, REQUESTS / 2000))
            except subprocess.TimeoutExpired:
                process.kill()
                n_kills += 1
            process.communicate()
        ended = run(given)
        assert ended.returncode == 0 or "finished result" in ended.stderr, ended.stderr
        answered = server.answered()
    assert n_kills > 0
    assert made(out) == made(tmp_path / "calm")
    assert thresher.verify(out).ok
    # In flight at a kill: each of them may have been answered, and is asked again.
    assert sum(count - 1 for count in answered.values()) <= n_kills * 16
    stored = {entry.key for entry in entries(out.parent / "answers.journal") if entry.answer.failure is None}
    assert len(answered) >= len(stored)


def test_the_same_command_sends_nothing_and_writes_the_same(tmp_path: Path) -> None:
    with Server("domain", faults=0.2, retry_after=0) as server:
        given = command(server, tmp_path / "out", "--target", "40")
        assert run(given).returncode == 0
        before, asked = made(tmp_path / "out"), server.asked()
        refused = run(given)
        assert refused.returncode == 2
        assert "holds the finished result" in refused.stderr
        assert run([*given, "--overwrite", "--max-in-flight", "1"]).returncode == 0
        assert made(tmp_path / "out") == before
        assert server.asked() == asked
        assert report(tmp_path / "out")["requests"]["sent"] == 0
        # A larger target, and other checks, ask only for what is new.
        more = command(server, tmp_path / "more", "--target", "60", "--near-duplicates", "0.7")
        assert run(more).returncode == 0
        assert report(tmp_path / "more")["requests"]["from_journal"] > 0
        assert set(server.answered().values()) == {1}


def test_ctrl_c_publishes_what_there_is_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with Server("domain", latency_ms=20) as server:
        assert run(command(server, tmp_path / "calm", "--target", "200")).returncode == 0
    with Server("domain", latency_ms=150) as server:
        given = command(server, tmp_path / "d" / "out", "--target", "200", "--max-in-flight", "4")
        process = subprocess.Popen(given, stderr=subprocess.PIPE, text=True)
        until(lambda: sum(server.asked().values()) >= 8)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130, errors
        assert "the same command goes on" in errors
        found = report(tmp_path / "d" / "out")
        assert found["complete"] is False
        assert found["stopped"]["reason"] == "interrupted"
        # Everything that was sent was waited for.
        n_stored = sum(1 for _ in entries(tmp_path / "d" / "answers.journal"))
        assert n_stored == sum(server.answered().values()) == sum(server.asked().values())
        assert run(given).returncode == 0
        assert set(server.answered().values()) == {1}
    assert made(tmp_path / "d" / "out") == made(tmp_path / "calm")


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    with Server("domain", latency_ms=60_000) as server:
        given = command(server, tmp_path / "out", "--target", "200", "--timeout-s", "100")
        process = subprocess.Popen(given, stderr=subprocess.PIPE, text=True)
        until(lambda: sum(server.asked().values()) >= 1)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 130, errors
        assert "thresher: interrupted" in errors
        assert not (tmp_path / "out").exists()


def test_another_run_on_the_output_or_the_journal_is_told_so(tmp_path: Path) -> None:
    with Server("domain", latency_ms=3000) as server:
        given = command(server, tmp_path / "out", "--target", "50", "--timeout-s", "30")
        process = subprocess.Popen(given, stderr=subprocess.PIPE)
        try:
            until(lambda: sum(server.asked().values()) >= 1)
            assert run(given).returncode == 75
            other = run(command(server, tmp_path / "other", "--target", "50"))
            assert other.returncode == 75
            assert "the journal" in other.stderr
        finally:
            process.kill()
            process.communicate()
        assert not (tmp_path / "other").exists()


def test_a_budget_stops_the_run_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    with Server("domain", faults=0.2, retry_after=0) as server:
        assert run(command(server, tmp_path / "calm", "--target", "100")).returncode == 0
    with Server("domain", faults=0.2, retry_after=0) as server:
        given = command(server, tmp_path / "d" / "out", "--target", "100")
        small = run([*given, "--budget-requests", "12"])
        assert small.returncode == 130, small.stderr
        assert "the budget of 12 requests is used up" in small.stderr
        assert sum(server.asked().values()) <= 12
        again = run([*given, "--budget-requests", "12"])
        assert again.returncode == 130
        assert sum(server.asked().values()) <= 12, "the sessions of a run share a budget"
        assert run([*given, "--budget-requests", "500"]).returncode == 0
        assert set(server.answered().values()) == {1}
    assert made(tmp_path / "d" / "out") == made(tmp_path / "calm")


def test_a_run_in_which_nothing_new_comes_stops_and_says_so(tmp_path: Path) -> None:
    script = tmp_path / "always.py"
    pair = '{"pairs": [{"instruction": "Why?", "response": "Because.", "task_type": "explain"}]}'
    script.write_text(
        f"from tests.generate.scripted.answers import Reply\nIGNORES_SCHEMA = 1.0\n"
        f"def answer(body):\n    return Reply(content={pair!r})\n"
    )
    with Server(str(script)) as server:
        ended = run(command(server, tmp_path / "out", "--target", "50"))
    assert ended.returncode == 65
    assert "nothing new comes any more" in ended.stderr
    assert "same_instruction" in ended.stderr
    found = report(tmp_path / "out")
    assert found["accounting"]["kept"]["docs"] == 1
    assert found["stopped"]["reason"] == "stalled"


def test_the_key_is_in_no_file_and_in_no_message(tmp_path: Path) -> None:
    key = "sk-secret-0123456789abcdef"
    environment = {**os.environ, "MY_KEY": key}
    with Server("domain", faults=0.2, retry_after=0) as server:
        given = command(server, tmp_path / "out", "--target", "30", "--key-env", "MY_KEY")
        ended = run(given, env=environment)
        assert ended.returncode == 0, ended.stderr
        assert all(line["authorization"] for line in server.log() if line["event"] == "request")
        broken = [
            *given[: given.index("--endpoint") + 1],
            "http://127.0.0.1:1/v1",
            *given[given.index("--model") :],
        ]
        broken[broken.index("-o") + 1] = str(tmp_path / "d" / "other")
        failed = run(broken, env=environment)
    assert failed.returncode == 74
    said = ended.stdout + ended.stderr + failed.stdout + failed.stderr
    assert key not in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 6
    for path in files:
        assert key.encode() not in path.read_bytes(), path


def test_rows_come_in_a_chat_format_and_as_a_table(tmp_path: Path) -> None:
    with Server("domain") as server:
        given = command(server, tmp_path / "chat.parquet", "--target", "12", "--to", "sharegpt")
        assert run(given).returncode == 0
        assert run(command(server, tmp_path / "rows.jsonl.zst", "--target", "12")).returncode == 0
    table = pq.read_table(tmp_path / "chat.parquet")
    assert table.num_rows == 12
    assert [turn["from"] for turn in table["conversations"][0].as_py()] == ["human", "gpt"]
    lineage = pq.read_table(f"{tmp_path / 'chat.parquet'}.lineage.parquet")
    assert lineage["id"].to_pylist() == table["id"].to_pylist()
    keys = {entry.key for entry in entries(tmp_path / "answers.journal")}
    assert {key for row in lineage["answers"].to_pylist() for key in row} <= keys
    assert thresher.verify(tmp_path / "rows.jsonl.zst").ok


def test_a_dry_run_tells_what_the_target_would_take(tmp_path: Path) -> None:
    with Server("domain") as server:
        given = command(server, tmp_path / "out", "--target", "500")
        told = run([*given, "--dry-run", "--price-input", "1", "--price-output", "2"])
        assert told.returncode == 0, told.stderr
        assert "money" in told.stdout
        assert not (tmp_path / "out").exists()
        asked = server.asked()
        assert sum(asked.values()) < 10
        assert run(given).returncode == 0
        assert all(server.asked()[digest] == 1 for digest in asked), "the sample is not asked again"


def test_an_unfinished_result_of_another_recipe_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Server("domain") as server:
        small = run(command(server, out, "--target", "90", "--budget-requests", "3"))
        assert small.returncode == 130, small.stderr
        other = run(command(server, out, "--target", "5", recipe=recipes(tmp_path)["self-instruct"]))
        assert other.returncode == 2
        assert "holds the finished result" in other.stderr
    assert report(out)["verb"] == "generate domain"


def test_a_file_that_is_not_there_is_no_document(tmp_path: Path) -> None:
    with Server("document_qa") as server:
        given = command(server, tmp_path / "out", recipe=("document-qa", str(tmp_path / "handbok.md")))
        ended = run(given)
        assert ended.returncode == 74
        assert "handbok.md" in ended.stderr
        assert not server.asked()
