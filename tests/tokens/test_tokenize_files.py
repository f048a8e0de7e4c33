"""`th.tokenize_files`: files of tokens, read by others than those that wrote them."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th
from tests.tokens.tokenizers_of_tests import byte_level, read_megatron

TEMPLATE = "{% for m in messages %}<|bos|>{{ m.role }}\n{{ m.content }}<|eos|>{% endfor %}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer and two files of texts, a record of which has none."""
    byte_level(tmp_path / "tokenizer.json")
    rng = random.Random(3)
    words = ["the", "abc", "and", "in", "Bär", "東京", "<|eos|>", "other"]
    for name, rows in (("a", 300), ("b", 200)):
        with (tmp_path / f"{name}.jsonl").open("w", encoding="utf-8") as out:
            for row in range(rows):
                text = " ".join(rng.choices(words, k=rng.randrange(30)))
                out.write(json.dumps({"id": f"{name}-{row}", "text": None if row == 7 else text}) + "\n")
    return tmp_path


def _rows(path: Path) -> list[dict[str, object]]:
    return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]


def test_every_format_holds_the_tokens_that_are_in_the_books(folder: Path) -> None:
    inputs = [folder / "a.jsonl", folder / "b.jsonl"]
    given = {"tokenizer": folder / "tokenizer.json", "id": "id", "eos": "<|eos|>"}
    report = th.tokenize_files(inputs, folder / "rows", **given)
    rows = [row for name in "ab" for row in _rows(folder / "rows" / "data" / f"{name}.parquet")]
    assert (report.documents, report.kept, report.quarantined, len(rows)) == (500, 498, 2, 498)
    assert report.tokens == sum(len(row["input_ids"]) for row in rows)  # type: ignore[arg-type]
    texts = [json.loads(line) for path in inputs for line in path.read_text("utf-8").splitlines()]
    texts = [row for row in texts if row["text"] is not None]
    wanted = th.tokenize([row["text"] for row in texts], given["tokenizer"], eos="<|eos|>").to_pylist()
    assert [row["document"] for row in rows] == [row["id"] for row in texts]
    assert [row["input_ids"] for row in rows] == wanted
    assert [row["length"] for row in rows] == [len(ids) for ids in wanted]
    assert report.encoder in str(report)

    th.tokenize_files(inputs, folder / "bins", format="megatron", **given)
    found = [read_megatron(folder / "bins" / "data" / name) for name in "ab"]
    assert [sequence.tolist() for _, some, _ in found for sequence in some] == wanted
    assert found[0][0] == np.uint16
    assert found[0][2] == list(range(300))
    assert th.verify(folder / "bins").ok

    th.tokenize_files(inputs, folder / "shards", format="npy", dtype="uint32", **given)
    tokens = np.load(folder / "shards" / "data" / "a-00000.npy", mmap_mode="r")
    places = np.load(folder / "shards" / "data" / "a.documents.npy")
    assert tokens.dtype == np.uint32
    cut = [tokens[a:b].tolist() for a, b in itertools.pairwise(places)]
    assert cut == wanted[:299]
    assert th.verify(folder / "shards").ok

    th.tokenize_files(inputs, folder / "one.jsonl", **given)
    lines = [json.loads(line) for line in (folder / "one.jsonl").read_text("utf-8").splitlines()]
    assert [line["input_ids"] for line in lines] == wanted


def test_hugging_face_datasets_reads_the_rows(folder: Path) -> None:
    import datasets

    th.tokenize_files(folder / "a.jsonl", folder / "a.parquet", tokenizer=folder / "tokenizer.json")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(folder / "a.parquet"), split="train", cache_dir=str(folder / "cache")
    )
    assert loaded[0]["document"] == "a.jsonl:0"
    assert loaded["input_ids"][:] == [row["input_ids"] for row in _rows(folder / "a.parquet")]


def test_other_columns_stay_beside_the_tokens(folder: Path) -> None:
    table = pa.table(
        {"text": ["the", "abc and"], "n": pa.array([1, None], pa.int16()), "length": ["old", "old"]}
    )
    pq.write_table(table, folder / "in.parquet")
    given = {"tokenizer": folder / "tokenizer.json", "keep_columns": True, "offsets": True}
    report = th.tokenize_files(folder / "in.parquet", folder / "out.parquet", **given)
    found = pq.read_table(folder / "out.parquet")
    assert found.column_names == ["text", "n", "input_ids", "length", "offsets"]
    assert found["n"].type == pa.int16()
    ids = th.tokenize(table["text"], given["tokenizer"])
    assert found["input_ids"].to_pylist() == ids.to_pylist()
    assert found["length"].to_pylist() == [len(row) for row in ids.to_pylist()]
    assert report.tokens == len(ids.values)


