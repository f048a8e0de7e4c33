"""Near-duplicate removal over files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from thresher import _core
from thresher._dedup.recall import DEFAULT_RECALL, warn_of_recall
from thresher._dedup.result import DedupReport
from thresher._parameters import checked, parameters
from thresher._runs import RunOptions, over_files, run

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from thresher._runs import Paths
    from thresher._types import Unit


@over_files
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
    against: Paths = (),
    **options: Unpack[RunOptions],
) -> DedupReport:
    r"""Removes duplicates from files; see `dedup` for what a duplicate is.

    The corpus is streamed and never held: everything is read, candidates are read again, and kept records
    are copied. What the run knows of its documents goes to disk when it is more than `memory` allows: about
    260 bytes a distinct text, and the shingles of candidates. Kept records pass through unchanged, JSONL
    lines byte for byte. A record that cannot be read goes to quarantine with its place and the reason. Files
    appear under their final names when they are complete, and not before.

    After an interrupt, a kill or a full disk the same call goes on behind what was done. The output is the
    same with any number of threads, any memory and any number of interruptions. The GIL is released, and
    Ctrl-C stops the run.

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
        against: Reference files: a document that duplicates one of theirs is removed and names it; they are
            only read.

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
        DedupReport(documents=2, kept=1, exact=1, near=0, quarantined=0)
        >>> (folder / "out.jsonl").read_text()
        '{"text": "a rose"}\n'
    """
    own = {
        "inputs": inputs,
        "output": output,
        "text": text,
        "id": id,
        "threshold": threshold,
        "keep": keep,
        "num_hashes": num_hashes,
        "ngram": ngram,
        "unit": unit,
        "seed": seed,
        "recall": recall,
        "exact_only": exact_only,
        "glob": glob,
        "against": against,
    }
    given = checked(parameters("dedup"), {name: own[name] for name in parameters("dedup")})
    if not given["exact_only"]:
        threshold, num_hashes, recall = given["threshold"], given["num_hashes"], given["recall"]
        _, _, holds = _core.dedup.choose_banding(threshold, num_hashes, recall)
        warn_of_recall(recall, holds, threshold, num_hashes)
    return run(_core.runs.dedup, own, options, DedupReport)
