"""Validation of files: the rows without an error pass as they are, the others are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import thresher as th
from thresher.cli import cli


def _row(answer: str | None, **extra: object) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer}],
        **extra,
    }


ROWS = [_row("Ho"), _row(""), _row("Ho", n=1.0), _row("   "), {"messages": []}, _row("Hey")]
GOOD = (0, 2, 3, 5)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six rows of odd layout, two of them in error and one with a warning."""
    path = tmp_path / "in.jsonl"
    path.write_text(
        "\n".join(json.dumps(row, indent=None, separators=(" ,", " : ")) for row in ROWS), "utf-8"
    )
    return path


def test_files_are_found_wrong_where_rows_in_memory_are(source: Path) -> None:
    report = th.chat.validate_files(source)
    assert report.by_input["in.jsonl"] == th.chat.validate(ROWS)
    assert (report.documents, report.kept, report.quarantined, report.ok) == (6, 4, 2, False)
    assert sorted(path.name for path in source.parent.iterdir()) == ["in.jsonl"], "nothing is written"


def test_rows_without_an_error_pass_byte_for_byte(source: Path, tmp_path: Path) -> None:
    lines = source.read_bytes().split(b"\n")
    report = th.chat.validate_files(source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == b"".join(lines[row] + b"\n" for row in GOOD)
    bad = (tmp_path / "out.jsonl.quarantine" / "records.jsonl").read_text("utf-8").splitlines()
    assert [(entry["row"], entry["reason"]) for entry in map(json.loads, bad)] == [
        (1, "empty_turn"),
        (4, "no_messages"),
    ]
    assert json.loads(bad[0])["raw"].encode() == lines[1]
    saved = json.loads((tmp_path / "out.jsonl.run.json").read_text("utf-8"))
    assert saved == {**report.report, "xxh3_128": saved["xxh3_128"]}


def test_columns_pass_with_their_types(tmp_path: Path) -> None:
    message = pa.struct([("role", pa.dictionary(pa.int8(), pa.string())), ("content", pa.large_string())])
    schema = pa.schema([("messages", pa.list_(message)), ("n", pa.int16())])
    table = pa.table({"messages": [row["messages"] for row in ROWS], "n": range(6)}, schema=schema)
    pq.write_table(table, tmp_path / "in.parquet")
    report = th.chat.validate_files(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert report.kept == 4
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.equals(table.take(list(GOOD)))


def test_warnings_are_errors_for_the_strict_and_nothing_is_what_is_ignored(source: Path) -> None:
    assert th.chat.validate_files(source, strict=True).kept == 3
    assert th.chat.validate_files(source, ignore=["empty_turn", "no_messages"], format="openai").kept == 6
    with pytest.raises(th.ParameterError, match="`gpt`"):
        th.chat.validate_files(source, target="gpt")
    with pytest.raises(th.ParameterError, match="`-1`"):
        th.chat.validate_files(source, max_problems=-1)


def test_what_is_no_row_is_in_the_books_and_in_error(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(json.dumps(ROWS[0]).encode() + b"\n{broken\n\xff\n")
    report = th.chat.validate_files(tmp_path / "in.jsonl")
    assert (report.documents, report.kept, report.quarantined) == (3, 1, 2)
    assert report.report["accounting"]["quarantined"].keys() == {"invalid_json", "invalid_utf8"}


def test_the_report_does_not_depend_on_threads_and_lists_no_more_than_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(
        "".join(json.dumps(_row("" if n % 3 else "x" * 3000)) + "\n" for n in range(9000)), "utf-8"
    )
    reports = [
        th.chat.validate_files(path, threads=threads, max_problems=7).by_input for threads in (1, 2, 4)
    ]
    assert reports[0] == reports[1] == reports[2]
    found = reports[0]["in.jsonl"]
    assert ([problem.row for problem in found.problems], found.unlisted) == ([1, 2, 4, 5, 7, 8, 10], 5993)


def test_the_command_says_what_is_wrong_and_exits_with_65(source: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(cli, ["validate", str(source)], standalone_mode=False)
    assert done.return_value == 65
    assert done.stdout == ""
    assert "row 1 messages[1].content: error:" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("in 6 documents")
    good = tmp_path / "good.jsonl"
    good.write_text(json.dumps(ROWS[0]) + "\n", "utf-8")
    done = runner.invoke(cli, ["validate", str(good), "--json", "--quiet"], standalone_mode=False)
    assert (done.return_value, json.loads(done.stdout)["from"], done.stderr) == (0, "openai", "")
    listed = runner.invoke(cli, ["validate", "--list-checks"]).stdout
    assert all(check.code in listed for check in th.chat.checks())
    assert runner.invoke(cli, ["validate"]).exit_code == 2
