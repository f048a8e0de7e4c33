"""Conversion of rows that come one after the other and need never be there all at once."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from thresher import _params
from thresher.chat.convert import Loss, RowError, convert
from thresher.errors import ColumnError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_EXAMPLES = 5


class ConvertStream:
    """Rows in another format, as they are asked for. Can be gone through once.

    Attributes:
        format: The format of the rows, known once the first one was asked for.
        errors: The rows so far that could not be converted, and were left out.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any] | str],
        to: str,
        from_format: str | Mapping[str, Any] | None,
        batch_rows: int,
        options: dict[str, Any],
    ) -> None:
        self.format: str | None = None
        self.errors: list[RowError] = []
        self._rows = iter(rows)
        self._to = to
        self._from: str | Mapping[str, Any] | None = from_format
        self._batch_rows = batch_rows
        self._options = options
        self._losses: dict[tuple[str, str], Loss] = {}

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the target could not carry so far, by field."""
        return tuple(self._losses[key] for key in sorted(self._losses))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The converted rows."""
        first_row = 0
        while batch := list(islice(self._rows, self._batch_rows)):
            done = convert(batch, self._to, from_format=self._from, **self._options)
            if self._from is None:
                self._from = done.format
            self.format = done.format
            for loss in done.losses:
                self._add(loss, first_row)
            self.errors += [
                RowError(row=first_row + error.row, reason=error.reason, detail=error.detail)
                for error in done.errors
            ]
            first_row += len(batch)
            yield from (json.loads(line) for line in done.lines.to_pylist() if line is not None)

    def _add(self, loss: Loss, first_row: int) -> None:
        key = (loss.field, loss.outcome)
        known = self._losses.get(key)
        examples = tuple(first_row + row for row in loss.examples)
        self._losses[key] = Loss(
            field=loss.field,
            outcome=loss.outcome,
            count=loss.count + (known.count if known else 0),
            rows=loss.rows + (known.rows if known else 0),
            examples=((known.examples if known else ()) + examples)[:_EXAMPLES],
        )


def convert_stream(
    rows: Iterable[Mapping[str, Any] | str],
    to: str,
    *,
    from_format: str | Mapping[str, Any] | None = None,
    batch_rows: int = 4096,
    strict: bool = False,
    threads: int | None = None,
) -> ConvertStream:
    """Converts rows as they come: from a generator, a streaming Hugging Face data set, a queue.

    Memory is one batch of rows. Without `from_format` the format is found out from the first batch.

    Args:
        rows: Dicts or JSON texts.
        to: The format to write, one of `formats()`.
        from_format: The format to read, or a mapping of fields; see `convert`.
        batch_rows: Rows that are converted at once.
        strict: Whether a loss, or a row that cannot be converted, is an error.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        An iterator of dicts, with `losses` and `errors` of the rows so far.

    Raises:
        ParameterError: `batch_rows` is less than 1. The errors of `convert` come while rows are asked for.

    Example:
        >>> import thresher as th
        >>> rows = ({"instruction": f"Say {n}.", "output": f"{n}"} for n in range(3))
        >>> stream = th.chat.convert_stream(rows, to="openai", batch_rows=2)
        >>> [row["messages"][1]["content"] for row in stream], stream.format
        (['0', '1', '2'], 'alpaca')
    """
    if _params.whole("batch_rows", batch_rows) < 1:
        message = f"batch_rows is `{batch_rows}`, but a batch has at least 1 row"
        raise ParameterError(message)
    if isinstance(rows, str | bytes) or not hasattr(type(rows), "__iter__"):
        message = f"rows is of type `{type(rows).__name__}`, but it gives dicts or JSON texts one by one"
        raise ColumnError(message)
    return ConvertStream(
        rows, to, from_format, batch_rows, {"strict": _params.flag("strict", strict), "threads": threads}
    )
