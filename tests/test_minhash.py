"""Signatures: the reference implementation is the oracle, whatever the texts come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher as th
from thresher import _reference

Flavour = Callable[[list[str | None]], Any]


def _expected(
    texts: list[str | None], num_hashes: int = 128, ngram: int = 5, unit: Any = "word"
) -> list[Any]:
    def signature(text: str) -> list[int]:
        return _reference.signature(_reference.shingles(text, ngram, unit), num_hashes)

    return [None if text is None else signature(text) for text in texts]


def test_signatures_are_those_of_the_reference_for_every_kind_of_column(
    texts: list[str | None], flavour: Flavour
) -> None:
    found = th.minhash(flavour(texts), num_hashes=32)
    assert found.type == pa.list_(pa.field("item", pa.uint32(), nullable=False), 32)
    assert found.to_pylist() == _expected(texts, 32)


# The reference asks Python, whose Unicode may be older than the scheme's: what it does not know is left out.
_KNOWN = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)


@given(
    st.lists(st.none() | _KNOWN, max_size=6),
    st.integers(1, 70),
    st.integers(1, 9),
    st.sampled_from(["word", "char"]),
)
def test_signatures_of_any_text_are_those_of_the_reference(
    texts: list[str | None], num_hashes: int, ngram: int, unit: Any
) -> None:
    found = th.minhash(texts, num_hashes=num_hashes, ngram=ngram, unit=unit)
    assert found.to_pylist() == _expected(texts, num_hashes, ngram, unit)


def test_the_number_of_threads_changes_nothing(texts: list[str | None]) -> None:
    many = texts * 20
    assert th.minhash(many, threads=1).equals(th.minhash(many, threads=2))
    assert th.minhash(many, threads=1).equals(th.minhash(many, threads=4))


def test_no_texts_have_no_signatures(flavour: Flavour) -> None:
    found = th.minhash(flavour([]))
    assert len(found) == 0
    assert found.type.list_size == 128


def test_lanes_go_to_numpy_without_a_copy() -> None:
    found = th.minhash(["a b c", "d e f"], num_hashes=16)
    lanes = found.values.to_numpy(zero_copy_only=True).reshape(-1, 16)
    assert lanes.dtype == np.uint32
    assert lanes.shape == (2, 16)


def test_the_share_of_equal_lanes_estimates_jaccard_similarity() -> None:
    words = [f"w{i}" for i in range(400)]
    other = words[:300] + [f"v{i}" for i in range(100)]
    a, b = (set(_reference.shingles(" ".join(text), 1)) for text in (words, other))
    jaccard = _reference.jaccard(a, b)
    lanes = th.minhash([" ".join(words), " ".join(other)], num_hashes=4096, ngram=1).to_pylist()
    equal = sum(x == y for x, y in zip(*lanes, strict=True)) / 4096
    assert abs(equal - jaccard) < 4 * (jaccard * (1 - jaccard) / 4096) ** 0.5


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"num_hashes": 0}, ["num_hashes", "`0`", "65536"]),
        ({"num_hashes": -1}, ["num_hashes", "`-1`"]),
        ({"num_hashes": 65_537}, ["num_hashes", "`65537`"]),
        ({"ngram": 0}, ["ngram", "`0`", "256"]),
        ({"ngram": 257}, ["ngram", "`257`"]),
        ({"unit": "byte"}, ["unit", "`byte`", "`word`"]),
        ({"threads": 0}, ["threads", "`0`"]),
        ({"threads": -2}, ["threads", "`-2`"]),
        ({"threads": 10**6}, ["threads", "`1000000`"]),
    ],
)
def test_parameters_out_of_range_are_refused_with_value_and_range(
    parameters: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(th.ParameterError) as caught:
        th.minhash(["a"], **parameters)
    assert isinstance(caught.value, ValueError)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("wrong", ["a text", b"bytes", 5, None])
def test_what_is_no_column_is_refused_by_type(wrong: Any) -> None:
    with pytest.raises(th.ColumnError, match=f"`{type(wrong).__name__}`"):
        th.minhash(wrong)


def test_an_item_that_is_no_text_is_named_by_index_and_type() -> None:
    with pytest.raises(th.ColumnError, match="text `2` is of type `float`"):
        th.minhash(["a", None, float("nan")])  # type: ignore[list-item]


def test_a_lone_surrogate_is_named_by_index_and_way_out() -> None:
    with pytest.raises(th.ColumnError, match=r"text `1` has a surrogate.*replace"):
        th.minhash(["fine", "\ud800 broken"])


def test_an_exception_of_the_iterator_is_passed_on() -> None:
    def broken() -> Any:
        yield "a"
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        th.minhash(broken())


def test_texts_that_are_a_str_subclass_are_texts() -> None:
    class Text(str):
        __slots__ = ()

    assert th.minhash([Text("a b")]).equals(th.minhash(["a b"]))


SEEDED_TEXTS = [
    "the ferry left the harbour at nine",
    "Паром вышел в девять, и чайки полетели",
    "渡船九点离开",
    "?!",
]


@pytest.mark.parametrize("seed", [0, 1, 7, 2**64 - 1])
def test_a_seed_names_the_family_that_the_reference_gives(seed: int) -> None:
    keys = _reference.family(seed)
    expected = [_reference.signature(_reference.shingles(text, keys=keys), 64, keys) for text in SEEDED_TEXTS]
    assert th.minhash(SEEDED_TEXTS, num_hashes=64, seed=seed).to_pylist() == expected


def test_families_have_nothing_in_common() -> None:
    one, other = (th.minhash(SEEDED_TEXTS[:3], seed=seed).flatten().to_pylist() for seed in (1, 2))
    assert sum(a == b for a, b in zip(one, other, strict=True)) <= 1


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, None])
def test_a_seed_is_a_number_of_64_bits(seed: Any) -> None:
    for call in (th.minhash, th.dedup):
        with pytest.raises(th.ParameterError, match=f"^seed is `{seed}`, but "):
            call(SEEDED_TEXTS, seed=seed)
