"""What users have in hand: a table, frame or lazy object is read, or refused with what to write instead."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import thresher as th

ROWS = [{"text": "a b", "n": 1}, {"text": "a b", "n": 2}, {"text": None, "n": 3}]


class Relation:
    """Like a DuckDB relation: it exports a stream, and a column of it is a relation again."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @property
    def columns(self) -> list[str]:
        return self._table.column_names  # type: ignore[no-any-return]

    def __getitem__(self, name: str) -> Relation:
        return Relation(self._table.select([name]))

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


class Expression:
    """Like a lazy expression: it has an item for each index, for ever."""

    def __getitem__(self, index: object) -> Expression:
        return self


class LazyTable:
    """Like a lazy frame whose columns are expressions."""

    columns = ("text",)

    def __getitem__(self, name: str) -> Expression:
        return Expression()


class Frame(LazyTable):
    """Like a Daft frame: it exports a stream, and its columns are expressions."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


class Collectable(LazyTable):
    """A lazy frame that can be computed."""

    def to_arrow(self) -> pa.Table:
        raise AssertionError("nothing is computed unasked")


TABLES: dict[str, Any] = {
    "rows": ROWS,
    "mapping": {"text": [row["text"] for row in ROWS]},
    "pyarrow": pa.Table.from_pylist(ROWS),
    "polars": pl.DataFrame(ROWS),
    "pandas": pd.DataFrame(ROWS, dtype=object).astype({"text": "str"}),
    "datasets": datasets.Dataset.from_list(ROWS),
    "relation": Relation(pa.Table.from_pylist(ROWS)),
    "frame": Frame(pa.Table.from_pylist(ROWS)),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_column_of_any_table_is_deduplicated_and_signed(table: Any) -> None:
    assert th.dedup(table, text="text").keep.to_pylist() == [True, False, True]
    assert th.minhash(table, text="text").equals(th.minhash(["a b", "a b", None]))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_without_a_choice_is_refused_with_its_columns(table: Any) -> None:
    with pytest.raises(th.ColumnError, match="`text=`"):
        th.dedup(table)


def test_columns_may_be_named_by_numbers() -> None:
    assert th.dedup(pd.DataFrame([["a"], ["a"]], dtype="str"), text=0).summary.kept == 1
    with pytest.raises(th.ColumnError, match="no column `1`; choose one of `0`"):
        th.dedup(pd.DataFrame([["a"]]), text=1)


@pytest.mark.parametrize("nulls", [pl.Series([None, None]), pa.nulls(2), pa.chunked_array([pa.nulls(2)])])
def test_an_untyped_column_of_nulls_has_missing_texts_only(nulls: Any) -> None:
    assert th.dedup(nulls).summary.null == 2
    assert th.minhash(nulls).null_count == 2


def test_what_is_not_computed_yet_is_refused_with_what_to_write(tmp_path: Any) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "in.parquet")
    for lazy, write in (
        (ds.dataset(tmp_path / "in.parquet"), "`data.to_table()`"),
        (pl.LazyFrame(ROWS), "`data.collect()`"),
        (Collectable(), "`data.to_arrow()`"),
        (datasets.Dataset.from_list(ROWS).to_iterable_dataset(), "`[row['text'] for row in data]`"),
    ):
        for given in ({"text": "text"}, {}):
            with pytest.raises(th.ColumnError) as caught:
                th.dedup(lazy, **given)
            assert write in str(caught.value)
            assert f"`{type(lazy).__name__}`" in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"text": "text"}])
def test_an_expression_that_has_an_item_for_every_index_is_not_iterated(given: dict[str, str]) -> None:
    data = LazyTable() if given else Expression()
    for function in (th.dedup, th.minhash):
        with pytest.raises(th.ColumnError, match="type `Expression`"):
            function(data, **given)
    with pytest.raises(th.ColumnError, match="type `Expression`"):
        th.dedup(["a"], keep="max", ranks=Expression())


def test_an_endless_iterator_of_other_things_is_told_at_once() -> None:
    with pytest.raises(th.ColumnError, match="text `0` is of type `int`"):
        th.minhash(itertools.count())


def test_what_iterates_is_read() -> None:
    def words() -> Iterator[str | None]:
        yield from ("a b", None)

    signed = th.minhash(["a b", None])
    for texts in (
        words(),
        np.array(["a b", None], dtype=object),
        {"a b": 1, "c": 2}.keys(),
        pd.Index(["a b"]),
    ):
        assert th.minhash(texts)[0] == signed[0]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([{"text": "a"}], "choose the field of the rows with `text=`"),
        (pd.Series(["a", None], dtype=object).replace({None: np.nan}).tolist(), "pass the Series itself"),
        ([b"a"], "decode it first"),
    ],
)
def test_an_item_of_a_usual_kind_is_refused_with_the_way_out(texts: Any, words: str) -> None:
    with pytest.raises(th.ColumnError, match=words):
        th.dedup(texts)


def test_a_row_without_the_field_is_named() -> None:
    with pytest.raises(th.ColumnError, match="row `1` has no field `text`, but `body`"):
        th.dedup([{"text": "a"}, {"body": "a"}], text="text")
    with pytest.raises(th.ColumnError, match="row `0` is of type `str`"):
        th.dedup(["a"], text="text")


def test_a_policy_by_rank_without_ranks_says_how_to_give_them() -> None:
    with pytest.raises(th.ParameterError, match=r"keep is `max`, but no ranks.*`max:COLUMN`"):
        th.dedup(["a"], keep="max")


def test_signatures_as_a_matrix_keep_their_rows() -> None:
    texts = ["a b", None, "", "c d"]
    signed = th.minhash(texts, num_hashes=16)
    matrix = signed.values.to_numpy(zero_copy_only=True).reshape(-1, 16)
    assert matrix.shape == (4, 16)
    for row in (0, 2, 3):
        assert matrix[row].tolist() == signed[row].as_py()
