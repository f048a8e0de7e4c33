"""Shared fixtures: one small corpus, and every way in which texts can arrive."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import hypothesis
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

hypothesis.settings.register_profile("thresher", deadline=None, max_examples=60)
hypothesis.settings.load_profile("thresher")

Flavour = Callable[[list[str | None]], Any]


def _chunked(texts: list[str | None]) -> pa.ChunkedArray:
    half = len(texts) // 2
    return pa.chunked_array([texts[:half], [], texts[half:]], pa.string())


def _sliced(kind: pa.DataType) -> Flavour:
    return lambda texts: pa.array(["before", None, *texts, "after"], kind)[2:-1]


FLAVOURS: dict[str, Flavour] = {
    "list": list,
    "tuple": tuple,
    "generator": lambda texts: (text for text in texts),
    "string": lambda texts: pa.array(texts, pa.string()),
    "large_string": lambda texts: pa.array(texts, pa.large_string()),
    "string_view": lambda texts: pa.array(texts, pa.string_view()),
    "dictionary": lambda texts: pa.array(texts, pa.string()).dictionary_encode(),
    "dictionary_uint8": lambda texts: pa.array(texts, pa.string()).cast(
        pa.dictionary(pa.uint8(), pa.large_string())
    ),
    "chunked": _chunked,
    "chunked_dictionary": lambda texts: _chunked(texts).dictionary_encode(),
    "sliced_string": _sliced(pa.string()),
    "sliced_large_string": _sliced(pa.large_string()),
    "sliced_string_view": _sliced(pa.string_view()),
    "polars": lambda texts: pl.Series(texts, dtype=pl.String),
    "polars_categorical": lambda texts: pl.Series(texts, dtype=pl.Categorical),
    "pandas": lambda texts: pd.Series(texts, dtype=pd.ArrowDtype(pa.large_string())),
}


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """A function that turns a list of texts into one kind of column."""
    return FLAVOURS[request.param]


@pytest.fixture(scope="session")
def texts() -> list[str | None]:
    """Two hundred texts: originals, near-copies, copies, empty ones, missing ones, many scripts."""
    rng = random.Random(7)
    vocabulary = [
        "the",
        "of",
        "and",
        "straße",
        "naïve",
        "λόγος",
        "мир",
        "数据",
        "ひらがな",
        "ไทย",
        "42",
        "e\u0301",
        "😀",
        "x" * 40,
    ]
    found: list[str | None] = ["", "   ", "?!", None, "one", "ONE", "one.", "two words", "\x00", "a\x00b"]
    while len(found) < 200:
        original = [rng.choice(vocabulary) + str(rng.randrange(50)) for _ in range(rng.randrange(1, 120))]
        found.append(" ".join(original))
        for _ in range(rng.randrange(3)):
            changed = list(original)
            for _ in range(rng.randrange(3)):
                changed[rng.randrange(len(changed))] = "changed"
            found.append(" ".join(changed))
    return found[:200]
