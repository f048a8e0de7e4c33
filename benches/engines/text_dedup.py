"""text-dedup: the whole command on a JSONL file, in a virtual environment of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job
from benches.engines._command import run_command


def _run(path: Path, job: Job) -> Any:
    if job.tools is None:
        message = "text-dedup has a virtual environment of its own; pass it as `--tools DIR`"
        raise FileNotFoundError(message)
    output = job.scratch / "text_dedup"
    options = {
        "path": "json",
        "data_files": str(path),
        "split": "train",
        "cache_dir": str(job.scratch / "cache"),
        "output": str(output),
        "column": "text",
        "ngram": "5",
        "num_perm": "128",
        "b": "16",
        "r": "8",
        "threshold": str(job.threshold),
        "hash_func": "xxh3",
        "num_proc": str(job.threads),
    }
    argv = [str(job.tools / "bin" / "python"), "-m", "text_dedup.minhash"]
    argv += [part for key, value in options.items() for part in (f"--{key}", value)]
    return output, run_command(argv, log=job.scratch / "text_dedup.log", env={"HF_HUB_OFFLINE": "1"})


def _answer(result: Any, n_docs: int) -> Answer:
    import pyarrow as pa

    output, peak = result
    keep = np.zeros(n_docs, dtype=np.bool_)
    for part in sorted(Path(output).glob("data-*.arrow")):
        with pa.memory_map(str(part)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                keep[[int(row) for row in batch.column("id").to_pylist()]] = True
    return Answer("keep", keep, peak)


ENGINES = [
    Engine(
        name="text-dedup",
        distribution="text-dedup",
        scope="whole",
        takes="jsonl",
        words="runs",
        settings="python -m text_dedup.minhash, xxh3, 128 hashes, 16 x 8, word 5-grams; start-up included",
        run=_run,
        answer=_answer,
        corpora=("rfcs",),
        limit_mb=20,
    )
]
