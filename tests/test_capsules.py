"""The Arrow PyCapsule interface: holders have the dunder and nothing else, so no other path can help."""

from __future__ import annotations

import ctypes
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import thresher as th

TEXTS = ["to be or not to be", None, "to be or not to be", "ünï, longer than twelve bytes"]


class ArrayHolder:
    """Exports an array, and does nothing else."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self._array.__arrow_c_array__(requested_schema)


class StreamHolder:
    """Exports a stream, and does nothing else."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._column.__arrow_c_stream__(requested_schema)


def _signed() -> list[Any]:
    return th.minhash(TEXTS).to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_an_array_is_read_through_its_capsules_alone(kind: pa.DataType) -> None:
    assert th.minhash(ArrayHolder(pa.array(TEXTS, kind))).to_pylist() == _signed()


def test_a_stream_is_read_through_its_capsule_alone() -> None:
    column = pa.chunked_array([TEXTS[:1], [], TEXTS[1:]])
    assert th.minhash(StreamHolder(column)).to_pylist() == _signed()
    assert th.minhash(StreamHolder(pl.Series(TEXTS))).to_pylist() == _signed()


def test_results_are_read_by_other_libraries_through_capsules() -> None:
    result = th.dedup(TEXTS)
    assert pl.Series(ArrayHolder(result.keep)).to_list() == [True, True, False, True]
    assert pl.Series(ArrayHolder(result.duplicate_of)).to_list() == [None, None, 0, None]
    assert pa.array(ArrayHolder(result.reason)).to_pylist() == [None, None, "exact", None]


def test_an_array_outlives_the_objects_it_came_from() -> None:
    result = th.dedup(ArrayHolder(pa.array(TEXTS * 1000)))
    assert result.keep.to_pylist().count(True) == 2 + 1000


class _Once:
    """Hands out the same capsules again and again."""

    def __init__(self, capsules: Any, dunder: str) -> None:
        setattr(type(self), dunder, lambda _: capsules)


@pytest.mark.parametrize("dunder", ["__arrow_c_array__", "__arrow_c_stream__"])
def test_capsules_that_were_consumed_are_refused_and_not_read_twice(dunder: str) -> None:
    source: Any = pa.array(TEXTS) if "array" in dunder else pa.chunked_array([TEXTS])
    once = type("Once", (_Once,), {})(getattr(source, dunder)(), dunder)
    assert th.minhash(once).to_pylist() == _signed()
    with pytest.raises(th.ColumnError, match="consumed"):
        th.minhash(once)


@pytest.mark.parametrize(
    ("dunder", "value"),
    [
        ("__arrow_c_stream__", "no capsule"),
        ("__arrow_c_stream__", pa.array(["a"]).__arrow_c_array__()[0]),
        ("__arrow_c_array__", "no pair"),
        ("__arrow_c_array__", (1, 2)),
        ("__arrow_c_array__", tuple(reversed(pa.array(["a"]).__arrow_c_array__()))),
    ],
)
def test_capsules_of_another_name_are_refused(dunder: str, value: Any) -> None:
    with pytest.raises(th.ColumnError, match="capsule"):
        th.minhash(type("Once", (_Once,), {})(value, dunder))


@pytest.mark.parametrize(
    "wrong", [pa.array([1, 2]), pa.array([b"a"]), pa.array([["a"]]), pa.chunked_array([[1.5]])]
)
def test_columns_of_other_types_are_refused_by_name(wrong: Any) -> None:
    with pytest.raises(th.ColumnError, match="column is of type"):
        th.minhash(wrong)


def test_a_table_is_refused_with_the_names_of_its_columns() -> None:
    table = pa.table({"text": ["a"], "n": [1]})
    with pytest.raises(th.ColumnError, match=r"table was given.*`text`, `n`"):
        th.minhash(StreamHolder(table))


def _string_array(
    kind: pa.DataType, offsets: Any, data: bytes, validity: bytes | None = None, first: int = 0
) -> Any:
    """An array over these very bytes, unchecked, as a careless producer would make it."""
    buffers = [
        None if validity is None else pa.py_buffer(validity),
        pa.py_buffer(offsets),
        pa.py_buffer(data),
    ]
    return pa.Array.from_buffers(kind, len(offsets) - 1 - first, buffers, offset=first)


def _int32(*values: int) -> Any:
    return (ctypes.c_int32 * len(values))(*values)


def _int64(*values: int) -> Any:
    return (ctypes.c_int64 * len(values))(*values)


@pytest.mark.parametrize(("kind", "ints"), [(pa.string(), _int32), (pa.large_string(), _int64)])
def test_bytes_that_are_no_utf8_are_refused_with_the_row(kind: pa.DataType, ints: Any) -> None:
    whole = _string_array(kind, ints(0, 2, 4, 6), b"okno\xff\xfe")
    with pytest.raises(th.ColumnError, match="text `2` is not UTF-8"):
        th.minhash(whole)
    chunked = pa.chunked_array([pa.array(["a", "b"], kind), whole])
    with pytest.raises(th.ColumnError, match="text `4` is not UTF-8"):
        th.minhash(chunked)
    assert th.minhash(whole[:2]).equals(th.minhash(["ok", "no"]))


