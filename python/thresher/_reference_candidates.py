"""The part of the plain twin that says whom a document is compared with: see `thresher._reference`.

Documents of one template share giant buckets, and all their pairs are out of reach. They are told apart by
the shingles that few of them have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MAX_CHECKS = 256
"""Kept documents that one document is compared with at most."""

RARE = 32
"""Kept documents of a cluster that have a shingle, up to which it is rare."""


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
