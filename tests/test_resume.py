"""Runs that are killed, and what the next run of the same command makes of what they left."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

import thresher as th

KILLS = int(os.environ.get("THRESHER_KILLS", "8"))
"""Random kills of the test below; `make test-kill` asks for 200."""


def _corpus(path: Path, documents: int) -> None:
    """Texts of 120 words, many of them near-duplicates, and some lines that are no documents."""
    rng = random.Random(7)
    words = [f"w{n}" for n in range(4000)]
    texts: list[str] = []
    with path.open("w") as out:
        for number in range(documents):
            if texts and rng.random() < 0.4:
                text = rng.choice(texts[-500:]).split()
                text[rng.randrange(len(text))] = f"edit{number}"
                texts.append(" ".join(text))
            elif texts and rng.random() < 0.1:
                texts.append(rng.choice(texts[-500:]))
            else:
                texts.append(" ".join(rng.choices(words, k=120)))
            out.write(json.dumps({"id": f"doc-{number}", "text": texts[-1]}) + "\n")
            if number % 997 == 0:
                out.write("{no document\n")


def _command(source: Path, output: Path) -> list[str]:
    options = ["--id", "id", "--threads", "2", "--batch-bytes", "8192", "--quiet"]
    return [sys.executable, "-m", "thresher", "dedup", str(source), "-o", str(output), *options]


def _contents(output: Path) -> dict[str, bytes]:
    """Every file of a result but the reports, which hold times."""
    files = (path for path in sorted(output.rglob("*")) if path.is_file())
    reports = {"run.json", "report.html"}
    return {str(path.relative_to(output)): path.read_bytes() for path in files if path.name not in reports}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], float]:
    """A corpus, the result of a run that nobody disturbs, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("resume")
    source = folder / "in.jsonl"
    _corpus(source, 12_000)
    started = time.monotonic()
    subprocess.run(_command(source, folder / "whole"), check=True)
    return source, _contents(folder / "whole"), time.monotonic() - started


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_run_that_is_killed_again_and_again_ends_with_the_bytes_of_one_that_is_not(
    whole: tuple[Path, dict[str, bytes], float], tmp_path: Path
) -> None:
    source, expected, seconds = whole
    rng, kills, runs = random.Random(11), 0, 0
    while kills < KILLS:
        output = tmp_path / f"out-{runs}"
        runs += 1
        while True:
            process = subprocess.Popen(_command(source, output))
            if kills < KILLS:
                time.sleep(rng.uniform(0.1, 1.1) * seconds)
                process.send_signal(signal.SIGKILL)
            code = process.wait()
            if code == 0 or (code == 2 and (output / "run.json").exists()):
                # Or the kill before came when everything had been published.
                break
            assert code == -signal.SIGKILL
            kills += 1
            # What stands under a final name is complete.
            if (output / "run.json").exists() and not (output / ".thresher").exists():
                assert _contents(output) == expected
        assert _contents(output) == expected
        assert not (output / ".thresher").exists()


def _chat(path: Path, rows: int) -> None:
    """Conversations, and some lines that are none."""
    rng = random.Random(5)
    with path.open("w") as out:
        for number in range(rows):
            said = [" ".join(f"w{rng.randrange(4000)}" for _ in range(60)) for _ in range(4)]
            turns = [
                {"role": role, "content": text}
                for role, text in zip(("user", "assistant") * 2, said, strict=True)
            ]
            out.write(json.dumps({"id": number, "messages": turns}) + "\n")
            if number % 997 == 0:
                out.write("{no conversation\n")


