"""datasketch: the reference MinHash and LSH in Python and numpy; one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job
from benches.engines._shingles import word_shingles


def _run(texts: list[str], job: Job) -> Any:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(params=(16, 8), num_perm=128)
    kept: dict[int, Any] = {}
    keep = np.ones(len(texts), dtype=np.bool_)
    tokens = ([shingle.encode() for shingle in word_shingles(text)] for text in texts)
    for doc_idx, sketch in enumerate(MinHash.generator(tokens, num_perm=128)):
        if any(sketch.jaccard(kept[other]) >= job.threshold for other in index.query(sketch)):
            keep[doc_idx] = False
        else:
            index.insert(doc_idx, sketch, check_duplication=False)
            kept[doc_idx] = sketch
    return keep


ENGINES = [
    Engine(
        name="datasketch",
        distribution="datasketch",
        scope="search",
        takes="list",
        words="split",
        settings="all 5-grams from Python, MinHash.generator, 128 hashes, 16 x 8, checked by estimate",
        run=_run,
        answer=lambda keep, _n_docs: Answer("keep", keep),
        limit_mb=20,
    )
]
