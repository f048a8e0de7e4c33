"""Raw text to packed tokens in one pipeline, from Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import thresher as th
from thresher import cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a tokenizer and two files of texts, of which every third is there before."""
    (tmp_path / "raw").mkdir()
    numbers = [number % 200 for number in range(300)]
    texts = [f"text {number} of {number % 17} words " + "again " * (number % 23) for number in numbers]
    for name, part in (("a", texts[:120]), ("b", texts[120:])):
        lines = [json.dumps({"text": text, "n": number}) for number, text in enumerate(part)]
        (tmp_path / "raw" / f"{name}.jsonl").write_text("\n".join([*lines, "broken", ""]), "utf-8")
    monkeypatch.chdir(tmp_path)
    th.tokenizers.train("raw/a.jsonl", "tok.json", vocab_size=300)
    return tmp_path


def _steps(context: int = 64) -> list[Any]:
    return [
        {"dedup": {"exact_only": True}},
        {"tokenize": {"tokenizer": "tok.json"}},
        {"shuffle": {"seed": 4}},
        {"pack": {"context": context, "eos": 0}},
    ]


@pytest.mark.usefixtures("folder")
def test_the_steps_together_are_the_verbs_one_after_the_other() -> None:
    report = th.Pipeline(_steps(), inputs="raw", output="out.parquet").run()
    th.dedup_files("raw", "1", exact_only=True)
    tokenized = th.tokenize_files("1/data", "2", tokenizer="tok.json")
    th.shuffle_files("2/data", "3", seed=4)
    alone = th.pack_files("3/data", "4.parquet", context=64, eos=0)
    ours, theirs = pq.read_table("out.parquet"), pq.read_table("4.parquet")
    assert ours.drop_columns("document_ids") == theirs.drop_columns("document_ids")
    assert isinstance(report, th.PipelineReport)
    packing = report.steps["4.pack"]
    assert isinstance(packing, th.PackReport)
    assert (packing.accounts, packing.num_bins) == (alone.accounts, ours.num_rows)
    tokens, documents = report.report["steps"][1]["tokens"], packing.documents
    assert tokens["tokens"] == tokenized.report["tokens"]["tokens"] == packing.accounts.tokens - documents
    assert report.report["steps"][2]["shuffled_tokens"] == tokens["tokens"]
    assert (report.documents, report.quarantined, report.kept) == (302, 2, documents)
    th.verify("out.parquet")


def test_documents_are_named_by_the_rows_of_the_inputs(folder: Path) -> None:
    texts = {
        f"{name}.jsonl:{row}": json.loads(line)["text"]
        for name in "ab"
        for row, line in enumerate((folder / "raw" / f"{name}.jsonl").read_text("utf-8").splitlines())
        if line != "broken"
    }
    th.Pipeline(_steps(1000), inputs="raw", output="out").run()
    packed = pq.read_table("out/data/packed.parquet").to_pylist()
    seen = [name for row in packed for name in row["document_ids"]]
    assert len(seen) == len(set(seen)) == 200
    lengths = {
        name: length
        for row in packed
        for name, length in zip(row["document_ids"], row["seq_lengths"], strict=True)
    }
    expected = th.tokenize([texts[name] for name in lengths], "tok.json")
    assert [len(ids) + 1 for ids in expected.to_pylist()] == list(lengths.values())


@pytest.mark.usefixtures("folder")
def test_one_command_from_text_to_bins(capfd: pytest.CaptureFixture[str]) -> None:
    Path("pretrain.yaml").write_text(
        "inputs: raw\noutput: packed\nsteps:\n  - dedup: {exact_only: true}\n"
        "  - tokenize: {tokenizer: tok.json}\n  - shuffle\n  - pack: {context: 64}\n",
        "utf-8",
    )

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    code, out, _ = call("run", "pretrain.yaml", "--dry-run")
    assert (code, "3.shuffle    (defaults)" in out, "4.pack       context=64" in out) == (0, True, True)
    code, _, err = call("run", "pretrain.yaml")
    assert code == 0, err
    assert "4.pack: in 200 documents" in err
    assert call("verify", "packed")[0] == 0
    code, out, _ = call("explain", "packed", "b.jsonl:80")
    assert (code, out.splitlines()[:2]) == (
        0,
        ["b.jsonl:80: removed (exact)", "kept in its place: a.jsonl:0, similarity 1.0"],
    )
    code, _, err = call("run", "pretrain.yaml", "--overwrite", "--set", "steps.1=shuffle")
    assert (code, "`tokenize` makes them, and in a pipeline that step comes before this one" in err) == (
        2,
        True,
    )
    assert call("verify", "packed")[0] == 0
