"""What packing is given that it cannot use, or that is rare: an error that names it, or a counted case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th

SIGNED = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
UNSIGNED = [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]


class Tagged(pa.ExtensionType):
    """A column of lists under a name of its own, as other libraries have for tensors."""

    def __init__(self, storage: pa.DataType) -> None:
        super().__init__(storage, "thresher.test.tagged")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> Tagged:
        return cls(storage)


def _books(table: pa.Table) -> dict[str, int]:
    return json.loads(table.schema.metadata[b"thresher.pack"])


def _lists(rows: list[list[int] | None], kind: pa.DataType) -> dict[str, pa.Array | pa.ChunkedArray]:
    """The same lists in every way in which they can lie in memory."""
    plain = pa.array(rows, pa.list_(kind))
    # Around the slice and under each null lies what must not be looked at.
    hidden = pa.array([[7, 7, 7], *[row or [7, 7] for row in rows], [7]], pa.list_(kind))
    nulls = pa.array([False, *[row is None for row in rows], False])
    masked = pa.ListArray.from_arrays(hidden.offsets, hidden.values, mask=nulls)[1:-1]
    return {
        "plain": plain,
        "large": plain.cast(pa.large_list(kind)),
        "sliced": pa.concat_arrays([plain, plain])[len(rows) :],
        "masked": pa.array([row if row is None or row else None for row in rows], pa.list_(kind))
        if any(row == [] for row in rows)
        else masked,
        "chunked": pa.chunked_array([plain[:2], plain[2:2], plain[2:]]),
        "no chunks behind": pa.chunked_array([plain, plain[:0]]),
    }


@pytest.mark.parametrize("kind", SIGNED + UNSIGNED, ids=str)
def test_lists_are_read_wherever_and_in_whatever_type_they_lie(kind: pa.DataType) -> None:
    rows: list[list[int] | None] = [[1, 2, 3], None, [4], [5, 6], None, [100]]
    expected = th.pack([row or [] for row in rows], 4)["input_ids"].to_pylist()
    for where, given in _lists(rows, kind).items():
        packed = th.pack(given, 4)
        assert packed["input_ids"].to_pylist() == expected, where
        assert packed.schema.field("input_ids").type.value_type == pa.uint32()
        assert (_books(packed)["missing"], _books(packed)["packed_tokens"]) == (2, 7), where


@pytest.mark.parametrize("kind", SIGNED, ids=str)
@pytest.mark.parametrize("position", [0, 5, 40, 1500])
def test_an_id_below_0_is_refused_with_its_sequence(kind: pa.DataType, position: int) -> None:
    long = [1] * 2000
    long[position] = -1
    for given in _lists([[1], long, [2]], kind).values():
        with pytest.raises(th.ColumnError, match="sequence `1` has a token below 0"):
            th.pack(given, 4096)


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()], ids=str)
@pytest.mark.parametrize("value", [2**32, 2**32 + 1, 2**63 - 1])
def test_an_id_beyond_32_bits_is_refused_and_the_last_within_them_is_not(
    kind: pa.DataType, value: int
) -> None:
    with pytest.raises(th.ColumnError, match="sequence `2` has a token"):
        th.pack(pa.array([[1], [], [3, value]], pa.list_(kind)), 8)
    last = pa.array([[2**32 - 1]], pa.list_(kind))
    assert th.pack(last, 8)["input_ids"].to_pylist() == [[2**32 - 1]]


@pytest.mark.parametrize("kind", SIGNED, ids=str)
@pytest.mark.parametrize("row", [0, 1023, 1024, 2500])
def test_a_length_below_0_is_refused_with_its_place(kind: pa.DataType, row: int) -> None:
    lengths = np.ones(3000, kind.to_pandas_dtype())
    lengths[row] = -1
    halves = pa.chunked_array([pa.array(lengths[:1500]), pa.array(lengths[1500:])])
    for given in (lengths, pa.array(lengths), halves):
        with pytest.raises(th.ColumnError, match=f"length `{row}` is `-1`"):
            th.pack(given, 8)


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()], ids=str)
def test_lengths_of_more_than_32_bits_are_cut_or_counted(kind: pa.DataType) -> None:
    lengths = pa.array([2**33 + 5, None, 0, 3], kind)
    split = th.pack(lengths, 2**30)
    assert (split.num_bins, len(split)) == (9, 10)
    assert split.length.to_pylist() == [2**30] * 8 + [5, 3]
    cut = th.pack(lengths, 2**30, overlong="truncate").accounts
    assert (cut.truncated, cut.truncated_tokens) == (1, 2**33 + 5 - 2**30)
    dropped = th.pack(lengths, 2**30, overlong="drop").accounts
    assert (dropped.dropped, dropped.dropped_tokens, dropped.packed) == (1, 2**33 + 5, 1)
    for books in (split.accounts, cut, dropped):
        assert (books.sequences, books.empty, books.missing) == (4, 1, 1)


@pytest.mark.parametrize("strategy", ["best_fit", "first_fit", "wrapped"])
@pytest.mark.parametrize("context", [1, 2, 2**31 - 1])
def test_the_shortest_and_the_longest_context_hold_every_token(context: int, strategy: Any) -> None:
    rows: list[list[int] | None] = [[1, 2, 3], [], None, [4]]
    packed = th.pack(rows, context, strategy=strategy, cu_seqlens=True)
    ids = packed["input_ids"].to_pylist()
    assert sorted(token for bin_ in ids for token in bin_) == [1, 2, 3, 4]
    assert packed.num_rows == -(-4 // context)
    assert packed["cu_seqlens"].combine_chunks().flatten().to_pylist().count(0) == packed.num_rows
    books = _books(packed)
    assert (books["sequences"], books["packed"], books["empty"], books["missing"]) == (4, 2, 1, 1)
    plan = th.pack([3, 0, 0, 1], context, strategy=strategy)
    assert (plan.num_bins, plan.length.to_numpy().sum()) == (packed.num_rows, 4)


@pytest.mark.parametrize(
    ("lengths", "context"),
    [([2**32 - 1], 1), ([2**32], 1), ([2**40], 2), ([2**31] * 3, 1), ([2**62], 2**29)],
)
@pytest.mark.parametrize("strategy", ["best_fit", "first_fit", "wrapped"])
def test_more_bins_than_32_bits_can_number_are_refused(
    lengths: list[int], context: int, strategy: Any
) -> None:
    with pytest.raises(th.ParameterError, match=r"pieces, but a plan has up to 4294967294; choose a longer"):
        th.pack(lengths, context, strategy=strategy)
    assert th.pack(lengths, context, overlong="drop").num_bins == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (pa.array([1, 2]).dictionary_encode(), "dictionary"),
        (pa.array([[1], [2]]).cast(pa.list_(pa.float32())), "List"),
        (pa.array([[1.5]]), "List"),
        (pa.array([[[1]]]), "List"),
        (pa.array([[True]]).cast(pa.list_(pa.string())), "List"),
        (pa.array([{"a": 1}]), "struct"),
        (pa.array([b"1"]), "binary"),
        (pa.array([True, False]), "bool"),
        (pa.array([1], pa.timestamp("s")), "timestamp"),
        (pa.array([1], pa.decimal128(5)), "decimal"),
        (np.array([1.0, 2.0]), "double"),
        (np.array(["a"]), "string"),
        ({"input_ids": pa.array([1]).dictionary_encode()}, "dictionary"),
        ([[1], 2], "neither lengths nor sequences"),
        ([2**64], "neither lengths nor sequences"),
        (iter([object()]), "neither lengths nor sequences"),
        (None, "`NoneType`"),
    ],
    ids=lambda value: str(getattr(value, "type", value))[:40],
)
def test_columns_of_other_types_are_refused_by_their_type(given: Any, words: str) -> None:
    with pytest.raises(th.ColumnError) as caught:
        th.pack(given, 4)
    assert words in str(caught.value)


def test_a_column_of_an_extension_type_is_what_it_stores() -> None:
    storage = pa.array([[1, 2], None, [3]], pa.list_(pa.int32()))
    tagged = pa.ExtensionArray.from_storage(Tagged(storage.type), storage)
    for given in (tagged, pa.chunked_array([tagged]), pa.table({"input_ids": tagged})):
        assert th.pack(given, 4)["input_ids"].to_pylist() == [[1, 2, 3]]
    numbers = pa.array([3, 1], pa.int16())
    lengths = pa.ExtensionArray.from_storage(Tagged(numbers.type), numbers)
    assert th.pack(lengths, 4).bin.to_pylist() == [0, 0]


@pytest.mark.parametrize("names", [["a", "b"], ["a", None], [None, None], [7, 8]])
def test_documents_may_be_texts_of_any_kind_or_numbers(names: list[Any]) -> None:
    expected = [["" if name is None else str(name) for name in names]]
    column = pa.array(names)
    kinds = [column, pa.chunked_array([column[:1], column[1:]])]
    if names[0] == "a":
        kinds += [column.cast(pa.large_string()), column.cast(pa.string_view()), column.dictionary_encode()]
    for documents in kinds:
        table = pa.table({"document": documents, "input_ids": [[1, 2], [3]]})
        assert th.pack(table, 4)["document_ids"].to_pylist() == expected, documents.type


@pytest.mark.parametrize(
    ("documents", "kind"),
    [([1.5, 2.5], "Float64"), ([b"a", b"b"], "Binary"), ([[1], [2]], "List"), ([True, False], "Boolean")],
)
def test_documents_that_are_no_texts_are_refused_by_their_type(documents: list[Any], kind: str) -> None:
    table = pa.table({"document": documents, "input_ids": [[1, 2], [3]]})
    with pytest.raises(th.ColumnError, match=kind):
        th.pack(table, 4)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([[1, -1]], pa.list_(pa.int32())), "document `rows.parquet:0` has an id below 0"),
        (pa.array([[1, 2**32]], pa.list_(pa.int64())), "or above 4294967295"),
        (pa.array([[1, None]], pa.list_(pa.int32())), "null within its list"),
        (pa.array([["a"]]), "lists of integers"),
        (pa.array([1]), "lists of integers"),
    ],
    ids=["below 0", "beyond 32 bits", "null within", "texts", "numbers"],
)
def test_files_with_such_columns_are_refused_by_name(column: pa.Array, words: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"input_ids": column}), tmp_path / "rows.parquet")
    with pytest.raises(th.ThresherError) as caught:
        th.pack_files(tmp_path / "rows.parquet", tmp_path / "out.parquet", context=4)
    assert words in str(caught.value)
    assert "rows.parquet" in str(caught.value)
    assert not (tmp_path / "out.parquet").exists()
