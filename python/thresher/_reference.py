"""The slow, readable twin of near-duplicate search: hash scheme 2 and its resolution in plain Python.

Stored signatures outlive the program that wrote them, so the scheme is a contract and this file states it.
The compiled core computes the same numbers; the tests compare the two. Nothing here is fast, and nothing here
is imported by the package.

**Characters.** A character is

- *solo* if its Script property is Han, Hiragana, Katakana, Thai, Lao, Khmer or Myanmar (scripts written
  without blanks) and it is a word character;
- a *word* character if it is Alphabetic or its General_Category is a number (N*) or a mark (M*);
- a *separator* otherwise, `_`, apostrophes and unassigned code points included.

Classes are those of Unicode 17. Python's own tables are older (Unicode 14 in Python 3.11), so characters that
were assigned since are separators here and may be word characters in the core; all others agree.

**Words.** Each character is lower-cased by itself with Unicode's full mapping, so a capital sigma always
gives U+03C3 and U+0130 gives two code points, both part of the same word. A word is a maximal run of word
characters; each solo character is a word of its own. With `unit="char"` the items are the lower-cased code
points instead, and each maximal run of separators between two of them is one blank; there is none at the
ends.

**Hashes.** All arithmetic is modulo 2^64. `mum(a, b)` is the low half of the 128-bit product xor its high
half; `finalise` is the output step of SplitMix64 (Steele, Lea, Flood 2014), a bijection. The keys (`k0`,
`k1`, `chain`, `base`; see `family`) are numbers of its stream, from the one at 2^32 on; the lowest bytes of
`k0` and `k1` are 0xFF, which no text has.

- A word is cut into blocks of 16 bytes of UTF-8, the last padded with zeros (no word holds a zero byte). With
  `lo` and `hi` the two little-endian halves of a block: `h = rotl(h, 29) * chain + mum(lo ^ k0, hi ^ k1)`,
  from `h = 0`.
- A shingle of the words `w[0] ... w[n-1]` is `finalise(P)` with `P = sum of w[i] * base**(n-1-i)`. A document
  with fewer than n items, but at least one, has one shingle of all its items.
- A signature has k lanes of 32 bits, at first all ones. A shingle `x` goes to lane `((x >> 32) * k) >> 32`,
  which keeps the least `x & 0xFFFFFFFF` (one-permutation hashing: Li, Owen, Zhang 2012). Each lane that no
  shingle reached is filled by a permutation of its own over all shingles, the least `(a * (x & 0xFFFFFFFF) +
  b) mod 2**32`, so that a short document has the signature of classic MinHash. (Filling from full-width
  hashing: Dahlgaard, Knudsen, Thorup 2017, arXiv 1704.04370.) The odd `a` and the `b` of a lane are the
  halves of a SplitMix64 output. Without shingles all lanes stay all ones. Two
  documents agree in a lane with the probability of their Jaccard similarity: in a lane that either reached,
  the least value of the union is in both with that probability; in the others MinHash says so.
- Band i has the lanes `i*r` to `(i+1)*r - 1`; its key starts at `(i+1) * GOLDEN` and takes two lanes
  at a time: `h = mum(h ^ (v0 | v1 << 32), BAND)`, with `v1 = 0` for an odd one out.

**Resolution.** See `dedup`. In short: equal texts leave first, then a document is removed only if its exact
Jaccard similarity with a document that is *kept* reaches the threshold.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

from thresher._reference_resolution import Crowd, Rank, clusters, jaccard, keep_order, least_agreeing, links

Unit: TypeAlias = Literal["word", "char"]

SCHEME_VERSION = 2

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF

GOLDEN = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: the step of SplitMix64, and the offset of band keys."""

BAND = 0xD1B54A32D192ED03
"""The factor of band keys."""


def finalise(z: int) -> int:
    """The output step of SplitMix64.

    >>> f"{finalise(GOLDEN):016x}"
    'e220a8397b1dcdaf'
    """
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


class Family(NamedTuple):
    """The keys of a family of hashes."""

    k0: int
    k1: int
    chain: int
    base: int
    start: int


def stream(start: int, index: int) -> int:
    """A number of the stream of SplitMix64 that starts at `start`."""
    return finalise((start + (index + 1) * GOLDEN) & MASK64)


def family(seed: int = 0) -> Family:
    """The keys that a seed names; those of seed 0 are the scheme.

    >>> family() == family(0) != family(1)
    True
    """
    start = finalise(seed)
    k0, k1, chain, base = (stream(start, 2**32 + index) for index in range(4))
    return Family(k0 | 0xFF, k1 | 0xFF, chain | 1, base | 1, start)


PUBLIC = family()
"""The keys of the scheme."""

