"""What rows may not repeat: runs of words of seeds and of texts held out; and which texts are held out.

A row repeats a text if it has 13 words in a row of it, or, of one held out, all of its five to twelve words.
No prompt may have the whole of a text held out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from thresher._dedup import dedup
from thresher.errors import DataError
from thresher.generate.sources import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thresher.generate.recipe import Row
    from thresher.generate.request import Request
    from thresher.generate.sources import Rows

OVERLAP_WORDS = 13
"""Words in a row that make an overlap verbatim: the n-gram of GPT-3's decontamination (Brown et al. 2020)."""
SHORTEST_WHOLE = 5
"""Words of the shortest text held out that no row may repeat as a whole; anybody says shorter ones."""
_BEGINNING = 8
"""Words by which whole texts are looked up."""
_SHOWN = 200
_WORD = re.compile(r"[぀-ヿ㐀-鿿฀-๿຀-໿ក-៿က-႟]|[^\W_]+")


def words(text: str) -> list[str]:
    """Words for overlaps: runs of letters and digits in lower case; characters, in scripts without blanks."""
    return _WORD.findall(text.lower())


def _grams(found: Sequence[str], count: int) -> Iterable[tuple[str, ...]]:
    return zip(*(found[start:] for start in range(count)), strict=False)


class Overlap:
    """Refuses rows that repeat a run of words of texts: of seeds, or of rows held out.

    Args:
        name: What the texts are, as a reason: `seed_overlap`, `holdout_overlap`.
        texts: The texts.
        count: Words in a run.
        shortest_whole: Words from which on a text that is shorter than a run is looked for as a whole;
            None for longer texts alone.
    """

    def __init__(
        self,
        name: str,
        texts: Iterable[str],
        count: int = OVERLAP_WORDS,
        *,
        shortest_whole: int | None = None,
    ) -> None:
        self.name, self.count = name, count
        self._shortest = count if shortest_whole is None else shortest_whole
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
        own = words(text)
        if self._grams:
            gram = next((gram for gram in _grams(own, self.count) if gram in self._grams), None)
            if gram is not None:
                return " ".join(gram)
        return self._held_in(own, self._shortest) if self._shortest < self.count else None

    def refuse(self, request: Request) -> str | None:
        """Why a request may not be sent: it contains a row held out."""
        texts = [request.prompt] if request.prompt is not None else [one.content for one in request.messages]
        found = next((found for text in texts if (found := self._held_in(words(text)))), None)
        return None if found is None else f"the prompt contains a row held out: {found[:_SHOWN]}"

    def _held_in(self, found: Sequence[str], least: int = 1) -> str | None:
        """A whole text, of so many words at least, that is in a sequence of words."""
        for length in sorted({len(start) for start in self._whole if len(start) >= min(least, _BEGINNING)}):
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


_MAIN = ("instruction", "question", "prompt", "text")
"""Fields that are what a row asks, in the order in which they are looked for."""


def held_texts(name: str, source: Rows) -> list[str]:
    """The texts of rows held out: what a row asks, however short, and its other texts of five words or more.

    Args:
        name: The parameter, for messages.
        source: A JSONL file, or texts or rows; all texts of a row count, in lists and mappings too.

    Raises:
        ParameterError: There are no rows.
        DataError: A row has no text.
        FileError: The file cannot be read.
    """
    found: list[str] = []
    for place, row in rows_of(name, source):
        main = row if isinstance(row, str) else _main(row)
        texts = [main] if main is not None else []
        texts += [text for text in _texts(row) if text != main and len(words(text)) >= SHORTEST_WHOLE]
        if not texts:
            message = (
                f"{place} has no text: neither {', '.join(_MAIN)} nor another text of {SHORTEST_WHOLE} words"
            )
            raise DataError(message)
        found += texts
    return found


def _main(row: Any) -> str | None:  # noqa: ANN401 - it is what a user wrote
    given = row if isinstance(row, Mapping) else {}
    return next((given[name] for name in _MAIN if isinstance(given.get(name), str)), None)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """All texts in a value, without recursion: a row may be nested as deep as JSON can be."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, Sequence):
            waiting.extend(reversed(one))
