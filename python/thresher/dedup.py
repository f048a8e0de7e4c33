"""Near-duplicate removal, in memory and over files.

Signatures only find candidates (MinHash: Broder 1997; banding: Leskovec, Rajaraman, Ullman, *Mining of
Massive Datasets*, ch. 3); what is removed is decided by exact Jaccard similarity with a document that stays.
So nothing goes by a chain of neighbours, and nothing on an estimate.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from thresher import _core, _params
from thresher._arrow import column, rank_column
from thresher._files import BATCH_BYTES, MAX_QUARANTINE, MAX_RECORD_BYTES, run_config
from thresher.errors import ParameterError, RecallWarning
from thresher.result import DedupResult, FileReport

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from thresher._files import Paths
    from thresher._types import Progress, Ranks, Unit

MAX_NUM_HASHES, MAX_NGRAM, MAX_SEED = 65_536, 256, 2**64 - 1
"""As in the core."""

_POLICIES = (
    "first, longest, shortest, max or min (with `ranks=`), or in a table with `text=` max:COLUMN or "
    "min:COLUMN"
)

DEFAULT_RECALL = 0.995
"""Probability that a pair exactly at the threshold is found; more similar pairs are found more surely."""


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
    outcome = _core.dedup(
        column(texts, text),
        threshold=_params.number("threshold", threshold),
        num_hashes=_params.whole("num_hashes", num_hashes),
        ngram=_params.whole("ngram", ngram),
        unit=_params.word("unit", unit, "`word` or `char`"),
        seed=_params.whole("seed", seed, 0, MAX_SEED),
        recall=_params.number("recall", recall),
        keep=policy,
        ranks=None if ranks is None else rank_column(ranks),
        exact_only=_params.flag("exact_only", exact_only),
        threads=_params.optional_whole("threads", threads),
    )
    result = DedupResult(outcome)
    if not exact_only:
        _warn_of_recall(recall, result.summary.expected_recall, threshold, num_hashes)
    return result


def dedup_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    text: str = "text",
    id: str | None = None,
    threshold: float = 0.8,
    keep: str = "first",
    num_hashes: int = 128,
    ngram: int = 5,
    unit: Unit = "word",
    seed: int = 0,
    recall: float = DEFAULT_RECALL,
    exact_only: bool = False,
    glob: str | Sequence[str] | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    tmp: str | os.PathLike[str] | None = None,
    strict: bool = False,
    max_quarantine: float = MAX_QUARANTINE,
    max_record_bytes: int = MAX_RECORD_BYTES,
    batch_bytes: int = BATCH_BYTES,
    progress: Callable[[Progress], object] | None = None,
) -> FileReport:
    r"""Removes duplicates from files; see `dedup` for what a duplicate is.

    The corpus is streamed three times and never held: memory is about 310 bytes a document (as `make
    bench-memory` prints for 21 bands), and what collided is read again. Kept records pass through unchanged,
    JSONL lines byte for byte. A record that cannot be read goes to quarantine with its place and the reason.
    Files appear under their final names when they are complete, and not before.

    The output is the same with any number of threads. The GIL is released, and Ctrl-C stops the run.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`, `.arrows`; without
            an ending, what the content is), patterns, folders, or `-` for JSONL on standard input. A folder
            stands for its data files if these are half of its visible files or more, or of their bytes;
            else it holds documents, one a file. The report notes what is left out. Links are followed.
        output: A folder for the data and the evidence; a data file, with the evidence beside it; or `-` for
            standard output, which gets the data alone: bad records are counted, not kept.
        text: Dotted path of the text field (`text`, `meta.body`).
        id: Dotted path of the id field, a number or a string; an id is what stands there (`1.10` stays
            `1.10`). Default: a document is named `file:row`.
        threshold: Exact Jaccard similarity of shingle sets from which on a document goes, in (0, 1].
        keep: Which document of a group of duplicates stays: `first`, `longest`, `shortest`, `max:FIELD` or
            `min:FIELD`. Whole numbers of up to 127 bits rank exactly, others as the nearest double; no rank
            and NaN come last.
        num_hashes: Lanes of a signature, 1 to 65,536.
        ngram: Words (or characters) in a shingle, 1 to 256.
        unit: `word`, or `char` for shingles of characters.
        seed: Names the family of hashes that signatures are made of, 0 to 2^64 - 1. Other seeds propose other
            pairs of documents; what is removed is checked exactly with any.
        recall: Probability that a pair exactly at the threshold is found, between 0 and 1. If `num_hashes`
            lanes cannot reach it, the best banding is taken, with a `RecallWarning`;
            `report["banding"]["recall_at_threshold"]` is what holds.
        exact_only: Only equal texts are duplicates.
        glob: Patterns of the files of an input folder that are documents. Default: all files.
        overwrite: Whether a finished result of an earlier run, or a data file of that name, may be replaced.
            It stays whole until the new one is complete. Other files are never touched.
        threads: Threads to use. Default: as many as the process may use.
        tmp: Folder for the copy of standard input. Default: that of the system.
        strict: Whether the first bad record stops the run, with `DataError`.
        max_quarantine: Share of the records, from 0 to 1, of which more may not be set aside; a run that sets
            aside more ends with `DataError` and writes nothing.
        max_record_bytes: Longest record in bytes; a longer one goes to quarantine.
        batch_bytes: Bytes of input that a thread works on at a time: more memory, less overhead. The output
            does not depend on it.
        progress: Called about ten times a second with a `Progress`; an exception from it stops the run.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: A parameter is outside its range, there is no input, or no record has a field.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "a rose"}\n{"text": "a rose", "n": 1}\n')
        >>> th.dedup_files(folder / "in.jsonl", folder / "out.jsonl")
        FileReport(documents=2, kept=1, exact=1, near=0, quarantined=0)
        >>> (folder / "out.jsonl").read_text()
        '{"text": "a rose"}\n'
    """
    config = run_config(
        inputs,
        output,
        overwrite=overwrite,
        threads=threads,
        tmp=tmp,
        strict=strict,
        max_quarantine=max_quarantine,
        max_record_bytes=max_record_bytes,
        batch_bytes=batch_bytes,
        text=_params.word("text", text, "the dotted path of a field"),
        id=_params.optional_word("id", id, "the dotted path of a field"),
        threshold=_params.share("threshold", threshold),
        num_hashes=_params.whole("num_hashes", num_hashes, 1, MAX_NUM_HASHES),
        ngram=_params.whole("ngram", ngram, 1, MAX_NGRAM),
        unit=_params.word("unit", unit, "`word` or `char`"),
        seed=_params.whole("seed", seed, 0, MAX_SEED),
        recall=_params.share("recall", recall),
        keep=_params.word("keep", keep, "first, longest, shortest, max:FIELD or min:FIELD"),
        exact_only=_params.flag("exact_only", exact_only),
        glob=[glob] if isinstance(glob, str) else None if glob is None else _params.patterns("glob", glob),
    )
    if not exact_only:
        _, _, holds = _core.choose_banding(threshold, num_hashes, recall)
        _warn_of_recall(recall, holds, threshold, num_hashes)
    return FileReport._from_json(_core.dedup_files(config, _params.callback("progress", progress)))


def _warn_of_recall(asked: float, holds: float, threshold: float, num_hashes: int) -> None:
    """Warns the caller of the public function if less than the recall that was asked for holds."""
    if holds >= asked:
        return
    # With one lane a band, the best there is, a pair is missed if it differs in every lane.
    needed = math.ceil(math.log1p(-asked) / math.log1p(-threshold))
    more = f"num_hashes to {needed:,} or " if needed <= MAX_NUM_HASHES else ""
    message = (
        f"recall is `{asked}`, but with num_hashes `{num_hashes}` a pair at threshold `{threshold}` is found "
        f"with probability {holds:.4g}; raise {more}the threshold, or ask for less"
    )
    warnings.warn(message, RecallWarning, stacklevel=3)