EMPTY_LANE = MASK32
"""What a lane holds before any shingle reached it."""

MAX_NUM_HASHES = 65_536


@functools.cache
def character_class(character: str) -> Literal["separator", "word", "solo"]:
    """The class of one character.

    >>> [character_class(c) for c in "a7_"]
    ['word', 'word', 'separator']
    >>> character_class("\u6f22"), character_class("\u0e01"), character_class("\u3001")
    ('solo', 'solo', 'separator')
    """
    code_point = ord(character)
    if unicodedata.category(character)[0] not in "LNM" and not _within(code_point, OTHER_ALPHABETIC):
        return "separator"
    return "solo" if any(_within(code_point, ranges) for ranges in SOLO_SCRIPTS.values()) else "word"


def _within(code_point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code_point <= last for first, last in ranges)


def words(text: str) -> list[str]:
    """The words of a text, lower-cased.

    >>> words("The cat's 2nd_hat, the CAF\u00c9!")
    ['the', 'cat', 's', '2nd', 'hat', 'the', 'caf\u00e9']
    >>> words("GPU\u6f22\u5b57 ok")
    ['gpu', '\u6f22', '\u5b57', 'ok']
    """
    found: list[str] = []
    run = ""
    for character in text:
        kind = character_class(character)
        if kind == "word":
            run += character.lower()
            continue
        if run:
            found.append(run)
            run = ""
        if kind == "solo":
            found.append(character.lower())
    if run:
        found.append(run)
    return found


def items(text: str, unit: Unit = "word") -> list[str]:
    """What shingles are made of: words, or characters with one blank between the words.

    >>> items("  Ab, c!", "char")
    ['a', 'b', ' ', 'c']
    """
    if unit == "word":
        return words(text)
    if unit not in get_args(Unit):
        message = f"unit is `{unit}`, but a shingle is made of `word` or `char`"
        raise ValueError(message)
    found: list[str] = []
    blank_due = False
    for character in text:
        if character_class(character) == "separator":
            blank_due = bool(found)
            continue
        if blank_due:
            found.append(" ")
            blank_due = False
        found.extend(character.lower())
    return found


def mum(a: int, b: int) -> int:
    """The low half of the 128-bit product xor its high half.

    >>> mum(1 << 63, 6)
    3
    """
    product = a * b
    return (product & MASK64) ^ (product >> 64)


def word_hash(word: bytes, keys: Family = PUBLIC) -> int:
    """Hash of one lower-cased item given as UTF-8.

    >>> word_hash(b"a") == mum(0x61 ^ PUBLIC.k0, PUBLIC.k1)
    True
    """
    state = 0
    for start in range(0, len(word), 16):
        block = word[start : start + 16].ljust(16, b"\0")
        low, high = int.from_bytes(block[:8], "little"), int.from_bytes(block[8:], "little")
        turned = (state << 29 | state >> 35) & MASK64
        state = (turned * keys.chain + mum(low ^ keys.k0, high ^ keys.k1)) & MASK64
    return state


def shingle_hash(word_hashes: Sequence[int], keys: Family = PUBLIC) -> int:
    """Hash of one shingle, from the hashes of its items.

    >>> shingle_hash([5, 7]) == finalise((5 * PUBLIC.base + 7) % 2**64)
    True
    """
    polynomial = 0
    for word in word_hashes:
        polynomial = (polynomial * keys.base + word) & MASK64
    return finalise(polynomial)


def shingles(text: str, ngram: int = 5, unit: Unit = "word", keys: Family = PUBLIC) -> set[int]:
    """The set of shingle hashes of a text.

    >>> len(shingles("a rose is a rose is a rose", ngram=3))
    3
    >>> shingles("one two") == {shingle_hash([word_hash(b"one"), word_hash(b"two")])}
    True
    >>> shingles("?!")
    set()
    """
    return set(distinct_shingles(text, ngram, unit, keys))


def distinct_shingles(text: str, ngram: int = 5, unit: Unit = "word", keys: Family = PUBLIC) -> list[int]:
    """The distinct shingle hashes of a text, in the order in which it first has each.

    >>> distinct_shingles("b a b a", ngram=1) == [shingle_hash([word_hash(word)]) for word in (b"b", b"a")]
    True
    """
    if ngram < 1:
        message = f"ngram is `{ngram}`, but a shingle has at least 1 item"
        raise ValueError(message)
    hashes = [word_hash(item.encode(), keys) for item in items(text, unit)]
    if not hashes:
        return []
    last_start = max(len(hashes) - ngram, 0)
    return list(
        dict.fromkeys(shingle_hash(hashes[start : start + ngram], keys) for start in range(last_start + 1))
    )


