"""The part of the plain twin that says which documents are compared, and in which order: see `_reference`.

Two documents are neighbours if they share a bucket and a few bits of enough of their lanes agree. Documents
of one template share giant buckets, and all their pairs are out of reach. They are told apart by the shingles
that few of them have: see `Crowd`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Rank: TypeAlias = float | str | None

KEY_BITS = 40
"""Bits of a band key that count, its upper ones."""

LANE_BITS = 4
"""Bits of a lane that count in the screen: the upper ones of its product with `SPREAD`, modulo 2^32."""

SPREAD = 0x9E3779B1
"""2^32 divided by the golden ratio, made odd."""

MISSES = 1e-6
"""Probability with which the screen loses a pair exactly at the threshold, at most."""

LARGE = 64
"""Documents of a bucket up to which its pairs are looked at."""

GROUP = 64
"""Kept documents of a crowd that are settled together."""

RARE = 32
"""Documents that may have a shingle before it is frequent."""

MARKS = 32
"""Shingles by which a settled document is known, at most."""

MAX_SETTLED = 192
"""Settled documents that one document is compared with at most."""

MAX_LISTED = 32_768
"""Members of large buckets that are looked at for one document at most."""


def jaccard(a: set[int], b: set[int]) -> float:
    """The share of the shingles of both sets that is in each; 0 for two empty sets.

    >>> jaccard({1, 2, 3, 4}, {2, 3, 4, 5})
    0.6
    """
    union = len(a | b)
    return len(a & b) / union if union else 0.0


def keep_order(
    texts: Sequence[str | None], keep: str = "first", ranks: Sequence[Rank] | None = None
) -> list[int]:
    """The documents in the order in which they are considered: the earlier one of two duplicates stays.

    `longest` and `shortest` go by bytes of UTF-8; `max` and `min` (also `max:FIELD`, `min:FIELD`) by `ranks`,
    where numbers go by value, texts by their bytes, and every number comes below every text. Ties go by input
    order; None and NaN are no rank, and come last under both.

    >>> keep_order(["bb", "a", "cc"], "longest")
    [0, 2, 1]
    >>> keep_order(["a", "b", "c", "d"], "max:score", [1, None, 2.5, 1])
    [2, 0, 3, 1]
    """
    docs = list(range(len(texts)))
    policy = keep.partition(":")[0]
    if policy == "first":
        return docs
    if policy in ("longest", "shortest"):
        sizes = [len((text or "").encode()) for text in texts]
        return sorted(docs, key=sizes.__getitem__, reverse=policy == "longest")
    if policy not in ("max", "min"):
        message = f"keep is `{keep}`, but it is first, longest, shortest, max:FIELD or min:FIELD"
        raise ValueError(message)
    if ranks is None or len(ranks) != len(texts):
        message = f"keep is `{keep}`, which needs one rank for each of the {len(texts)} texts"
        raise ValueError(message)
    ranked = {doc: (isinstance(rank, str), rank) for doc, rank in enumerate(ranks) if not _is_missing(rank)}
    # `sorted` keeps ties in input order, in reverse as well.
    missing = [doc for doc in docs if doc not in ranked]
    return sorted(ranked, key=ranked.__getitem__, reverse=policy == "max") + missing


def _is_missing(rank: Rank) -> bool:
    return rank is None or (isinstance(rank, float) and math.isnan(rank))


def least_agreeing(threshold: float, num_hashes: int) -> int:
    """How many lanes of two signatures have to agree in the bits that count.

    The largest number that a pair exactly at the threshold misses with a probability of at most `MISSES`:
    lanes agree independently, as they do by their similarity or by chance.

    >>> least_agreeing(0.8, 128), least_agreeing(1.0, 16)
    (81, 16)
    """
    agree = threshold + (1 - threshold) / 2**LANE_BITS
    if agree >= 1:
        return num_hashes
    below, log = 0.0, num_hashes * math.log(1 - agree)
    for count in range(num_hashes):
        below += math.exp(log)
        if below > MISSES:
            return count
        log += math.log((num_hashes - count) / (count + 1)) + math.log(agree / (1 - agree))
    return num_hashes


def agreeing(a: Sequence[int], b: Sequence[int]) -> int:
    """In how many lanes the bits of two signatures that count agree.

    >>> agreeing([7, 0, 1], [7, 1, 2])
    1
    """
    return sum(_bits(x) == _bits(y) for x, y in zip(a, b, strict=True))


def _bits(lane: int) -> int:
    return lane * SPREAD % 2**32 >> (32 - LANE_BITS)


class Links(NamedTuple):
    """Pairs of documents that pass the screen, and buckets of too many documents for pairs."""

    edges: set[tuple[int, int]]
    large: list[list[int]]


def links(keys: Mapping[int, Sequence[int]], signatures: Mapping[int, Sequence[int]], least: int) -> Links:
    """The links of documents by their band keys; `least` lanes have to agree.

    >>> signatures = {0: [1, 2], 1: [1, 2], 2: [5, 6]}
    >>> links({0: [7 << 24], 1: [7 << 24 | 1], 2: [7 << 24]}, signatures, 2).edges
    {(0, 1)}
    """
    buckets: dict[tuple[int, int], list[int]] = {}
    for doc in sorted(keys):
        for band, key in enumerate(keys[doc]):
            buckets.setdefault((band, key >> (64 - KEY_BITS)), []).append(doc)
    edges: set[tuple[int, int]] = set()
    for bucket in buckets.values():
        if len(bucket) <= LARGE:
            pairs = ((a, b) for place, a in enumerate(bucket) for b in bucket[place + 1 :])
            edges.update(pair for pair in pairs if agreeing(*(signatures[doc] for doc in pair)) >= least)
    return Links(edges, [bucket for bucket in buckets.values() if len(bucket) > LARGE])


def clusters(docs: Iterable[int], found: Links) -> list[list[int]]:
    """The documents that edges and large buckets connect, each cluster in the order of `docs`.

    >>> clusters([3, 0, 1, 2], Links({(0, 2), (2, 3)}, []))
    [[3, 0, 2]]
    """
    label = {doc: doc for doc in docs}
    members = {doc: [doc] for doc in label}
    for group in [*map(list, found.edges), *found.large]:
        for doc in group:
            old, new = label[doc], label[group[0]]
            if old != new:
                for member in members[old]:
                    label[member] = new
                members[new] += members.pop(old)
    order = {doc: place for place, doc in enumerate(label)}
    return [sorted(cluster, key=order.__getitem__) for cluster in members.values() if len(cluster) > 1]


class Settled(NamedTuple):
    """What is known of a settled document: whether each of its shingles is a mark or frequent."""

    doc: int
    is_known: bool


@dataclass
class Crowd:
    """The kept documents of a cluster that are in large buckets, in keep order.

    Each `GROUP` of them that follow each other is settled together, before the next document of a large
    bucket comes. The shingles that more than `RARE` of a group have are frequent from then on, and each
    document of it has up to `MARKS` marks: of its shingles that are not frequent, those at even distances in
    the order of its text. A shingle that would be a mark of more than `RARE` documents is frequent, and a
    mark of none.
    """

    threshold: float
    least: int
    shingles: Mapping[int, Sequence[int]]
    signatures: Mapping[int, Sequence[int]]
    large: Sequence[Sequence[int]]
    waiting: list[int] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    frequent: set[int] = field(default_factory=set)
    marks: dict[int, list[int]] = field(default_factory=dict)

    def settle(self) -> None:
        """Settles as many groups as there are."""
        while len(self.waiting) >= GROUP:
            group, self.waiting = self.waiting[:GROUP], self.waiting[GROUP:]
            owners = Counter(shingle for doc in group for shingle in self.shingles[doc])
            for shingle, count in owners.items():
                if count > RARE:
                    self._make_frequent(shingle)
            frequent = self.frequent.copy()
            for doc in group:
                rest = [shingle for shingle in self.shingles[doc] if shingle not in frequent]
                count = min(len(rest), MARKS)
                for mark in range(count):
                    self._mark(rest[mark * len(rest) // count], doc)
                self.settled.append(Settled(doc, count == len(rest)))

    def _mark(self, shingle: int, doc: int) -> None:
        if shingle in self.frequent:
            return
        known = self.marks.setdefault(shingle, [])
        known.append(doc)
        if len(known) > RARE:
            self._make_frequent(shingle)

    def _make_frequent(self, shingle: int) -> None:
        self.frequent.add(shingle)
        self.marks.pop(shingle, None)

    def candidates(self, doc: int) -> list[int]:
        """The documents of the crowd that `doc` is compared with; all pass the screen.

        They are all that are not settled yet, and settled ones: those that have a mark among the shingles of
        `doc`, and those that share a large bucket with it if the frequent ones among these may do. Two
        documents share no more than the marks that are found and all that is frequent, if all is known. Whom
        that rules out is left out; of the others, those come first that have the most marks, then those that
        agree in the most lanes, then the earlier ones.
        """
        own = self.shingles[doc]
        marks = Counter(other for shingle in own for other in self.marks.get(shingle, ()))
        frequent = sum(shingle in self.frequent for shingle in own)
        sizes = {other: len(self.shingles[other]) for other, _ in self.settled}
        beside: set[int] = set()
        if any(self._reached(min(frequent, size), len(own), size) for size in sizes.values()):
            beside = self._beside(doc)
        found = []
        for place, (other, is_known) in enumerate(self.settled):
            most = min(len(own), sizes[other])
            if is_known or not marks[other]:
                most = min(most, min(most, frequent) + marks[other])
            agree = agreeing(self.signatures[doc], self.signatures[other])
            if (
                (marks[other] or other in beside)
                and self._reached(most, len(own), sizes[other])
                and agree >= self.least
            ):
                found.append((-marks[other], -agree, place))
        settled = [self.settled[place].doc for _, _, place in sorted(found)[:MAX_SETTLED]]
        passes = [
            other
            for other in self.waiting
            if agreeing(self.signatures[doc], self.signatures[other]) >= self.least
        ]
        return settled + passes

    def _beside(self, doc: int) -> set[int]:
        settled = {other for other, _ in self.settled}
        lists = [settled.intersection(bucket) for bucket in self.large if doc in bucket]
        beside: set[int] = set()
        looked_at = 0
        for members in sorted(lists, key=len):
            if looked_at + len(members) <= MAX_LISTED:
                looked_at += len(members)
                beside |= members
        return beside

    def _reached(self, shared: int, a: int, b: int) -> bool:
        return shared / (a + b - shared) >= self.threshold
