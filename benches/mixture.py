"""Corpora cut and mixed from other texts: short documents, and one big file with known duplicates in it.

Both work on real paragraphs, so their words keep a real distribution; what is made up is where they are cut
and joined. `mix` also remembers which documents it copied or edited, with the exact Jaccard of each such
pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benches import truth

_MEDIAN_CUT_BYTES = 470.0
# Shares of the bytes that `mix` adds to its sources.
_COPIES, _EDITS = 0.10, 0.20


@dataclass(frozen=True, slots=True)
class Mix:
    """A mixed corpus, its recipe for the record, and its known pairs."""

    texts: list[str]
    recipe: dict[str, Any]
    planted: truth.Pairs


def paragraph_cuts(texts: list[str], *, n_docs: int, seed: int) -> Iterator[str]:
    """Yields runs of whole paragraphs that start anywhere in any document, log-normal around 650 bytes."""
    rng = np.random.Generator(np.random.PCG64(seed))
    paragraphs = [text.split("\n\n") for text in texts]
    for _ in range(n_docs):
        parts = paragraphs[int(rng.integers(0, len(paragraphs)))]
        at = int(rng.integers(0, len(parts)))
        wanted = float(rng.lognormal(np.log(_MEDIAN_CUT_BYTES), 0.5))
        cut, size = [parts[at]], len(parts[at])
        while size < wanted and at + 1 < len(parts):
            at += 1
            cut.append(parts[at])
            size += len(parts[at]) + 2
        # A single paragraph can be a page of code; a short document is not.
        yield "\n\n".join(cut)[:4_000]


def windows(texts: list[str], *, n_docs: int, seed: int) -> Iterator[str]:
    """Yields windows that begin anywhere in the joined texts, around 2,200 characters: many overlap."""
    rng = np.random.Generator(np.random.PCG64(seed))
    joined = "\n".join(texts)
    for _ in range(n_docs):
        size = int(rng.lognormal(7.7, 0.8)) % 20_000 + 50
        start = int(rng.integers(0, max(1, len(joined) - size)))
        yield joined[start : start + size]


def edited(text: str, rate: float, rng: np.random.Generator) -> str:
    """Replaces, drops or repeats runs of 1 to 8 words until about `rate` of the words are touched."""
    words = text.split(" ")
    budget = max(1, int(rate * len(words)))
    while budget > 0 and len(words) > 8:
        run = min(int(rng.integers(1, 9)), budget)
        at = int(rng.integers(0, len(words) - run))
        source = int(rng.integers(0, len(words) - run))
        kind = int(rng.integers(0, 3))
        fresh = [] if kind == 1 else words[source : source + run]
        words[at : at + run if kind < 2 else at] = fresh
        budget -= run
    return " ".join(words)


def _jaccard(left: str, right: str) -> float:
    sets = truth.ShingleSets([left, right], "runs")
    return sets.jaccard(0, 1)


def mix(sources: list[list[str]], *, target_bytes: int, seed: int) -> Mix:
    """Builds one large corpus out of smaller ones.

    All source documents are in it once. Up to `target_bytes` the rest is: documents recombined from single
    paragraphs of the sources in random order (about 70 % of the added bytes), exact copies of any earlier
    document (10 %), and copies with 0.2 % to 20 % of their words edited, log-uniformly (20 %). All rows are
    then shuffled.

    Args:
        sources: Lists of documents.
        target_bytes: UTF-8 bytes to reach.
        seed: Any integer.

    Returns:
        The texts, counts for the record, and the copied and edited pairs with their exact Jaccard. Pairs
        among the sources, and chance pairs among recombined documents, are not listed.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    texts = [text for source in sources for text in source]
    paragraphs = [
        part for text in texts[:: max(1, len(texts) // 4_000)] for part in text.split("\n\n") if part
    ]
    paragraphs = sorted(set(paragraphs))
    size = sum(len(text.encode()) for text in texts)
    counts = {"sources": len(texts), "recombined": 0, "copies": 0, "edits": 0}
    planted: list[tuple[int, int, float]] = []
    added = max(0, target_bytes - size)
    # Kinds are chosen by what each still lacks of its share of bytes, so the shares come out as stated.
    lacking = {
        "copies": _COPIES * added,
        "edits": _EDITS * added,
        "recombined": (1 - _COPIES - _EDITS) * added,
    }
    while size < target_bytes:
        weights = np.maximum(np.array(list(lacking.values())), 0.0)
        kind = list(lacking)[int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum()))]
        if kind == "recombined":
            picks = rng.integers(0, len(paragraphs), size=int(np.clip(rng.lognormal(2.2, 0.9), 2, 400)))
            text = "\n\n".join(paragraphs[pick] for pick in picks)
        else:
            parent = int(rng.integers(0, len(texts)))
            text = texts[parent]
            if kind == "edits":
                text = edited(text, float(np.exp(rng.uniform(np.log(0.002), np.log(0.2)))), rng)
            planted.append((parent, len(texts), 1.0 if kind == "copies" else _jaccard(texts[parent], text)))
        used = len(text.encode())
        texts.append(text)
        size += used
        lacking[kind] -= used
        counts[kind] += 1
    order = rng.permutation(len(texts))
    place = np.empty(len(texts), dtype=np.int64)
    place[order] = np.arange(len(texts))
    left, right = (place[np.array([pair[side] for pair in planted], dtype=np.int64)] for side in (0, 1))
    jaccard = np.array([pair[2] for pair in planted], dtype=np.float64)
    pairs = truth.Pairs(np.minimum(left, right), np.maximum(left, right), jaccard, 0.0, complete=False)
    recipe = {**counts, "paragraph_pool": len(paragraphs), "seed": seed}
    return Mix([texts[row] for row in order], recipe, pairs)
