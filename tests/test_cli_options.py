"""Every option of every command, given what it cannot be: exit code 2, option and value, no traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tokens.tokenizers_of_tests import byte_level
from thresher import cli

ROW = {
    "text": "a b",
    "instruction": "Do it.",
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
}
# Nothing listens there; what is wrong with an option is told before anything is asked.
ENDPOINT = ["--endpoint", "http://127.0.0.1:1/v1", "--model", "m"]
MODEL = str(Path(__file__).parent / "golden" / "fasttext" / "softmax.bin")
COMMANDS = {
    "decontaminate": ["in.jsonl", "-o", "out", "--against", "in.jsonl"],
    "dedup": ["in.jsonl", "-o", "out"],
    "filter": ["in.jsonl", "-o", "out", "--preset", "c4"],
    "what-if": ["out"],
    "convert": ["in.jsonl", "-o", "out", "--to", "sharegpt"],
    "validate": ["in.jsonl"],
    "render": ["in.jsonl", "-o", "out", "--template", "chat.jinja"],
    "shuffle": ["in.jsonl", "-o", "out"],
    "language": ["in.jsonl", "-o", "out"],
    "quality train": ["--good", "in.jsonl", "--bad", "in.jsonl", "-o", "out.bin"],
    "quality score": ["in.jsonl", "-o", "out", "--model", MODEL, "--label", "city"],
    "pack": ["in.parquet", "-o", "out", "--context", "8"],
    "pii": ["in.jsonl", "-o", "out"],
    "verify": ["out"],
    "plan": ["in.jsonl"],
    "explain": ["out", "in.jsonl:0"],
    "run": ["pipeline.yaml"],
    "mix": ["mix.yaml"],
    "doctor": [],
    "tokenize": ["in.jsonl", "-o", "out", "--tokenizer", "tokenizer.json"],
    "tokens merge": ["in.bin", "-o", "out.bin"],
    "tokens check": ["in.bin"],
    "tokenizer train": ["in.jsonl", "-o", "out"],
    "generate domain": ["law", "-o", "out", *ENDPOINT],
    "generate self-instruct": ["in.jsonl", "-o", "out", *ENDPOINT],
    "generate distill": ["in.jsonl", "-o", "out", *ENDPOINT],
    "judge": ["in.jsonl", "-o", "out", *ENDPOINT],
    "generate document-qa": ["in.jsonl", "-o", "out", *ENDPOINT],
}
# What an option of text cannot be: most say so by a list of what they can.
TEXTS = {
    "text": "a..b",
    "id": "a..b",
    "keep": "newest",
    "by": "a..b",
    "label": "village",
    "special_tokens": "",
    "to": "gpt",
    "from_format": "gpt",
    "format": "gpt",
    "target": "gpt",
    "ignore": "emtpy_turn",
    "preset": "gofer",
    "signals": "gofer",
    "set": "c4.sentences",
    "curve": "c4.sentence",
    "template": "nowhere.jinja",
    "tokenizer": "nowhere.json",
    "bos": "<nowhere>",
    "eos": "<nowhere>",
    "now": "yesterday",
    "variables": "enable_thinking",
    "settings": "threshold",
    "endpoint": "ftp.host",
    "prompts": "a..b",
    "sources": "web",
    "floors": "language",
    "ceilings": "language",
    "phases": "first",
    "length": "nowhere",
    "real_field": "a..b",
    "strategies": "explain",
    "types": "emial",
    "tag": "{kind}",
    "rule": "gpt3-14",
    "answers": "a..b",
}
# Any text will do: a folder that is made, a pattern that fits no file, the name of one of several templates.
# Files that are not there are a failure of the file system, not of usage.
FREE = {"output", "tmp", "glob", "name", "against", "journal", "holdout", "dev", "task_types", "batch_files"}
# So do names of models, of variables of the environment, and what a card is to say.
FREE |= {"rubric", "question", "answer", "reference", "items", "verdicts", "student", "prefix"}
FREE |= {"tokenizer", "real_values", "good", "bad"}
FREE |= {"model", "revision", "key_env", "family", "licence", "terms"}
# A column of any name there may be.
FREE |= {"tokens", "mask", "column"}
# Which steps a result has, its run.json says.
FREE |= {"step"}
NUMBERS = {
    "context": ["0", "-1", str(2**31)],
    "eos": ["-1", str(2**32)],
    "pad": ["-1", str(2**32)],
    "threshold": ["2", "nan", "-1"],
    "recall": ["1.5", "inf"],
    "max_quarantine": ["2", "-0.1"],
    "num_hashes": ["0", "65537", str(2**70)],
    "vocab_size": ["0", "256", str(2**70)],
    "limit_alphabet": ["0", str(2**70)],
    "reserved": ["-1", str(2**70)],
    "min_frequency": ["-1"],
    "max_token_length": ["0", str(2**70)],
    "ngram": ["0", "257"],
    "seed": ["-1", str(2**64)],
    "epoch": ["-1", str(2**64)],
    "shards": ["0", "100001"],
    "rows_per_shard": ["0", "-1"],
    "threads": ["0", "-1", str(2**70)],
    "memory": ["0", "-1", "4XB", "GB"],
    "total_bytes": ["0", "-1", "4XB", "GB"],
    "clusters": ["-1", "11"],
    "max_record_bytes": ["0", "-5"],
    "batch_bytes": ["0"],
    "max_problems": ["-1"],
    "max_in_flight": ["0", str(2**70)],
    "rpm": ["0", "-1"],
    "tpm": ["0"],
    "timeout_s": ["0", "nan", "inf"],
    "price_input": ["-1", "nan"],
    "price_output": ["-1", "inf"],
    "price_cached": ["-1"],
    "price_batch": ["-1", "nan"],
    "budget_money": ["-1", "nan"],
    "budget_tokens": ["-1"],
    "budget_requests": ["-1", str(2**70)],
    "budget_seconds": ["-1", "inf"],
    "near_duplicates": ["2", "nan", "-1"],
    "temperature": ["-1", "nan"],
    "max_epochs": ["0", "-1", "nan", "inf"],
    "real_share": ["2", "-0.1", "nan"],
    "max_tokens": ["0", str(2**70)],
    "per_request": ["0", "51"],
    "round_size": ["0"],
    "holdout_share": ["1", "-0.1", "nan"],
    "per_passage": ["0", "51"],
    "passage_chars": ["0"],
    "judge threshold": ["nan", "inf"],
    "scale": ["0", "7"],
    "min_score": ["2", "nan", "-1"],
    "keep_top": ["2", "nan", "-1"],
    "sample_bytes": ["-1", str(2**70)],
    "word_ngrams": ["0", "6"],
    "bucket": ["0", str(2**70)],
    "min_count": ["0", str(2**70)],
    "max_words": ["-1", str(2**70)],
    "epochs": ["0", "1001"],
    "max_documents": ["0", str(2**70)],
    "review": ["0", "-1"],
    "tries": ["0", "21"],
    "common": ["-1", str(2**70)],
    "window": ["-1", str(2**70)],
    "min_piece": ["-1", str(2**70)],
    "max_pieces": ["-1", str(2**70)],
    "max_matches": ["-1", str(2**70)],
}


def _options() -> Iterator[tuple[str, click.Option]]:
    for name, command in _commands():
        for option in command.params:
            if isinstance(option, click.Option):
                yield name, option


def _commands() -> Iterator[tuple[str, click.Command]]:
    for name, command in cli.cli.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def _wrong_values() -> Iterator[Any]:
    for command, option in _options():
        name, flag = str(option.name), max(option.opts, key=len)
        if option.is_flag:
            values = [f"{flag}=1"]
        elif isinstance(option.type, click.Choice):
            values = [f"{flag}=bogus"]
        elif name in NUMBERS:
            numbers = NUMBERS.get(f"{command} {name}", NUMBERS[name])
            values = [f"{flag}={value}" for value in ("bogus", "", *numbers)]
        elif name in TEXTS:
            values = [f"{flag}={TEXTS[name]}"]
        else:
            assert name in FREE, f"say in this test what `{flag}` cannot be"
            continue
        for value in values:
            yield pytest.param(command, flag, value, id=f"{command}{value}")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of rows, one of tokens and a template."""
    (tmp_path / "in.jsonl").write_text(json.dumps(ROW) + "\n", "utf-8")
    byte_level(tmp_path / "tokenizer.json")
    pq.write_table(pa.table({"input_ids": [[1, 2]]}), tmp_path / "in.parquet")
    (tmp_path / "chat.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}", "utf-8")
    mix = "{sources: {a: in.jsonl}, unit: documents, output: out}\n"
    (tmp_path / "mix.yaml").write_text(mix, "utf-8")
    (tmp_path / "pipeline.yaml").write_text("{inputs: in.jsonl, output: out, steps: [dedup]}\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2, said
    assert "Traceback" not in said
    return said


def test_every_command_is_tested() -> None:
    assert set(COMMANDS) == {name for name, _ in _commands()}


@pytest.mark.parametrize(("command", "flag", "argument"), list(_wrong_values()))
def test_a_value_that_cannot_be_ends_with_2_and_is_named(
    command: str, flag: str, argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _fails([*command.split(), *COMMANDS[command], argument], capsys)
    value = argument.partition("=")[2]
    is_said = flag in said or flag.strip("-").replace("-", "_") in said or "path" in said
    assert is_said, said
    assert value in said or argument.endswith("=1") or value in ("inf", str(2**70)), said
    assert "line 1 column" not in said


@pytest.mark.parametrize(("command", "flag"), [(command, max(o.opts, key=len)) for command, o in _options()])
def test_a_misspelt_option_is_told_what_it_may_mean(
    command: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    misspelt = f"{flag[:-1]}qq"
    said = _fails([*command.split(), *COMMANDS[command], misspelt], capsys)
    assert misspelt in said
    assert "--" in said.partition(misspelt)[2] or len(flag) < 7, said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_misspelt_command_is_refused_by_name(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{command.split()[-1]}e" in _fails(f"{command}e".split(), capsys)


@pytest.mark.parametrize("command", ["dedup", "convert", "validate", "render", "pack"])
def test_an_input_that_is_missing_is_asked_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "in" in _fails([*command.split(), *COMMANDS[command][1:]], capsys).lower()
