"""thresher: in memory from a list or an Arrow array, signatures alone, and the command on files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job, no_answer
from benches.engines._command import run_command


def _run_memory(texts: Any, job: Job) -> Any:
    import thresher

    return thresher.dedup(texts, threshold=job.threshold, num_hashes=128, ngram=5, threads=job.threads)


def _answer_memory(result: Any, n_docs: int) -> Answer:
    keep = np.asarray(result.keep.to_numpy(zero_copy_only=False), dtype=np.bool_)
    matched = result.duplicate_of.to_pylist()
    evidence = [(row, matched[row]) for row in range(n_docs) if not keep[row]]
    return Answer("keep", keep, evidence=evidence)


def _run_sketch(texts: Any, job: Job) -> Any:
    import thresher

    return thresher.minhash(texts, num_hashes=128, ngram=5, threads=job.threads)


def _run_file(path: Path, job: Job) -> Any:
    output = job.scratch / f"clean{path.suffix}"
    argv = [
        sys.executable,
        "-m",
        "thresher",
        "dedup",
        str(path),
        "-o",
        str(output),
        "--text",
        "text",
        "--id",
        "id",
    ]
    argv += ["--threshold", str(job.threshold), "--threads", str(job.threads), "--quiet"]
    return output, run_command(argv, log=job.scratch / "thresher.log")


def _answer_file(result: Any, n_docs: int) -> Answer:
    import pyarrow.parquet as pq

    output, peak = result
    removed = pq.read_table(Path(f"{output}.removed.parquet"), columns=["id", "duplicate_of"])
    pairs = zip(removed["id"].to_pylist(), removed["duplicate_of"].to_pylist(), strict=True)
    evidence = [(int(row), int(other)) for row, other in pairs]
    keep = np.ones(n_docs, dtype=np.bool_)
    keep[[row for row, _other in evidence]] = False
    return Answer("keep", keep, peak, evidence)


_MEMORY = "word 5-grams, 128 hashes, own banding, every removal verified by exact Jaccard"
_FILE = "thresher dedup IN -o OUT, word 5-grams, verified, evidence written; command, start-up included"

ENGINES = [
    Engine("thresher", "thresher", "search", "list", "runs", _MEMORY, _run_memory, _answer_memory),
    Engine("thresher-arrow", "thresher", "search", "arrow", "runs", _MEMORY, _run_memory, _answer_memory),
    Engine("thresher-minhash", "thresher", "sketch", "arrow", "runs", "128 hashes", _run_sketch, no_answer),
    Engine(
        "thresher-file",
        "thresher",
        "whole",
        "jsonl",
        "runs",
        _FILE,
        _run_file,
        _answer_file,
        ("rfcs", "psdocs", "short", "languages", "windows", "lookalikes", "big"),
    ),
    Engine(
        "thresher-file-parquet",
        "thresher",
        "whole",
        "parquet",
        "runs",
        _FILE,
        _run_file,
        _answer_file,
        ("big",),
    ),
]
