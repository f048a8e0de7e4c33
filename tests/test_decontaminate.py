"""Items of benchmarks in texts and in files: what is found, what stays, and what the evidence says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import thresher as th
from thresher.cli import cli

QUESTION = (
    "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes of it. How much did she earn?"
)
SOLUTION = (
    "She earns 12 dollars an hour, which is 12 / 60 = 0.2 dollars a minute, and so 50 * 0.2 = 10 dollars."
)
EVALS = [
    {"question": QUESTION, "answer": SOLUTION},
    {"question": "Who wrote the play Hamlet?", "answer": "William Shakespeare"},
]
FILLER = "The garden needs water in the morning and some shade in the afternoon of each summer day. "
TEXTS = [
    FILLER * 5,
    f"{FILLER * 5}\n{QUESTION}\n{FILLER * 5}",
    f"Trivia night. Who wrote the play Hamlet? Answer: William Shakespeare. {FILLER * 3}",
    "William Shakespeare wrote plays, and 10 is a number.",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with rows and a benchmark."""
    monkeypatch.chdir(tmp_path)
    rows = [{"n": n, "text": text} for n, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
    with gzip.open(tmp_path / "quiz.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in EVALS)
    return tmp_path


def test_texts_hold_items_with_their_places() -> None:
    found = th.decontaminate(TEXTS, against={"quiz": EVALS})
    assert found.keep.to_pylist() == [True, False, False, True]
    assert found.texts is None
    rows = found.matches.to_pylist()
    assert [(row["document"], row["benchmark"], row["item"], row["field"]) for row in rows] == [
        (1, "quiz", 0, "question"),
        (2, "quiz", 1, "answer"),
    ]
    assert TEXTS[1].encode()[rows[0]["start"] : rows[0]["end"]].decode() == QUESTION[:-1]
    assert found.spans.to_pylist()[1] == [{"start": rows[0]["start"], "end": rows[0]["end"]}]
    assert found.spans.to_pylist()[0] == []
    assert (len(found), found.contaminated) == (4, 2)
    [quiz] = found.benchmarks
    assert (quiz.items, quiz.contaminated, quiz.documents, quiz.rows) == (2, 2, 2, (0, 1))


def test_missing_texts_stay_and_columns_of_tables_are_found() -> None:
    assert th.decontaminate([None, QUESTION], against={"q": EVALS}).keep.to_pylist() == [True, False]
    table = pa.table({"body": TEXTS, "n": [0, 1, 2, 3]})
    found = th.decontaminate(table, text="body", against={"q": EVALS})
    assert table.filter(found.keep)["n"].to_pylist() == [0, 3]
    assert th.decontaminate([], against={"q": EVALS}).matches.num_rows == 0
    assert th.decontaminate(pa.array(TEXTS).slice(1, 2), against={"q": EVALS}).keep.to_pylist() == [False] * 2


def test_cut_leaves_what_is_far_enough_from_what_was_found() -> None:
    found = th.decontaminate([*TEXTS, None], against={"q": EVALS}, action="cut", window=5, min_piece=50)
    texts = found.texts.to_pylist()
    assert found.keep.to_pylist() == [True, True, True, True, True]
    assert texts[0] == TEXTS[0]
    assert texts[4] is None
    before, _, after = texts[1].partition("\n\n")
    # The question mark and its five characters are behind the last word.
    assert (FILLER * 5).startswith(before)
    assert (FILLER * 5).endswith(after)
    assert "babysitting" not in texts[1]
    often = f"{FILLER}{QUESTION}" * 12
    found = th.decontaminate([often, QUESTION], against={"q": EVALS}, action="cut", window=0, min_piece=1)
    assert found.keep.to_pylist() == [False, True]  # only the question mark is left
    found = th.decontaminate([QUESTION], against={"q": EVALS}, action="cut")
    assert (found.keep.to_pylist(), found.texts.to_pylist()) == ([False], [None])


def test_edits_are_found_if_asked_for() -> None:
    edited = QUESTION.replace("hour", "hour perhaps").replace("just ", "").replace("much", "many")
    for fuzzy in (False, True):
        found = th.decontaminate([edited], against={"q": EVALS}, fuzzy=fuzzy)
        assert found.keep.to_pylist() == [not fuzzy]
    assert found.matches["edited"].to_pylist() == [True]
    assert 0.8 <= found.matches["overlap"][0].as_py() < 1


@pytest.mark.parametrize("rule", ["gpt3-13", "palm-70", "llama3-8", "ngram:5"])
def test_every_rule_finds_what_is_verbatim_and_is_the_same_on_any_threads(rule: str) -> None:
    texts = TEXTS * 400
    one = th.decontaminate(texts, against={"q": EVALS}, rule=rule, threads=1)
    two = th.decontaminate(texts, against={"q": EVALS}, rule=rule, threads=2)
    assert one.keep.to_pylist() == [True, False, False, True] * 400
    assert one.matches.equals(two.matches)


def test_what_cannot_be_is_told() -> None:
    def said(**options: Any) -> str:
        with pytest.raises(th.ParameterError) as error:
            th.decontaminate(["a"], **{"against": {"q": EVALS}, **options})
        return str(error.value)

    assert "rule is `gpt4`" in said(rule="gpt4")
    assert "one n-gram is enough" in said(threshold=0.5)
    assert "action is `keep`" in said(action="keep")
    assert "no file" in said(against=[])
    assert "against is empty" in said(against={})
    assert "a row of type `int`" in said(against={"q": [1]})
    assert "its rows have x" in said(against={"q": [{"x": 1}]})
    assert "none of the fields `ask`" in said(prompts="ask")
    with pytest.raises(th.FileError, match="absent"):
        th.decontaminate(["a"], against="absent.jsonl")


@pytest.mark.parametrize("name", ["in.jsonl", "in.parquet"])
def test_files_are_dropped_with_evidence(folder: Path, name: str) -> None:
    report = th.decontaminate_files(name, "out", against="quiz.jsonl.gz")
    assert (report.documents, report.kept, report.contaminated, report.removed) == (4, 2, 2, 2)
    if name == "in.jsonl":
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        assert (folder / "out/data/in.jsonl").read_bytes() == lines[0] + lines[3]
    else:
        assert pq.read_table(folder / "out/data" / name)["n"].to_pylist() == [0, 3]
    removed = pq.read_table(folder / "out/removed.parquet").to_pylist()
    assert [(row["row"], row["reason"]) for row in removed] == [(1, "contaminated"), (2, "contaminated")]
    place = len(FILLER) * 5 + 1
    assert removed[0]["detail"] == f"quiz row 0 question: 1.00 at bytes {place}..{place + len(QUESTION) - 1}"
    [quiz] = report.benchmarks
    assert (quiz.benchmark, quiz.rows) == ("quiz", (0, 1))
    first = report.matches[0]
    assert (first["input"], first["row"], first["item"], first["removed"]) == (name, 1, 0, True)
    assert th.verify("out").ok


def test_files_are_cut_and_their_other_fields_stay(folder: Path) -> None:
    options: dict[str, Any] = {"against": "quiz.jsonl.gz", "action": "cut", "window": 5, "min_piece": 50}
    report = th.decontaminate_files("in.jsonl", "out.jsonl", **options)
    rows = [json.loads(line) for line in (folder / "out.jsonl").read_text("utf-8").splitlines()]
    found = th.decontaminate(TEXTS, **{**options, "against": {"quiz": EVALS}})
    assert [row["text"] for row in rows] == found.texts.to_pylist()
    assert [row["n"] for row in rows] == [0, 1, 2, 3]
    assert (report.contaminated, report.removed) == (2, 0)
    assert [match["removed"] for match in report.matches] == [False, False]
    pq.write_table(pq.read_table("in.parquet"), "again.parquet")
    th.decontaminate_files("again.parquet", "out.parquet", **options)
    assert pq.read_table("out.parquet")["text"].to_pylist() == found.texts.to_pylist()
    report = th.decontaminate_files("in.jsonl", "all.jsonl", **{**options, "min_piece": 10_000})
    assert report.report["accounting"]["removed"] == {
        "nothing_left": {"docs": 2, "bytes": report._parts()[1][2]}
    }


def test_all_turns_of_chat_rows_count(folder: Path) -> None:
    turns = [{"role": "user", "content": f"Please help. {QUESTION}"}, {"role": "assistant", "content": "10"}]
    rows = [{"messages": turns}, {"messages": [{**turns[0], "content": "Hi"}, turns[1]]}]
    (folder / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    report = th.decontaminate_files("chat.jsonl", "chat-out.jsonl", against="quiz.jsonl.gz", chat=True)
    assert (report.kept, report.contaminated) == (1, 1)
    named = th.decontaminate_files(
        "chat.jsonl", "chat-2.jsonl", against="quiz.jsonl.gz", from_format="openai", fuzzy=True
    )
    assert named.kept == 1
    with pytest.raises(th.ParameterError, match="chat rows"):
        th.decontaminate_files("chat.jsonl", "x.jsonl", against="quiz.jsonl.gz", chat=True, action="cut")


def test_a_run_gives_the_same_bytes_on_any_threads_and_refuses_other_benchmarks(folder: Path) -> None:
    rows = [{"text": f"{n} {TEXTS[n % 4]}"} for n in range(3_000)]
    (folder / "many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    options: dict[str, Any] = {"against": ["quiz.jsonl.gz"], "batch_bytes": 50_000, "max_matches": 7}
    one = th.decontaminate_files("many.jsonl", "one.jsonl", threads=1, **options)
    two = th.decontaminate_files("many.jsonl", "two.jsonl", threads=2, **options)
    assert (folder / "one.jsonl").read_bytes() == (folder / "two.jsonl").read_bytes()
    assert one.matches == two.matches
    assert (len(one.matches), one.report["unlisted"], one.contaminated) == (7, 1_493, 1_500)
    assert one.benchmarks == two.benchmarks


def test_it_is_a_step_of_a_pipeline(folder: Path) -> None:
    report = th.Pipeline(
        [{"decontaminate": {"against": "quiz.jsonl.gz"}}, {"dedup": {"threshold": 0.8}}],
        inputs="in.jsonl",
        output="out.jsonl",
    ).run()
    first = report.steps["1.decontaminate"]
    assert isinstance(first, th.DecontaminateReport)
    assert (first.kept, first.benchmarks[0].contaminated, report.kept) == (2, 2, 2)
    removed = pq.read_table("out.jsonl.removed.parquet").to_pylist()
    assert [row["step"] for row in removed] == ["1.decontaminate"] * 2


def test_the_command_prints_the_table(folder: Path) -> None:
    arguments = ["decontaminate", "in.jsonl", "-o", "out.jsonl", "--against", "quiz.jsonl.gz", "--fuzzy"]
    done = CliRunner().invoke(cli, [*arguments, "--rule", "palm-70", "--threshold", "0.5"])
    assert done.exit_code == 0, done.output
    assert "quiz           2             2          2           0" in done.stderr
    assert len((folder / "out.jsonl").read_text("utf-8").splitlines()) == 2
