"""The part of the plain twin that says which documents are compared, and in which order: see `_reference`.

Documents of one template share giant buckets, and all their pairs are out of reach. They are told apart by
the shingles that few of them have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Rank: TypeAlias = float | str | None

MAX_CHECKS = 256
"""Kept documents that one document is compared with at most."""

RARE = 32
"""Kept documents of a cluster that have a shingle, up to which it is rare."""


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


def clusters(keys: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """The documents that shared band keys connect, each cluster in the order of `keys`.

    >>> clusters({0: [1, 2], 1: [3, 4], 2: [5, 2], 3: [5, 6]})
    [[0, 2, 3], [1]]
    """
    label = {doc: doc for doc in keys}
    members = {doc: [doc] for doc in keys}
    first_with: dict[int, int] = {}
    for doc, own in keys.items():
        for key in own:
            old, new = label[doc], label[first_with.setdefault(key, doc)]
            if old != new:
                for member in members[old]:
                    label[member] = new
                members[new] += members.pop(old)
    order = {doc: place for place, doc in enumerate(keys)}
    return [sorted(cluster, key=order.__getitem__) for cluster in members.values()]


def candidates(
    doc: int,
    kept: Sequence[int],
    owners: Mapping[int, int],
    sets: Mapping[int, set[int]],
    keys: Mapping[int, Sequence[int]],
    threshold: float,
) -> list[int]:
    """The documents among `kept`, in keep order, that `doc` is compared with.

    They share a band key with it. One with the same shingles comes alone. A shingle is rare while at most
    `RARE` documents of the cluster that are kept have it (`owners` counts them); two documents share their
    common rare shingles, and at most as many frequent ones as the poorer of both has. Those that this rules
    out are left out. Of the others, at most `MAX_CHECKS` are compared: those first that share the most rare
    shingles, then those that share the most bands, then the earlier ones.

    >>> sets = {0: {1, 2, 3}, 1: {2, 3, 4}, 2: {1, 2, 3, 4}, 3: {9}}
    >>> owners = {1: 1, 2: 2, 3: 2, 4: 1, 9: 1}
    >>> candidates(2, [0, 1, 3], owners, sets, dict.fromkeys(range(4), [7]), 0.7)
    [0, 1]
    """
    own = sets[doc]
    found = []
    for place, other in enumerate(kept):
        bands = sum(a == b for a, b in zip(keys[doc], keys[other], strict=True))
        if not bands:
            continue
        if sets[other] == own:
            return [other]
        rare = sum(owners[shingle] <= RARE for shingle in own & sets[other])
        frequent = min(sum(owners.get(shingle, 0) > RARE for shingle in s) for s in (own, sets[other]))
        most = rare + frequent
        if most / (len(own) + len(sets[other]) - most) >= threshold:
            found.append((-rare, -bands, place))
    return [kept[place] for _, _, place in sorted(found)[:MAX_CHECKS]]
