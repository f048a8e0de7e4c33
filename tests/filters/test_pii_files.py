"""`th.pii_files`: what is edited and what stays, the books, the key, and kills at any time."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th

KEY = "5f3a09c2b7d1e84f5f3a09c2b7d1e84f"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lines and a table of texts, some with personal data, one without a text; and a key."""
    rng = random.Random(5)
    with (tmp_path / "a.jsonl").open("w", encoding="utf-8") as out:
        for row in range(400):
            text = None if row == 7 else _text(rng, row)
            out.write(json.dumps({"n": row, "text": text, "tail": [1.0, "é"]}) + "\n")
    texts = [_text(rng, row) for row in range(300)]
    pq.write_table(pa.table({"n": pa.array(range(300), pa.int16()), "text": texts}), tmp_path / "b.parquet")
    monkeypatch.setenv("PII_KEY", KEY)
    return tmp_path


def _text(rng: random.Random, row: int) -> str:
    words = " ".join(rng.choices(["the", "quick", "Bär", "東京", "\n"], k=rng.randrange(30)))
    return f"{words} jo{row % 50}@mail.net and 181.2.69.{row % 200}" if row % 3 else words


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("action", ["redact", "pseudonym"])
def test_files_are_edited_as_texts_in_memory_are(action: Any, folder: Path) -> None:
    key_env, key = ("PII_KEY", KEY) if action == "pseudonym" else (None, None)
    inputs = [folder / "a.jsonl", folder / "b.parquet"]
    reports = {}
    for threads in (1, 2):
        out = folder / f"out{threads}"
        reports[threads] = th.pii_files(
            inputs, out, action=action, key_env=key_env, threads=threads, batch_bytes=2000
        )
    report = reports[1]
    assert (report.documents, report.kept, report.quarantined) == (700, 699, 1)
    for name in ("data/a.jsonl", "data/b.parquet"):
        assert (folder / "out1" / name).read_bytes() == (folder / "out2" / name).read_bytes()
    rows = [row for row in _lines(folder / "a.jsonl") if row["text"] is not None]
    table = pq.read_table(folder / "b.parquet")
    in_memory = th.filters.redact_pii(
        [*(row["text"] for row in rows), *table["text"].to_pylist()], action=action, key=key
    )
    written = _lines(folder / "out1" / "data" / "a.jsonl")
    found = pq.read_table(folder / "out1" / "data" / "b.parquet")
    assert [*(row["text"] for row in written), *found["text"].to_pylist()] == in_memory.texts.to_pylist()
    assert report.found == in_memory.counts
    assert report.found["email"] == report.documents_with_pii
    assert "email" in str(report)
    # Nothing but the text has changed.
    assert [row["n"] for row in written] == [row["n"] for row in rows]
    assert found["n"].equals(table["n"])
    assert th.verify(folder / "out1").ok


def test_dropped_documents_are_in_the_books_and_their_values_nowhere(folder: Path) -> None:
    report = th.pii_files(folder / "a.jsonl", folder / "out", action="drop", id="n")
    kept = _lines(folder / "out" / "data" / "a.jsonl")
    removed = pq.read_table(folder / "out" / "removed.parquet").to_pylist()
    assert report.kept == len(kept) == 400 - 1 - len(removed)
    assert all(row["n"] % 3 == 0 for row in kept)
    assert {(row["step"], row["reason"], row["detail"]) for row in removed} == {
        ("pii", "email", "email 1, ip 1")
    }
    assert all(row["reasons"] == ["email", "ip"] for row in removed)
    assert report.report["accounting"]["removed"]["email"]["docs"] == len(removed)
    for path in (folder / "out").rglob("*"):
        if path.is_file() and path.parent.name not in ("data", "quarantine"):
            assert b"@mail.net" not in path.read_bytes(), path


def test_the_key_stands_in_no_file(folder: Path) -> None:
    th.pii_files(folder / "a.jsonl", folder / "out", action="pseudonym", key_env="PII_KEY")
    for path in (folder / "out").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    assert "PII_KEY" in (folder / "out" / "run.json").read_text("utf-8")