def test_16_bits_that_do_not_hold_the_vocabulary_are_refused(folder: Path) -> None:
    wide = byte_level(folder / "wide.json", filler=65_536 - 256 - 10 - 1)
    tokenizer = th.tokens.Tokenizer(wide)
    assert tokenizer.vocab_size == 65_537
    with pytest.raises(th.ParameterError, match="`65537` ids"):
        th.tokenize_files(folder / "a.jsonl", folder / "out", tokenizer=wide, format="npy", dtype="uint16")
    assert not (folder / "out" / "data").exists()
    th.tokenize_files(folder / "a.jsonl", folder / "out", tokenizer=wide, format="megatron")
    assert read_megatron(folder / "out" / "data" / "a")[0] == np.int32


def test_chat_rows_have_masks_of_what_the_model_says(folder: Path) -> None:
    turns = [{"role": "user", "content": "the abc"}, {"role": "assistant", "content": "and Bär in"}]
    (folder / "chat.jsonl").write_text(json.dumps({"messages": turns, "id": "c"}) + "\n", "utf-8")
    out = folder / "chat.parquet"
    th.tokenize_files(
        folder / "chat.jsonl", out, tokenizer=folder / "tokenizer.json", template=TEMPLATE, id="id"
    )
    (row,) = _rows(out)
    rendered = th.chat.render([{"messages": turns}], template=TEMPLATE, mask=True)
    text, spans = rendered.texts[0].as_py(), rendered.spans[0].as_py()
    ids, places = th.tokenize([text], folder / "tokenizer.json", special_in_text=True, offsets=True)
    assert (row["document"], row["input_ids"]) == ("c", ids[0].as_py())
    characters = [
        tuple(len(text.encode()[:byte].decode("utf-8", "ignore")) for byte in pair)
        for pair in places[0].as_py()
    ]
    wanted = th.chat.mask_tokens(characters, spans)
    masks = np.array(row["assistant_masks"])
    assert masks.sum() > 0
    # Tokens of a part of a character have no characters of their own, and are learnt with the others.
    whole = np.array([a < b for a, b in characters])
    assert (masks[whole] == wanted[whole]).all()


def test_a_run_that_is_killed_ends_with_the_bytes_of_one_that_is_not(folder: Path) -> None:
    rows = [json.dumps({"text": f"the abc {row} and in " * 20}) for row in range(20_000)]
    (folder / "many.jsonl").write_text("\n".join(rows) + "\n", "utf-8")

    def command(output: str, form: str) -> list[str]:
        given = [
            "--tokenizer",
            str(folder / "tokenizer.json"),
            "--format",
            form,
            "--batch-bytes",
            "65536",
            "--quiet",
        ]
        return [
            sys.executable,
            "-m",
            "thresher",
            "tokenize",
            str(folder / "many.jsonl"),
            "-o",
            str(folder / output),
            *given,
        ]

    for form in ("parquet", "megatron", "npy"):
        subprocess.run(command(f"whole-{form}", form), check=True)
        process = subprocess.Popen(command(f"killed-{form}", form))
        time.sleep(1.0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        subprocess.run(command(f"killed-{form}", form), check=False)
        if not (folder / f"killed-{form}" / "run.json").exists():
            subprocess.run(command(f"killed-{form}", form), check=True)
        whole, killed = (
            {p.name: p.read_bytes() for p in (folder / f"{kind}-{form}" / "data").iterdir()}
            for kind in ("whole", "killed")
        )
        assert whole == killed


def test_an_error_of_the_command_line_has_its_exit_code(folder: Path) -> None:
    (folder / "bad.json").write_text("{}")
    for tokenizer, code in (("bad.json", 2), ("none.json", 2)):
        command = [
            sys.executable,
            "-m",
            "thresher",
            "tokenize",
            "a.jsonl",
            "-o",
            "out",
            "--tokenizer",
            tokenizer,
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, tokenizer in done.stderr) == (code, True), done.stderr


def test_a_pipeline_tokenizes_what_its_other_steps_left(folder: Path) -> None:
    steps = [
        {"dedup": {"exact_only": True}},
        {"tokenize": {"tokenizer": str(folder / "tokenizer.json"), "id": "id", "format": "megatron"}},
    ]
    report = th.Pipeline(
        steps, inputs=folder / "a.jsonl", output=folder / "out", options={"threads": 2}
    ).run()
    kept = report.steps["1.dedup"].kept
    tokens = read_megatron(folder / "out" / "data" / "a")[1]
    assert len(tokens) == kept
    assert report.steps["2.tokenize"].tokens == sum(map(len, tokens))
