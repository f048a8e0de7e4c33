"""`th.tokenize`: the ids of the package `tokenizers`, from anything that holds texts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

import thresher as th
from tests.tokens.tokenizers_of_tests import byte_level


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level tokenizer."""
    return byte_level(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="module")
def oracle(path: Path) -> Tokenizer:
    """The same in the package `tokenizers`, for which text that spells a special token is text."""
    loaded = Tokenizer.from_file(str(path))
    loaded.encode_special_tokens = True
    return loaded


@given(
    texts=st.lists(st.text(max_size=30) | st.sampled_from(["the abc and <|eos|> in", "der Bär, 東京", ""]))
)
def test_the_ids_and_bytes_are_those_of_the_package_tokenizers(
    path: Path, oracle: Tokenizer, texts: list[str]
) -> None:
    texts = [text for text in texts if text.isprintable() or text.isascii()]
    ids, places = th.tokenize(texts, path, offsets=True, threads=2)
    wanted = [oracle.encode(text) for text in texts]
    assert ids.to_pylist() == [one.ids for one in wanted]
    for text, pairs, own in zip(texts, places.to_pylist(), wanted, strict=True):
        assert len(pairs) == len(own.ids)
        if text.isascii():
            assert [tuple(pair) for pair in pairs] == own.offsets


def test_a_special_token_in_a_text_is_text_unless_asked_otherwise(path: Path) -> None:
    tokenizer = th.tokens.Tokenizer(path)
    eos = tokenizer.id_of("<|eos|>")
    assert eos == tokenizer.vocab_size - 1
    assert eos not in th.tokenize(["a<|eos|>b"], tokenizer)[0].as_py()
    assert eos in th.tokenize(["a<|eos|>b"], tokenizer, special_in_text=True)[0].as_py()
    framed = th.tokenize(["", "a"], tokenizer, bos="<|bos|>", eos="<|eos|>").to_pylist()
    assert framed[0] == [eos - 1, eos]
    assert (framed[1][0], framed[1][-1]) == (eos - 1, eos)


def test_texts_come_from_anything_and_missing_ones_stay_missing(path: Path) -> None:
    texts = ["the", None, "", "and abc"]
    wanted = th.tokenize(texts, path).to_pylist()
    assert wanted[1] is None
    assert wanted[2] == []
    sliced = pa.array(["x", *texts, "y"], pa.large_string())[1:5]
    for column in (
        pa.array(texts),
        sliced,
        pa.chunked_array([texts[:1], texts[1:]]),
        pa.array(texts, pa.string_view()),
    ):
        assert th.tokenize(column, path).to_pylist() == wanted
    assert th.tokenize(pa.table({"body": texts}), path, text="body").to_pylist() == wanted
    ids = th.tokenize(texts, path)
    assert ids.type == pa.list_(pa.field("item", pa.uint32(), nullable=False))
    assert th.tokenize([], path).to_pylist() == []


def test_a_tokenizer_that_lies_is_an_error_that_names_it(tmp_path: Path) -> None:
    lies = tmp_path / "lies.json"
    lies.write_text(
        '{"version": "1.0", "added_tokens": [],'
        ' "model": {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}}'
    )
    with pytest.raises(th.ParameterError, match=r"lies\.json"):
        th.tokenize(["a"], lies)
    lies.write_text("{")
    with pytest.raises(th.ParameterError, match=r"lies\.json"):
        th.tokens.Tokenizer(lies)
    with pytest.raises(th.ParameterError, match=r"none\.json`, but there is no such file"):
        th.tokenize(["a"], tmp_path / "none.json")


def test_a_folder_stands_for_the_tokenizer_in_it(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trained"
    folder.mkdir()
    with pytest.raises(th.ParameterError, match="no such file in that folder"):
        th.tokenize(["the"], folder)
    (folder / "tokenizer.json").write_bytes(path.read_bytes())
    assert th.tokenize(["the"], folder) == th.tokenize(["the"], path)
    texts = tmp_path / "in.jsonl"
    texts.write_text('{"text": "the"}\n')
    report = th.tokenize_files(texts, tmp_path / "out.jsonl", tokenizer=folder)
    assert report.tokens == len(th.tokenize(["the"], path)[0])


def test_a_token_that_is_none_is_named(path: Path) -> None:
    with pytest.raises(th.ParameterError, match=r"eos is `<none>`"):
        th.tokenize(["a"], path, eos="<none>")
