"""Batches under way when a process ends, a reply is lost or a disk is full: merged once, submitted once."""

from __future__ import annotations

import asyncio
import errno
import json
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.generate.batches import ask, batches, distilled, lines, spent, under_way
from tests.generate.helpers import journal_of
from tests.generate.processes import command, made, report, run, until
from tests.generate.server import Server
from thresher.errors import FileError
from thresher.generate.batching import BatchClient
from thresher.generate.batching import client as batching
from thresher.generate.batching.store import Store
from thresher.generate.faults import Stopped, Transient
from thresher.generate.journal import Spent


@pytest.mark.timeout(120)
def test_kills_lose_nothing_and_submit_nothing_twice(tmp_path: Path) -> None:
    """A kill at any moment, with replies lost on the way; three batches, of which one expires."""
    with Server("domain") as server:
        calm = command(server, tmp_path / "calm" / "out", "--target", "60")
        assert run(calm).returncode == 0
    chance, n_kills = random.Random(3), 0
    options: dict[str, Any] = {"batch_polls": 2, "batch_errors": 0.2, "batch_faults": 0.2}
    with Server("domain", batches="complete,expire,complete", **options) as server:
        given = command(server, tmp_path / "d" / "out", "--target", "60", "--batch")
        for _ in range(8):
            process = subprocess.Popen(given, stderr=subprocess.PIPE)
            try:
                process.wait(timeout=chance.uniform(0.5, 1.8))
            except subprocess.TimeoutExpired:
                process.kill()
                n_kills += 1
            process.communicate()
        ended = run(given)
        assert ended.returncode == 0 or "finished result" in ended.stderr, ended.stderr
        assert set(server.answered().values()) == {1}, "an answer was paid for twice"
        names = Counter(batch["metadata"]["thresher"] for batch in batches(server))
        assert set(names.values()) == {1}, "a batch was submitted twice"
    assert n_kills > 0
    assert made(tmp_path / "d" / "out") == made(tmp_path / "calm" / "out")


@pytest.mark.parametrize(
    ("call", "is_before"),
    [
        ("add", False),
        ("upload", False),
        ("create", True),
        ("create", False),
        ("change", False),
        ("get", False),
    ],
)
def test_the_end_of_a_process_at_each_step_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, is_before: bool
) -> None:
    """The step is done, or not, and the process is gone; the next one finds the batch, or submits it."""
    texts = ["one", "two", "three"]
    home: Any = Store if call in ("add", "change") else batching.Api
    real = getattr(home, call)

    class GoneError(Exception):
        pass

    async def gone(*given: Any) -> Any:
        if not is_before:
            await real(*given)
        raise GoneError

    with Server("echo", batch_polls=1) as server:
        with monkeypatch.context() as patch:
            patch.setattr(home, call, gone)
            found, _ = ask(server.base_url, tmp_path / "journal", texts)
        assert all(isinstance(one, GoneError) for one in found)
        assert under_way(tmp_path / "journal") == 1
        found, client = ask(server.base_url, tmp_path / "journal", texts)
        assert [answer.failure for answer in found] == [None] * 3
        assert len(batches(server)) == 1
        assert set(lines(server).values()) == {1}
    assert under_way(tmp_path / "journal") == 0
    assert client.purse.reserved == Spent()
    # What the first session had reserved is settled by what was counted.
    assert client.purse.spent == spent(tmp_path / "journal")
    assert client.purse.spent.requests == 3
    assert client.purse.spent.output_tokens == sum(answer.usage.output for answer in found)


@pytest.mark.parametrize("is_made", [True, False])
def test_a_submission_whose_reply_is_lost_is_looked_for_and_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    monkeypatch.setattr(batching, "_LOST_S", 0.0)
    real, calls = batching.Api.create, []

    async def lossy(self: Any, *given: Any) -> Any:
        calls.append(given)
        if len(calls) > 1:
            return await real(self, *given)
        if is_made:
            await real(self, *given)
        raise Transient("connection", "reset")

    monkeypatch.setattr(batching.Api, "create", lossy)
    with Server("echo", batch_polls=1) as server:
        found, _ = ask(server.base_url, tmp_path / "journal", ["one", "two"])
        assert [answer.failure for answer in found] == [None, None]
        assert len(batches(server)) == 1
    assert len(calls) == (1 if is_made else 2)


