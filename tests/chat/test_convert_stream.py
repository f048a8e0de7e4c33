"""Conversion of rows as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets
import pytest

import thresher as th

ROWS = [
    {"instruction": f"Say {n}.", "input": "in" if n % 3 == 0 else "", "output": f"{n}"} for n in range(20)
]


def _rows() -> Iterator[dict[str, Any]]:
    yield from ROWS


@pytest.mark.parametrize("batch_rows", [1, 7, 20, 1000])
def test_a_stream_is_what_all_rows_at_once_are(batch_rows: int) -> None:
    rows = [*ROWS[:5], {"instruction": 5}, *ROWS[5:]]
    whole = th.chat.convert(rows, to="openai", from_format="alpaca")
    stream = th.chat.convert_stream(iter(rows), to="openai", from_format="alpaca", batch_rows=batch_rows)
    assert list(stream) == whole.rows
    assert (stream.losses, tuple(stream.errors)) == (whole.losses, whole.errors)
    assert list(stream) == [], "it can be gone through once"


def test_rows_are_read_no_further_than_asked_for() -> None:
    seen = []

    def rows() -> Iterator[dict[str, Any]]:
        for row in ROWS:
            seen.append(row)
            yield row

    stream = iter(th.chat.convert_stream(rows(), to="sharegpt", batch_rows=4))
    next(stream)
    assert len(seen) == 4


def test_a_streaming_data_set_is_a_stream() -> None:
    source = datasets.IterableDataset.from_generator(_rows)
    stream = th.chat.convert_stream(source, to="openai")
    assert list(stream) == th.chat.convert(ROWS, to="openai").rows


def test_a_strict_stream_stops_at_the_first_loss() -> None:
    with pytest.raises(th.DataError, match="input"):
        list(th.chat.convert_stream(ROWS, to="openai", strict=True))
    with pytest.raises(th.ParameterError, match="`0`"):
        th.chat.convert_stream(ROWS, to="openai", batch_rows=0)
