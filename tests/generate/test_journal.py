"""The journal: what it says is on disk, whom it answers, and what it makes of damage."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.generate.helpers import question
from thresher.errors import BusyError, DataError, FileError
from thresher.generate.journal import Journal, Spent, entries
from thresher.generate.request import Answer, Request, Sampling, Usage, key_of


def _put(path: Path, *answers: tuple[Request, int, Answer]) -> None:
    async def put() -> None:
        with Journal(path) as journal:
            for request, bound, answer in answers:
                canonical = request.canonical("model")
                await journal.put(key_of(canonical), bound, canonical, answer, b"raw")

    asyncio.run(put())


def _answer(text: str, finish: str = "stop", output: int = 10) -> Answer:
    return Answer(text=text, finish=finish, usage=Usage(input=1, output=output))


def test_an_answer_that_ended_by_itself_is_found_under_any_bound_that_it_fits(tmp_path: Path) -> None:
    request = question("?")
    key = key_of(request.canonical("model"))
    _put(tmp_path / "j", (request, 100, _answer("whole", output=40)))
    with Journal(tmp_path / "j") as journal:
        for bound in (40, 41, 100, 5000):
            assert journal.find(key, bound) == _answer("whole", output=40)
        assert journal.find(key, 39) is None, "it would have been cut"


def test_an_answer_that_was_cut_is_found_under_its_bound_alone(tmp_path: Path) -> None:
    request = question("?")
    key = key_of(request.canonical("model"))
    _put(tmp_path / "j", (request, 100, _answer("cut", "length", 100)))
    with Journal(tmp_path / "j") as journal:
        found = journal.find(key, 100)
        assert found is not None
        assert found.is_cut
        assert journal.find(key, 99) is journal.find(key, 200) is None


def test_the_answer_under_the_same_bound_comes_first(tmp_path: Path) -> None:
    request = question("?")
    key = key_of(request.canonical("model"))
    _put(tmp_path / "j", (request, 50, _answer("cut", "length", 50)), (request, 100, _answer("whole")))
    with Journal(tmp_path / "j") as journal:
        assert [getattr(journal.find(key, bound), "text", None) for bound in (50, 100, 60)] == [
            "cut",
            "whole",
            "whole",
        ]


@pytest.mark.parametrize(
    "other",
    [
        question("!"),
        question("?", sample=1),
        question("?", sampling=Sampling(temperature=0.5)),
        question("?", schema={"type": "object"}),
        question("?", top_logprobs=5),
        Request(prompt="?"),
    ],
)
def test_whatever_determines_an_answer_is_in_the_key(other: Request) -> None:
    assert key_of(question("?").canonical("m")) != key_of(other.canonical("m"))
    assert key_of(question("?").canonical("m")) != key_of(question("?").canonical("m2"))


def test_whatever_does_not_determine_it_is_not() -> None:
    one = question("?", max_tokens=10, max_tokens_cap=20, purpose="a", slot="s")
    assert one.canonical("m") == question("?").canonical("m")


def test_a_second_process_finds_the_journal_in_use(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(BusyError, match="in use by another run"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other"
    text.write_text("no database at all, but long enough to look like one" * 100)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = other.read_bytes()
    with pytest.raises(DataError, match="no journal"):
        Journal(text)
    with pytest.raises(DataError, match="no journal of thresher"):
        Journal(other)
    assert text.read_text().startswith("no database")
    assert other.read_bytes()[:100] == before[:100]


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "j").close()
    with sqlite3.connect(tmp_path / "j") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataError, match="format 99"):
        Journal(tmp_path / "j")


_WRITER = """
    import asyncio, sys
    from tests.generate.helpers import question
    from thresher.generate.journal import Journal
    from thresher.generate.request import Answer, key_of

    async def put(journal, number):
        canonical = question(str(number)).canonical("model")
        answer = Answer(text=str(number) * 200, finish="stop")
        await journal.put(key_of(canonical), 10, canonical, answer, b"r" * 900)
        print(number, flush=True)

    async def main(first, count):
        with Journal(sys.argv[1]) as journal:
            for start in range(first, first + count, 20):
                await asyncio.gather(*(put(journal, start + at) for at in range(20)))

    asyncio.run(main(int(sys.argv[2]), int(sys.argv[3])))