@pytest.mark.parametrize("shown", [{"metadata": {"thresher": "mine"}}, {"input_file_id": "file-7"}])
def test_a_batch_is_found_by_name_or_file_on_any_page(shown: dict[str, Any]) -> None:
    asked = []

    class Pages:
        async def send(self, method: str, path: str, *_: Any) -> Any:
            asked.append(path)
            others = [{"id": f"{len(asked)}-{n}", "metadata": None, "input_file_id": "f"} for n in range(2)]
            last = len(asked) == 3
            found = [{"id": "it", **shown}] if last else []
            return 200, {}, json.dumps({"data": others + found, "has_more": not last}).encode()

    api = batching.Api(Pages(), "http://127.0.0.1:1/v1", 1.0)  # type: ignore[arg-type]
    remote = asyncio.run(api.find("mine", "file-7"))
    assert remote is not None
    assert remote.id == "it"
    assert [path.partition("&")[2] for path in asked] == ["", "after=1-1", "after=2-1"]


def test_what_is_noted_comes_before_what_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    for home, names in ((Store, ("add", "change", "forget")), (batching.Api, ("upload", "create", "get"))):
        for name in names:

            def noting(real: Any, name: str) -> Any:
                async def step(*given: Any) -> Any:
                    steps.append(name)
                    return await real(*given)

                return step

            monkeypatch.setattr(home, name, noting(getattr(home, name), name))
    with Server("echo", batch_polls=1) as server:
        ask(server.base_url, tmp_path / "journal", ["one"])
    assert steps == ["add", "upload", "change", "create", "change", "get", "forget"]


def test_a_merge_that_was_cut_short_is_done_again_and_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any) -> None:
        message = "gone"
        raise RuntimeError(message)

    with Server("echo", batch_polls=1) as server:
        with monkeypatch.context() as patch:
            patch.setattr(Store, "forget", gone)
            _, first = ask(server.base_url, tmp_path / "journal", ["one", "two"])
        assert len(journal_of(tmp_path / "journal")) == 2
        assert under_way(tmp_path / "journal") == 1

        async def until_merged(client: BatchClient) -> None:
            while client.in_flight:
                await asyncio.sleep(0.02)

        ask(server.base_url, tmp_path / "journal", [], during=until_merged)
        assert len(batches(server)) == 1
    assert under_way(tmp_path / "journal") == 0
    assert spent(tmp_path / "journal") == first.purse.spent


def test_a_full_disk_ends_the_run_and_the_batch_is_merged_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Server("echo", batch_polls=1) as server:
        with monkeypatch.context() as patch:
            patch.setattr(batching.tempfile, "TemporaryFile", full)
            found, _ = ask(server.base_url, tmp_path / "journal", ["one"])
        assert isinstance(found[0], FileError)
        assert found[0].errno == errno.ENOSPC
        found, _ = ask(server.base_url, tmp_path / "journal", ["one"])
        assert found[0].failure is None
        assert len(batches(server)) == 1


def test_a_batch_is_merged_though_nobody_asks_for_its_requests_any_more(tmp_path: Path) -> None:
    """What was paid for is kept: the next run may be of another recipe."""

    async def left(client: BatchClient) -> None:
        while not any(batch.noted.id for batch in client._open.values()):
            await asyncio.sleep(0.02)
        client.leave(Stopped("interrupted", "interrupted"))

    async def until_merged(client: BatchClient) -> None:
        while client.in_flight:
            await asyncio.sleep(0.02)

    with Server("echo", batch_polls=3) as server:
        found, _ = ask(server.base_url, tmp_path / "journal", ["one", "two"], during=left)
        assert all(isinstance(one, Stopped) for one in found)
        assert journal_of(tmp_path / "journal") == []
        ask(server.base_url, tmp_path / "journal", [], during=until_merged)
        assert len(journal_of(tmp_path / "journal")) == 2
        found, _ = ask(server.base_url, tmp_path / "journal", ["two", "one"])
        assert [answer.failure for answer in found] == [None, None]
        assert len(batches(server)) == 1


def test_ctrl_c_leaves_the_batch_and_the_same_command_merges_it(tmp_path: Path) -> None:
    with Server("echo", batch_polls=6) as server:
        given = distilled(server, tmp_path / "d" / "out", "--batch")
        process = subprocess.Popen(given, stderr=subprocess.PIPE, text=True)
        until(lambda: any("/v1/batches/" in str(line.get("path")) for line in server.log()))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 130, errors
        assert "1 batch stays under way (`batch_000000`)" in errors
        left = report(tmp_path / "d" / "out")
        assert left["stopped"]["reason"] == "interrupted"
        assert left["requests"]["batches_under_way"] == 1
        assert run(given).returncode == 0
        assert len(batches(server)) == 1
        assert set(server.answered().values()) == {1}
    assert report(tmp_path / "d" / "out")["accounting"]["kept"]["docs"] > 0
