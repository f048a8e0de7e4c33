"""Trained vocabularies: those of the `tokenizers` package, which loads them, however they are made."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import thresher as th

_PLAIN = """the quick brown foxes' jumped over 12345 lazy don't Über naïve 東京都に 住む Москва हिन्दी x=y+1;
HTTPServer camelCase"""
WORDS = [*_PLAIN.split(), "😀👍🏽", "\n\n", "\t", "  ", "e\u0301", "\x00"]
PATTERNS = ["gpt2", "cl100k", "llama3", "qwen2", "o200k"]
OPTIONS: dict[str, Any] = {
    "vocab_size": 700,
    "special_tokens": ["<|endoftext|>", "<pad>"],
    "min_frequency": 2,
}


def _texts(seed: int = 0, n: int = 300) -> list[str]:
    choose = random.Random(seed)
    return [
        " ".join(choose.choices(WORDS, k=choose.randint(0, 40))) + "s" * choose.randint(0, 9)
        for _ in range(n)
    ]


def _files(folder: Path, texts: list[str]) -> list[Path]:
    """The texts in JSONL, gzip, Parquet and a folder of documents."""
    quarter = len(texts) // 4
    lines = "".join(
        json.dumps({"text": text, "lang": f"l{at % 3}"}) + "\n" for at, text in enumerate(texts[:quarter])
    )
    (folder / "a.jsonl").write_text(lines, "utf-8")
    pq.write_table(
        pa.table({"text": texts[quarter : 2 * quarter], "lang": ["de"] * quarter}),
        folder / "b.parquet",
        row_group_size=7,
    )
    import gzip

    with gzip.open(folder / "c.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts[2 * quarter :])
    return [folder / name for name in ("a.jsonl", "b.parquet", "c.jsonl.gz")]


def _as_tokenizers_trains(
    texts: list[str], pre_tokenizer: dict[str, Any], longest: int | None = None
) -> Tokenizer:
    """The same by the `tokenizers` package."""
    peer = Tokenizer(models.BPE())
    if pre_tokenizer["type"] == "ByteLevel":
        peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    else:
        pattern = pre_tokenizer["pretokenizers"][0]["pattern"]["Regex"]
        peer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    peer.decoder = decoders.ByteLevel()
    # Its bound on lengths is the first that is too long.
    bound = {} if longest is None else {"max_token_length": longest + 1}
    trainer = trainers.BpeTrainer(
        vocab_size=OPTIONS["vocab_size"],
        min_frequency=OPTIONS["min_frequency"],
        special_tokens=OPTIONS["special_tokens"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        **bound,
    )
    peer.train_from_iterator(texts, trainer)
    return peer


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("digits", ["pattern", "one", "three"])
def test_the_vocabulary_is_that_of_tokenizers(pattern: str, digits: str) -> None:
    texts = _texts()
    ours = json.loads(th.tokenizers.train_texts(texts, pattern=pattern, digits=digits, **OPTIONS).json)
    theirs = json.loads(_as_tokenizers_trains(texts, ours["pre_tokenizer"]).to_str())
    assert ours["model"]["merges"] == theirs["model"]["merges"]
    assert ours["model"]["vocab"] == theirs["model"]["vocab"]
    assert len(ours["model"]["vocab"]) > 400


@pytest.mark.parametrize("longest", [2, 3, 5])
def test_a_bound_on_lengths_gives_the_vocabulary_of_tokenizers_too(longest: int) -> None:
    texts = _texts(1)
    ours = json.loads(
        th.tokenizers.train_texts(texts, pattern="gpt2", max_token_length=longest, **OPTIONS).json
    )
    theirs = json.loads(_as_tokenizers_trains(texts, ours["pre_tokenizer"], longest).to_str())
    assert ours["model"]["merges"] == theirs["model"]["merges"]
    characters = max(len(token) for token in ours["model"]["vocab"] if token not in OPTIONS["special_tokens"])
    assert characters == longest


@pytest.mark.parametrize("pattern", PATTERNS)
def test_tokenizers_loads_it_and_text_comes_back(pattern: str) -> None:
    texts = _texts(2)
    tokenizer = Tokenizer.from_str(th.tokenizers.train_texts(texts, pattern=pattern, **OPTIONS).json)
    assert tokenizer.get_vocab_size() == len(tokenizer.get_vocab())
    for text in [*texts, "ß never seen \U0001f9ff", "", "\x00\x00"]:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.encode("a<|endoftext|>b").ids.count(0) == 1


def test_files_give_the_vocabulary_of_their_texts_for_any_threads_and_memory(tmp_path: Path) -> None:
    texts = _texts(3, 400)
    files = _files(tmp_path, texts)
    expected = th.tokenizers.train_texts(texts, **OPTIONS)
    found = set()
    for run, options in enumerate(
        [
            {"threads": 1},
            {"threads": 2, "batch_bytes": 900},
            {"threads": 4, "memory": "400MB", "batch_bytes": 77},
        ]
    ):
        out = tmp_path / f"out{run}"
        report = th.tokenizers.train(files, out, **OPTIONS, **options)
        found.add((out / "tokenizer.json").read_text("utf-8"))
        assert report.report["vocabulary"] == expected.report
        assert report.documents == report.kept == 400
        assert th.verify(out).ok
    assert found == {expected.json}


def test_the_report_says_how_well_the_vocabulary_fits_what(tmp_path: Path) -> None:
    files = _files(tmp_path, _texts(4, 400))
    report = th.tokenizers.train(files, tmp_path / "tok.json", by="lang", **OPTIONS)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tok.json"))
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    n_bytes = sum(len(row["text"].encode()) for row in rows)
    n_tokens = sum(len(tokenizer.encode(row["text"]).ids) for row in rows)
    assert report.fit["a.jsonl"] == pytest.approx(n_bytes / n_tokens)
    assert set(report.fit) == {"a.jsonl", "b.parquet", "c.jsonl.gz", "l0", "l1", "l2", "de"}
    figures = report.report["vocabulary"]
    assert figures["bytes"] == sum(len(text.encode()) for text in _texts(4, 400))
    assert figures["bytes_per_token"] == pytest.approx(figures["bytes"] / figures["tokens"])
    assert len(report.longest_tokens[0].encode()) >= len(report.longest_tokens[-1].encode())
    assert str(report).splitlines()[-1].startswith("in 400 documents")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("tok")) == [
        "tok.json",
        "tok.json.report.html",
        "tok.json.run.json",
    ]
    assert th.verify(tmp_path / "tok.json").ok


def test_special_chat_and_reserved_tokens_come_first() -> None:
    trained = th.tokenizers.train_texts(
        ["a b"], vocab_size=300, special_tokens=["<|im_end|>"], chat="chatml", reserved=2
    )
    added = [token["content"] for token in json.loads(trained.json)["added_tokens"]]
    assert added == ["<|im_end|>", "<|im_start|>", "<|reserved_0|>", "<|reserved_1|>"]
    tokenizer = Tokenizer.from_str(trained.json)
    assert [tokenizer.token_to_id(token) for token in added] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        ([], {}, "no text to train on"),
        ([None, ""], {}, "no text to train on"),
        (["a"], {"vocab_size": 257, "special_tokens": ["<a>", "<b>"]}, "vocab_size is `257`"),
        (["a"], {"special_tokens": ["<a>", "<a>"]}, "`<a>` twice"),
        (["a"], {"special_tokens": [""]}, "at least one character"),
        (["a"], {"pattern": "gpt5"}, "pattern is `gpt5`"),
        (["a"], {"chat": "chatlm"}, "did you mean `chatml`"),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(
    texts: list[str | None], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(th.ParameterError, match=said):
        th.tokenizers.train_texts(texts, **options)


def test_little_to_learn_is_noted(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "aaaaaaaa"}\n', "utf-8")
    report = th.tokenizers.train(tmp_path / "in.jsonl", tmp_path / "tok", min_frequency=100)
    assert report.vocab_size == 257
    assert "257 entries of the 32000 asked for" in report.notes[0]


def test_bad_records_go_to_quarantine_and_one_long_line_is_trained_on(tmp_path: Path) -> None:
    lines = [
        b'{"text": "' + b"a\xff" + b'"}',
        b'{"txt": 1}',
        b"not json",
        json.dumps({"text": "a" * (1 << 20)}).encode(),
        *[b'{"text": "low lower lowest\\u0000"}'] * 9,
    ]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    report = th.tokenizers.train(tmp_path / "in.jsonl", tmp_path / "tok", vocab_size=300)
    assert (report.documents, report.kept) == (13, 10)
    assert report.set_aside == {"invalid_json": 1, "invalid_utf8": 1, "missing_text": 1}
    tokenizer = Tokenizer.from_file(str(tmp_path / "tok" / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode("lowest\x00" + "a" * 999).ids) == "lowest\x00" + "a" * 999


def test_a_field_of_too_many_values_is_refused_by_name(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": "a", "id": at}) + "\n" for at in range(1500))
    (tmp_path / "in.jsonl").write_text(rows, "utf-8")
    with pytest.raises(th.ParameterError, match="by names a field of more than 1000 values"):
        th.tokenizers.train(tmp_path / "in.jsonl", tmp_path / "tok", by="id")


@pytest.mark.parametrize("output", ["-", "tok.jsonl", "tok.parquet", "tok.json.gz"])
def test_an_output_that_holds_no_tokenizer_is_refused(tmp_path: Path, output: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n', "utf-8")
    with pytest.raises(th.ParameterError, match="neither a folder nor a file"):
        th.tokenizers.train(tmp_path / "in.jsonl", output if output == "-" else tmp_path / output)


@pytest.mark.parametrize("digits", ["pattern", "one"])
def test_a_unigram_is_loaded_by_tokenizers_and_text_comes_back(digits: str) -> None:
    texts = _texts(5)
    trained = th.tokenizers.train_texts(texts, kind="unigram", vocab_size=500, digits=digits)
    tokenizer = Tokenizer.from_str(trained.json)
    # A small corpus may not have as many pieces as are asked for.
    assert 450 < trained.vocab_size == tokenizer.get_vocab_size() <= 500
    for text in [*texts, " ß never  seen \U0001f9ff ", "", "\x00\x00\n", "<unk> says nothing"]:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == text
    assert tokenizer.encode("the quick").tokens == ["the", "▁quick"]
    single = [token for token in tokenizer.encode("12345").tokens if len(token) > 1]
    assert bool(single) == (digits == "pattern")


def test_a_unigram_takes_about_the_tokens_of_the_one_that_tokenizers_trains() -> None:
    texts = _texts(6)
    ours = Tokenizer.from_str(th.tokenizers.train_texts(texts, kind="unigram", vocab_size=256 + 2 + 120).json)
    theirs = Tokenizer(models.Unigram())
    theirs.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.UnigramTrainer(
        vocab_size=122, special_tokens=["<unk>", "<|endoftext|>"], unk_token="<unk>", show_progress=False
    )
    theirs.train_from_iterator(texts, trainer)
    lengths = [sum(len(encoding.ids) for encoding in one.encode_batch(texts)) for one in (ours, theirs)]
    assert lengths[0] <= 1.05 * lengths[1], lengths


def test_a_unigram_is_the_same_for_any_threads(tmp_path: Path) -> None:
    texts = _texts(7, 400)
    files = _files(tmp_path, texts)
    options: dict[str, Any] = {"kind": "unigram", "vocab_size": 420, "limit_alphabet": 40}
    found = {th.tokenizers.train_texts(texts, threads=1, **options).json}
    for threads in (1, 2, 4):
        out = tmp_path / f"out{threads}.json"
        th.tokenizers.train(files, out, threads=threads, batch_bytes=500, **options)
        found.add(out.read_text("utf-8"))
    assert len(found) == 1
