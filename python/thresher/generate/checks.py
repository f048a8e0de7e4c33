"""The project's own checks on every row that a recipe accepts: near-duplicates, and what is no sound chat.

A check is a function from a row to reasons, given the rows that were kept before it; so others join by being
one more in the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thresher import _core
from thresher._dedup import dedup, minhash
from thresher._dedup.recall import DEFAULT_RECALL
from thresher.chat import validate
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thresher.generate.recipe import Row

NUM_HASHES = 128
_MOST_COMPARED = 64
"""Rows of one bucket that a row is compared with, the latest ones."""


class NearDuplicates:
    """Refuses rows that are near-duplicates of rows that were kept, as `th.dedup` tells them.

    Candidates come from the bands of signatures; what decides is the exact Jaccard similarity.

    Args:
        threshold: Jaccard similarity from which on a row is refused.
    """

    name = "near_duplicate"

    def __init__(self, threshold: float = 0.8) -> None:
        if not 0 < threshold <= 1:
            message = (
                f"near_duplicates is `{threshold:g}`, but it is a similarity in (0, 1], or None for no check"
            )
            raise ParameterError(message)
        self.threshold = threshold
        _, self._rows, _ = _core.dedup.choose_banding(threshold, NUM_HASHES, DEFAULT_RECALL)
        self._texts: list[str] = []
        self._buckets: dict[tuple[int, bytes], list[int]] = {}
        self._last: tuple[str, list[tuple[int, bytes]]] = ("", [])

    def reasons(self, row: Row, text: str) -> tuple[Sequence[str], str]:
        """Whether a row is a near-duplicate, and of what."""
        near: set[int] = set()
        for key in self._keys(text):
            near.update(self._buckets.get(key, ())[-_MOST_COMPARED:])
        for place in sorted(near):
            similarity = dedup([self._texts[place], text], threshold=self.threshold).similarity[1].as_py()
            if similarity is not None:
                return [self.name], f"Jaccard similarity {similarity:.3f} with: {self._texts[place][:200]}"
        return [], ""

    def keep(self, row: Row, text: str) -> None:
        """Notes a row that was kept."""
        for key in self._keys(text):
            self._buckets.setdefault(key, []).append(len(self._texts))
        self._texts.append(text)

    def _keys(self, text: str) -> list[tuple[int, bytes]]:
        if self._last[0] == text and self._last[1]:
            return self._last[1]
        lanes = np.asarray(minhash([text], num_hashes=NUM_HASHES).flatten())
        rows = self._rows
        keys = [
            (band, lanes[band * rows : (band + 1) * rows].tobytes()) for band in range(NUM_HASHES // rows)
        ]
        self._last = (text, keys)
        return keys


class Format:
    """Refuses rows that are no sound chat, as `th.chat.validate` tells them.

    Args:
        conversation: Makes a chat of OpenAI's format of a row.
    """

    name = "format"

    def __init__(self, conversation: Callable[[Row], Row]) -> None:
        self._conversation = conversation

    def reasons(self, row: Row, text: str) -> tuple[Sequence[str], str]:
        """What is wrong with a row: `format_` and the code of each problem."""
        found = validate([self._conversation(row)], format="openai", threads=1).problems
        errors = [problem for problem in found if problem.severity == "error"]
        if not errors:
            return [], ""
        return list(dict.fromkeys(f"format_{problem.code}" for problem in errors)), str(errors[0])

    def keep(self, row: Row, text: str) -> None:
        """Rows do not depend on each other here."""
