"""gaoya: MinHash index over raw text with its own tokeniser, in Rust with Python bindings.

The only rival library that takes texts. Its query returns the documents whose estimated Jaccard is at least
the threshold, itself included; the first kept one wins.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job


def _run(texts: list[str], job: Job) -> Any:
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(32, job.threshold, 16, 8, None, "word", True, (5, 5), "smallvec")
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    keep = np.ones(len(texts), dtype=np.bool_)
    for doc_idx, found in enumerate(index.par_bulk_query(texts)):
        if len(found) > 1 and any(other < doc_idx and keep[other] for other in found):
            keep[doc_idx] = False
    return keep


ENGINES = [
    Engine(
        name="gaoya",
        distribution="gaoya",
        scope="search",
        takes="list",
        words="runs",
        settings="raw text, word 5-grams, lower-case, 32-bit hashes, 16 x 8, bulk insert and query",
        run=_run,
        answer=lambda keep, _n_docs: Answer("keep", keep),
    )
]
