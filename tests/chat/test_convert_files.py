"""Conversion of files: streams, columns, quarantine, books, the command."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import thresher as th
from thresher.cli import cli

ROWS = [{"instruction": f"What is {n} + 1?", "input": "", "output": str(n + 1), "n": n} for n in range(50)]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def _read(path: Path) -> list[Any]:
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Fifty Alpaca rows with an unknown field."""
    return _write(tmp_path / "in.jsonl", ROWS)


def test_files_become_what_rows_become_in_memory(source: Path, tmp_path: Path) -> None:
    report = th.chat.convert_files(source, tmp_path / "out.jsonl", to="openai")
    assert _read(tmp_path / "out.jsonl") == th.chat.convert(ROWS, to="openai").rows
    assert (report.from_format, report.to, report.kept, report.losses) == ("alpaca", "openai", 50, ())
    saved = json.loads((tmp_path / "out.jsonl.run.json").read_text("utf-8"))
    assert saved == {**report.report, "xxh3_128": saved["xxh3_128"]}


@pytest.mark.parametrize("name", ["out.jsonl.gz", "out.parquet", "out.arrow", "out"])
def test_there_and_back_through_any_file_format(source: Path, tmp_path: Path, name: str) -> None:
    th.chat.convert_files(source, tmp_path / name, to="sharegpt")
    found = tmp_path / name / "data" if name == "out" else tmp_path / name
    th.chat.convert_files(found, tmp_path / "back.jsonl", to="alpaca", from_format="sharegpt")
    assert _read(tmp_path / "back.jsonl") == ROWS


def test_columns_have_the_types_of_all_rows(source: Path, tmp_path: Path) -> None:
    rows = [*ROWS[:2], {"instruction": "a", "output": "b", "meta": {"score": 1}}]
    rows.append({"instruction": "a", "output": "b", "meta": {"score": 0.5, "tags": ["x"]}})
    _write(source, rows)
    th.chat.convert_files(source, tmp_path / "out.parquet", to="openai")
    table = pq.read_table(tmp_path / "out.parquet")
    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    assert table.schema.field("messages").type.value_type == message
    meta = table.schema.field("meta").type
    assert {field.name: field.type for field in meta} == {
        "score": pa.float64(),
        "tags": pa.list_(pa.string()),
    }
    assert table.column("n").to_pylist() == [0, 1, None, None]


def test_a_field_of_two_types_has_no_column_and_is_named(source: Path, tmp_path: Path) -> None:
    _write(source, [{**ROWS[0], "x": 1}, {**ROWS[1], "x": "one"}])
    with pytest.raises(th.DataError, match=r"x is a number in one row and a string in another"):
        th.chat.convert_files(source, tmp_path / "out.parquet", to="openai")
    assert not (tmp_path / "out.parquet").exists()


def test_an_array_in_a_json_file_is_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "alpaca_data.json"
    path.write_text(json.dumps(ROWS, indent=2), "utf-8")
    report = th.chat.convert_files(path, tmp_path / "out.jsonl", to="openai")
    assert (report.kept, report.quarantined) == (50, 0)
    assert report.report["inputs"][0]["format"] == "json"
    path.write_text(json.dumps(ROWS, indent=2)[:-30], "utf-8")
    report = th.chat.convert_files(path, tmp_path / "cut.jsonl", to="openai")
    assert (report.kept, report.quarantined) == (49, 1)


