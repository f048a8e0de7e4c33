"""Sequences of tokens."""

from typing import Any, final

from thresher._core import ArrowArray
from thresher._types import ArrowColumn

__all__ = ["PackPlan", "pack", "plan"]

@final
class PackPlan:
    """Where every piece lies: columns with one entry a piece."""

    @property
    def bin(self) -> ArrowArray:
        """The bin of each piece: uint32."""

    @property
    def offset(self) -> ArrowArray:
        """Where in its bin each piece begins: uint32."""

    @property
    def length(self) -> ArrowArray:
        """The tokens of each piece: uint32."""

    @property
    def sequence(self) -> ArrowArray | None:
        """The sequence that each piece is of: uint32; None where piece i is sequence i."""

    @property
    def start(self) -> ArrowArray | None:
        """Where in its sequence each piece begins: int64; None where all begin at 0."""

    @property
    def bins(self) -> int:
        """Number of bins."""

    @property
    def accounts(self) -> dict[str, Any]:
        """What was given, and where it went.

        `given`, `packed`, `truncated` and `dropped` are (sequences, tokens); `split`, `empty` and `missing`
        are counts of sequences.
        """

    def members(self) -> ArrowArray:
        """The pieces of each bin, by their offsets: large_list<uint32>.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """

def plan(lengths: ArrowColumn, *, context: int, strategy: str, overlong: str) -> PackPlan:
    """Plans packing by lengths alone.

    Args:
        lengths: Integers; read in place. A stream is consumed.
        context: Tokens of a full bin.
        strategy: `best_fit`, `first_fit` or `wrapped`.
        overlong: `split`, `truncate`, `drop` or `error`.

    Raises:
        ParameterError: A parameter is outside its range, or there are too many pieces.
        ColumnError: `lengths` is not of integers, or one is below 0.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def pack(
    tokens: ArrowColumn,
    *,
    masks: ArrowColumn | None,
    documents: ArrowColumn | None,
    context: int,
    strategy: str,
    overlong: str,
    end: int | None,
    pad: int | None,
    position_ids: bool,
    cu_seqlens: bool,
    threads: int | None,
) -> tuple[list[ArrowArray], ArrowArray, dict[str, Any]]:
    """Packs sequences.

    Args:
        tokens: Lists of ids; read in place. A stream is consumed.
        masks: Lists of 0 and 1, one for each token.
        documents: The name of each sequence.
        context: Tokens of a full bin.
        strategy: `best_fit`, `first_fit` or `wrapped`.
        overlong: `split`, `truncate`, `drop` or `error`.
        end: What is put behind each sequence.
        pad: What bins are filled up with.
        position_ids: Whether there is a column with the position of each token in its segment.
        cu_seqlens: Whether there is a column with the bounds of segments.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        Batches of bins as arrays of structs, an empty one of the same type, and the accounts.

    Raises:
        ParameterError: A parameter is outside its range, or there are too many pieces.
        ColumnError: A column is of another type, or a mask does not fit its sequence.
        InternalError: What is packed is not what was given.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """
