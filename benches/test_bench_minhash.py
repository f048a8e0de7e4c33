"""Time of `thresher.minhash`; each bench first checks that the signatures estimate the exact Jaccard.

Run with `python -m pytest benches -m bench`; `extra_info` holds megabytes a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import thresher as th
from benches import truth

pytestmark = pytest.mark.bench

_HASHES = 128


def _matrix(signatures: pa.Array, n_docs: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    assert len(signatures) == n_docs
    return np.asarray(signatures.flatten()).reshape(n_docs, _HASHES)


def _check(texts: list[str], signatures: pa.Array) -> None:
    """Compares estimate and truth on real pairs; the mean error of n pairs is within 6 standard errors."""
    matrix = _matrix(signatures, len(texts))
    pairs = truth.exact_pairs(texts, floor=0.5)
    errors = (matrix[pairs.left] == matrix[pairs.right]).mean(axis=1) - pairs.jaccard
    assert len(errors) > 50
    assert np.abs(errors).max() < 0.3
    assert abs(errors.mean()) < 0.02


def _rate(benchmark: Any, texts: list[str]) -> None:
    if benchmark.stats is not None:
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        benchmark.extra_info["mb_per_s"] = round(megabytes / benchmark.stats["median"], 1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("corpus", ["long_texts", "short_texts"])
def test_minhash_of_an_arrow_array(
    benchmark: Any, request: pytest.FixtureRequest, corpus: str, threads: int
) -> None:
    texts = request.getfixturevalue(corpus)
    array = pa.array(texts, pa.large_string())
    signatures = th.minhash(array, num_hashes=_HASHES, ngram=5, threads=threads)
    _check(texts, signatures)
    assert signatures.equals(th.minhash(array, num_hashes=_HASHES, ngram=5, threads=3 - threads))
    again = benchmark(th.minhash, array, num_hashes=_HASHES, ngram=5, threads=threads)
    assert again.equals(signatures)
    _rate(benchmark, texts)


def test_minhash_of_a_list(benchmark: Any, short_texts: list[str]) -> None:
    signatures = th.minhash(short_texts, num_hashes=_HASHES, ngram=5, threads=1)
    assert signatures.equals(th.minhash(pa.array(short_texts), num_hashes=_HASHES, ngram=5, threads=1))
    again = benchmark(th.minhash, short_texts, num_hashes=_HASHES, ngram=5, threads=1)
    assert again.equals(signatures)
    _rate(benchmark, short_texts)
