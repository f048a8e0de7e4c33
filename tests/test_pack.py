"""Packing: a naive packer is the oracle, conservation the law."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher as th

STRATEGIES: Any = ["best_fit", "first_fit", "wrapped"]
OVERLONG: Any = ["split", "truncate", "drop"]

Piece = tuple[int, int, int]


def _cut(lengths: list[int], context: int, overlong: str) -> list[Piece]:
    """Pieces as (sequence, start, length)."""
    kept = {
        "split": lambda length: length,
        "truncate": lambda length: min(length, context),
        "drop": lambda length: length if length <= context else 0,
    }[overlong]
    return [
        (sequence, start, min(context, kept(length) - start))
        for sequence, length in enumerate(lengths)
        for start in range(0, kept(length), context)
    ]


def _naive(lengths: list[int], context: int, strategy: str, overlong: str) -> list[tuple[int, int]]:
    """The bin and the offset of each piece, by the rules that `th.pack` documents, one piece at a time."""
    pieces = _cut(lengths, context, overlong)
    full = [length == context and lengths[seq] > context for seq, _, length in pieces]
    if overlong != "split":
        full = [False] * len(pieces)
    bins: list[dict[str, Any]] = []
    order = sorted((p for p in range(len(pieces)) if not full[p]), key=lambda p: -pieces[p][2])
    for turn, piece in enumerate(order):
        length = pieces[piece][2]
        fits = [b for b in bins if b["space"] >= length]
        if not fits:
            bins.append({"space": context, "since": 0, "pieces": []})
            fits = bins[-1:]
        chosen = min(fits, key=lambda b: (b["space"], b["since"])) if strategy == "best_fit" else fits[0]
        chosen["space"] -= length
        chosen["since"] = turn
        chosen["pieces"].append(piece)
    bins += [{"pieces": [piece]} for piece in range(len(pieces)) if full[piece]]
    bins.sort(key=lambda b: min(b["pieces"]))
    places = [(0, 0)] * len(pieces)
    for number, found in enumerate(bins):
        offset = 0
        for piece in found["pieces"]:
            places[piece] = (number, offset)
            offset += pieces[piece][2]
    return places


def _places(plan: th.PackPlan) -> list[tuple[int, int]]:
    return list(zip(plan.bin.to_pylist(), plan.offset.to_pylist(), strict=True))


@given(
    st.lists(st.integers(0, 40), max_size=120),
    st.integers(1, 32),
    st.sampled_from(["best_fit", "first_fit"]),
    st.sampled_from(OVERLONG),
)
def test_a_plan_is_that_of_the_naive_packer(
    lengths: list[int], context: int, strategy: Any, overlong: Any
) -> None:
    plan = th.pack(lengths, context, strategy=strategy, overlong=overlong)
    pieces = zip(plan.sequence.to_pylist(), plan.start.to_pylist(), plan.length.to_pylist(), strict=True)
    assert list(pieces) == _cut(lengths, context, overlong)
    assert _places(plan) == _naive(lengths, context, strategy, overlong)
    books = plan.accounts
    assert books.tokens == sum(lengths) == books.packed_tokens + books.truncated_tokens + books.dropped_tokens
    assert books.sequences == len(lengths) == books.packed + books.dropped + books.empty + books.missing
    assert plan.num_bins == len(set(plan.bin.to_pylist())) == len(plan.members)


@given(
    st.lists(st.none() | st.integers(0, 300), max_size=60), st.integers(1, 64), st.sampled_from(STRATEGIES)
)
def test_members_of_a_bin_lie_behind_each_other(
    lengths: list[int | None], context: int, strategy: Any
) -> None:
    plan = th.pack(pa.array(lengths, pa.int32()), context, strategy=strategy)
    length = plan.length.to_pylist()
    for bin_, members in enumerate(plan.members.to_pylist()):
        end = 0
        for piece in members:
            assert (plan.bin[piece].as_py(), plan.offset[piece].as_py()) == (bin_, end)
            end += length[piece]
        assert 0 < end <= context
    assert plan.accounts.missing == lengths.count(None)


_TYPES = [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int8(), pa.int16(), pa.int32(), pa.int64()]


@pytest.mark.parametrize("kind", _TYPES)
def test_lengths_of_every_type_give_the_same_plan(kind: pa.DataType) -> None:
    lengths = [5, 3, 2, 7, 0, 8, 1]
    expected = _places(th.pack(lengths, 8))
    array = pa.array(lengths, kind)
    chunked = pa.chunked_array([array[:2], array[2:2], array[2:]])
    sliced = pa.array([100, *lengths, 100], kind)[1:-1]
    for given_ in (array, chunked, sliced, array.to_numpy(), tuple(lengths)):
        assert _places(th.pack(given_, 8)) == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_is_packed_into_nothing(strategy: Any) -> None:
    for lengths in ([], [0, 0], pa.array([], pa.int64()), pa.nulls(2)):
        plan = th.pack(lengths, 8, strategy=strategy)
        assert (plan.num_bins, len(plan), plan.fill) == (0, 0, 1.0)
    table = th.pack(pa.array([], pa.list_(pa.int32())), 8, strategy=strategy)
    assert table.num_rows == 0
    assert table.column_names == ["input_ids", "position_ids", "seq_lengths"]


def _segments(table: pa.Table) -> list[tuple[int, ...]]:
    """The segments of every bin, with all that says where they end held against each other."""
    segments = []
    for row in table.to_pylist():
        ids, positions, lengths = row["input_ids"], row["position_ids"], row["seq_lengths"]
        assert len(ids) == len(positions) == sum(lengths)
        assert positions == [position for length in lengths for position in range(length)]
        if "cu_seqlens" in row:
            assert row["cu_seqlens"] == np.cumsum([0, *lengths]).tolist()
        if "document_ids" in row and "loss_mask" not in row:
            assert len(row["document_ids"]) == len(lengths)
        ends = np.cumsum(lengths).tolist()
        segments += [tuple(ids[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
    return segments


@given(
    st.lists(st.none() | st.lists(st.integers(0, 2**31 - 1), max_size=30), max_size=25),
    st.integers(1, 24),
    st.sampled_from(STRATEGIES),
    st.sampled_from([pa.int32(), pa.uint32(), pa.int64(), pa.uint64()]),
    st.booleans(),
)
def test_every_token_of_every_sequence_is_packed_once(
    sequences: list[list[int] | None], context: int, strategy: Any, kind: pa.DataType, large: bool
) -> None:
    array = pa.array(sequences, pa.large_list(kind) if large else pa.list_(kind))
    table = th.pack(array, context, strategy=strategy, cu_seqlens=True)
    assert all(len(ids) <= context for ids in table["input_ids"].to_pylist())
    found = _segments(table)
    if strategy == "wrapped":
        assert [token for segment in found for token in segment] == [t for s in sequences if s for t in s]
        return
    whole = [tuple(s) for s in sequences if s]
    expected = [s[start : start + context] for s in whole for start in range(0, len(s), context)]
    assert sorted(found) == sorted(expected)


def test_a_table_gives_its_masks_and_its_documents() -> None:
    table = pa.table(
        {
            "document": ["a", "b", "c"],
            "input_ids": [[1, 2, 3], [4, 5], [6, 7, 8, 9]],
            "assistant_masks": [[0, 0, 1], [1, 0], [0, 1, 1, 0]],
        }
    )
    packed = th.pack(table, 6)
    assert packed.to_pylist() == [
        {
            "input_ids": [1, 2, 3],
            "position_ids": [0, 1, 2],
            "seq_lengths": [3],
            "loss_mask": [0, 0, 1],
            "document_ids": ["a"],
        },
        {
            "input_ids": [6, 7, 8, 9, 4, 5],
            "position_ids": [0, 1, 2, 3, 0, 1],
            "seq_lengths": [4, 2],
            "loss_mask": [0, 1, 1, 0, 1, 0],
            "document_ids": ["c", "b"],
        },
    ]
    assert json.loads(packed.schema.metadata[b"thresher.pack"])["bins"] == 2
    assert packed.schema.field("input_ids").type.value_type == pa.uint32()


def test_an_end_of_document_is_learned_if_what_it_ends_is() -> None:
    table = pa.table({"input_ids": [[1, 2], [3, 4], []], "assistant_masks": [[0, 1], [1, 0], []]})
    packed = th.pack(table, 8, eos=9).to_pylist()
    assert packed[0]["input_ids"] == [1, 2, 9, 3, 4, 9]
    assert packed[0]["loss_mask"] == [0, 1, 1, 1, 0, 0]
    assert th.pack([[1, 2], [3]], 3, eos=9).to_pylist()[1]["input_ids"] == [3, 9]


def test_an_end_of_document_may_be_the_only_token_of_its_bin() -> None:
    for strategy in STRATEGIES:
        packed = th.pack([[1, 2, 3, 4]], 4, eos=9, strategy=strategy)
        assert packed["input_ids"].to_pylist() == [[1, 2, 3, 4], [9]]
    cut = th.pack([[1, 2, 3, 4]], 4, eos=9, overlong="truncate")
    assert cut["input_ids"].to_pylist() == [[1, 2, 3, 4]]
    assert json.loads(cut.schema.metadata[b"thresher.pack"])["truncated_tokens"] == 1


def test_positions_can_be_left_out() -> None:
    found = th.pack([[1, 2, 3], [4, 5]], 8, pad=0, position_ids=False)
    assert found.column_names == ["input_ids", "seq_lengths", "loss_mask"]
    assert found["seq_lengths"].to_pylist() == [[3, 2, 3]]


def test_padding_is_a_segment_that_nobody_learns() -> None:
    packed = th.pack([[1, 2, 3], [4, 5]], 4, pad=0, cu_seqlens=True).to_pylist()
    assert packed == [
        {
            "input_ids": [1, 2, 3, 0],
            "position_ids": [0, 1, 2, 0],
            "seq_lengths": [3, 1],
            "cu_seqlens": [0, 3, 4],
            "loss_mask": [1, 1, 1, 0],
        },
        {
            "input_ids": [4, 5, 0, 0],
            "position_ids": [0, 1, 0, 1],
            "seq_lengths": [2, 2],
            "cu_seqlens": [0, 2, 4],
            "loss_mask": [1, 1, 0, 0],
        },
    ]


def test_sliced_chunked_and_null_lists_are_what_they_show() -> None:
    whole = pa.array([[99], [1, 2], None, [], [3, 4, 5], [99]], pa.list_(pa.uint16()))
    part = whole[1:-1]
    expected = [1, 2, 3, 4, 5]
    for given_ in (part, pa.chunked_array([part[:1], part[1:]]), pa.table({"input_ids": part})):
        assert sorted(th.pack(given_, 5)["input_ids"].to_pylist()[0]) == expected
    fixed = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2))
    assert th.pack(fixed, 4)["input_ids"].to_pylist() == [[1, 2, 3, 4]]
    arrays = [np.array([1, 2], np.uint16), np.array([3], np.uint16)]
    assert th.pack(arrays, 4)["input_ids"].to_pylist() == [[1, 2, 3]]


def test_the_number_of_threads_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 50_000, n).astype(np.int32) for n in rng.integers(0, 900, 3000)]
    one, two, four = (th.pack(sequences, 512, threads=threads) for threads in (1, 2, 4))
    assert one.equals(two)
    assert one.equals(four)


@pytest.mark.parametrize(
    ("data", "parameters", "words"),
    [
        ([1], {"context": 0}, ["context", "`0`"]),
        ([1], {"context": 2**31}, ["context", "`2147483648`"]),
        ([1], {"context": 4, "strategy": "worst_fit"}, ["strategy", "`worst_fit`", "`best_fit`"]),
        ([1], {"context": 4, "overlong": "cut"}, ["overlong", "`cut`", "`truncate`"]),
        ([1, 9], {"context": 4, "overlong": "error"}, ["sequence `1`", "`9`", "context is 4"]),
        ([1], {"context": 4, "eos": 2}, ["eos", "`2`", "sequences"]),
        ([1], {"context": 4, "pad": 0}, ["pad", "`0`", "sequences"]),
        ([[1]], {"context": 4, "eos": -1}, ["eos", "`-1`"]),
        ([[1]], {"context": 4, "pad": 2**32}, ["pad", "`4294967296`"]),
        ([2**40], {"context": 1}, ["`1099511627776` pieces"]),
        (pa.array([2**63, 2**63], pa.uint64()), {"context": 1}, ["sequence `0`", "tokens"]),
    ],
)
def test_parameters_out_of_range_are_refused_with_value_and_range(
    data: Any, parameters: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(th.ParameterError) as caught:
        th.pack(data, **parameters)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([3, -1], ["length `1`", "`-1`"]),
        ([1.5], ["`double`"]),
        (["a"], ["`string`"]),
        ("abc", ["`str`"]),
        (5, ["`int`"]),
        ([[1, -1]], ["sequence `0`", "below 0"]),
        ([[1], [2**32]], ["sequence `1`", "32-bit"]),
        ([[1, None]], ["row `0`", "null"]),
        ([["a"]], ["`List"]),
        ({"input_ids": [[1, 2]], "assistant_masks": [[1]]}, ["mask of sequence `0`"]),
        ({"input_ids": [[1, 2]], "assistant_masks": [[1, 2]]}, ["mask of sequence `0`"]),
        ({"input_ids": [[1, 2]], "assistant_masks": [None]}, ["mask of sequence `0`"]),
        ({"ids": [[1]]}, ["input_ids", "`ids`"]),
        ({"input_ids": [1, 2]}, ["`input_ids`", "`int64`", "lists"]),
    ],
)
def test_what_cannot_be_packed_is_named(data: Any, words: list[str]) -> None:
    with pytest.raises(th.ColumnError) as caught:
        th.pack(data, 4)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_plan_gathers_what_was_tokenised_once() -> None:
    """Index only: tokens stay where they are, and a bin is gathered when it is asked for."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 700, 500)
    store = rng.integers(0, 1000, lengths.sum())
    starts = np.concatenate([[0], np.cumsum(lengths)])
    plan = th.pack(lengths, 256)
    sequence, start, length = plan.sequence.to_numpy(), plan.start.to_numpy(), plan.length.to_numpy()
    gathered = [
        np.concatenate([store[starts[sequence[p]] + start[p] :][: length[p]] for p in members])
        for members in plan.members.to_pylist()
    ]
    packed = th.pack([store[a:b] for a, b in pairwise(starts)], 256)
    assert [bin_.tolist() for bin_ in gathered] == packed["input_ids"].to_pylist()


def test_lengths_of_numpy_are_read_in_place() -> None:
    lengths = np.full(1_000_000, 3, np.uint32)
    assert pa.array(lengths).buffers()[1].address == lengths.ctypes.data
    plan = th.pack(lengths, 12)
    assert (plan.num_bins, plan.fill) == (250_000, 1.0)