def lane_permutation(lane: int, keys: Family = PUBLIC) -> tuple[int, int]:
    """The factor and the summand that fill a lane which no shingle reached.

    >>> factor, summand = lane_permutation(0)
    >>> f"{summand:08x} {factor:08x}"  # SplitMix64 with seed 0 begins with e220a8397b1dcdaf
    'e220a839 7b1dcdaf'
    """
    z = stream(keys.start, lane)
    return (z & MASK32) | 1, z >> 32


def signature(shingle_set: Iterable[int], num_hashes: int = 128, keys: Family = PUBLIC) -> list[int]:
    """The lanes of the signature of a set of shingles.

    >>> signature([0x80000000_00000005, 0x80000000_00000003], 2)[1]
    3
    >>> signature([], 2) == [EMPTY_LANE, EMPTY_LANE]
    True
    """
    if not 1 <= num_hashes <= MAX_NUM_HASHES:
        message = f"num_hashes is `{num_hashes}`, but a signature has 1 to {MAX_NUM_HASHES} lanes"
        raise ValueError(message)
    distinct = set(shingle_set)
    lanes = [EMPTY_LANE] * num_hashes
    for shingle in distinct:
        lane = ((shingle >> 32) * num_hashes) >> 32
        lanes[lane] = min(lanes[lane], shingle & MASK32)
    if distinct:
        for lane, value in enumerate(lanes):
            if value == EMPTY_LANE:
                factor, summand = lane_permutation(lane, keys)
                lanes[lane] = min((factor * (shingle & MASK32) + summand) & MASK32 for shingle in distinct)
    return lanes


def band_keys(sig: Sequence[int], bands: int, rows: int) -> list[int]:
    """The key of each band: two documents share a bucket if they have a key in common.

    >>> band_keys([1, 2, 3], 1, 3) == [mum(mum(GOLDEN ^ (1 | 2 << 32), BAND) ^ 3, BAND)]
    True
    """
    if bands < 1 or rows < 1 or bands * rows > len(sig):
        message = f"`{bands}` bands of `{rows}` rows do not fit a signature of {len(sig)} lanes"
        raise ValueError(message)
    keys = []
    for band in range(bands):
        lanes = [*sig[band * rows : (band + 1) * rows], 0]
        key = ((band + 1) * GOLDEN) & MASK64
        for at in range(0, rows, 2):
            key = mum(key ^ (lanes[at] | lanes[at + 1] << 32), BAND)
        keys.append(key)
    return keys


def recall_at(similarity: float, bands: int, rows: int) -> float:
    """The S-curve: the probability that two documents of this Jaccard similarity share a band.

    >>> round(recall_at(0.8, 21, 6), 4)
    0.9983
    """
    return 1.0 - (1.0 - similarity**rows) ** bands