@pytest.mark.timeout(60 + 10 * KILLS)
@pytest.mark.parametrize(
    "options",
    [
        ["convert", "--to", "sharegpt"],
        ["render", "--template", str(Path(__file__).parent.parent / "examples" / "tokenizer_config.json")],
        ["validate"],
    ],
    ids=lambda options: options[0],
)
def test_other_verbs_that_are_killed_end_with_the_bytes_of_a_run_that_is_not(
    options: list[str], tmp_path: Path
) -> None:
    source = tmp_path / "in.jsonl"
    _chat(source, 12_000)

    def command(output: Path) -> list[str]:
        verb, *rest = options
        rest += ["--threads", "2", "--batch-bytes", "8192", "--quiet"]
        return [sys.executable, "-m", "thresher", verb, str(source), "-o", str(output), *rest]

    started = time.monotonic()
    # A validation says by its code that some lines are no conversations.
    good = (0, 65) if options == ["validate"] else (0,)
    assert subprocess.run(command(tmp_path / "whole"), check=False).returncode in good
    seconds = time.monotonic() - started
    expected = _contents(tmp_path / "whole")
    rng, kills = random.Random(3), 0
    while kills < max(3, KILLS // 3):
        output = tmp_path / f"out-{kills}"
        while True:
            process = subprocess.Popen(command(output))
            time.sleep(rng.uniform(0.3, 1.0) * seconds)
            process.send_signal(signal.SIGKILL)
            code = process.wait()
            kills += code == -signal.SIGKILL
            if code in good or (code == 2 and (output / "run.json").exists()):
                break
            assert code == -signal.SIGKILL
            if rng.random() < 0.5:
                done = subprocess.run(command(output), check=False)
                assert done.returncode in good or (output / "run.json").exists()
                break
        assert _contents(output) == expected
        assert th.verify(output).ok
        assert not (output / ".thresher").exists()


class _Life(RuleBasedStateMachine):
    """An output, and all that can happen to the runs on it.

    Each rule may come at any time and looks for itself at what the runs before it have left: how far a run
    gets before it is killed is not known.
    """

    def __init__(self, whole: tuple[Path, dict[str, bytes], float], folder: Path) -> None:
        super().__init__()
        self.source, self.expected, self.seconds = whole
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.outputs = 0

    @property
    def output(self) -> Path:
        return self.folder / f"out-{self.outputs}"

    def run_on(self, *options: str, signal_at: tuple[int, float] | None = None) -> tuple[int, str]:
        """Starts a run, sends it a signal after a share of its time; gives its exit code and its words."""
        command = [*_command(self.source, self.output), *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        if signal_at is not None:
            number, share = signal_at
            time.sleep(share * self.seconds)
            process.send_signal(number)
        _, said = process.communicate()
        return process.returncode, said

    def check_whole(self, code: int, said: str) -> None:
        """The result stands, made by this run or by one that was killed late; another output is next."""
        assert code == 0 or (code == 2 and (self.output / "run.json").exists()), said
        assert _contents(self.output) == self.expected
        assert not (self.output / ".thresher").exists()
        self.outputs += 1

    @rule(share=st.floats(0.1, 1.1), threads=st.sampled_from("12"))
    def kill(self, share: float, threads: str) -> None:
        code, said = self.run_on("--threads", threads, signal_at=(signal.SIGKILL, share))
        if code != -signal.SIGKILL:
            self.check_whole(code, said)

    @rule(share=st.floats(0.3, 1.0))
    def interrupt(self, share: float) -> None:
        code, said = self.run_on(signal_at=(signal.SIGINT, share))
        if code not in (130, -signal.SIGINT, 1):
            # The interpreter that is not yet up, or no longer, ends in ways of its own.
            self.check_whole(code, said)

    @rule(threads=st.sampled_from("123"), memory=st.sampled_from(["320MB", "1GB"]))
    def finish(self, threads: str, memory: str) -> None:
        output = self.output
        self.check_whole(*self.run_on("--threads", threads, "--memory", memory))
        subprocess.run([sys.executable, "-m", "thresher", "verify", str(output), "--quiet"], check=True)

    @rule()
    def restart(self) -> None:
        self.check_whole(*self.run_on("--restart"))

    @rule()
    def ask_for_something_else(self) -> None:
        if not (self.output / ".thresher" / "spill" / "task-000000").exists():
            return
        code, said = self.run_on("--threshold", "0.7")
        if (self.output / "run.json").exists():
            self.check_whole(code, said)
        else:
            assert code == 2
            assert "threshold was `0.8`, and is `0.7`" in said

    def teardown(self) -> None:
        self.check_whole(*self.run_on())
        shutil.rmtree(self.folder)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_whatever_happens_to_the_runs_on_an_output_it_ends_whole(
    whole: tuple[Path, dict[str, bytes], float], tmp_path: Path
) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        lambda: _Life(whole, tmp_path),
        settings=settings(
            max_examples=max(3, KILLS // 4),
            stateful_step_count=7,
            deadline=None,
            suppress_health_check=checks,
        ),
    )


def _interrupted(source: Path, output: Path) -> None:
    """Starts a run and interrupts it behind its first task."""
    process = subprocess.Popen(_command(source, output), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (output / ".thresher" / "spill" / "task-000000").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


def test_an_interrupted_run_goes_on_and_says_so(
    whole: tuple[Path, dict[str, bytes], float], tmp_path: Path
) -> None:
    source, expected, _ = whole
    output = tmp_path / "out"
    _interrupted(source, output)
    assert (output / ".thresher" / "spill" / "secret").stat().st_mode & 0o777 == 0o600
    options = {"id": "id", "batch_bytes": 8192}
    report = th.dedup_files(source, output, threads=1, memory="300MB", **options)
    assert any("interrupted run" in note for note in report.notes), report.notes
    assert _contents(output) == expected


def test_another_command_on_the_state_of_an_interrupted_run_is_told_what_differs(
    whole: tuple[Path, dict[str, bytes], float], tmp_path: Path
) -> None:
    source, expected, _ = whole
    source = source.rename(tmp_path / "in.jsonl")
    try:
        output = tmp_path / "out"
        _interrupted(source, output)
        options = {"id": "id", "batch_bytes": 8192}
        with pytest.raises(th.ParameterError, match=r"threshold was `0\.8`, and is `0\.7`"):
            th.dedup_files(source, output, threshold=0.7, **options)
        content = source.read_bytes()
        times = source.stat()
        head = content[:4096].replace(b"w1", b"w2")
        source.write_bytes(head + content[4096:])
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(th.ParameterError, match="has other content"):
            th.dedup_files(source, output, **options)
        source.write_bytes(content)
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
        report = th.dedup_files(source, output, restart=True, **options)
        assert not any("interrupted run" in note for note in report.notes)
        assert _contents(output) == expected
    finally:
        source.rename(whole[0])


def test_references_remove_what_is_like_them_and_stay_out_of_the_result(tmp_path: Path) -> None:
    texts = ["a b c d e f g h i j", "a b c d e f g h i x"]
    (tmp_path / "ref.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    new = ["a b c d e f g h y x", "k l m n o p q r s t", "a b c d e f g h i j"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in new))
    report = th.dedup_files(
        tmp_path / "in.jsonl", tmp_path / "out", against=[tmp_path / "ref.jsonl"], ngram=1, threshold=0.8
    )
    kept = (tmp_path / "out" / "data" / "in.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in kept] == ["k l m n o p q r s t"]
    assert report.report["accounting"]["references"]["docs"] == 2
    assert not (tmp_path / "out" / "data" / "ref.jsonl").exists()
