"""The recall that is asked for, and a warning where the lanes of a signature cannot reach it."""

from __future__ import annotations

import math
import warnings

from thresher.errors import RecallWarning

DEFAULT_RECALL = 0.995
"""Probability that a pair exactly at the threshold is found; more similar pairs are found more surely."""

_MAX_NUM_HASHES = 65_536


def warn_of_recall(asked: float, holds: float, threshold: float, num_hashes: int) -> None:
    """Warns the caller of the public function if less than the recall that was asked for holds."""
    if holds >= asked:
        return
    # With one lane a band, the best there is, a pair is missed if it differs in every lane.
    needed = math.ceil(math.log1p(-asked) / math.log1p(-threshold))
    more = f"num_hashes to {needed:,} or " if needed <= _MAX_NUM_HASHES else ""
    message = (
        f"recall is `{asked}`, but with num_hashes `{num_hashes}` a pair at threshold `{threshold}` is found "
        f"with probability {holds:.4g}; raise {more}the threshold, or ask for less"
    )
    warnings.warn(message, RecallWarning, stacklevel=3)
