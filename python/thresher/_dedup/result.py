"""What a search returns: columns over the documents, clusters, and books that balance."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from thresher import _format
from thresher._arrow import wrap
from thresher._runs import RunReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from thresher._core.dedup import DedupOutcome

_SHOWN_CLUSTERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The books of a search in memory: `documents = kept + exact + near`, and the same for bytes of text.

    Attributes:
        documents: Documents given, missing texts included.
        bytes: Bytes of their texts, as UTF-8.
        kept: Documents that stay, missing texts included.
        kept_bytes: Bytes of their texts.
        exact: Documents removed because a kept one has the same text.
        exact_bytes: Bytes of their texts.
        near: Documents removed because a kept one is similar enough.
        near_bytes: Bytes of their texts.
        null: Missing texts; they take no part and are kept.
        candidates: Documents that shared a bucket with another one, exact copies apart.
        checks: Exact comparisons made.
        capped: Documents that stay although some comparisons were left out: more than 256 kept ones might
            have been similar enough, by their sizes and by the shingles that few have.
        unchecked: The pairs of these that were left out, by their likely similarity, rounded down to a tenth:
            `{"0.7": 1200, "0.8": 34}`. What is likely is told by the bands that both share. Empty but for
            corpora of thousands of pages that are alike in all parts that repeat.
        clusters: Kept documents that others duplicate.
        bands: Bands of a signature.
        rows: Lanes in a band.
        expected_recall: Probability that a pair of documents exactly at the threshold shares a band and so is
            found: at least the `recall` that was asked for, unless the signature has too few lanes for it.
        timings: Seconds by step: `exact`, `sign`, `group`, `verify`.
    """

    documents: int
    bytes: int
    kept: int
    kept_bytes: int
    exact: int
    exact_bytes: int
    near: int
    near_bytes: int
    null: int
    candidates: int
    checks: int
    capped: int
    unchecked: Mapping[str, int]
    clusters: int
    bands: int
    rows: int
    expected_recall: float
    timings: Mapping[str, float] = field(compare=False)

    @property
    def removed(self) -> int:
        """Documents that go."""
        return self.exact + self.near

    def __str__(self) -> str:
        """The accounting line."""
        parts = [
            ("kept", self.kept, self.kept_bytes),
            ("exact", self.exact, self.exact_bytes),
            ("near", self.near, self.near_bytes),
        ]
        return _format.accounting(self.documents, self.bytes, parts)

    @classmethod
    def _from_core(cls, core: Mapping[str, Any]) -> Summary:
        pairs = {name: core[name] for name in ("documents", "kept", "exact", "near")}
        totals = {name: documents for name, (documents, _) in pairs.items()}
        sizes = {f"{name}_bytes": size for name, (_, size) in pairs.items()}
        sizes["bytes"] = sizes.pop("documents_bytes")
        same = ("null", "candidates", "checks", "capped", "unchecked", "clusters", "bands", "rows", "timings")
        rest = {name: core[name] for name in same}
        return cls(**totals, **sizes, **rest, expected_recall=core["recall_at_threshold"])


