"""Rendering of files: the texts and spans of memory, in rows, in any file format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import thresher as th
from thresher.cli import cli

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
ROWS: list[dict[str, Any]] = [
    {"instruction": f"Größe {n}?", "input": "", "output": f"\N{GRINNING FACE} {n} \"'\n", "id": n}
    for n in range(40)
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty rows and one that has no question."""
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, {"output": "x"}]), "utf-8")
    return path


def test_files_render_as_memory_does(source: Path, tmp_path: Path) -> None:
    report = th.chat.render_files(source, tmp_path / "out.jsonl", template=TEMPLATE, from_format="alpaca")
    done = th.chat.render(ROWS, template=TEMPLATE)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [row["text"] for row in found] == done.texts.to_pylist()
    assert [row["spans"] for row in found] == done.spans.to_pylist()
    assert [row["id"] for row in found] == list(range(40))
    for row, rendered in zip(ROWS, found, strict=True):
        (span,) = rendered["spans"]
        assert rendered["text"][span["start"] : span["end"]] == row["output"] + "<|end|>"
    assert (report.documents, report.kept, report.quarantined) == (41, 40, 1)


def test_columns_hold_the_same(source: Path, tmp_path: Path) -> None:
    parameters = {"template": TEMPLATE, "from_format": "alpaca"}
    th.chat.render_files(source, tmp_path / "out.jsonl", **parameters)
    th.chat.render_files(source, tmp_path / "out.parquet", **parameters)
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [json.loads(line) for line in lines]


def test_neither_threads_nor_batches_change_a_byte(source: Path, tmp_path: Path) -> None:
    found = set()
    for threads, batch_bytes in ((1, 100), (2, 1000), (4, 4 * 2**20)):
        out = tmp_path / f"{threads}.jsonl"
        th.chat.render_files(
            source, out, template=TEMPLATE, from_format="alpaca", threads=threads, batch_bytes=batch_bytes
        )
        found.add(out.read_bytes())
    assert len(found) == 1


def test_the_command_takes_a_template_from_a_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}), "utf-8")
    arguments = ["render", str(source), "--from", "alpaca", "--template", str(tmp_path), "--no-mask"]
    done = CliRunner().invoke(cli, [*arguments, "-o", str(tmp_path / "out.jsonl")])
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1].startswith("in 41 documents")
    first = json.loads((tmp_path / "out.jsonl").read_text("utf-8").splitlines()[0])
    assert first.keys() == {"text", "id"}


def test_a_template_that_raises_sets_its_rows_aside(source: Path, tmp_path: Path) -> None:
    picky = "{% if messages | length > 2 %}a{% else %}{{ raise_exception('too short') }}{% endif %}"
    report = th.chat.render_files(
        source, tmp_path / "out", template=picky, from_format="alpaca", mask=False, max_quarantine=1
    )
    assert report.report["accounting"]["quarantined"]["template_raised"]["docs"] == 40
    bad = (tmp_path / "out" / "quarantine" / "records.jsonl").read_text("utf-8").splitlines()
    assert "too short" in json.loads(bad[0])["detail"]
