"""The one place that turns what users have into columns, and native arrays into pyarrow ones.

The native module reads lists and Arrow columns by itself. What is left for here: picking a column of a table,
a frame or a data set, and ranks of types that have no order of their own in the core.
"""

from __future__ import annotations

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


def column(data: Any, name: str | None) -> Texts:  # noqa: ANN401 - any library's table
    """The column `name` of a table, or `data` itself if it is a column already.

    Args:
        data: With a name: a mapping of columns, a frame or table of any library, a Hugging Face data set, or
            a stream of Arrow batches. Without: a column.
        name: The column, or None.

    Raises:
        ColumnError: There is no such column, or a table was given without a name.
    """
    names = _column_names(data)
    if name is None:
        if names is not None:
            message = f"a table was given, not a column; choose one with `text=`: {_listed(names)}"
            raise ColumnError(message)
        return data  # type: ignore[no-any-return]
    if names is None:
        return _column_of_stream(data, name)
    if name not in names:
        message = f"there is no column `{name}`; choose one of {_listed(names)}"
        raise ColumnError(message)
    if hasattr(data, "with_format") and hasattr(data, "select_columns"):
        # A Hugging Face data set: its own indexing would make a Python object of each text.
        data = data.select_columns([name]).with_format("arrow")[:]
    return data[name]  # type: ignore[no-any-return]


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

    if isinstance(ranks, str | bytes | dict):
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


def _column_names(data: Any) -> list[str] | None:  # noqa: ANN401
    """The columns of something like a table; None of a column or of a stream that has to be read first."""
    if isinstance(data, dict):
        return [str(name) for name in data]
    for attribute in ("column_names", "columns"):
        names = getattr(data, attribute, None)
        if names is not None and not callable(names) and all(isinstance(name, str) for name in names):
            return list(names)
    return None


def _column_of_stream(data: Any, name: str) -> Texts:  # noqa: ANN401
    if not hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__arrow_c_array__"):
        kind = type(data).__name__
        message = f"text is `{name}`, but texts is of type `{kind}`, which has no columns; leave `text=` out"
        raise ColumnError(message)
    import pyarrow as pa

    if hasattr(data, "__arrow_c_array__") and not hasattr(data, "__arrow_c_stream__"):
        table = pa.table(pa.record_batch(data))
    else:
        table = pa.RecordBatchReader.from_stream(data).read_all()
    return column(table, name)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none; it has no columns"