class DedupResult:
    """The result of `thresher.dedup`: for each document, in input order, whether it stays, and why not.

    All columns are pyarrow arrays over the memory that the search filled; `.to_numpy(zero_copy_only=False)`
    makes numpy ones.

    Attributes:
        keep: `bool`, no nulls: whether the document stays. `table.filter(result.keep)` is the clean table.
        duplicate_of: `int64`: the index of the *kept* document that this one duplicates; null for kept ones.
        similarity: `float32`: exact Jaccard similarity with that document, at least the threshold; null for
            kept ones. Rounded up to 32 bits, so comparing it with the threshold never misleads.
        reason: `dictionary<int8, string>`: `exact` for equal texts, else `near`; null for kept ones.
        summary: The books, the banding and the timings.

    Example:
        >>> import thresher as th
        >>> th.dedup(["to be or not to be, that", "To be or not to be - that!", "else", "else"])
        DedupResult(documents=4, kept=2, exact=1, near=1)
    """

    keep: pa.BooleanArray
    duplicate_of: pa.Int64Array
    similarity: pa.FloatArray
    reason: pa.DictionaryArray
    summary: Summary

    def __init__(self, outcome: DedupOutcome) -> None:
        self.keep = wrap(outcome.keep)
        self.duplicate_of = wrap(outcome.duplicate_of)
        self.similarity = wrap(outcome.similarity)
        self.reason = wrap(outcome.reason)
        self.summary = Summary._from_core(outcome.summary)

    def __len__(self) -> int:
        """Number of documents given."""
        return len(self.keep)

    @cached_property
    def clusters(self) -> pa.Table:
        """The kept documents that others duplicate, largest cluster first, ties in input order.

        Computed at first use, in `O(n log n)` of the removed documents.

        Returns:
            A table with one row a cluster: `kept` (int64), the kept document; `size` (int64), documents in
            the cluster with the kept one; `duplicates` (list<int64>), the removed ones in input order.

        Example:
            >>> import thresher as th
            >>> th.dedup(["same text", "another", "same text", "same text"]).clusters.to_pylist()
            [{'kept': 0, 'size': 3, 'duplicates': [2, 3]}]
        """
        import numpy as np
        import pyarrow as pa

        removed = np.flatnonzero(~self.keep.to_numpy(zero_copy_only=False))
        targets = self.duplicate_of.drop_null().to_numpy()
        order = np.argsort(targets, kind="stable")
        kept, first, counts = np.unique(targets[order], return_index=True, return_counts=True)
        by_size = np.argsort(-counts, kind="stable")
        duplicates = pa.LargeListArray.from_arrays(np.append(first, len(removed)), removed[order])
        duplicates = duplicates.cast(pa.list_(pa.int64()))
        return pa.table({"kept": kept, "size": counts + 1, "duplicates": duplicates}).take(by_size)

    def __repr__(self) -> str:
        """One line with the counts."""
        s = self.summary
        return f"DedupResult(documents={s.documents}, kept={s.kept}, exact={s.exact}, near={s.near})"

    def _repr_html_(self) -> str:
        s = self.summary
        rows = [
            ("documents", s.documents, s.bytes),
            ("kept", s.kept, s.kept_bytes),
            ("removed: exact", s.exact, s.exact_bytes),
            ("removed: near", s.near, s.near_bytes),
        ]
        return _html("DedupResult", rows)


class DedupReport(RunReport):
    """The result of `thresher.dedup_files`: what was read, written, removed and set aside.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `hash_scheme`,
            `instruction_set`, `banding`, `candidates`, `checks`, `capped`, `unchecked`, `clusters`,
            `largest_clusters`.
    """

    @property
    def exact(self) -> int:
        """Records removed because a kept one has the same text."""
        return self._removed("exact")

    @property
    def near(self) -> int:
        """Records removed because a kept one is similar enough."""
        return self._removed("near")

    @property
    def unchecked(self) -> dict[str, int]:
        """Pairs that were left unchecked although they may be similar enough, by their likely similarity."""
        return dict(self.report["unchecked"])

    @property
    def largest_clusters(self) -> list[dict[str, Any]]:
        """The largest clusters: `id` of the kept document, `size` with it, up to five removed `examples`."""
        return list(self.report["largest_clusters"])

    def __repr__(self) -> str:
        """One line with the counts."""
        return (
            f"DedupReport(documents={self.documents}, kept={self.kept}, exact={self.exact}, "
            f"near={self.near}, quarantined={self.quarantined})"
        )

    def _repr_html_(self) -> str:
        books = self.report["accounting"]["in"]
        rows = [("documents", books["docs"], books["bytes"]), *self._parts()]
        clusters = [
            (str(cluster["id"]), int(cluster["size"])) for cluster in self.largest_clusters[:_SHOWN_CLUSTERS]
        ]
        return _html("DedupReport", rows, clusters)


def _html(title: str, rows: Iterable[tuple[str, int, int]], clusters: Iterable[tuple[str, int]] = ()) -> str:
    """A small table; ids come from the data, so everything is escaped."""
    numbers = '</td><td style="text-align:right">'
    lines = [(name, _format.count(docs), _format.size(n_bytes)) for name, docs, n_bytes in rows]
    lines += [(f"cluster {name}", _format.count(size), "") for name, size in clusters]
    body = "".join(f"<tr><td>{numbers.join(map(escape, line))}</td></tr>" for line in lines)
    head = "<tr><th></th><th>documents</th><th>bytes</th></tr>"
    return f"<table><caption>{escape(title)}</caption>{head}{body}</table>"
