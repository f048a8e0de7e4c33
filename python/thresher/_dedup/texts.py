"""Near-duplicate removal among texts in memory.

Signatures only find candidates (MinHash: Broder 1997; banding: Leskovec, Rajaraman, Ullman, *Mining of
Massive Datasets*, ch. 3); what is removed is decided by exact Jaccard similarity with a document that stays.
So nothing goes by a chain of neighbours, and nothing on an estimate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thresher import _core, _params
from thresher._arrow import column, rank_column
from thresher._dedup.recall import DEFAULT_RECALL, warn_of_recall
from thresher._dedup.result import DedupResult
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from thresher._types import Ranks, Unit

_MAX_SEED = 2**64 - 1

_POLICIES = (
    "first, longest, shortest, max or min (with `ranks=`), or in a table with `text=` max:COLUMN or "
    "min:COLUMN"
)


def dedup(
    texts: Any,  # noqa: ANN401 - Texts, or the table of any library
    *,
    text: str | int | None = None,
    threshold: float = 0.8,
    keep: str = "first",
    ranks: Ranks | None = None,
    num_hashes: int = 128,
    ngram: int = 5,
    unit: Unit = "word",
    seed: int = 0,
    recall: float = DEFAULT_RECALL,
    exact_only: bool = False,
    threads: int | None = None,
) -> DedupResult:
    """Finds the duplicates among texts in memory.

    Documents are considered in keep order. One is removed if a document already kept that shares a bucket
    with it has an exact Jaccard similarity of at least `threshold` with it; else it is kept. Equal texts are
    duplicates even if they have no word. Every removed document names a kept one.

    What was kept has no duplicates left: `dedup` of the kept documents removes nothing. A higher threshold
    removes fewer documents as a rule, but it may remove one that a lower one keeps, if the document that it
    duplicates is itself removed at the lower one. For the same reason a reference set put in front of new
    documents does not clear them of everything that is like a reference document: one that was removed
    removes nothing.

    The result is the same on every machine and with any number of threads. Hashes that decide are keyed by
    a secret of the call, so no text can be made to pass for another one; that two calls decide differently
    has a probability of about 2^-60 for each pair compared. Time is about linear in the bytes of text; memory
    beside the texts is about 480 bytes a document (as `make bench-memory` prints for 21 bands), most of it 16
    a band. The GIL is released, and Ctrl-C stops it.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library, read in place.
            With `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        text: The column of `texts` to look at, if that is a table.
        threshold: Exact Jaccard similarity of shingle sets from which on a document goes, in (0, 1].
        keep: Which document of a group of duplicates stays: the `first`, the `longest` or the `shortest`
            (bytes of UTF-8), that with the greatest (`max`) or least (`min`) rank; in a table also
            `max:COLUMN` and `min:COLUMN`. Ties go by input order.
        ranks: One rank a document for `max` and `min`: numbers, strings (by their bytes), dates or times.
            Missing ones and NaN come last.
        num_hashes: Lanes of a signature, 1 to 65,536. More find more of the pairs just above the threshold,
            at more cost.
        ngram: Words (or characters) in a shingle, 1 to 256.
        unit: `word`, or `char` for shingles of characters.
        seed: Names the family of hashes that signatures are made of, 0 to 2^64 - 1. Other seeds propose other
            pairs of documents; what is removed is checked exactly with any.
        recall: Probability that a pair exactly at the threshold is found, between 0 and 1; the banding is
            chosen for it. If `num_hashes` lanes cannot reach it, the best banding is taken, with a
            `RecallWarning`; `summary.expected_recall` is what holds.
        exact_only: Only equal texts are duplicates.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        Columns over the documents (`keep`, `duplicate_of`, `similarity`, `reason`), `clusters` and `summary`.

    Raises:
        ParameterError: A parameter is outside its range.
        ColumnError: `texts` is not text, `ranks` are not ordered, or there is no such column.

    Example:
        >>> import thresher as th
        >>> r = th.dedup(["to be or not to be, that", "To be or not to be - that!", "something else"])
        >>> r.similarity.to_pylist()
        [None, 1.0, None]
        >>> print(r.summary)
        in 3 documents (64 B) = kept 2 (38 B) + exact 0 (0 B) + near 1 (26 B)
    """
    policy, colon, field = _params.word("keep", keep, _POLICIES).partition(":")
    if colon and (text is None or policy not in ("max", "min")):
        message = f"keep is `{keep}`, but it is {_POLICIES}"
        raise ParameterError(message)
    if colon and ranks is not None:
        message = f"keep is `{keep}` and ranks are given; leave one of them out"
        raise ParameterError(message)
    if colon:
        ranks = column(texts, field)
    if ranks is not None and policy not in ("max", "min"):
        message = f"ranks are given, but keep is `{keep}`, which does not look at them; use max or min"
        raise ParameterError(message)
    if ranks is None and policy in ("max", "min"):
        message = (
            f"keep is `{keep}`, but no ranks are given; give `ranks=`, one a document, or with a table and "
            f"`text=` write keep=`{policy}:COLUMN`"
        )
        raise ParameterError(message)
    outcome = _core.dedup.dedup(
        column(texts, text),
        threshold=_params.number("threshold", threshold),
        num_hashes=_params.whole("num_hashes", num_hashes),
        ngram=_params.whole("ngram", ngram),
        unit=_params.word("unit", unit, "`word` or `char`"),
        seed=_params.whole("seed", seed, 0, _MAX_SEED),
        recall=_params.number("recall", recall),
        keep=policy,
        ranks=None if ranks is None else rank_column(ranks),
        exact_only=_params.flag("exact_only", exact_only),
        threads=_params.optional_whole("threads", threads),
    )
    result = DedupResult(outcome)
    if not exact_only:
        warn_of_recall(recall, result.summary.expected_recall, threshold, num_hashes)
    return result
