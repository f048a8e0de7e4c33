"""What a user of a token-based library writes around it: Python shingles in, first-come-first-kept out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.truth import Bools

# Shingles of this many documents are alive at once. Handing over batches is 1.2 to 1.6 times as fast as all
# lists first, as the strings are freed and reused while warm; small ones leave a second thread little to do.
BATCH = 1_024
_PAIRS_AT_ONCE = 65_536


def word_shingles(text: str) -> list[str]:
    """Returns the word 5-grams of a text: lower-case, cut at white space, join by blanks."""
    words = text.lower().split()
    if len(words) < 5:
        return [" ".join(words)]
    return list(map(" ".join, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)))


def batches(texts: Sequence[str]) -> Iterator[list[list[str]]]:
    """Yields the shingles of `BATCH` documents at a time."""
    for first in range(0, len(texts), BATCH):
        yield [word_shingles(text) for text in texts[first : first + BATCH]]


def keep_first(
    rows: NDArray[Any], flat: NDArray[Any], offsets: NDArray[Any], sketches: NDArray[Any], threshold: float
) -> Bools:
    """Keeps a document unless an earlier kept candidate agrees with it in enough places of the sketch.

    Args:
        rows: The documents that were queried, in rising order.
        flat: Their candidates, one query after another.
        offsets: Where in `flat` each query starts, and its end.
        sketches: The sketches of all documents.
        threshold: Share of equal places at which two documents are near-duplicates.

    Returns:
        The documents to keep.
    """
    later = np.repeat(rows, np.diff(offsets))
    earlier = flat.astype(np.int64)
    ordered = earlier < later
    earlier, later = earlier[ordered], later[ordered]
    alike = np.empty(len(earlier), dtype=np.bool_)
    for at in range(0, len(earlier), _PAIRS_AT_ONCE):
        part = slice(at, at + _PAIRS_AT_ONCE)
        alike[part] = (sketches[earlier[part]] == sketches[later[part]]).mean(axis=1) >= threshold
    keep = [True] * len(sketches)
    # The pairs come by rising later document, so each earlier one is already decided.
    for match, doc_idx in zip(earlier[alike].tolist(), later[alike].tolist(), strict=True):
        if keep[match]:
            keep[doc_idx] = False
    return np.array(keep, dtype=np.bool_)
