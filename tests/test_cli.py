"""The command line: exit codes, what goes to which stream, and the accounting line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import thresher as th
from thresher import cli

LINES = b"".join(
    b'{"text": "%s"}\n' % text
    for text in (b"a rose is a rose", b"A rose, is a rose", b"a rose is a rose", b"a tulip")
)


def _run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "thresher", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four documents: two kept, one exact copy, one near copy."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(LINES)
    return path


def test_the_accounting_line_comes_last_on_standard_error_and_nothing_on_standard_output(
    source: Path,
) -> None:
    done = _run("dedup", source, "-o", source.with_name("out"), "--ngram", "2")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == (
        "in 4 documents (108 B) = kept 2 (49 B) + exact 1 (29 B) + near 1 (30 B) + quarantined 0 (0 B)"
    )
    assert "\x1b" not in done.stderr


def test_json_is_the_report_on_standard_output(source: Path) -> None:
    done = _run("dedup", source, "-o", source.with_name("out"), "--json", "--quiet")
    report = json.loads(done.stdout)
    saved = json.loads((source.with_name("out") / "run.json").read_text("utf-8"))
    assert saved == {**report, "xxh3_128": saved["xxh3_128"]}
    assert done.stderr == ""


def test_data_goes_to_standard_output_and_words_to_standard_error(source: Path) -> None:
    done = _run("dedup", source, "-o", "-", "--exact-only", cwd=source.parent)
    assert done.stdout.encode() == b"".join(LINES.splitlines(keepends=True)[index] for index in (0, 1, 3))
    assert done.stderr.startswith("in 4 documents")


def test_standard_input_is_an_input(source: Path) -> None:
    done = _run("dedup", "-", "-o", source.with_name("out.jsonl"), input=LINES.decode())
    assert done.returncode == 0, done.stderr
    assert source.with_name("out.jsonl").read_bytes().count(b"\n") == 2


def test_a_recall_out_of_reach_is_a_note(source: Path) -> None:
    arguments = ("dedup", source, "-o", source.with_name("out"), "--threshold", "0.2", "--num-hashes", "16")
    done = _run(*arguments)
    assert done.returncode == 0
    assert done.stderr.startswith(
        "note: recall is `0.995`, but with num_hashes `16` a pair at threshold `0.2`"
    )
    assert json.loads((source.with_name("out") / "run.json").read_text("utf-8"))["unchecked"] == {}
    assert _run(*arguments, "--quiet", "--overwrite").stderr == ""


def test_the_largest_clusters_are_shown_on_request(source: Path) -> None:
    done = _run("dedup", source, "-o", source.with_name("out"), "--ngram", "2", "--clusters", "5")
    assert "cluster of 3: in.jsonl:0" in done.stderr
    assert "    in.jsonl:2" in done.stderr


def test_ids_cannot_steer_the_terminal(source: Path) -> None:
    line = json.dumps({"text": "a b", "id": "\x1b[2Jevil"}) + "\n"
    source.write_text(line * 2, "utf-8")
    done = _run("dedup", source, "-o", source.with_name("out"), "--id", "id", "--clusters", "1")
    assert "evil" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["dedup"], 2, "IN..."),
        (["dedup", "{in}"], 2, "--output"),
        (["nothing"], 2, "nothing"),
        (["dedup", "{in}", "-o", "{out}", "--unit", "byte"], 2, "byte"),
        (["dedup", "{in}", "-o", "{out}", "--threshold", "2"], 2, "threshold is `2`"),
        (["dedup", "{in}", "-o", "-", "--json"], 2, "standard output"),
        (["dedup", "{in}", "-o", "{in}/out"], 74, "in.jsonl"),
    ],
)
def test_each_failure_has_its_exit_code_and_says_why(
    source: Path, arguments: list[str], code: int, words: str
) -> None:
    filled = [argument.format(**{"in": source, "out": source.with_name("out")}) for argument in arguments]
    done = _run(*filled)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_record_in_a_strict_run_is_exit_code_65(source: Path) -> None:
    source.write_bytes(LINES + b"{broken\n")
    assert _run("dedup", source, "-o", source.with_name("out")).returncode == 0
    done = _run("dedup", source, "-o", source.with_name("strict"), "--strict")
    assert done.returncode == 65
    assert "in.jsonl" in done.stderr


def test_a_closed_pipe_ends_the_command_without_a_word(source: Path) -> None:
    source.write_bytes(b"".join(b'{"text": "%d"}\n' % index for index in range(200_000)))
    command = [sys.executable, "-m", "thresher", "dedup", str(source), "-o", "-", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=source.parent)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(100)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(50) == 141
    assert said == b""


def test_progress_is_shown_on_a_terminal_and_nowhere_else(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = th.dedup_files

    def slow(*arguments: Any, progress: Any, **parameters: Any) -> th.DedupReport:
        moment = {
            "step": "sign",
            "docs": 500,
            "bytes": 50,
            "total_bytes": 100,
            "quarantined": 2,
            "rss_bytes": 5e6,
            "memory_bytes": 8e9,
        }
        for elapsed_s in (0.1, 1.1) if progress else ():
            progress({**moment, "elapsed_s": elapsed_s})
        return run(*arguments, **parameters)

    monkeypatch.setattr(th, "dedup_files", slow)
    arguments = ["dedup", str(source), "-o", str(source.with_name("out")), "--overwrite"]
    for is_terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda answer=is_terminal: answer)
        with pytest.raises(SystemExit, match="0"):
            cli.main(arguments)
        shown = capsys.readouterr().err
        assert all(
            (words in shown) == is_terminal
            for words in ("sign:  50%", "500 docs/s", "RSS 5.0 MB/8.0 GB", "2 bad")
        )
        assert shown.splitlines()[-1].endswith("quarantined 0 (0 B)")


def test_version_and_help_are_on_standard_output() -> None:
    assert _run("--version").stdout == f"thresher {th.__version__}\n"
    done = _run("dedup", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--threshold" in done.stdout


def test_doctor_names_what_a_report_needs() -> None:
    facts = json.loads(_run("doctor", "--json").stdout)
    assert facts["version"] == th.__version__
    assert facts["hash_scheme"] == 2
    assert facts["threads"] >= 1
    assert facts["memory_bytes"] > 0
    assert facts["default_memory_bytes"] <= facts["memory_bytes"] * 0.6
    assert facts["open_files"] > 0
    assert {"cgroup_memory_bytes", "cgroup_cpus", "cgroup_version"} <= facts.keys()
    for folder in facts["folders"]:
        assert folder["error"] is None
        assert min(folder[name] for name in ("free_bytes", "write_bytes_s", "read_bytes_s")) > 0
    assert facts["tmp"] in [folder["path"] for folder in facts["folders"]]
    shown = _run("doctor").stdout
    assert f"instruction set  {facts['instruction_set']}" in shown


def test_doctor_looks_at_the_folders_that_are_named_and_leaves_nothing(tmp_path: Path) -> None:
    facts = json.loads(_run("doctor", str(tmp_path / "not" / "there"), "--json").stdout)
    assert facts["folders"][0]["path"] == str(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "writes" in _run("doctor", str(tmp_path)).stdout
