"""Types of the public surface: what counts as texts, ranks and policies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias, TypedDict


class ArrowArrayExportable(Protocol):
    """An array of any Arrow library (`pyarrow.Array`, `arro3.core.Array`, ...)."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:  # noqa: ANN401 - capsules have no type
        """Export as a pair of capsules; see the Arrow PyCapsule interface."""


class ArrowStreamExportable(Protocol):
    """A column in chunks (`pyarrow.ChunkedArray`, `polars.Series`, `pandas.Series` from 3.0, ...)."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:  # noqa: ANN401
        """Export as a capsule; see the Arrow PyCapsule interface."""


ArrowColumn: TypeAlias = ArrowArrayExportable | ArrowStreamExportable
"""An Arrow column of any library."""

Texts: TypeAlias = Iterable[str | None] | ArrowColumn
"""Texts: a list of str (None: missing), or an Arrow column of strings."""

Ranks: TypeAlias = Iterable[int | float | str | None] | ArrowColumn
"""One rank a document: numbers or strings (None: missing), or an Arrow column of them."""

Unit: TypeAlias = Literal["word", "char"]
"""What a shingle is made of."""


class Progress(TypedDict):
    """A moment of a run over files."""

    step: str
    """plan, sign, verify or write."""
    docs: int
    """Documents done in this step."""
    bytes: int
    """Bytes of the inputs done in this step; of compressed files, as they are on disk."""
    total_bytes: int
    """Bytes of the inputs that this step goes through."""
    quarantined: int
    """Records set aside so far."""
    elapsed_s: float
    """Seconds since the start."""
    rss_bytes: int
    """Memory that the process holds now; 0 where the system does not say."""
    memory_bytes: int
    """Memory that it is to hold at most."""
