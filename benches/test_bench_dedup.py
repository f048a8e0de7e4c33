"""Time of `thresher.dedup` in memory; each bench first checks the answer against the exact pairs.

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

_THRESHOLD = 0.8


def _check(texts: list[str], result: Any) -> None:
    """Every removal names a kept document and its true Jaccard, and hardly a pair is missed."""
    keep = np.asarray(result.keep.to_numpy(zero_copy_only=False), dtype=np.bool_)
    pairs = truth.exact_pairs(texts, floor=_THRESHOLD - truth.TOLERANCE)
    judged = truth.score("keep", keep, pairs, _THRESHOLD)
    if judged.recall is not None:
        assert judged.recall >= 0.98
    if not keep.all():
        assert judged.precision == 1.0
    exact = {(left, right): value for left, right, value in zip(*_columns(pairs), strict=True)}
    matches, similarities = result.duplicate_of.to_pylist(), result.similarity.to_pylist()
    for doc_idx in np.flatnonzero(~keep).tolist():
        match = matches[doc_idx]
        assert keep[match]
        assert similarities[doc_idx] >= _THRESHOLD
        assert similarities[doc_idx] == pytest.approx(
            exact[min(match, doc_idx), max(match, doc_idx)], abs=1e-6
        )


def _columns(pairs: truth.Pairs) -> tuple[list[int], list[int], list[float]]:
    return pairs.left.tolist(), pairs.right.tolist(), pairs.jaccard.tolist()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("corpus", ["long_texts", "short_texts", "unique_texts"])
def test_dedup_of_an_arrow_array(
    benchmark: Any, request: pytest.FixtureRequest, corpus: str, threads: int
) -> None:
    texts = request.getfixturevalue(corpus)
    array = pa.array(texts, pa.large_string())
    result = th.dedup(array, threshold=_THRESHOLD, threads=threads)
    _check(texts, result)
    again = benchmark(th.dedup, array, threshold=_THRESHOLD, threads=threads)
    assert again.keep.equals(result.keep)
    if benchmark.stats is not None:
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        benchmark.extra_info["mb_per_s"] = round(megabytes / benchmark.stats["median"], 1)


def test_dedup_of_thousands_of_documents_in_one_bucket(benchmark: Any, alike_texts: list[str]) -> None:
    result = th.dedup(alike_texts, threshold=_THRESHOLD, threads=1)
    assert result.keep.to_pylist() == [True] + [False] * (len(alike_texts) - 1)
    assert set(result.duplicate_of.to_pylist()[1:]) == {0}
    again = benchmark(th.dedup, alike_texts, threshold=_THRESHOLD, threads=1)
    assert again.keep.equals(result.keep)
