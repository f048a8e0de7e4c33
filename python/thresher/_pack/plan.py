"""A plan: where every sequence goes, and books that balance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from thresher import _core
from thresher._arrow import wrap

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class PackAccounts:
    """The books of packing: `tokens = packed_tokens + truncated_tokens + dropped_tokens`.

    Attributes:
        sequences: Sequences given: those packed, dropped, empty and missing together.
        tokens: Their tokens, with what `eos` added.
        packed: Sequences of which something lies in a bin.
        packed_tokens: Tokens in bins; padding is none.
        split: Of those packed, the sequences cut because they are longer than the context. Wrapping cuts
            others too.
        truncated: Of those packed, the sequences that lost their end.
        truncated_tokens: The tokens that they lost.
        dropped: Sequences left out because they are longer than the context.
        dropped_tokens: Their tokens.
        empty: Sequences without a token; they are in no bin.
        missing: Sequences that are null; they are in no bin.
    """

    sequences: int
    tokens: int
    packed: int
    packed_tokens: int
    split: int
    truncated: int
    truncated_tokens: int
    dropped: int
    dropped_tokens: int
    empty: int
    missing: int

    @classmethod
    def of(cls, found: dict[str, Any]) -> PackAccounts:
        """The accounts that the native module gives."""
        return cls(
            sequences=found["given"][0],
            tokens=found["given"][1],
            packed=found["packed"][0],
            packed_tokens=found["packed"][1],
            split=found["split"],
            truncated=found["truncated"][0],
            truncated_tokens=found["truncated"][1],
            dropped=found["dropped"][0],
            dropped_tokens=found["dropped"][1],
            empty=found["empty"],
            missing=found["missing"],
        )

    def to_dict(self) -> dict[str, int]:
        """The accounts as a dict of plain numbers."""
        return asdict(self)


class PackPlan:
    """Which piece of which sequence goes into which bin, and where in it.

    A *piece* is a sequence, or a part of one that was cut. The columns have one entry a piece; pieces are in
    the order of the sequences, and those of one sequence in the order of its tokens. Columns are pyarrow
    arrays that numpy reads without a copy (`plan.bin.to_numpy()`).

    Attributes:
        context: Tokens of a full bin.
        num_bins: Number of bins.
        accounts: What was given, and where it went.
    """

    def __init__(self, native: _core.tokens.PackPlan, context: int) -> None:
        self._native = native
        self.context = context
        self.num_bins = native.bins
        self.accounts = PackAccounts.of(native.accounts)

    @cached_property
    def bin(self) -> pa.UInt32Array:
        """The bin of each piece: uint32."""
        return wrap(self._native.bin)

    @cached_property
    def offset(self) -> pa.UInt32Array:
        """Where in its bin each piece begins: uint32."""
        return wrap(self._native.offset)

    @cached_property
    def length(self) -> pa.UInt32Array:
        """The tokens of each piece: uint32."""
        return wrap(self._native.length)

    @cached_property
    def sequence(self) -> pa.UInt32Array:
        """The sequence that each piece is of: uint32. Made when asked for where piece `i` is sequence `i`."""
        native = self._native.sequence
        if native is not None:
            return wrap(native)
        import numpy as np
        import pyarrow as pa

        return pa.array(np.arange(len(self), dtype=np.uint32))

    @cached_property
    def start(self) -> pa.Int64Array:
        """Where in its sequence each piece begins: int64. Made when asked for where all begin at 0."""
        native = self._native.start
        if native is not None:
            return wrap(native)
        import numpy as np
        import pyarrow as pa

        return pa.array(np.zeros(len(self), dtype=np.int64))

    @cached_property
    def members(self) -> pa.LargeListArray:
        """The pieces of each bin, by their offsets: `large_list<uint32>`, one row a bin; made on request."""
        return wrap(self._native.members())

    @property
    def fill(self) -> float:
        """The share of the bins that tokens fill, 0 to 1; 1 if there is no bin."""
        return self.accounts.packed_tokens / (self.num_bins * self.context) if self.num_bins else 1.0

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.bin)

    def __repr__(self) -> str:
        """The plan in a line."""
        return (
            f"PackPlan({self.accounts.packed:,} sequences in {self.num_bins:,} bins of {self.context:,}, "
            f"fill {self.fill:.4f})"
        )