def test_bad_rows_are_set_aside_with_place_and_reason(source: Path, tmp_path: Path) -> None:
    lines = [
        json.dumps(ROWS[0]).encode(),
        b"{broken",
        b'{"instruction": 5}',
        b'["a"]',
        b"\xff",
        b"",
        json.dumps(ROWS[1]).encode(),
    ]
    source.write_bytes(b"\n".join(lines))
    report = th.chat.convert_files(
        source, tmp_path / "out", to="openai", from_format="alpaca", max_quarantine=0.7
    )
    assert (report.documents, report.kept, report.quarantined) == (6, 2, 4)
    bad = _read(tmp_path / "out" / "quarantine" / "records.jsonl")
    assert [(entry["row"], entry["reason"]) for entry in bad] == [
        (1, "invalid_json"),
        (2, "missing_field"),
        (3, "invalid_json"),
        (4, "invalid_utf8"),
    ]
    starts = [sum(len(line) + 1 for line in lines[:n]) for n in range(len(lines))]
    assert [entry["offset"] for entry in bad] == starts[1:5]
    assert bad[1]["raw"] == '{"instruction": 5}'
    with pytest.raises(th.DataError, match="record 1"):
        th.chat.convert_files(source, tmp_path / "strict", to="openai", from_format="alpaca", strict=True)


def test_half_a_surrogate_pair_passes_through_lines_but_not_into_columns(tmp_path: Path) -> None:
    line = b'{"instruction":"a\\ud800","output":"b","input":""}\n'
    (tmp_path / "in.jsonl").write_bytes(line)
    th.chat.convert_files(tmp_path / "in.jsonl", tmp_path / "out.jsonl", to="sharegpt")
    assert b"a\\ud800" in (tmp_path / "out.jsonl").read_bytes()
    report = th.chat.convert_files(
        tmp_path / "in.jsonl", tmp_path / "out.parquet", to="sharegpt", max_quarantine=1
    )
    assert (report.kept, report.quarantined) == (0, 1)


def test_losses_are_told_by_input_and_end_a_strict_run(tmp_path: Path) -> None:
    one = _write(tmp_path / "one.jsonl", [ROWS[0]])
    two = _write(tmp_path / "two.jsonl", [ROWS[0], {**ROWS[1], "input": "more"}])
    report = th.chat.convert_files([one, two], tmp_path / "out", to="openai")
    assert [(loss.input, loss.field, loss.examples) for loss in report.losses] == [
        ("two.jsonl", "input", (1,))
    ]
    with pytest.raises(th.DataError, match="row 1 would lose `input`"):
        th.chat.convert_files([one, two], tmp_path / "strict", to="openai", strict=True)


def test_the_output_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    rows = [{**ROWS[n % 50], "pad": "x" * 2000, "n": n} for n in range(6000)]
    source = _write(tmp_path / "in.jsonl", rows)
    for name in ("lines.jsonl", "columns.parquet"):
        found = []
        for threads in (1, 2, 4):
            out = tmp_path / f"{threads}-{name}"
            th.chat.convert_files(source, out, to="sharegpt", threads=threads)
            found.append(out.read_bytes())
        assert found[0] == found[1] == found[2]


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"")
    report = th.chat.convert_files(
        tmp_path / "in.jsonl", tmp_path / "out.jsonl", to="openai", from_format="alpaca"
    )
    assert (report.documents, (tmp_path / "out.jsonl").read_bytes()) == (0, b"")


def test_the_command_converts_and_says_what_was_lost(source: Path, tmp_path: Path) -> None:
    _write(source, [{**ROWS[0], "input": "more"}])
    runner = CliRunner()
    done = runner.invoke(cli, ["convert", str(source), "--to", "openai", "-o", str(tmp_path / "out.jsonl")])
    assert (done.exit_code, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "alpaca -> openai"
    assert lines[1].startswith("lost: in.jsonl: input: joined")
    assert lines[-1].startswith("in 1 documents")
    done = runner.invoke(
        cli, ["convert", str(source), "--to", "openai", "-o", str(tmp_path / "j"), "--json", "--quiet"]
    )
    assert json.loads(done.stdout)["to"] == "openai"


def test_folders_of_text_have_no_rows(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a", "utf-8")
    with pytest.raises(th.ParameterError, match="folder of documents"):
        th.chat.convert_files(tmp_path / "texts", tmp_path / "out.jsonl", to="openai", from_format="alpaca")
