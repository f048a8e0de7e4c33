"""polars reading and writing a file without looking for anything: the floor under any file run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benches.engines import Engine, Job, no_answer


def _run_jsonl(path: Path, job: Job) -> Any:
    import polars

    polars.scan_ndjson(path).sink_ndjson(job.scratch / "copy.jsonl")


def _run_parquet(path: Path, job: Job) -> Any:
    import polars

    polars.scan_parquet(path).sink_parquet(job.scratch / "copy.parquet", compression="zstd")


ENGINES = [
    Engine(
        name="polars-copy",
        distribution="polars",
        scope="copy",
        takes="jsonl",
        words="runs",
        settings="scan_ndjson -> sink_ndjson",
        run=_run_jsonl,
        answer=no_answer,
        corpora=("big",),
    ),
    Engine(
        name="polars-copy-parquet",
        distribution="polars",
        scope="copy",
        takes="parquet",
        words="runs",
        settings="scan_parquet -> sink_parquet(zstd)",
        run=_run_parquet,
        answer=no_answer,
        corpora=("big",),
    ),
]