def choose_banding(threshold: float, num_hashes: int = 128, recall: float = 0.995) -> tuple[int, int]:
    """The bands and rows with the most rows whose recall at the threshold is at least `recall`.

    Rows keep false candidates away, so there are as many as the recall leaves room for. One row if none is
    enough.

    >>> choose_banding(0.8)
    (21, 6)
    """
    if not 0.0 < threshold <= 1.0:
        message = f"threshold is `{threshold}`, but a Jaccard similarity to ask for lies in (0, 1]"
        raise ValueError(message)
    if not 0.0 < recall < 1.0:
        message = f"recall is `{recall}`, but it lies between 0 and 1, both excluded"
        raise ValueError(message)
    for rows in range(num_hashes, 1, -1):
        if recall_at(threshold, num_hashes // rows, rows) >= recall:
            return num_hashes // rows, rows
    return num_hashes, 1


def dedup(
    texts: Sequence[str | None],
    *,
    threshold: float = 0.8,
    num_hashes: int = 128,
    ngram: int = 5,
    unit: Unit = "word",
    keep: str = "first",
    ranks: Sequence[Rank] | None = None,
    recall: float = 0.995,
) -> tuple[list[bool], list[int | None], list[float | None]]:
    """Which documents stay, and for each that goes the kept one it duplicates and their similarity.

    Of each group of equal texts the first in keep order goes on. These are walked in keep order: a document
    is removed if a document already kept that is its neighbour has an exact Jaccard similarity of at least
    `threshold`; it names the most similar one, of several the earliest in keep order. Otherwise it is kept.
    Two documents are neighbours if they share a band key, by its upper 40 bits, with no more than 62 others,
    and pass the screen: 4 bits of at least so many lanes agree (`least_agreeing`). Those that share
    one with more are found among the kept documents of their cluster as `Crowd` says.
    The other copies of a text have similarity 1 with the one that went on; if that one was removed they name
    what it names, with its similarity. So every removed document names a kept one. None is kept, and texts
    without a word have no other duplicates than equal texts.

    >>> dedup(["a b c d e f", "A, b: c; d e f!", "other", "other"])
    ([True, False, True, False], [None, 0, None, 2], [None, 1.0, None, 1.0])
    """
    bands, rows = choose_banding(threshold, num_hashes, recall)
    duplicate_of: list[int | None] = [None] * len(texts)
    similarity: list[float | None] = [None] * len(texts)
    first_with: dict[str, int] = {}
    copies: list[tuple[int, int]] = []
    ordered: dict[int, list[int]] = {}
    signatures: dict[int, list[int]] = {}

    for doc in keep_order(texts, keep, ranks):
        text = texts[doc]
        if text is None:
            continue
        if text in first_with:
            copies.append((doc, first_with[text]))
            continue
        first_with[text] = doc
        own = distinct_shingles(text, ngram, unit)
        if own:
            ordered[doc] = own
            signatures[doc] = signature(own, num_hashes)

    sets = {doc: set(own) for doc, own in ordered.items()}
    keys = {doc: band_keys(lanes, bands, rows) for doc, lanes in signatures.items()}
    least = least_agreeing(threshold, num_hashes)
    found = links(keys, signatures, least)
    for cluster in clusters(ordered, found):
        kept: list[int] = []
        crowd = Crowd(threshold, least, ordered, signatures, found.large)
        for doc in cluster:
            neighbours = {other for other in kept if (min(doc, other), max(doc, other)) in found.edges}
            in_crowd = any(doc in bucket for bucket in found.large)
            if in_crowd:
                crowd.settle()
                neighbours.update(crowd.candidates(doc))
            # In keep order, of which `max` takes the first of equals.
            near = [(jaccard(sets[doc], sets[other]), other) for other in sorted(neighbours, key=kept.index)]
            best, other = max(near, key=lambda pair: pair[0], default=(0.0, doc))
            if best >= threshold:
                duplicate_of[doc], similarity[doc] = other, best
            else:
                kept.append(doc)
                if in_crowd:
                    crowd.waiting.append(doc)

    for doc, original in copies:
        if duplicate_of[original] is None:
            duplicate_of[doc], similarity[doc] = original, 1.0
        else:
            duplicate_of[doc], similarity[doc] = duplicate_of[original], similarity[original]
    return [target is None for target in duplicate_of], duplicate_of, similarity


OTHER_ALPHABETIC = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
"""Alphabetic characters that are neither letters, numbers nor marks: Latin letters in circles and squares."""

SOLO_SCRIPTS = {
    "Han": (
        (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007),
        (0x3021, 0x3029), (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D),
        (0xFA70, 0xFAD9), (0x16FE2, 0x16FE3), (0x16FF0, 0x16FF6), (0x20000, 0x2A6DF), (0x2A700, 0x2B81D),
        (0x2B820, 0x2CEAD), (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D), (0x30000, 0x3134A),
        (0x31350, 0x33479),
    ),
    "Hiragana": (
        (0x3041, 0x3096), (0x309D, 0x309F), (0x1B001, 0x1B11F), (0x1B132, 0x1B132), (0x1B150, 0x1B152),
        (0x1F200, 0x1F200),
    ),
    "Katakana": (
        (0x30A1, 0x30FA), (0x30FD, 0x30FF), (0x31F0, 0x31FF), (0x32D0, 0x32FE), (0x3300, 0x3357),
        (0xFF66, 0xFF6F), (0xFF71, 0xFF9D), (0x1AFF0, 0x1AFF3), (0x1AFF5, 0x1AFFB), (0x1AFFD, 0x1AFFE),
        (0x1B000, 0x1B000), (0x1B120, 0x1B122), (0x1B155, 0x1B155), (0x1B164, 0x1B167),
    ),
    "Thai": ((0x0E01, 0x0E3A), (0x0E40, 0x0E5B)),
    "Lao": (
        (0x0E81, 0x0E82), (0x0E84, 0x0E84), (0x0E86, 0x0E8A), (0x0E8C, 0x0EA3), (0x0EA5, 0x0EA5),
        (0x0EA7, 0x0EBD), (0x0EC0, 0x0EC4), (0x0EC6, 0x0EC6), (0x0EC8, 0x0ECE), (0x0ED0, 0x0ED9),
        (0x0EDC, 0x0EDF),
    ),
    "Khmer": ((0x1780, 0x17DD), (0x17E0, 0x17E9), (0x17F0, 0x17F9), (0x19E0, 0x19FF)),
    "Myanmar": ((0x1000, 0x109F), (0xA9E0, 0xA9FE), (0xAA60, 0xAA7F), (0x116D0, 0x116E3)),
}  # fmt: skip
"""First and last code point of each range with one of the seven Script values (Unicode 17, Scripts.txt)."""
