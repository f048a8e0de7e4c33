"""The project's own checks on every row that a recipe accepts: near-duplicates, copied seeds, rows held out.

A check is a function from a row to reasons, given the rows that were kept before it; so others join by being
one more in the list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from thresher import _core
from thresher._dedup import dedup, minhash
from thresher._dedup.recall import DEFAULT_RECALL
from thresher.chat import validate
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from thresher.generate.recipe import Row
    from thresher.generate.request import Request

NUM_HASHES = 128
OVERLAP_WORDS = 13
"""Words in a row that make an overlap verbatim: the n-gram of GPT-3's decontamination (Brown et al. 2020)."""
_BEGINNING = 8
"""Words by which whole texts are looked up."""
_SHOWN = 200
_MOST_COMPARED = 64
"""Rows of one bucket that a row is compared with, the latest ones."""
_WORD = re.compile(r"[぀-ヿ㐀-鿿฀-๿຀-໿ក-៿က-႟]|[^\W_]+")


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


def words(text: str) -> list[str]:
    """Words for overlaps: runs of letters and digits in lower case; characters, in scripts without blanks."""
    return _WORD.findall(text.lower())


def _grams(found: Sequence[str], count: int) -> Iterable[tuple[str, ...]]:
    return zip(*(found[start:] for start in range(count)), strict=False)


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


class Overlap:
    """Refuses rows that repeat a run of words of texts: of seeds, or of rows held out.

    Args:
        name: What the texts are, as a reason: `seed_overlap`, `holdout_overlap`.
        texts: The texts.
        count: Words in a run.
    """

    def __init__(self, name: str, texts: Iterable[str], count: int = OVERLAP_WORDS) -> None:
        self.name, self.count = name, count
        whole = [found for text in texts if (found := tuple(words(text)))]
        self._grams = {gram for found in whole for gram in _grams(found, count)}
        # Whole texts by how they begin.
        self._whole: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for found in whole:
            self._whole.setdefault(found[:_BEGINNING], []).append(found)

    def reasons(self, row: Row, text: str) -> tuple[Sequence[str], str]:
        """Whether a row repeats a run of words, and which."""
        found = self.find(text)
        return ([self.name], f"repeats: {found}") if found else ([], "")

    def find(self, text: str) -> str | None:
        """The first run of words that a text repeats."""
        if self._grams:
            gram = next((gram for gram in _grams(words(text), self.count) if gram in self._grams), None)
            if gram is not None:
                return " ".join(gram)
        return None

    def refuse(self, request: Request) -> str | None:
        """Why a request may not be sent: it contains a row held out."""
        texts = [request.prompt] if request.prompt is not None else [one.content for one in request.messages]
        found = next((found for text in texts if (found := self._held_in(words(text)))), None)
        return None if found is None else f"the prompt contains a row held out: {found[:_SHOWN]}"

    def _held_in(self, found: Sequence[str]) -> str | None:
        """A whole text that is in a sequence of words."""
        for length in {len(start) for start in self._whole}:
            for at in range(len(found) - length + 1):
                for text in self._whole.get(tuple(found[at : at + length]), ()):
                    if tuple(found[at : at + len(text)]) == text:
                        return " ".join(text)
        return None

    def keep(self, row: Row, text: str) -> None:
        """Rows that were kept change nothing."""


def split(texts: Sequence[str], share: float, seed: int = 0) -> list[bool]:
    """Which texts are held out: whole clusters of near-duplicates, by a random order, until there are enough.

    Args:
        texts: The texts.
        share: Share of them to be held out, from 0 to 1.
        seed: Of the order.
    """
    from thresher.generate.recipe import shuffled

    clusters: dict[int, list[int]] = {}
    representative = list(range(len(texts)))
    for place, other in enumerate(dedup(list(texts)).duplicate_of.to_pylist()):
        if other is not None:
            representative[place] = other
    for place, root in enumerate(representative):
        clusters.setdefault(root, []).append(place)
    order = sorted(clusters)
    shuffled(seed, "holdout").shuffle(order)
    wanted, held = round(share * len(texts)), [False] * len(texts)
    for root in order:
        if sum(held) >= wanted:
            break
        for place in clusters[root]:
            held[place] = True
    return held
