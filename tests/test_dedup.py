"""Near-duplicate search in memory: the reference implementation is the oracle, the guarantees are laws."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher as th
from thresher import _reference

Flavour = Callable[[list[str | None]], Any]

# Few words and short shingles, so that documents collide in every way there is.
_WORD = st.sampled_from(["a", "b", "c", "d", "é", "数", ".", "A"])
_DOCUMENT = st.none() | st.lists(_WORD, max_size=9).map(" ".join)
_DOCUMENTS = st.lists(_DOCUMENT, max_size=14)


def _columns(result: th.DedupResult) -> tuple[list[bool], list[int | None], list[float | None]]:
    return result.keep.to_pylist(), result.duplicate_of.to_pylist(), result.similarity.to_pylist()


def _assert_equal(
    result: th.DedupResult, expected: tuple[list[bool], list[int | None], list[float | None]]
) -> None:
    keep, duplicate_of, similarity = _columns(result)
    assert (keep, duplicate_of) == expected[:2]
    for found, exact in zip(similarity, expected[2], strict=True):
        assert (found is None) == (exact is None)
        if found is not None and exact is not None:
            assert exact <= found <= exact + 1.2e-7


@pytest.mark.filterwarnings("ignore::thresher.RecallWarning")
@given(
    _DOCUMENTS,
    st.sampled_from([0.3, 0.5, 0.8, 1.0]),
    st.integers(1, 4),
    st.sampled_from(["word", "char"]),
    st.sampled_from([8, 64]),
    st.sampled_from(["first", "longest", "shortest"]),
)
def test_the_result_is_that_of_the_reference(
    texts: list[str | None], threshold: float, ngram: int, unit: Any, num_hashes: int, keep: str
) -> None:
    parameters: dict[str, Any] = {
        "threshold": threshold,
        "ngram": ngram,
        "unit": unit,
        "num_hashes": num_hashes,
    }
    _assert_equal(th.dedup(texts, keep=keep, **parameters), _reference.dedup(texts, keep=keep, **parameters))


def _leaving_out(seed: int, count: int, own: int) -> list[str]:
    """Documents that leave out some of the same words, and have some of their own."""
    draw = random.Random(seed)
    shared = [f"w{i}" for i in range(70)]
    return [
        " ".join(draw.sample(shared, 58) + [f"own{draw.randrange(count)}" for _ in range(own)])
        for _ in range(count)
    ]


@pytest.mark.parametrize(("own", "threshold"), [(0, 0.82), (2, 0.8), (12, 0.75)])
def test_what_is_compared_in_a_crowd_is_what_the_reference_compares(own: int, threshold: float) -> None:
    texts = _leaving_out(own, 500, own)
    texts += [text.upper() for text in texts[::25]]
    result = th.dedup(texts, threshold=threshold, ngram=1, num_hashes=64)
    expected = _reference.dedup(texts, threshold=threshold, ngram=1, num_hashes=64)
    _assert_equal(result, expected)
    keep, duplicate_of, _ = _columns(result)
    for copy, base in enumerate(range(0, 500, 25), 500):
        assert not keep[base] or duplicate_of[copy] == base
    if own < 12:
        # What all have in common is enough for the threshold, so only the number of comparisons bounds them.
        assert result.summary.capped > 0
        assert sum(result.summary.unchecked.values()) >= result.summary.capped
    else:
        assert result.summary.unchecked == {}


_RANK = st.none() | st.integers(-(2**70), 2**70) | st.floats() | st.text("0aé", max_size=2)


@given(st.lists(st.tuples(_DOCUMENT, _RANK), max_size=12), st.sampled_from(["max", "min"]))
def test_ranks_decide_as_in_the_reference(documents: list[tuple[str | None, Any]], keep: str) -> None:
    texts, ranks = [text for text, _ in documents], [rank for _, rank in documents]
    result = th.dedup(texts, keep=keep, ranks=ranks, ngram=2, threshold=0.5)
    _assert_equal(result, _reference.dedup(texts, keep=keep, ranks=ranks, ngram=2, threshold=0.5))


@given(_DOCUMENTS, st.sampled_from([0.4, 0.8]))
def test_every_removed_document_names_a_kept_one_that_is_as_similar_as_said(
    texts: list[str | None], threshold: float
) -> None:
    result = th.dedup(texts, threshold=threshold, ngram=2)
    keep, duplicate_of, similarity = _columns(result)
    for text, kept, target, said, reason in zip(
        texts, keep, duplicate_of, similarity, result.reason.to_pylist(), strict=True
    ):
        if kept:
            assert (target, said, reason) == (None, None, None)
            continue
        assert text is not None
        assert target is not None
        assert said is not None
        assert keep[target]
        other = texts[target]
        assert other is not None
        exact = _reference.jaccard(_reference.shingles(text, 2), _reference.shingles(other, 2))
        if text == other:
            exact = 1.0
        assert reason == ("exact" if text == other else "near") or text in texts
        assert threshold <= exact <= said < exact + 1e-6


@given(_DOCUMENTS, st.sampled_from([0.4, 0.8]), st.sampled_from(["first", "longest"]))
def test_what_was_kept_has_no_duplicates_left(texts: list[str | None], threshold: float, keep: str) -> None:
    parameters: dict[str, Any] = {"threshold": threshold, "ngram": 2, "keep": keep}
    result = th.dedup(texts, **parameters)
    kept = [text for text, keep in zip(texts, result.keep.to_pylist(), strict=True) if keep]
    assert th.dedup(kept, **parameters).summary.removed == 0


def test_a_higher_threshold_may_remove_what_a_lower_one_kept() -> None:
    words = [f"w{i}" for i in range(10)]
    texts = [" ".join(words[:6]), " ".join(words), " ".join(words[1:])]
    # The first two have a similarity of 0.6, the last two of 0.9, the outer ones of 0.5.
    assert th.dedup(texts, ngram=1, threshold=0.55).duplicate_of.to_pylist() == [None, 0, None]
    assert th.dedup(texts, ngram=1, threshold=0.85).duplicate_of.to_pylist() == [None, None, 1]


def test_a_reference_document_that_was_removed_removes_nothing() -> None:
    reference, new = ["a b c d e f g h i j", "a b c d e f g h i x"], ["a b c d e f g h y x"]
    assert th.dedup(reference + new, ngram=1).duplicate_of.to_pylist() == [None, 0, None]
    assert th.dedup(reference[1:] + new, ngram=1).duplicate_of.to_pylist() == [None, 0]


@pytest.mark.parametrize(
    ("num_hashes", "threshold", "needed"), [(16, 0.2, 24), (128, 0.03, 174), (4, 0.5, 8)]
)
def test_a_recall_out_of_reach_is_a_warning_with_what_holds_and_what_it_takes(
    num_hashes: int, threshold: float, needed: int
) -> None:
    parameters: dict[str, Any] = {"threshold": threshold, "recall": 0.995}
    holds = 1 - (1 - threshold) ** num_hashes
    with pytest.warns(th.RecallWarning, match=f"probability {holds:.4g}; raise num_hashes to {needed}"):
        result = th.dedup(["x y"], num_hashes=num_hashes, **parameters)
    assert result.summary.expected_recall == pytest.approx(holds)
    assert th.dedup(["x y"], num_hashes=needed, **parameters).summary.expected_recall >= 0.995
    with pytest.warns(th.RecallWarning, match="; raise the threshold, or ask for less"):
        th.dedup(["x y"], threshold=1e-5, recall=0.995)
    assert th.dedup(["x y"], num_hashes=num_hashes, exact_only=True, **parameters).summary.kept == 1


def test_every_kind_of_column_gives_the_same_result(texts: list[str | None], flavour: Flavour) -> None:
    expected = th.dedup(list(texts))
    result = th.dedup(flavour(texts))
    assert result.keep.equals(expected.keep)
    assert result.duplicate_of.equals(expected.duplicate_of)
    assert result.similarity.equals(expected.similarity)
    assert result.reason.equals(expected.reason)
    assert result.summary == expected.summary
    assert expected.summary.exact > 0
    assert expected.summary.near > 0


@pytest.mark.parametrize("keep", ["first", "longest", "shortest"])
def test_the_number_of_threads_changes_nothing(texts: list[str | None], keep: str) -> None:
    many = [
        text if text is None or copy == 0 else f"{text} copy{copy}" for copy in range(20) for text in texts
    ]
    results = [th.dedup(many, keep=keep, threads=threads) for threads in (1, 2, 4, None)]
    for result in results[1:]:
        assert result.duplicate_of.equals(results[0].duplicate_of)
        assert result.similarity.equals(results[0].similarity)
        assert result.summary == results[0].summary


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_size_of_batches_changes_nothing(texts: list[str | None], rows: int, threads: int) -> None:
    expected = th.dedup(texts, threads=1)
    batches = pa.chunked_array([texts[at : at + rows] for at in range(0, len(texts), rows)], pa.string())
    result = th.dedup(batches, threads=threads)
    for name in ("keep", "duplicate_of", "similarity", "reason"):
        assert getattr(result, name).equals(getattr(expected, name)), name


def test_types_are_those_that_are_promised() -> None:
    result = th.dedup(["a"])
    assert result.keep.type == pa.bool_()
    assert result.duplicate_of.type == pa.int64()
    assert result.similarity.type == pa.float32()
    assert result.reason.type == pa.dictionary(pa.int8(), pa.string())
    assert result.clusters.schema == pa.schema(
        {"kept": pa.int64(), "size": pa.int64(), "duplicates": pa.list_(pa.int64())}
    )


def test_nothing_in_is_nothing_out(flavour: Flavour) -> None:
    result = th.dedup(flavour([]))
    assert len(result) == 0
    assert result.clusters.num_rows == 0
    assert result.summary.documents == 0


def test_missing_texts_are_kept_and_counted() -> None:
    result = th.dedup([None, "a b", None, "a b"])
    assert result.keep.to_pylist() == [True, True, True, False]
    assert (result.summary.null, result.summary.kept) == (2, 3)
    assert th.dedup(pa.nulls(3)).keep.to_pylist() == [True] * 3


def test_texts_without_a_word_are_duplicates_only_if_equal() -> None:
    assert th.dedup(["?!", "!?", "", "", "?!"]).duplicate_of.to_pylist() == [None, None, None, 2, 0]


def test_a_hundred_thousand_equal_documents_are_one() -> None:
    result = th.dedup(pa.array(["to be or not to be"] * 100_000))
    assert result.keep.to_numpy(zero_copy_only=False).sum() == 1
    assert result.clusters.column("size").to_pylist() == [100_000]


def test_a_hundred_thousand_near_equal_documents_are_resolved() -> None:
    base = " ".join(f"w{i}" for i in range(60))
    result = th.dedup([f"{base} {i}" for i in range(100_000)])
    assert result.summary.kept == 1
    assert result.summary.near == 99_999


def test_the_summary_balances_for_documents_and_bytes(texts: list[str | None]) -> None:
    s = th.dedup(texts).summary
    assert s.documents == len(texts) == s.kept + s.exact + s.near
    assert (
        s.bytes
        == sum(len((text or "").encode()) for text in texts)
        == s.kept_bytes + s.exact_bytes + s.near_bytes
    )
    assert s.removed == s.exact + s.near
    assert (s.bands, s.rows) == _reference.choose_banding(0.8)
    assert s.expected_recall == pytest.approx(_reference.recall_at(0.8, s.bands, s.rows))
    assert set(s.timings) == {"exact", "sign", "group", "verify"}


def test_clusters_list_every_removed_document_once(texts: list[str | None]) -> None:
    result = th.dedup(texts)
    clusters = result.clusters.to_pylist()
    expected: dict[int, list[int]] = {}
    for doc, target in enumerate(result.duplicate_of.to_pylist()):
        if target is not None:
            expected.setdefault(target, []).append(doc)
    assert {cluster["kept"]: cluster["duplicates"] for cluster in clusters} == expected
    order = [(-cluster["size"], cluster["kept"]) for cluster in clusters]
    assert order == sorted(order)
    assert all(cluster["size"] == 1 + len(cluster["duplicates"]) for cluster in clusters)
    assert result.summary.clusters == len(clusters)


def test_exact_only_leaves_near_duplicates_alone() -> None:
    assert th.dedup(["a b c", "A b c", "a b c"], exact_only=True).keep.to_pylist() == [True, True, False]


COPIES = ["same text", "same text", "same text"]


@pytest.mark.parametrize(
    "ranks",
    [
        [1, 3, 2],
        [1.5, 2.5, float("nan")],
        [10**30, 10**30 + 1, 0],
        ["2024", "2025", None],
        [False, True, False],
        [9, "0", None],
        np.array([1, 3, 2], dtype=np.uint16),
        np.array([1, 3, 2], dtype=np.float16),
        pa.array([1, 3, 2], pa.int8()),
        pa.chunked_array([[1.0], [3.0, None]]),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.array([False, True, False]),
        pl.Series([1, 3, 2]),
        pd.Series([1, 3, 2]),
        [datetime.date(2024, 1, 1), datetime.date(2025, 1, 1), None],
        [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2), datetime.datetime(2023, 1, 1)],
        pa.array([0, 3, 2], pa.time32("s")),
        pa.array([0, 3, 2], pa.date64()),
    ],
    ids=lambda ranks: (
        f"{type(ranks).__module__.partition('.')[0]}_{getattr(ranks, 'dtype', getattr(ranks, 'type', ''))}"
    ),
)
def test_ranks_of_every_kind_decide_who_stays(ranks: Any) -> None:
    assert th.dedup(COPIES, keep="max", ranks=ranks).keep.to_pylist() == [False, True, False]


def test_of_equal_ranks_the_first_stays_and_missing_ones_come_last() -> None:
    assert th.dedup(COPIES, keep="min", ranks=[None, 2, 2]).keep.to_pylist() == [False, True, False]
    assert th.dedup(COPIES, keep="min", ranks=[math.nan, None, 2.0]).keep.to_pylist() == [False, False, True]


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"text": ["a b", "c", "a b"], "score": [1, 2, 3]}),
        pa.record_batch({"text": ["a b", "c", "a b"], "score": [1, 2, 3]}),
        pl.DataFrame({"text": ["a b", "c", "a b"], "score": [1, 2, 3]}),
        pd.DataFrame({"text": ["a b", "c", "a b"], "score": [1, 2, 3]}),
        {"text": ["a b", "c", "a b"], "score": [1, 2, 3]},
        datasets.Dataset.from_dict({"text": ["a b", "c", "a b"], "score": [1, 2, 3]}),
        datasets.Dataset.from_dict({"text": ["a b", "a b", "c"], "score": [3, 1, 2]}).select([1, 2, 0]),
    ],
    ids=lambda table: f"{type(table).__module__.partition('.')[0]}_{type(table).__name__}",
)
def test_a_column_of_a_table_is_chosen_by_name(table: Any) -> None:
    assert th.dedup(table, text="text").keep.to_pylist() == [True, True, False]
    assert th.dedup(table, text="text", keep="max:score").keep.to_pylist() == [False, True, True]
    with pytest.raises(th.ColumnError, match="no column `body`; choose one of `text`, `score`"):
        th.dedup(table, text="body")
    with pytest.raises(th.ColumnError, match="choose one with `text=`: `text`, `score`"):
        th.dedup(table)


def test_a_column_of_a_stream_of_batches_is_chosen_by_name() -> None:
    reader = pa.table({"n": [1, 2, 3], "text": ["a b", "c", "a b"]}).to_reader(max_chunksize=1)
    assert th.dedup(reader, text="text").keep.to_pylist() == [True, True, False]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"threshold": 0.0}, r"threshold is `0`.*\(0, 1\]"),
        ({"threshold": 1.5}, r"threshold is `1.5`"),
        ({"threshold": math.nan}, "threshold is `nan`.*finite"),
        ({"recall": 1.0}, "recall is `1`"),
        ({"keep": "best"}, "keep is `best`.*first, longest"),
        ({"keep": "max:score"}, "keep is `max:score`"),
        ({"keep": "max"}, "keep is `max`, but no ranks are given"),
        ({"keep": "min", "ranks": [1]}, "`1` ranks for `3` documents"),
        ({"ranks": [1, 2, 3]}, "ranks are given, but keep is `first`"),
        ({"threads": 0}, "threads is `0`"),
    ],
)
def test_parameters_out_of_range_are_refused_with_value_and_way_out(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(th.ParameterError, match=message):
        th.dedup(COPIES, **parameters)


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ([[1], [2], [3]], "of type"),
        ([1, object(), 3], "ranks"),
        ("abc", "ranks is of type `str`"),
        ([2**200, 1, 2], "rank `0` is an int beyond 128 bits"),
        (pa.array([[1], [2], [3]]), "of type"),
    ],
)
def test_ranks_without_an_order_are_refused(ranks: Any, message: str) -> None:
    with pytest.raises(th.ColumnError, match=message):
        th.dedup(COPIES, keep="max", ranks=ranks)


def test_a_parameter_by_position_is_refused() -> None:
    with pytest.raises(TypeError):
        th.dedup(COPIES, 0.8)  # type: ignore[call-arg, arg-type]


def test_a_result_shows_itself_in_a_line_and_as_a_table() -> None:
    result = th.dedup(["a b", "a b", "A b"])
    assert repr(result) == "DedupResult(documents=3, kept=1, exact=1, near=1)"
    html = result._repr_html_()
    assert html.count("<tr>") == 5
    assert str(result.summary) == "in 3 documents (9 B) = kept 1 (3 B) + exact 1 (3 B) + near 1 (3 B)"
