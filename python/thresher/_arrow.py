"""The one place that turns what users have into columns, and native arrays into pyarrow ones.

The native module reads lists and Arrow columns by itself. What is left for here: picking a column of a
table, a frame or a data set, saying how to compute what is not computed yet, and ranks of types that have
no order of their own in the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from thresher.errors import ColumnError

if TYPE_CHECKING:
    import pyarrow as pa

    from thresher._core import ArrowArray
    from thresher._types import Ranks, Texts


def wrap(array: ArrowArray) -> pa.Array:
    """A native array as a pyarrow one, without a copy."""
    import pyarrow as pa

    return pa.array(array)


def column(data: Any, name: str | int | None) -> Texts:  # noqa: ANN401 - any library's table
    """The column `name` of a table, or `data` itself if it is a column already.

    Args:
        data: With a name: a mapping of columns, a list of rows (dicts), a frame or table of any library, a
            Hugging Face data set, or anything that exports a stream of Arrow batches, as a DuckDB relation
            does. Without: a column.
        name: The column, or None. pandas has columns named by numbers.

    Raises:
        ColumnError: There is no such column, a table was given without a name, or what was given is not
            computed yet; the message says what to write instead.
    """
    if _is_lazy(data):
        raise ColumnError(_how_to_compute(data, name))
    names = column_names(data)
    if name is None:
        if names is not None:
            message = f"a table was given, not a column; choose one with `text=`: {_listed(names)}"
            raise ColumnError(message)
        # polars exports its untyped column of nulls with a buffer too many, which no reader takes.
        return _nulls(data) if str(getattr(data, "dtype", "")) == "Null" else data  # type: ignore[no-any-return]
    if names is None:
        return (
            _column_of_rows(data, name) if isinstance(data, list | tuple) else _column_of_stream(data, name)
        )
    if name not in names:
        message = f"there is no column `{name}`; choose one of {_listed(names)}"
        raise ColumnError(message)
    if hasattr(data, "with_format") and hasattr(data, "select_columns"):
        # A Hugging Face data set: its own indexing would make a Python object of each text.
        data = data.select_columns([name]).with_format("arrow")[:]
    picked = data[name]
    # A column of a DuckDB relation is a relation of one column, and of a Daft frame an expression.
    is_column = column_names(picked) is None and (exports(picked) or hasattr(type(picked), "__iter__"))
    return column(picked, None) if is_column or not exports(data) else _column_of_stream(data, name)


def rank_column(ranks: Any) -> Ranks:  # noqa: ANN401 - any library's column
    """Ranks as the native module reads them: dates, times and truth values become integers of the same order.

    Raises:
        ColumnError: The values have no common type that can be ordered.
    """
    if isinstance(ranks, list | tuple) and all(
        rank is None or isinstance(rank, int | float | str) for rank in ranks
    ):
        return ranks
    import pyarrow as pa

    if isinstance(ranks, str | bytes | dict) or not (exports(ranks) or hasattr(type(ranks), "__iter__")):
        message = f"ranks is of type `{type(ranks).__name__}`, but it has one number or string for each text"
        raise ColumnError(message)
    try:
        array = pa.chunked_array(ranks) if hasattr(ranks, "__arrow_c_stream__") else pa.array(ranks)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError) as error:
        message = f"the ranks have no common type that can be ordered: {error}"
        raise ColumnError(message) from error
    kind = array.type
    if pa.types.is_boolean(kind):
        array = array.cast(pa.uint8())
    elif pa.types.is_date32(kind) or pa.types.is_time32(kind):
        array = array.cast(pa.int32())
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        array = array.cast(pa.int64())
    elif pa.types.is_float16(kind):
        array = array.cast(pa.float32())
    return array  # type: ignore[no-any-return]


_COMPUTE = {
    "collect": "{0}.collect()",
    "to_table": "{0}.to_table()",
    "to_arrow": "{0}.to_arrow()",
    "compute": "{0}.compute()",
    "toArrow": "{0}.toArrow()",
}
"""What computes the data of lazy objects: polars, pyarrow data sets, Daft and Ibis, Dask, Spark."""


def exports(data: Any) -> bool:  # noqa: ANN401
    """Whether `data` exports itself through the Arrow PyCapsule interface."""
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def _is_lazy(data: Any) -> bool:  # noqa: ANN401
    """Whether `data` says what to compute or to load, and holds nothing that can be read now."""
    if exports(data):
        return False
    is_streaming = hasattr(data, "with_format") and not hasattr(data, "__len__")
    return is_streaming or any(callable(getattr(data, method, None)) for method in _COMPUTE)


def _how_to_compute(data: Any, name: str | int | None) -> str:  # noqa: ANN401
    kind, shown = type(data).__name__, "text" if name is None else name
    method = next((method for method in _COMPUTE if callable(getattr(data, method, None))), None)
    if method is None:
        write = f"[row[{shown!r}] for row in data]`, or load it without `streaming=True"
    else:
        write = _COMPUTE[method].format("data")
    return f"texts is of type `{kind}`, which holds no data yet; give `{write}`"


def column_names(data: Any) -> list[Any] | None:  # noqa: ANN401
    """The columns of something like a table; None of a column or of a stream that has to be read first."""
    if isinstance(data, Mapping):
        return list(data)
    for attribute in ("column_names", "columns"):
        names = getattr(data, attribute, None)
        if names is None or callable(names) or isinstance(names, str):
            continue
        return list(names)
    return None


def _column_of_rows(rows: list[Any] | tuple[Any, ...], name: str | int) -> list[Any]:
    """The member `name` of each row."""
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            kind = type(row).__name__
            message = f"row `{index}` is of type `{kind}`, which has no field `{name}`; leave `text=` out"
            raise ColumnError(message)
        if name not in row:
            there = _listed(list(row))
            message = f"row `{index}` has no field `{name}`, but {there}; give it one, None if it has no text"
            raise ColumnError(message)
    return [row[name] for row in rows]


def _column_of_stream(data: Any, name: str | int) -> Texts:  # noqa: ANN401
    if not exports(data):
        kind = type(data).__name__
        message = f"text is `{name}`, but texts is of type `{kind}`, which has no columns; leave `text=` out"
        raise ColumnError(message)
    import pyarrow as pa

    if hasattr(data, "__arrow_c_array__") and not hasattr(data, "__arrow_c_stream__"):
        table = pa.table(pa.record_batch(data))
    else:
        table = pa.RecordBatchReader.from_stream(data).read_all()
    return column(table, name)


def _nulls(data: Any) -> pa.NullArray:  # noqa: ANN401
    import pyarrow as pa

    return pa.nulls(len(data))


def _listed(names: list[Any]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none; it has no columns"
