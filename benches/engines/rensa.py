"""rensa: signatures and LSH over ready-made tokens, in Rust with Python bindings.

Two ways are run. `rensa` is the documented way to keep unique documents: full-set R-MinHash in batches, then
its deduplicator, which checks candidates by estimated Jaccard and keeps the first. `rensa-rho` is the
pipeline of its headline: it samples token positions, so an inserted word shifts what is sampled; it answers
with flags only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job
from benches.engines._shingles import batches, word_shingles

_PERMUTATIONS, _BANDS, _SEED = 128, 16, 42


def _run_full(texts: list[str], job: Job) -> Any:
    from rensa import RMinHash, RMinHashDeduplicator

    index = RMinHashDeduplicator(job.threshold, _PERMUTATIONS, True, _BANDS, _SEED)
    keep: list[bool] = []
    for batch in batches(texts):
        sketches = RMinHash.from_token_sets(batch, _PERMUTATIONS, _SEED)
        keep += index.add_pairs((str(len(keep) + place), sketch) for place, sketch in enumerate(sketches))
    return keep


def _run_rho(texts: list[str], job: Job) -> Any:
    from rensa import RMinHash, RMinHashLSH

    # One matrix for all documents: the library has no way to join two, and its one-shot query wants one.
    tokens = [word_shingles(text) for text in texts]
    matrix = RMinHash.digest_matrix_from_token_sets_rho(tokens, _PERMUTATIONS, _SEED)
    return RMinHashLSH(job.threshold, _PERMUTATIONS, _BANDS).query_duplicate_flags_matrix_one_shot(matrix)


ENGINES = [
    Engine(
        name="rensa",
        distribution="rensa",
        scope="search",
        takes="list",
        words="split",
        settings="R-MinHash, all 5-grams from Python, 128 hashes, 16 bands, RMinHashDeduplicator",
        run=_run_full,
        answer=lambda keep, _n_docs: Answer("keep", np.asarray(keep, dtype=np.bool_)),
    ),
    Engine(
        name="rensa-rho",
        distribution="rensa",
        scope="search",
        takes="list",
        words="split",
        settings="rho sketch (samples positions), 5-grams from Python, 128 slots, 16 bands, one-shot flags",
        run=_run_rho,
        answer=lambda flags, _n_docs: Answer("flags", np.asarray(flags, dtype=np.bool_)),
    ),
]