def test_offsets_in_the_middle_of_a_character_are_refused() -> None:
    with pytest.raises(th.ColumnError, match="text `0` is not UTF-8"):
        th.minhash(_string_array(pa.string(), _int32(0, 1, 2), "ü".encode()))


@pytest.mark.parametrize("offsets", [(0, 4, 2), (-1, 2, 4), (3, 1, 4), (0, -5, 4), (2, 3, 1)])
def test_offsets_that_do_not_ascend_are_refused(offsets: tuple[int, ...]) -> None:
    memory = _int32(0, 2, 4)
    array = _string_array(pa.string(), memory, b"abcd")
    # pyarrow looks at the first and the last offset when it makes an array, so they change afterwards.
    memory[:] = offsets
    with pytest.raises(th.ColumnError, match="offsets"):
        th.minhash(array)


def test_what_lies_behind_a_null_is_not_looked_at() -> None:
    array = _string_array(pa.string(), _int32(0, 2, 4, 6), b"ok\xff\xfeok", validity=bytes([0b101]))
    assert th.minhash(array).equals(th.minhash(["ok", None, "ok"]))


def test_views_that_are_no_utf8_are_refused_with_the_row() -> None:
    views = b"".join(len(text).to_bytes(4, "little") + text.ljust(12, b"\0") for text in (b"ok", b"\xff"))
    array = pa.Array.from_buffers(pa.string_view(), 2, [None, pa.py_buffer(views)])
    with pytest.raises(th.ColumnError, match="text `1` is not UTF-8"):
        th.minhash(array)
    behind_null = pa.Array.from_buffers(pa.string_view(), 2, [pa.py_buffer(b"\1"), pa.py_buffer(views)])
    assert th.minhash(behind_null).equals(th.minhash(["ok", None]))


def test_views_that_point_out_of_their_buffer_are_refused() -> None:
    view = (100).to_bytes(4, "little") + b"abcd" + (0).to_bytes(4, "little") + (1 << 20).to_bytes(4, "little")
    buffers = [None, pa.py_buffer(view), pa.py_buffer(b"abcd" * 25)]
    with pytest.raises(th.ColumnError, match="text `0`"):
        th.minhash(pa.Array.from_buffers(pa.string_view(), 1, buffers))


def test_dictionary_keys_out_of_range_are_refused() -> None:
    broken = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int8()), pa.array(["a"]), safe=False)
    with pytest.raises(th.ColumnError, match="dictionary of the column is damaged"):
        th.minhash(broken)


def test_an_error_of_the_producer_is_passed_on_as_text() -> None:
    def broken() -> Any:
        yield pa.record_batch({"text": ["a"]})
        raise ValueError("disk on fire")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"text": pa.string()}), broken())
    with pytest.raises((th.ColumnError, ValueError), match="disk on fire"):
        th.dedup(reader, text="text")


def test_many_slices_of_one_buffer_cost_one_pass_over_it() -> None:
    column = pa.array(["ü" * 50] * 200_000)
    slices = pa.chunked_array([column.slice(start, 20) for start in range(0, len(column), 20)])
    # 10,000 slices of 20 MB: a check of the buffer behind each one would read 100 GB, past the time limit.
    assert th.dedup(slices, exact_only=True).summary.kept == 1


def test_a_dictionary_that_chunks_share_is_checked_once() -> None:
    words = pa.array([f"text number {number} with some words in it" for number in range(300_000)])
    whole = pa.DictionaryArray.from_arrays(pa.array(range(300_000), pa.int32()), words)
    chunks = pa.chunked_array([whole.slice(start, 10) for start in range(0, 300_000, 15)])
    # 20,000 chunks: checking and copying 300,000 values with each takes 6 billion steps, past the time limit.
    assert th.dedup(chunks, exact_only=True).summary.kept == len(chunks)


def test_dictionaries_of_one_size_are_told_apart_wherever_they_lie() -> None:
    def batches() -> Any:
        for number in range(300):
            yield pa.record_batch({"text": pa.array([f"{number:03}", "same"]).dictionary_encode()})

    reader = pa.RecordBatchReader.from_batches(pa.record_batch(next(batches())).schema, batches())
    signed = th.minhash(StreamHolder(pa.chunked_array([batch["text"] for batch in reader])))
    assert signed.equals(th.minhash([text for number in range(300) for text in (f"{number:03}", "same")]))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_string_column_beyond_two_gigabytes_is_read_slice_by_slice() -> None:
    chunk = pa.array(["x" * 1_000_000] * 1050)
    column = pa.chunked_array([chunk, chunk, chunk, pa.array(["y z"])])
    assert column.nbytes > 2**31
    assert th.dedup(column[1:]).summary.kept == 2
    large = pa.array(["x" * 1_000_000] * 2200 + ["y z"], pa.large_string())
    assert th.dedup(large[3:]).summary.kept == 2
