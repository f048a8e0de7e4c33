"""Signatures and near-duplicates of texts in memory."""

from typing import Any, final

from thresher._core import ArrowArray
from thresher._types import Ranks, Texts

__all__ = ["DedupOutcome", "choose_banding", "dedup", "minhash"]

@final
class DedupOutcome:
    """What a search found: one entry a document, in input order."""

    @property
    def keep(self) -> ArrowArray:
        """Whether the document stays: bool, no nulls."""

    @property
    def duplicate_of(self) -> ArrowArray:
        """The kept document that this one duplicates: int64, null for kept ones."""

    @property
    def similarity(self) -> ArrowArray:
        """Exact Jaccard similarity with that document: float32, null for kept ones."""

    @property
    def reason(self) -> ArrowArray:
        """`exact` or `near`: dictionary<int8, string>, null for kept ones."""

    @property
    def summary(self) -> dict[str, Any]:
        """The books, the banding and the timings.

        `documents`, `kept`, `exact` and `near` are (documents, bytes); `timings` are seconds by step;
        `recall_at_threshold` is a probability; `unchecked` are pairs by likely similarity; the others are
        counts.
        """

def minhash(
    texts: Texts, *, num_hashes: int, ngram: int, unit: str, seed: int, threads: int | None
) -> ArrowArray:
    """Signatures of texts.

    Args:
        texts: The texts; read in place. A stream is consumed.
        num_hashes: Lanes of a signature, 1 to 65,536.
        ngram: Units in a shingle, 1 to 256.
        unit: `word` or `char`.
        seed: The family of hashes; 0 is the scheme.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        `fixed_size_list<uint32>[num_hashes]`, one a text, null for a missing one.

    Raises:
        ParameterError: A parameter is outside its range.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C, within about 50 ms; the GIL is released meanwhile.
    """

def dedup(
    texts: Texts,
    *,
    threshold: float,
    num_hashes: int,
    ngram: int,
    unit: str,
    seed: int,
    recall: float,
    keep: str,
    ranks: Ranks | None,
    exact_only: bool,
    threads: int | None,
) -> DedupOutcome:
    """Near-duplicates among texts in memory.

    Args:
        texts: The texts; read in place. A stream is consumed.
        threshold: Exact Jaccard similarity from which on a document goes, in (0, 1].
        num_hashes: Lanes of a signature, 1 to 65,536.
        ngram: Units in a shingle, 1 to 256.
        unit: `word` or `char`.
        seed: The family of hashes that signs; 0 is the scheme.
        recall: Share of the pairs at the threshold that must share a band, between 0 and 1.
        keep: `first`, `longest`, `shortest`, `max` or `min`.
        ranks: One rank a document, for `max` and `min`.
        exact_only: Only equal texts are duplicates.
        threads: Threads to use; None for as many as the process may use.

    Raises:
        ParameterError: A parameter is outside its range.
        ColumnError: `texts` is not text, or `ranks` are neither numbers nor strings.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def choose_banding(threshold: float, num_hashes: int, recall: float) -> tuple[int, int, float]:
    """The banding for a threshold, as (bands, rows, recall at the threshold)."""
