"""Corpora shared by the benchmark suite; each is synthetic, seeded and some megabytes large."""

from __future__ import annotations

import pytest

from benches import synthetic


@pytest.fixture(scope="session")
def long_texts() -> list[str]:
    """400 documents of some thousand words in chains of edits, about 6 MB."""
    shape = synthetic.Shape(n_docs=400, median_words=1_900, sigma=0.8, copies=0.02, edits=0.6)
    return list(synthetic.documents(shape, seed=11))


@pytest.fixture(scope="session")
def short_texts() -> list[str]:
    """10,000 documents of about a hundred words, about 6 MB."""
    shape = synthetic.Shape(n_docs=10_000, median_words=85, sigma=0.5, copies=0.08, edits=0.35)
    return list(synthetic.documents(shape, seed=12))


@pytest.fixture(scope="session")
def unique_texts() -> list[str]:
    """10,000 short documents of which hardly any two are alike."""
    shape = synthetic.Shape(n_docs=10_000, median_words=85, sigma=0.5, copies=0.0, edits=0.0)
    return list(synthetic.documents(shape, seed=13))


@pytest.fixture(scope="session")
def alike_texts() -> list[str]:
    """5,000 documents that differ from one another in one word: the worst case of a shared bucket."""
    template = next(synthetic.documents(synthetic.Shape(1, 200, 0.01, 0.0, 0.0), seed=14)).split(" ")
    return [" ".join([*template[:100], f"word{number}", *template[101:]]) for number in range(5_000)]
