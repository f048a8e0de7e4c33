"""Which documents are near-duplicates, exactly, and how an engine's answer compares.

The truth is a self-join of sets of word 5-grams: every pair whose Jaccard is at least a floor. It is exact
(up to a collision of 64-bit hashes): a prefix filter over the rarest shingles proposes pairs, and each is
checked by intersecting the whole sets. Shingles are numbered by rising document frequency, so a sorted set
starts with its prefix. Cost: one sort of all shingles, then one vectorised probe per document; 100,000 short
documents take about a minute, so results are cached beside the corpus.

Two definitions of a word are in use and shift a Jaccard a little, so an engine is judged by its own:
`runs` (lower-cased runs of alphanumeric characters) and `split` (lower-cased, cut at white space).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Words = Literal["runs", "split"]
Kind = Literal["keep", "flags", "none"]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]

NGRAM = 5
# Sensible definitions of a word differ; a pair this near the threshold may fall on either side.
TOLERANCE = 0.02
_RUNS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of row numbers with their exact Jaccard; `complete` when no pair above the floor is missing."""

    left: Ints
    right: Ints
    jaccard: Doubles
    floor: float
    complete: bool = True

    def restricted(self, rows: Ints, n_docs: int) -> Pairs:
        """Returns the pairs among `rows`, renumbered by their place in it."""
        place = np.full(n_docs, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        both = (place[self.left] >= 0) & (place[self.right] >= 0)
        left, right = place[self.left[both]], place[self.right[both]]
        return Pairs(left, right, self.jaccard[both], self.floor, self.complete)

    def save(self, path: Path) -> None:
        """Writes the pairs as one `.npz` file that appears at once."""
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, left=self.left, right=self.right, jaccard=self.jaccard, floor=self.floor)
        part.replace(path)

    @staticmethod
    def load(path: Path) -> Pairs:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return Pairs(file["left"], file["right"], file["jaccard"], float(file["floor"]))


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy of one answer; `None` where there is nothing to divide by or nothing was claimed."""

    recall: float | None
    precision: float | None
    kept: int | None


def words_of(text: str, words: Words) -> list[str]:
    """Splits a text by one of the two definitions."""
    lower = text.lower()
    return lower.split() if words == "split" else _RUNS.findall(lower)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finaliser of MurmurHash3 (public domain constants), applied to each value."""
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xFF51AFD7ED558CCD)
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))


