"""Pages of one template, some of them near-duplicates of another: how many pairs are found, in any order.

Run as `python -m benches.templates`. All pages share so much that signatures hardly tell a near-duplicate
from any other page. Three kinds of corpora have pairs with a Jaccard similarity of at least the threshold +
0.02: *edited* pages; pages with the same words in other case and punctuation (*respelled*); and pages that
have most of sixteen parts of the template (*parts*). A pair is found unless both of its pages stay.

The orders are: as made (pages, then their twins); reversed; at random; and *worst*, twins last and each page
where many that share its buckets come before it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SIZES = (2_000, 20_000)
THRESHOLDS = (0.8, 0.95)
NGRAM = 5


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pages, and the pairs among them that are near-duplicates, by their row numbers."""

    pages: Sequence[str]
    pairs: Sequence[tuple[int, int]]


def _words(draw: random.Random, count: int) -> list[str]:
    return [f"{draw.getrandbits(40):x}" for _ in range(count)]


def _similarity(left: str, right: str) -> float:
    """The Jaccard similarity of word 5-grams, from the definition."""
    sets = []
    for text in (left, right):
        words = text.lower().replace(",", "").split()
        sets.append({tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def edited(draw: random.Random, threshold: float, count: int) -> Corpus:
    """Pages of a template and a tail of their own; a twin has the beginning of another tail."""
    shared, own, kept = (500, 68, 13) if threshold < 0.9 else (400, 11, 5)
    template = _words(draw, shared)
    tails = [_words(draw, own) for _ in range(count)]
    pages = [" ".join(template + tail) for tail in tails]
    pairs = []
    for page in draw.sample(range(count), count // 10):
        pairs.append((page, len(pages)))
        pages.append(" ".join(template + tails[page][:kept] + _words(draw, own - kept)))
    return Corpus(pages, pairs)


def respelled(draw: random.Random, threshold: float, count: int) -> Corpus:
    """The same pages; a twin has the same words in capitals, with commas."""
    corpus = edited(draw, threshold, count)
    pages = list(corpus.pages[:count])
    pairs = []
    for page in draw.sample(range(count), count // 10):
        pairs.append((page, len(pages)))
        pages.append(pages[page].upper().replace(" ", ", "))
    return Corpus(pages, pairs)


def parts(draw: random.Random, threshold: float, count: int) -> Corpus:
    """Each page has most of sixteen parts of the template, and a tail; a twin has another tail."""
    sections = [_words(draw, 40) for _ in range(16)]
    own = 30 if threshold < 0.9 else 3
    pages, choices = [], []
    for _ in range(count):
        choice = [word for section in sections if draw.random() < 0.8 for word in section]
        choices.append(choice)
        pages.append(" ".join(choice + _words(draw, own)))
    pairs = []
    for page in draw.sample(range(count), count // 10):
        twin = " ".join(choices[page] + _words(draw, own))
        if _similarity(pages[page], twin) >= threshold + 0.02:
            pairs.append((page, len(pages)))
            pages.append(twin)
    return Corpus(pages, pairs)


CORPORA: dict[str, Callable[[random.Random, float, int], Corpus]] = {
    "edited": edited,
    "respelled": respelled,
    "parts": parts,
}


def orders(draw: random.Random, corpus: Corpus) -> dict[str, list[int]]:
    """Each order as the row numbers of the pages that come first, second, and so on."""
    made = list(range(len(corpus.pages)))
    twins = {twin for _, twin in corpus.pairs}
    bases = [page for page in made if page not in twins]
    with_twin = {base for base, _ in corpus.pairs}
    draw.shuffle(bases)
    # Pages that have a twin come last of all bases: then their buckets are fullest.
    bases.sort(key=with_twin.__contains__)
    return {
        "as made": made,
        "reversed": made[::-1],
        "random": draw.sample(made, len(made)),
        "worst": bases + draw.sample(sorted(twins), len(twins)),
    }


def measure(name: str, size: int, threshold: float) -> None:
    """Prints the rows of one corpus."""
    import numpy as np

    import thresher

    draw = random.Random(size)
    corpus = CORPORA[name](draw, threshold, size)
    alike = [_similarity(corpus.pages[a], corpus.pages[b]) for a, b in corpus.pairs[:50]]
    if not alike or min(alike) < threshold + 0.02:
        print(f"{name:10} {size:>7,} {threshold:>5} no pairs at threshold + 0.02")
        return
    for order_name, order in orders(draw, corpus).items():
        start = time.perf_counter()
        result = thresher.dedup([corpus.pages[page] for page in order], threshold=threshold)
        seconds = time.perf_counter() - start
        keep = np.empty(len(order), dtype=bool)
        keep[order] = np.asarray(result.keep)
        found = sum(not (keep[a] and keep[b]) for a, b in corpus.pairs)
        books = result.summary
        unchecked = ", ".join(f"{at}: {pairs:,}" for at, pairs in books.unchecked.items()) or "0"
        print(
            f"{name:10} {size:>7,} {threshold:>5} {order_name:9} {min(alike):.3f} {len(corpus.pairs):>6,} "
            f"{found:>6,} {found / len(corpus.pairs):.4f} {seconds:7.2f} {books.checks:>10,}  {unchecked}",
            flush=True,
        )


def main() -> None:
    """Measures all corpora, or those of the sizes that are given."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    print("corpus       pages     t order     least  pairs  found recall seconds     checks  unchecked")
    for threshold in THRESHOLDS:
        for size in sizes:
            for name in CORPORA:
                measure(name, size, threshold)


if __name__ == "__main__":
    main()
