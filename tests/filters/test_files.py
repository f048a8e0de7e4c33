"""Filters over files: the same as in memory, as steps of pipelines, and what other thresholds would keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th
from tests.filters.pages import pages
from thresher.cli import main

PRESETS = ["gopher", "gopher-repetition", "c4", "fineweb"]
COUNT = 500


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of pages that have ids; every tenth has no text."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": f"p{at}", "text": None if at % 10 == 9 else page, "n": at}
        for at, page in enumerate(pages(COUNT, seed=2))
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def _rows(path: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def _documented(preset: list[str], **more: Any) -> th.FilterReport:
    return th.filter_files("in.jsonl", "out", preset=preset, overwrite=True, id="id", **more)


@pytest.mark.usefixtures("source")
def test_over_files_is_what_it_is_in_memory() -> None:
    rows = _rows("in.jsonl")
    report = _documented(PRESETS, set={"gopher.min_words": 12, "c4.sentences": 2})
    result = th.filters.apply(
        rows, text="text", preset=PRESETS, set={"gopher.min_words": 12, "c4.sentences": 2}
    )
    assert report.rules == result.rules
    assert _rows("out/data/in.jsonl") == [
        row for row, keep in zip(rows, result.keep.to_pylist(), strict=True) if keep
    ]
    removed = pq.read_table("out/removed.parquet").to_pylist()
    failing = [
        (row["id"], names) for row, names in zip(rows, result.failing.to_pylist(), strict=True) if names
    ]
    assert [(row["id"], row["reasons"]) for row in removed] == failing
    assert all(row["reason"] == row["reasons"][0] and row["step"] == "filter" for row in removed)
    assert all(row["detail"].count("; ") == len(row["reasons"]) - 1 for row in removed)
    assert report.set_aside == {"null_text": COUNT // 10}
    assert report.kept == result.kept > 10
    signals = pq.read_table("out/signals/filter.parquet")
    there = [row for row in rows if row["text"] is not None]
    assert signals["id"].to_pylist() == [row["id"] for row in there]
    assert signals.drop_columns(["id", "source", "row"]).equals(
        th.filters.signals(there, text="text", preset=PRESETS)
    )
    assert th.verify("out").ok
    assert report.report["files"]["signals/filter.parquet"]["rows"] == len(there)


@pytest.mark.usefixtures("source")
def test_parquet_and_threads_and_single_files_give_the_same() -> None:
    table = pa.Table.from_pylist(_rows("in.jsonl"))
    pq.write_table(table, "in.parquet")
    for threads in (1, 2):
        th.filter_files("in.parquet", f"{threads}.parquet", preset=PRESETS, threads=threads)
    one, two = (
        [
            Path(f"{threads}.parquet{part}").read_bytes()
            for part in ("", ".removed.parquet", ".signals/filter.parquet")
        ]
        for threads in (1, 2)
    )
    assert one == two
    keep = th.filters.apply(table, text="text", preset=PRESETS).keep
    assert pq.read_table("1.parquet").equals(table.filter(keep))


@pytest.mark.usefixtures("source")
def test_what_if_is_what_a_filter_with_those_thresholds_does() -> None:
    set = {"gopher.min_words": 5, "fineweb.short_lines": None, "c4.sentences": 1, "gopher.stop_words": 1}
    changed = _documented(PRESETS, set=set)
    before = _documented(PRESETS)
    found = th.what_if("out", set=set, curve="gopher.min_words")
    assert (found.kept_before, found.kept_after) == (before.kept, changed.kept)
    assert found.documents == COUNT - COUNT // 10
    did = {rule.rule: (rule.failing, rule.first, rule.alone) for rule in changed.rules}
    for rule in found.rules:
        assert (rule.after.failing, rule.after.first, rule.after.alone) == did.get(rule.rule, (0, 0, 0))
    assert {point["threshold"]: point["kept"] for point in found.curve}[5] == changed.kept
    shown = str(found)
    assert f"kept {before.kept} " in shown
    assert ">= 50 -> >= 5" in shown
    assert "<= 0.67 -> anything" in shown
    with pytest.raises(th.ParameterError, match=r"did you mean `c4.sentences`"):
        th.what_if("out", set={"c4.sentence": 1})
    with pytest.raises(th.ParameterError, match=r"step is `2.filter`, but the run has filtered in filter"):
        th.what_if("out", step="2.filter")
    _documented(["c4"], keep_signals=False)
    assert not Path("out/signals").exists()
    with pytest.raises(th.ParameterError, match="has no signals of step filter"):
        th.what_if("out")


@pytest.mark.usefixtures("source")
def test_a_filter_is_a_step_of_pipelines_in_one_pass_with_its_neighbours() -> None:
    steps: list[Any] = [
        {"filter": {"preset": "c4", "edit_lines": True, "set": {"c4.sentences": 1}, "id": "id"}},
        {"filter": {"preset": ["fineweb"], "set": {"fineweb.short_lines": None}, "id": "id"}},
        {"dedup": {"exact_only": True, "id": "id"}},
    ]
    report = th.Pipeline(steps, inputs="in.jsonl", output="out").run()
    assert "1.filter+2.filter" in report.report["timings"]
    edited = pq.read_table("out/signals/2.filter.parquet")
    assert edited.num_rows == report.steps["1.filter"].kept < COUNT
    kept = _rows("out/data/in.jsonl")
    # What the second step saw is what the first has left of the text.
    words = dict(zip(edited["id"].to_pylist(), edited["words"].to_pylist(), strict=True))
    assert all(words[row["id"]] == len(row["text"].split()) for row in kept)
    texts = {row["id"]: row["text"] for row in _rows("in.jsonl")}
    assert any(row["text"] != texts[row["id"]] for row in kept)
    with pytest.raises(th.ParameterError, match=r"filtered in 1.filter, 2.filter; name one"):
        th.what_if("out")
    found = th.what_if("out", step="2.filter")
    assert found.kept_after == report.steps["2.filter"].kept
    assert isinstance(report.steps["1.filter"], th.FilterReport)


@pytest.mark.usefixtures("source")
def test_a_mistake_in_a_later_step_is_told_before_the_first_has_run() -> None:
    steps: list[Any] = [{"dedup": {}}, {"filter": {"preset": "c4", "set": {"c4.sentence": 1}}}]
    with pytest.raises(th.ParameterError, match=r"step 2 \(filter\).*did you mean `c4.sentences`"):
        th.Pipeline(steps, inputs="in.jsonl", output="out").run()
    assert not Path("out").exists()


@pytest.mark.usefixtures("source")
def test_the_command_line_does_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["filter", "in.jsonl", "-o", "cli", "--preset", "gopher,c4", "--preset", "fineweb"]
    assert _run(*command, "--set", "c4.sentences=2", "--set", "fineweb.newlines=null", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    th.filter_files(
        "in.jsonl",
        "out",
        preset=["gopher", "c4", "fineweb"],
        set={"c4.sentences": 2, "fineweb.newlines": None},
    )
    for part in ("data/in.jsonl", "removed.parquet", "signals/filter.parquet"):
        assert (Path("cli") / part).read_bytes() == (Path("out") / part).read_bytes()
    assert report["config"]["preset"] == ["gopher", "c4", "fineweb"]
    assert _run("what-if", "cli", "--set", "c4.sentences=5", "--curve", "gopher.min_words") == 0
    said = capsys.readouterr().out
    assert "c4.sentences" in said
    assert "gopher.min_words at other thresholds:" in said
    assert _run("what-if", "cli", "--set", "c4.sentences=5", "--json") == 0
    assert json.loads(capsys.readouterr().out) == th.what_if("cli", set={"c4.sentences": 5}).report
    assert _run("filter", "--list-rules", "--list-signals") == 0
    listed = capsys.readouterr().out
    assert all(rule.rule in listed for rule in th.filters.rules())
    assert "group redpajama" in listed
    assert _run("filter", "in.jsonl", "-o", "no", "--preset", "gofer") == 2
    assert "did you mean `gopher`" in capsys.readouterr().err
    assert _run("filter", "in.jsonl", "-o", "no", "--preset", "c4", "--set", "c4.sentence=1") == 2
    assert "did you mean `c4.sentences`" in capsys.readouterr().err
    assert _run("filter", "in.jsonl", "-o", "no") == 2
    assert "preset is not given" in capsys.readouterr().err
    assert _run("filter", "--preset", "c4") == 2


@pytest.mark.usefixtures("source")
def test_signals_alone_keep_every_record() -> None:
    report = th.filter_files("in.jsonl", "out.jsonl", signals=["redpajama"])
    assert report.kept == COUNT - COUNT // 10
    table = pq.read_table("out.jsonl.signals/filter.parquet")
    assert "rps_doc_word_count" in table.column_names
    assert th.what_if("out.jsonl", set={"lengths.min_words": 10}).newly_removed > 0


def test_hostile_records_are_set_aside_or_decided(tmp_path: Path) -> None:
    lines = [
        b'{"text": "a\xff"}',
        b"{",
        b'{"text": 1}',
        b'{"text": ""}',
        b'{"t": "x"}',
        json.dumps({"text": "\x00\u2028" * 3000}).encode(),
        json.dumps(
            {"text": "numbers and names, and a full line of words that goes on.  " * 4 + "End."}
        ).encode(),
    ]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines))
    report = th.filter_files(tmp_path / "in.jsonl", tmp_path / "out", preset="fineweb", max_quarantine=1)
    assert report.set_aside == {"invalid_json": 1, "invalid_utf8": 1, "missing_text": 1, "text_not_string": 1}
    assert (report.kept, report.removed) == (1, {"fineweb.min_lines": 1, "fineweb.line_punct": 1})
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", "utf-8")
    assert th.filter_files(empty, tmp_path / "none", preset="fineweb").documents == 0
    assert th.what_if(tmp_path / "none").documents == 0
