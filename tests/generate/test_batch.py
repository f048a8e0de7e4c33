"""Batches: the same rows as without, each line read for what it is, prices, files for others."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import thresher as th
from tests.generate.batches import TASKS, ask, batches, distilled, lines, singly, spent, under_way
from tests.generate.helpers import endpoint, question
from tests.generate.processes import command, made, recipes, report, run
from tests.generate.server import Server
from thresher.errors import ParameterError
from thresher.generate.batching import BatchClient
from thresher.generate.batching import client as batching
from thresher.generate.budget import Budget, Purse
from thresher.generate.faults import EndpointError, Stopped
from thresher.generate.journal import Spent
from thresher.generate.request import Sampling


@pytest.mark.parametrize("name", ["domain", "self-instruct"])
@pytest.mark.timeout(120)
def test_the_rows_are_those_of_single_requests(tmp_path: Path, name: str) -> None:
    recipe, script = recipes(tmp_path)[name], name.replace("-", "_")
    with Server(script) as server:
        given = command(server, tmp_path / "calm" / "out", "--target", "40", recipe=recipe)
        assert run(given).returncode == 0
    with Server(script, batch_polls=1, batch_errors=0.2, batch_faults=0.1) as server:
        given = command(server, tmp_path / "by" / "out", "--target", "40", "--batch", recipe=recipe)
        ended = run(given)
        assert ended.returncode == 0, ended.stderr
        assert singly(server) == 0
        assert set(server.answered().values()) == {1}
        n_batches = len(batches(server))
        # All of it is in the journal: the same again takes no batch.
        assert run([*given, "--overwrite"]).returncode == 0
        assert len(batches(server)) == n_batches
    assert made(tmp_path / "by" / "out") == made(tmp_path / "calm" / "out")
    assert report(tmp_path / "by" / "out")["config"]["batch"] is True
    assert under_way(tmp_path / "by" / "answers.journal") == 0


def test_slots_that_do_not_depend_on_each_other_are_one_batch(tmp_path: Path) -> None:
    with Server("echo", batch_polls=1) as server:
        assert run(distilled(server, tmp_path / "d" / "out", "--batch")).returncode == 0
        (batch,) = batches(server)
    assert batch["request_counts"]["total"] == len(TASKS)


def test_a_batch_waits_for_who_still_asks(tmp_path: Path) -> None:
    tasks = []

    async def one_after_another(client: BatchClient) -> None:
        for number in range(12):
            tasks.append(asyncio.create_task(client.ask(client.lines[0], question(f"late {number}"))))
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)

    with Server("echo", batch_polls=1) as server:
        ask(server.base_url, tmp_path / "journal", ["early"], during=one_after_another)
        assert [batch["request_counts"]["total"] for batch in batches(server)] == [13]


def test_each_line_of_an_output_is_read_for_what_it_is(tmp_path: Path) -> None:
    texts, folder, journal = (
        ["good", "bad", "busy", "late", "lost"],
        tmp_path / "batches",
        tmp_path / "journal",
    )
    url = "http://127.0.0.1:1/v1"
    found, _ = ask(url, journal, texts, folder=str(folder))
    assert all(isinstance(one, Stopped) for one in found)
    names = {
        line["body"]["messages"][0]["content"]: line["custom_id"]
        for line in map(json.loads, (folder / "requests-0001.jsonl").read_text().splitlines())
    }
    choice = {"message": {"content": "an answer"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    answered = {"status_code": 200, "body": {"choices": [choice], "usage": usage}}
    refused = {"status_code": 400, "body": {"error": {"message": "it is too odd", "code": "odd"}}}
    rows = [
        {"custom_id": names["bad"], "response": refused, "error": None},
        {"custom_id": "unknown-1", "response": answered, "error": None},
        {
            "custom_id": names["busy"],
            "response": {"status_code": 500, "body": None},
            "error": {"message": "x"},
        },
        {"custom_id": names["good"], "response": answered, "error": None},
        {"custom_id": names["good"], "response": refused, "error": None},
    ]
    (folder / "answers-0001.jsonl").write_text("no JSON\n" + "".join(json.dumps(row) + "\n" for row in rows))
    expired = {
        "custom_id": names["late"],
        "response": None,
        "error": {"code": "batch_expired", "message": "x"},
    }
    (folder / "errors-0001.jsonl").write_text(json.dumps(expired) + "\n")
    found, client = ask(url, journal, texts, folder=str(folder))
    assert [getattr(one, "text", None) for one in found] == ["an answer", "", None, None, None]
    assert found[1].failure == "bad_request"
    rest = [
        json.loads(line)["custom_id"] for line in (folder / "requests-0002.jsonl").read_text().splitlines()
    ]
    assert sorted(rest) == sorted(names[text] for text in ("busy", "late", "lost"))
    # The answer as counted, failures as requests, nothing for what was not begun, the next batch in full.
    next_batch = [_reserved(text, th.generate.Price()) for text in ("busy", "late", "lost")]
    assert spent(journal) == sum(next_batch, Spent(requests=3, input_tokens=3, output_tokens=2))
    assert client.purse.spent == Spent(requests=3, input_tokens=3, output_tokens=2)


def test_batches_take_the_batch_price_and_no_more_than_the_budget(tmp_path: Path) -> None:
    price = th.generate.Price(input=1_000_000.0, output=2_000_000.0, batch=0.5)
    texts = [f"question {number}" for number in range(12)]
    with Server("echo", batch_polls=1) as server:
        found, client = ask(server.base_url, tmp_path / "all", texts, price=price)
        took = client.purse.spent
        counted = sum(answer.usage.input + 2 * answer.usage.output for answer in found)
        assert took.money == pytest.approx(counted / 2)
        at_most = max(_reserved(text, price).money for text in texts)
        # Not all fit at their most, but one after the other they do.
        enough = Budget(money=took.money + 1.01 * at_most)
        found, client = ask(server.base_url, tmp_path / "enough", texts, price=price, budget=enough)
        assert not any(isinstance(one, Stopped) for one in found)
        assert client.purse.spent == took
        asked = len(lines(server))
        little = Budget(money=took.money / 2)
        found, client = ask(server.base_url, tmp_path / "little", texts, price=price, budget=little)
        assert client.purse.spent.money <= took.money / 2
        assert all(isinstance(one, Stopped) for one in found)
        assert "is used up" in str(found[0])
        assert len(lines(server)) == asked
        few = Budget(requests=5)
        found, client = ask(server.base_url, tmp_path / "few", texts, price=price, budget=few)
        assert sum(isinstance(one, Stopped) for one in found) == 7
        assert spent(tmp_path / "few").requests == 5


def _reserved(text: str, price: th.generate.Price) -> Spent:
    return Purse(Budget(), Spent()).reserve(
        endpoint("http://127.0.0.1:1/v1", price=price), question(text), is_batch=True
    )


def test_what_expired_costs_nothing_and_comes_with_the_next_batch(tmp_path: Path) -> None:
    texts = [f"question {number}" for number in range(30)]
    with Server("echo", batches="expire,complete", batch_polls=1) as server:
        found, client = ask(server.base_url, tmp_path / "journal", texts)
        assert [answer.failure for answer in found] == [None] * 30
        counts = [batch["request_counts"]["total"] for batch in reversed(batches(server))]
        assert counts[0] == 30
        assert 0 < counts[1] < 30
        assert set(server.answered().values()) == {1}
    assert spent(tmp_path / "journal").requests == 30
    assert client.purse.reserved == Spent()


def test_a_batch_that_is_too_much_for_now_is_cut_in_halves(tmp_path: Path) -> None:
    with Server("echo", batches="fail,complete", batch_polls=1) as server:
        found, _ = ask(server.base_url, tmp_path / "journal", [f"question {n}" for n in range(8)])
        assert [answer.failure for answer in found] == [None] * 8
        assert [batch["request_counts"]["total"] for batch in reversed(batches(server))] == [8, 4, 4]


@pytest.mark.parametrize(("name", "value"), [("MOST_LINES", 7), ("MOST_BYTES", 1500)])
def test_what_is_more_than_a_batch_may_hold_is_several_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(batching, name, value)
    texts = [f"question {number:03}" for number in range(20)]
    seen = []

    async def until_there(client: BatchClient) -> None:
        while not client.in_flight:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        seen.append(client.in_flight)

    with Server("echo", batch_polls=3) as server:
        found, client = ask(server.base_url, tmp_path / "journal", texts, during=until_there)
        assert [answer.failure for answer in found] == [None] * 20
        sizes = [batch["request_counts"]["total"] for batch in batches(server)]
    assert seen == [20]
    assert sum(sizes) == 20
    assert len(sizes) >= 3
    assert max(sizes) <= 7
    assert client.tally.sent == 20


def test_an_endpoint_whose_batches_give_nothing_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "_FIRST_REST_S", 0.01)
    monkeypatch.setattr(batching, "_LONGER", 1.0)
    with Server("echo", batches="fail", batch_polls=1) as server:
        # One request: of two batches the other could be under way at the end, and count as spent.
        found, _ = ask(server.base_url, tmp_path / "journal", ["one"])
        assert all(isinstance(one, EndpointError) for one in found)
        assert "Enqueued token limit reached" in str(found[0])
        assert len(batches(server)) == batching.MOST_BARREN
    assert spent(tmp_path / "journal") == Spent()


def test_a_server_without_the_batch_api_is_told_of_with_what_else_to_do(tmp_path: Path) -> None:
    script = tmp_path / "bare.py"
    script.write_text(
        "import http.server\n"
        "class Bare(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        self.rfile.read(int(self.headers['Content-Length']))\n"
        "        self.send_error(404)\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), Bare)\n"
        "print(server.server_port, flush=True)\n"
        "server.serve_forever()\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        found, _ = ask(f"http://127.0.0.1:{port}/v1", tmp_path / "journal", ["one"])
    finally:
        process.kill()
        process.communicate()
    assert isinstance(found[0], EndpointError)
    assert "has no batch API" in str(found[0])
    assert "--batch-files" in str(found[0])


def test_what_an_endpoint_refuses_is_left_out_of_the_next_batch_and_noted(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    requests = {"schema": schema, "sampling": Sampling(presence_penalty=0.5)}
    refuse = "response_format,presence_penalty"
    with Server("echo", refuse=refuse, batch_polls=1) as server:
        (answer,), _ = ask(server.base_url, tmp_path / "journal", ["one"], requests=requests)
        assert answer.failure is None
        assert answer.mode == "structured_outputs"
        assert answer.changes == ("presence_penalty left out",)
        # What was found out of schemas is known from now on.
        n_batches = len(batches(server))
        ask(server.base_url, tmp_path / "journal", ["two"], requests={"schema": schema})
        assert len(batches(server)) == n_batches + 1
        (refused,), _ = ask(server.base_url, tmp_path / "strict", ["three"], requests=requests, strict=True)
        assert isinstance(refused, ParameterError)


@pytest.mark.timeout(60)
def test_files_for_others_are_merged_by_the_same_command(tmp_path: Path) -> None:
    with Server("echo") as server:
        assert run(distilled(server, tmp_path / "calm" / "out")).returncode == 0
    folder = tmp_path / "batches"
    with Server("echo") as server:
        given = distilled(server, tmp_path / "d" / "out", "--batch-files", str(folder))
        ended = run(given)
        assert ended.returncode == 130
        requests, answers = folder / "requests-0001.jsonl", folder / "answers-0001.jsonl"
        assert f"vllm run-batch -i {requests} -o {answers} --model scripted-1" in ended.stderr
        content = requests.read_bytes()
        assert len(content.splitlines()) == len(TASKS)
        # Nothing changes until there are answers; a file that a kill has taken is written again.
        requests.unlink()
        assert run(given).returncode == 130
        assert requests.read_bytes() == content
        assert [path.name for path in folder.iterdir()] == [requests.name]
        # The first run of others comes to a half of it, with a line that was cut off.
        _run_batch(server, content, answers, half=True)
        assert run(given).returncode == 130
        rest = folder / "requests-0002.jsonl"
        assert len(rest.read_bytes().splitlines()) == len(TASKS) - len(TASKS) // 2
        _run_batch(server, rest.read_bytes(), folder / "answers-0002.jsonl")
        assert run(given).returncode == 0
        assert sorted(path.name for path in folder.iterdir()) == [
            "answers-0001.jsonl",
            "answers-0002.jsonl",
            "requests-0001.jsonl",
            "requests-0002.jsonl",
        ]
    assert made(tmp_path / "d" / "out") == made(tmp_path / "calm" / "out")
    assert under_way(tmp_path / "d" / "answers.journal") == 0


def _run_batch(server: Server, content: bytes, answers: Path, *, half: bool = False) -> None:
    """Answers a file as vLLM's run-batch does: a line a request, errors among the answers."""
    from tests.generate.scripted.asking import call

    rows = []
    for place, raw in enumerate(content.splitlines()):
        line = json.loads(raw)
        status, body = call(server, "POST", line["url"], json.dumps(line["body"]).encode())
        response = {"status_code": status, "request_id": f"vllm-batch-{place}", "body": json.loads(body)}
        row = {"id": f"vllm-{place}", "custom_id": line["custom_id"], "response": response, "error": None}
        rows.append(json.dumps(row) + "\n")
    random.Random(1).shuffle(rows)
    text = "".join(rows)
    if half:
        text = "".join(rows[: len(rows) // 2]) + rows[len(rows) // 2][:40]
    answers.write_text(text)


@pytest.mark.parametrize("value", ["folder", "files:", 3])
def test_what_batch_cannot_be_is_told(tmp_path: Path, value: Any) -> None:
    with pytest.raises((ParameterError, TypeError), match="batch"):
        th.generate.domain_instructions(
            "law", endpoint=endpoint("http://127.0.0.1:1/v1"), output=tmp_path / "out", batch=value
        )


def test_a_batch_needs_a_place_where_it_is_found_again_and_a_server(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="neither an output nor a journal"):
        th.generate.domain_instructions("law", endpoint=endpoint("http://127.0.0.1:1/v1"), batch=True)
    with pytest.raises(ParameterError, match="one by one"):
        th.generate.domain_instructions(
            "law", endpoint="local:model.gguf", output=tmp_path / "out", batch=True
        )


def test_a_dry_run_tells_what_batches_would_cost_and_submits_none(tmp_path: Path) -> None:
    with Server("domain") as server:
        given = command(server, tmp_path / "out", "--target", "500", "--batch", "--dry-run")
        told = run([*given, "--price-input", "1", "--price-output", "2"])
        assert told.returncode == 0, told.stderr
        assert batches(server) == []
    money, by_batches = (
        float(line.split()[-1])
        for line in told.stdout.splitlines()
        if line.startswith(("money", "by batches"))
    )
    assert by_batches == pytest.approx(money / 2, abs=0.011)