def _shingles(ids: Ints) -> NDArray[np.uint64]:
    """Hashes each run of five word numbers; a shorter document has one shingle of all its words."""
    if len(ids) == 0:
        return np.empty(0, dtype=np.uint64)
    width = min(NGRAM, len(ids))
    count = len(ids) - width + 1
    hashed = _mix(ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    state = np.full(count, width, dtype=np.uint64)
    for offset in range(width):
        state = _mix(state * np.uint64(0x9E3779B97F4A7C15) + hashed[offset : offset + count])
    return np.unique(state)


class ShingleSets:
    """The shingle set of each document as sorted numbers, rarest first, in one flat array."""

    def __init__(self, texts: list[str], words: Words) -> None:
        """Numbers the words, hashes the shingles and ranks them by document frequency."""
        vocabulary: dict[str, int] = {}
        sets: list[NDArray[np.uint64]] = []
        for text in texts:
            found = words_of(text, words)
            ids = np.fromiter(
                (vocabulary.setdefault(word, len(vocabulary)) for word in found), np.int64, len(found)
            )
            sets.append(_shingles(ids))
        self.sizes: Ints = np.array([len(one) for one in sets], dtype=np.int64)
        self.starts: Ints = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        flat = np.concatenate(sets) if sets else np.empty(0, dtype=np.uint64)
        del sets
        _, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
        order = np.argsort(counts, kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        self.frequency: Ints = counts[order].astype(np.int64)
        self.flat: Ints = rank[inverse]
        for doc_idx in range(len(self.sizes)):
            self.flat[self.starts[doc_idx] : self.starts[doc_idx + 1]].sort()

    def of(self, doc_idx: int) -> Ints:
        """Returns the sorted shingle numbers of one document."""
        return self.flat[self.starts[doc_idx] : self.starts[doc_idx + 1]]

    def jaccard(self, left: int, right: int) -> float:
        """Returns the exact Jaccard of two documents; 0 when either has no word."""
        shared = len(np.intersect1d(self.of(left), self.of(right), assume_unique=True))
        union = int(self.sizes[left] + self.sizes[right]) - shared
        return shared / union if union and shared else 0.0


def _gather(flat: Ints, starts: Ints, lengths: Ints) -> Ints:
    """Concatenates the slices `flat[start : start + length]`."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    gathered: Ints = flat[np.arange(total) + np.repeat(starts - (ends - lengths), lengths)]
    return gathered


def exact_pairs(texts: list[str], *, floor: float, words: Words = "runs") -> Pairs:
    """Finds every pair of documents whose word 5-gram sets have a Jaccard of at least `floor`.

    Equal texts without a word count as pairs of Jaccard 1; others without a word are in no pair.

    Args:
        texts: The documents.
        floor: Smallest Jaccard to report, above 0.
        words: The definition of a word.

    Returns:
        The pairs, lower row first, in no particular order.
    """
    sets = ShingleSets(texts, words)
    n_docs = len(texts)
    # 1e-9 guards the ceiling against floor * size landing just above a whole number.
    prefixes = np.where(
        sets.sizes > 0, sets.sizes - np.ceil(floor * sets.sizes - 1e-9).astype(np.int64) + 1, 0
    )
    owners = np.repeat(np.arange(n_docs), prefixes)
    tokens = _gather(sets.flat, sets.starts[:-1], prefixes)
    shared = sets.frequency[tokens] > 1
    owners, tokens = owners[shared], tokens[shared]
    order = np.argsort(tokens, kind="stable")
    posting = owners[order]
    offsets = np.searchsorted(tokens[order], np.arange(len(sets.frequency) + 1))
    counts = np.bincount(owners, minlength=n_docs)
    firsts = np.concatenate([[0], np.cumsum(counts)])
    marked = np.zeros(len(sets.frequency), dtype=bool)
    found: list[tuple[Ints, Ints, Doubles]] = []
    for doc_idx in range(n_docs):
        probe = tokens[firsts[doc_idx] : firsts[doc_idx + 1]]
        if len(probe) == 0:
            continue
        others = np.unique(_gather(posting, offsets[probe], offsets[probe + 1] - offsets[probe]))
        size = int(sets.sizes[doc_idx])
        sizes = sets.sizes[others]
        # A pair is checked once, from its later row, and only if its sizes allow the floor.
        fit = (others < doc_idx) & (np.minimum(sizes, size) >= floor * np.maximum(sizes, size) - 1e-9)
        others, sizes = others[fit], sizes[fit]
        if len(others) == 0:
            continue
        own = sets.of(doc_idx)
        marked[own] = True
        hits = marked[_gather(sets.flat, sets.starts[others], sizes)]
        common = np.add.reduceat(hits.astype(np.int64), np.cumsum(sizes) - sizes)
        marked[own] = False
        jaccard = common / (sizes + size - common)
        good = jaccard >= floor
        if good.any():
            found.append((others[good], np.full(int(good.sum()), doc_idx, dtype=np.int64), jaccard[good]))
    found += _wordless_pairs(texts, sets)
    if not found:
        empty = np.empty(0, dtype=np.int64)
        return Pairs(empty, empty, np.empty(0), floor)
    left, right, value = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(left, right, value, floor)


def _wordless_pairs(texts: list[str], sets: ShingleSets) -> list[tuple[Ints, Ints, Doubles]]:
    """All pairs of equal texts without a word: copies of each other, though there is nothing to intersect."""
    rows: dict[str, list[int]] = {}
    for doc_idx in np.flatnonzero(sets.sizes == 0).tolist():
        rows.setdefault(texts[doc_idx], []).append(doc_idx)
    found: list[tuple[Ints, Ints, Doubles]] = []
    for equal in rows.values():
        left, right = np.triu_indices(len(equal), k=1)
        numbers = np.array(equal, dtype=np.int64)
        found.append((numbers[left], numbers[right], np.ones(len(left))))
    return found


def score(kind: Kind, mask: Bools | None, pairs: Pairs, threshold: float) -> Score:
    """Judges an answer against the truth.

    `keep` answers name the documents to keep: recall is the share of pairs at `threshold + 0.02` and above of
    which at most one is kept; precision is the share of removed documents that have a kept document at
    `threshold - 0.02` or above. `flags` answers only say which documents have a near-duplicate: recall is
    then the share of those pairs with a flagged member, precision the share of flagged documents with any
    such neighbour, kept or not.
    """
    if kind == "none" or mask is None:
        return Score(None, None, None)
    keep = mask if kind == "keep" else ~mask
    sure = pairs.jaccard >= threshold + TOLERANCE
    left, right = pairs.left[sure], pairs.right[sure]
    recall = float(1.0 - (keep[left] & keep[right]).mean()) if len(left) else None
    near = pairs.jaccard >= threshold - TOLERANCE
    left, right = pairs.left[near], pairs.right[near]
    justified = np.zeros(len(mask), dtype=bool)
    everything = np.ones(len(mask), dtype=bool)
    witness = keep if kind == "keep" else everything
    justified[left[witness[right]]] = True
    justified[right[witness[left]]] = True
    removed = ~keep
    precision = float(justified[removed].mean()) if removed.any() and pairs.complete else None
    return Score(recall, precision, int(keep.sum()))
