"""datatrove: its four MinHash stages on a JSONL file with the local executor, as one command.

Run as a module it is that command: `python -m benches.engines.datatrove FILE.jsonl OUT WORKERS`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job
from benches.engines._command import run_command

_BUCKETS, _ROWS = 14, 8


def _stages(path: Path, output: Path, workers: int) -> None:
    """Signatures, buckets, clusters, filter: one after another, each with as many workers as it can use."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(
        hash_config=HashConfig(precision=64), num_buckets=_BUCKETS, hashes_per_bucket=_ROWS, n_grams=5
    )
    reader = JsonlReader(str(path.parent), glob_pattern=path.name)
    signatures, buckets, removed = (str(output / name) for name in ("signatures", "buckets", "removed"))
    stages: list[tuple[list[Any], int]] = [
        ([reader, MinhashDedupSignature(signatures, config=config, language="en")], 1),
        ([MinhashDedupBuckets(signatures, buckets, config=config)], _BUCKETS),
        ([MinhashDedupCluster(buckets, removed, config=config)], 1),
        ([reader, MinhashDedupFilter(removed), JsonlWriter(str(output / "kept"))], 1),
    ]
    for number, (pipeline, tasks) in enumerate(stages):
        logs = str(output / "logs" / str(number))
        LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks, workers=min(tasks, workers), logging_dir=logs
        ).run()


def _run(path: Path, job: Job) -> Any:
    output = job.scratch / "datatrove"
    argv = [sys.executable, "-m", "benches.engines.datatrove", str(path), str(output), str(job.threads)]
    return output, run_command(argv, log=job.scratch / "datatrove.log")


def _answer(result: Any, n_docs: int) -> Answer:
    output, peak = result
    keep = np.zeros(n_docs, dtype=np.bool_)
    for part in sorted((Path(output) / "kept").glob("*.jsonl.gz")):
        with gzip.open(part, "rt", encoding="utf-8") as lines:
            keep[[int(json.loads(line)["id"]) for line in lines]] = True
    return Answer("keep", keep, peak)


ENGINES = [
    Engine(
        name="datatrove",
        distribution="datatrove",
        scope="whole",
        takes="jsonl",
        words="runs",
        settings="four stages, local executor, 64-bit, 14 x 8 (its default), word 5-grams; start-up included",
        run=_run,
        answer=_answer,
        corpora=("rfcs",),
        limit_mb=20,
    )
]

if __name__ == "__main__":
    _stages(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