def test_a_key_that_cannot_be_is_told_without_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**given: Any) -> str:
        with pytest.raises(th.ParameterError) as error:
            th.pii_files(folder / "a.jsonl", folder / "out", **given)
        assert not (folder / "out" / "data").exists()
        return str(error.value)

    assert "key_env is not given" in said(action="pseudonym")
    assert "no such variable" in said(action="pseudonym", key_env="NOWHERE_KEY")
    assert "action is `redact`" in said(key_env="PII_KEY")
    monkeypatch.setenv("PII_KEY", "hunter2")
    short = said(action="pseudonym", key_env="PII_KEY")
    assert "`7` bytes" in short
    assert "hunter2" not in short


def test_it_is_a_step_of_pipelines(folder: Path) -> None:
    pipeline = th.Pipeline(
        [
            {"pii": {"types": ["email"]}},
            {"dedup": {"exact_only": True}},
            {"pii": {"types": ["ip"], "action": "drop"}},
        ],
        inputs=folder / "a.jsonl",
        output=folder / "out",
    )
    report = pipeline.run()
    alone = th.pii_files(folder / "a.jsonl", folder / "alone", types="email")
    first = report.steps["1.pii"]  # type: ignore[attr-defined]
    assert first.report["found"] == alone.report["found"]
    texts = [row["text"] for row in _lines(folder / "out" / "data" / "a.jsonl")]
    assert len(texts) == report.kept > 0
    assert not any("@mail.net" in text or "181.2.69" in text for text in texts)


def test_the_command_takes_types_with_commas_and_streams(folder: Path) -> None:
    command = [sys.executable, "-m", "thresher", "pii", str(folder / "a.jsonl"), "--types", "email,phone"]
    done = subprocess.run(
        [*command, "-o", "-", "--tag", "[{type}]"], capture_output=True, text=True, check=True
    )
    texts = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert sum("[EMAIL]" in text for text in texts) > 200
    assert any("181.2.69" in text for text in texts)
    assert "found: email" in done.stderr
    wrong = subprocess.run([*command[:-1], "emial", "-o", "-"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "did you mean `email`" in wrong.stderr


def test_a_run_that_is_killed_goes_on_and_another_key_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(6)
    source = folder / "large.jsonl"
    with source.open("w", encoding="utf-8") as out:
        for row in range(60_000):
            out.write(json.dumps({"text": _text(rng, row)}) + "\n")

    def command(output: Path) -> list[str]:
        run = [
            sys.executable,
            "-m",
            "thresher",
            "pii",
            str(source),
            "-o",
            str(output),
            "--action",
            "pseudonym",
        ]
        return [*run, "--key-env", "PII_KEY", "--threads", "1", "--batch-bytes", "4096", "--quiet"]

    started = time.monotonic()
    subprocess.run(command(folder / "whole"), check=True)
    seconds = time.monotonic() - started
    killed = False
    for _ in range(6):
        child = subprocess.Popen(command(folder / "killed"))
        time.sleep(rng.uniform(0.5, 0.9) * seconds)
        child.send_signal(signal.SIGKILL)
        child.wait()
        if (folder / "killed" / "run.json").exists():
            break
        state = folder / "killed" / ".thresher"
        if not killed and any(path.name == "run.json" for path in state.rglob("run.json")):
            killed = True
            monkeypatch.setenv("PII_KEY", KEY[::-1])
            refused = subprocess.run(command(folder / "killed"), capture_output=True, text=True, check=False)
            assert refused.returncode == 2, refused.stderr
            assert "`PII_KEY` holds another key" in refused.stderr
            monkeypatch.setenv("PII_KEY", KEY)
    if not (folder / "killed" / "run.json").exists():
        subprocess.run(command(folder / "killed"), check=True)
    name = Path("data") / "large.jsonl"
    assert (folder / "killed" / name).read_bytes() == (folder / "whole" / name).read_bytes()
