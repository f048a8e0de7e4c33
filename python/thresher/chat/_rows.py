"""Rows of chat data as one JSON text each, whatever they come in; the native module takes them from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from thresher import _core, _params
from thresher.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thresher._types import Texts

    Rows: TypeAlias = Iterable[Mapping[str, Any] | str] | Any
    """Rows: dicts, JSON texts, conversations, an Arrow column of JSON texts, an Arrow table of any library,
    or a Hugging Face data set."""


def json_rows(rows: Rows) -> Texts:
    """One JSON text a row.

    Args:
        rows: Dicts, JSON texts or conversations (mixed as well), an Arrow column of JSON texts, an Arrow
            table, or a Hugging Face data set. A stream is consumed.

    Raises:
        ColumnError: `rows` is something else, or a row holds what JSON has no form for.
    """
    if isinstance(rows, str | bytes | dict):
        message = (
            f"rows is of type `{type(rows).__name__}`, but it is a list of dicts or JSON texts, or an Arrow "
            "table; put a single row into a list"
        )
        raise ColumnError(message)
    if hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__arrow_c_array__"):
        import pyarrow as pa

        if hasattr(rows, "__arrow_c_stream__"):
            data: Any = pa.chunked_array(rows)
        else:
            data = pa.array(rows)
        if not pa.types.is_struct(data.type):
            return data  # type: ignore[no-any-return]
        rows = data.to_pylist()
    try:
        return [row if isinstance(row, str) else _text(index, row) for index, row in enumerate(rows)]
    except TypeError as error:
        if isinstance(error, ColumnError):
            raise
        message = f"rows is of type `{type(rows).__name__}`, but it is a list of dicts or JSON texts"
        raise ColumnError(message) from error


def named(parameter: str, form: str | Mapping[str, Any] | None) -> str | dict[str, Any] | None:
    """A format as the native module takes it: a name, a mapping of fields, or None to find it out."""
    return None if form is None else _params.form(parameter, form, _core.chat.formats())


def _text(index: int, row: object) -> str:
    if hasattr(row, "to_dict") and not isinstance(row, dict):
        row = row.to_dict()
    if not isinstance(row, dict):
        message = f"row `{index}` is of type `{type(row).__name__}`, but a row is a dict or a JSON text"
        raise ColumnError(message)
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        message = f"row `{index}` has no form in JSON: {error}"
        raise ColumnError(message) from error