"""


def _write(
    path: Path, first: int, count: int, kill_after: int | None = None, limit: int | None = None
) -> tuple[set[str], str]:
    """Has another process put answers; gives those that it said are on disk, and its errors."""
    import resource

    command = [sys.executable, "-c", textwrap.dedent(_WRITER), str(path), str(first), str(count)]

    def small() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=small, cwd=Path.cwd()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = set()
    for line in process.stdout:
        said.add(line.strip())
        if len(said) == kill_after:
            process.kill()
    said |= {line.strip() for line in process.stdout}
    errors = process.stderr.read()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    return said, errors


def _texts(path: Path) -> set[str]:
    return {entry.request["messages"][0]["content"] for entry in entries(path)}


def test_what_was_said_to_be_stored_is_there_after_a_kill(tmp_path: Path) -> None:
    stored: set[str] = set()
    for turn, kill_after in enumerate((3, 57, 130, 241)):
        said, _ = _write(tmp_path / "j", turn * 1000, 400, kill_after)
        stored |= said
        assert stored <= _texts(tmp_path / "j")
    assert len(stored) > 400


def test_a_torn_log_costs_the_commits_in_it_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "j"
    first, _ = _write(path, 0, 100)
    _write(path, 1000, 200, kill_after=150)
    log = Path(f"{path}-wal")
    whole = log.read_bytes()
    assert len(whole) > 100_000
    for cut in range(0, len(whole), len(whole) // 12):
        torn = tmp_path / f"torn{cut}"
        shutil.copy(path, torn)
        Path(f"{torn}-wal").write_bytes(whole[:cut])
        with Journal(torn) as journal:
            assert len(journal) >= len(first)
        found = _texts(torn)
        assert first <= found <= _texts(path)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    shutil.copy(path, tmp_path / "flipped")
    (tmp_path / "flipped-wal").write_bytes(flipped)
    with Journal(tmp_path / "flipped") as journal:
        assert len(first) <= len(journal) < len(_texts(path))


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    said, errors = _write(tmp_path / "j", 0, 4000, limit=600_000)
    assert "FileError: cannot write to the journal" in errors
    assert said, "something was stored before"
    assert said <= _texts(tmp_path / "j")
    more, errors = _write(tmp_path / "j", 4000, 100)
    assert not errors
    assert said | more <= _texts(tmp_path / "j")


def test_what_may_have_been_spent_counts_until_it_is_known(tmp_path: Path) -> None:
    async def spend() -> None:
        with Journal(tmp_path / "j") as journal:
            for _ in range(3):
                number, noted = journal.note_sent(
                    "run", b"key", Spent(requests=1, input_tokens=100, money=1.0)
                )
                await noted
            journal.note_cost(number, Spent(requests=1, input_tokens=7, output_tokens=5, money=0.5))
            _, noted = journal.note_sent("other", b"key", Spent(requests=1))
            await noted

    asyncio.run(spend())
    with Journal(tmp_path / "j") as journal:
        assert journal.spent("run") == Spent(requests=3, input_tokens=207, output_tokens=5, money=2.5)
        asyncio.run(journal.end("run"))
    with Journal(tmp_path / "j") as journal:
        assert journal.spent("run") == Spent()
        assert journal.spent("other").requests == 1


def test_the_folder_of_a_journal_may_be_read_only(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is refused to the superuser")
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="cannot open the journal"):
        Journal(tmp_path / "j")


def test_the_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    Journal(tmp_path / "j").close()
    assert (tmp_path / "j").stat().st_mode & 0o077 == 0
