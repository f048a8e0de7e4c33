"""FastSketchLSH: fast similarity sketching and LSH over ready-made tokens, in C++.

Its one-shot path flags every member of a group, so the first copy too. To get documents to keep, the flagged
ones are queried for candidates (compressed sparse rows), and the first of a group whose sketches agree is
kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job
from benches.engines._shingles import batches, keep_first


def _run(texts: list[str], job: Job) -> Any:
    from FastSketchLSH import LSH, FastSimilaritySketch

    sketcher = FastSimilaritySketch(size=128, seed=42)
    sketches = np.concatenate([sketcher.batch(batch, num_threads=job.threads) for batch in batches(texts)])
    index = LSH(num_perm=128, num_bands=16, num_threads=job.threads)
    rows = np.flatnonzero(index.insert_and_query_duplicates(sketches))
    if len(rows) == 0:
        return np.ones(len(texts), dtype=np.bool_)
    flat, offsets = index.query(sketches[rows], format="csr")
    return keep_first(rows, flat, offsets.astype(np.int64), sketches, job.threshold)


ENGINES = [
    Engine(
        name="fastsketchlsh",
        distribution="FastSketchLSH",
        scope="search",
        takes="list",
        words="split",
        settings="all 5-grams from Python, 128 hashes, 16 bands, candidates checked by estimated Jaccard",
        run=_run,
        answer=lambda keep, _n_docs: Answer("keep", keep),
    )
]
