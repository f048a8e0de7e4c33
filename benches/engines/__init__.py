"""One adapter per engine, all behind the same small interface, so that the runner treats every engine alike.

A module lists its `ENGINES`; each is an `Engine`: what it is, its settings, and two functions. `run` is timed
and goes from raw texts (or a file) to whatever the library returns, with tokenisation inside the clock.
`answer` is not timed and turns that into a mask of documents. Rivals are imported inside the functions, so a
missing one costs nothing but its own rows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benches.truth import Bools, Kind, Words

Takes = Literal["list", "arrow", "jsonl", "jsonl-parts", "parquet"]
Scope = Literal["sketch", "search", "whole", "copy"]

MODULES = (
    "thresher",
    "rensa",
    "fastsketchlsh",
    "gaoya",
    "datasketch",
    "daft",
    "text_dedup",
    "datatrove",
    "duplodocus",
    "polars_copy",
)


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is asked to do.

    Attributes:
        threads: Threads it may use; the process is pinned to as many CPUs.
        threshold: Jaccard at which two documents are near-duplicates.
        scratch: An empty folder it may write to.
        tools: Folder of a second virtual environment for rivals that cannot share one.
        duplodocus: Path of its binary.
    """

    threads: int
    threshold: float
    scratch: Path
    tools: Path | None = None
    duplodocus: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said about each document.

    Attributes:
        kind: `keep`: which documents to keep. `flags`: which documents have a near-duplicate. `none`:
        nothing. mask: One boolean per document, or None. children_peak_kib: Peak resident memory of the
        processes it started, 0 if it started none. evidence: (removed row, kept row) for engines that name
        the document they matched, else None.
    """

    kind: Kind
    mask: Bools | None = None
    children_peak_kib: int = 0
    evidence: list[tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to run one library.

    Attributes:
        name: Unique name, shown in tables. distribution: Package name, for its version. scope: `sketch`
        (signatures only), `search` (texts in, answer out), `whole` (file in, file out) or `copy`. takes: What
        `run` gets: a list of str, a pyarrow string array, the path of a JSONL or Parquet file, or that of a
        folder with the JSONL in several files. words: The definition of a word it uses, so that it is judged
        by its own. settings: One line for the record. run: The timed part. answer: The untimed part; gets the
        result of `run` and the number of documents.
        corpora: The corpora it is run on. limit_mb: Size of the sample used instead, for engines too slow for
        all of a corpus. version: Gives the version where there is no package to ask.
    """

    name: str
    distribution: str
    scope: Scope
    takes: Takes
    words: Words
    settings: str
    run: Callable[[Any, Job], Any]
    answer: Callable[[Any, int], Answer]
    corpora: tuple[str, ...] = ("rfcs", "psdocs", "short", "languages")
    limit_mb: int | None = None
    version: Callable[[Job], str] | None = None


def all_engines() -> dict[str, Engine]:
    """Returns every engine by name, in the order of `MODULES`."""
    found: dict[str, Engine] = {}
    for module in MODULES:
        for engine in importlib.import_module(f"benches.engines.{module}").ENGINES:
            found[engine.name] = engine
    return found


def no_answer(_result: Any, _n_docs: int) -> Answer:
    """The answer of engines that only sketch or copy."""
    return Answer("none")
