"""Seeded text that behaves like text: Zipf words, log-normal lengths, and chains of edited copies.

Near-duplicate search is easy to flatter with uniform random words: every shingle is then rare and every pair
either equal or disjoint. This generator draws words from a Zipf-Mandelbrot law over a made-up vocabulary,
sets them in sentences and paragraphs, and derives a share of the documents from earlier ones by edits whose
rate is drawn log-uniformly, so pairs fall on both sides of any threshold. The same seed gives the same text
with the same version of numpy, which does not promise its streams for ever; requirements.txt pins it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ONSETS = (
    *("b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "é", "ö"),
    *("br", "ch", "cl", "cr", "dr", "fl", "gr", "pl", "pr", "qu", "sh", "sl", "sp", "st", "str", "th", "tr"),
)
_NUCLEI = ("a", "e", "i", "o", "u", "ai", "au", "ea", "ee", "ia", "io", "oa", "oo", "ou", "á", "ü")
_CODAS = (
    *("", "", "", "b", "ck", "d", "g", "l", "ll", "m"),
    *("n", "nd", "ng", "nt", "p", "r", "s", "st", "t", "x"),
)
_SEPARATORS = (" ", ", ", ". ", ".\n\n")
# Chances of the separators: about 16 words to a sentence and 7 sentences to a paragraph, as in English prose.
_SEPARATOR_WEIGHTS = (0.887, 0.050, 0.054, 0.009)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a synthetic corpus looks like.

    Attributes:
        n_docs: Number of documents.
        median_words: Median length of a fresh document, in words.
        sigma: Spread of the log-normal length.
        copies: Share of documents that repeat an earlier one word for word.
        edits: Share of documents that are an edited copy of an earlier one.
    """

    n_docs: int
    median_words: float
    sigma: float = 0.8
    copies: float = 0.05
    edits: float = 0.35


@dataclass(frozen=True, slots=True)
class _Draft:
    """A document before it is rendered: word numbers and the separator after each word."""

    words: Ints
    separators: Ints


def vocabulary(size: int, rng: np.random.Generator) -> list[str]:
    """Makes `size` distinct pronounceable words, the frequent ones short."""
    words: dict[str, None] = {}
    while len(words) < size:
        syllables = 1 + min(3, len(words) * 4 // size) + int(rng.integers(0, 2))
        parts: list[str] = []
        for _ in range(syllables):
            parts.append(_ONSETS[int(rng.integers(0, len(_ONSETS)))])
            parts.append(_NUCLEI[int(rng.integers(0, len(_NUCLEI)))])
        parts.append(_CODAS[int(rng.integers(0, len(_CODAS)))])
        words["".join(parts)] = None
        if len(words) % 97 == 0:
            words[str(rng.integers(0, 100_000))] = None
    return list(words)[:size]


class Writer:
    """Draws, edits and renders documents over one vocabulary."""

    def __init__(self, seed: int, vocabulary_size: int = 50_000) -> None:
        """Builds the vocabulary and its Zipf-Mandelbrot law."""
        self._rng = np.random.Generator(np.random.PCG64(seed))
        words = vocabulary(vocabulary_size, self._rng)
        self._forms: NDArray[Any] = np.array(words + [word.capitalize() for word in words], dtype=object)
        self._n_words = vocabulary_size
        weights = 1.0 / (np.arange(vocabulary_size) + 2.7) ** 1.07
        self._cumulative = np.cumsum(weights / weights.sum())
        self._separators: NDArray[Any] = np.array(_SEPARATORS, dtype=object)
        self._separator_cumulative = np.cumsum(_SEPARATOR_WEIGHTS)

    def _draw(self, n_words: int) -> _Draft:
        last = self._n_words - 1
        words = np.minimum(np.searchsorted(self._cumulative, self._rng.random(n_words)), last)
        separators = np.minimum(np.searchsorted(self._separator_cumulative, self._rng.random(n_words)), 3)
        return _Draft(words.astype(np.int64), separators.astype(np.int64))

    def _edit(self, draft: _Draft, rate: float) -> _Draft:
        """Substitutes, drops and inserts runs of 1 to 12 words, about `rate` of the words in all."""
        words, separators = draft.words, draft.separators
        budget = max(1, int(rate * len(words)))
        while budget > 0:
            run = min(int(self._rng.integers(1, 13)), budget)
            at = int(self._rng.integers(0, max(1, len(words) - run)))
            kind = int(self._rng.integers(0, 3))
            fresh = self._draw(run if kind != 1 else 0)
            behind = at if kind == 2 else at + run
            words = np.concatenate([words[:at], fresh.words, words[behind:]])
            separators = np.concatenate([separators[:at], fresh.separators, separators[behind:]])
            budget -= run
        return _Draft(words, separators)

    def _render(self, draft: _Draft) -> str:
        capital = np.ones(len(draft.words), dtype=np.int64)
        capital[1:] = draft.separators[:-1] >= 2
        pieces: NDArray[Any] = np.empty(2 * len(draft.words), dtype=object)
        pieces[0::2] = self._forms[draft.words + capital * self._n_words]
        pieces[1::2] = self._separators[draft.separators]
        return "".join(pieces).rstrip()

    def documents(self, shape: Shape) -> Iterator[str]:
        """Yields the documents of one corpus; half of the edited copies become the head of their chain."""
        chain: list[_Draft] = []
        rng = self._rng
        for _ in range(shape.n_docs):
            luck = float(rng.random())
            if chain and luck < shape.copies + shape.edits:
                at = int(rng.integers(0, len(chain)))
                draft = chain[at]
                if luck >= shape.copies:
                    draft = self._edit(draft, float(np.exp(rng.uniform(np.log(0.002), np.log(0.2)))))
                    if rng.random() < 0.5:
                        chain[at] = draft
            else:
                length = int(np.clip(rng.lognormal(np.log(shape.median_words), shape.sigma), 1, 200_000))
                draft = self._draw(length)
                # A window of recent chains bounds memory and lets clusters grow to some tens of documents.
                if len(chain) < 4_096:
                    chain.append(draft)
                else:
                    chain[int(rng.integers(0, len(chain)))] = draft
            yield self._render(draft)


def documents(shape: Shape, *, seed: int) -> Iterator[str]:
    """Yields the documents of a synthetic corpus.

    Args:
        shape: Number and lengths of the documents and the shares of copies.
        seed: Any integer; the same seed and shape give the same text.

    Yields:
        One document after another.
    """
    yield from Writer(seed).documents(shape)


def lookalikes(count: int, *, seed: int) -> Iterator[str]:
    """Yields pages of one template: 658 words in common and 202 of its own, so no two are near-duplicates."""
    rng = np.random.Generator(np.random.PCG64(seed))
    words = np.array([f"w{number:x}" for number in range(200_000)])
    template = " ".join(rng.choice(words, 658))
    for _ in range(count):
        yield f"{template} {' '.join(rng.choice(words, 202))}"
