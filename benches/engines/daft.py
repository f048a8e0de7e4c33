"""Daft: a dataframe engine whose `minhash` expression sketches a column of a JSONL file and stops there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benches.engines import Engine, Job, no_answer


def _run(path: Path, _job: Job) -> Any:
    import daft

    normal = daft.col("text").normalize(remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    sketch = normal.minhash(num_hashes=128, ngram_size=5, seed=42, hash_function="xxhash")
    return daft.read_json(str(path)).select(daft.col("id"), sketch.alias("minhash")).collect()


ENGINES = [
    Engine(
        name="daft",
        distribution="daft",
        scope="sketch",
        takes="jsonl",
        words="runs",
        settings="read JSONL, normalise, minhash (128 hashes, word 5-grams, xxhash); no search",
        run=_run,
        answer=no_answer,
        corpora=("rfcs", "psdocs", "short", "languages", "big"),
    )
]
