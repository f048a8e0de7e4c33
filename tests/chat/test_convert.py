"""Conversion in memory: every kind of rows, what is lost, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import thresher as th

ALPACA = [
    {"instruction": "Add 2 and 3.", "input": "", "output": "5"},
    {"instruction": "Größer?", "input": "7 oder 8", "output": "8 \N{GRINNING FACE}\n"},
]
KINDS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "dicts": list,
    "generator": iter,
    "texts": lambda rows: [json.dumps(row) for row in rows],
    "mixed": lambda rows: [rows[0], *(json.dumps(row) for row in rows[1:])],
    "column of texts": lambda rows: pa.array([json.dumps(row) for row in rows]),
    "table": pa.Table.from_pylist,
    "record batch": pa.RecordBatch.from_pylist,
    "polars": pl.DataFrame,
    "pandas": pd.DataFrame,
    "data set": datasets.Dataset.from_list,
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_rows_gives_the_same_rows(kind: str) -> None:
    done = th.chat.convert(KINDS[kind](ALPACA), to="openai")
    assert (done.format, done.to, len(done), done.errors) == ("alpaca", "openai", 2, ())
    assert done.rows == th.chat.convert(ALPACA, to="openai", from_format="alpaca").rows
    assert done.rows[1]["messages"][0] == {"role": "user", "content": "Größer?\n7 oder 8"}


def test_a_loss_names_field_outcome_count_and_rows() -> None:
    (loss,) = th.chat.convert(ALPACA, to="openai").losses
    assert (loss.field, loss.count, loss.rows, loss.examples) == ("input", 1, 1, (1,))
    assert "line end" in loss.outcome
    assert str(loss).startswith("input: ")


def test_a_row_that_cannot_be_said_is_null_and_named() -> None:
    call = {"function": {"name": "weather", "arguments": "{}"}}
    rows = [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}]},
        {"messages": "none"},
        "{broken",
    ]
    done = th.chat.convert(rows, to="alpaca", from_format="openai")
    assert done.lines.is_null().to_pylist() == [False, True, True, True]
    assert [(error.row, error.reason) for error in done.errors] == [
        (1, "not_expressible"),
        (2, "wrong_shape"),
        (3, "invalid_json"),
    ]
    assert done.rows == [{"instruction": "Hi", "input": "", "output": "Ho"}]
    with pytest.raises(th.DataError, match="row 1"):
        th.chat.convert(rows, to="alpaca", from_format="openai", strict=True)


def test_rows_count_from_the_first_whatever_the_threads() -> None:
    rows = [*(ALPACA[0] for _ in range(5000)), {"instruction": 1}, *(ALPACA[1] for _ in range(3000))]
    results = [
        th.chat.convert(rows, to="sharegpt", from_format="alpaca", threads=threads) for threads in (1, 2, 4)
    ]
    assert results[0].errors[0].row == 5000
    assert results[0].losses[0].examples == (5001, 5002, 5003, 5004, 5005)
    for other in results[1:]:
        assert (other.losses, other.errors) == (results[0].losses, results[0].errors)
        assert other.lines.equals(results[0].lines)


@pytest.mark.parametrize(
    ("rows", "options", "error", "words"),
    [
        (ALPACA, {"to": "alpacca"}, th.ParameterError, "alpacca"),
        (ALPACA, {"to": "openai", "from_format": "xml"}, th.ParameterError, "xml"),
        ([{"a": 1}], {"to": "openai"}, th.ParameterError, "format of the rows"),
        ([1], {"to": "openai"}, th.ColumnError, "row `0`"),
        (ALPACA[0], {"to": "openai"}, th.ColumnError, "dict"),
        (7, {"to": "openai"}, th.ColumnError, "int"),
        ([{"a": float("nan")}], {"to": "openai"}, th.ColumnError, "JSON"),
        ([{"a": {1, 2}}], {"to": "openai"}, th.ColumnError, "set"),
    ],
)
def test_what_is_wrong_is_said(
    rows: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        th.chat.convert(rows, **options)


def test_no_rows_are_no_rows() -> None:
    done = th.chat.convert([], to="openai", from_format="alpaca")
    assert (done.rows, len(done)) == ([], 0)


def test_every_format_is_listed() -> None:
    assert {"alpaca", "sharegpt", "openai", "chatml", "hermes", "trl"} <= set(th.chat.formats())
