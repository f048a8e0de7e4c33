"""Novelty by ROUGE-L: whether a text is unlike all texts of a growing pool.

This is the filter of Self-Instruct (Wang et al. 2022): a new instruction enters the pool unless its F of
ROUGE-L with one that is there is greater than 0.7. Decisions are those of the package rouge-score 0.1.2, to
the last bit; with a pool of 25,000 they take tens of microseconds, where computing every F takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from thresher import _core, _params
from thresher._arrow import column, wrap
from thresher.errors import ColumnError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Decisions", "Novelty", "Similar", "Tokens", "rouge_l"]

Tokens: TypeAlias = Literal["rouge", "word"]
"""What texts are cut into."""

_TOKENS = ("rouge", "word")


class Similar(NamedTuple):
    """A text of the pool that another one is like."""

    member: int
    """Its number in the pool, in the order in which texts were added, from 0."""
    f: float
    """The F of ROUGE-L of the two, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What became of texts that were offered to a pool, one entry each.

    Attributes:
        novel: bool: whether the text is new, and in the pool now. Null for a missing text.
        member: int64: the most similar text of the pool, the earliest of several. Null unless refused.
        f: double: the F of ROUGE-L with it. Null unless refused.
    """

    novel: pa.BooleanArray
    member: pa.Int64Array
    f: pa.DoubleArray

    def __len__(self) -> int:
        return len(self.novel)

    def __repr__(self) -> str:
        refused = len(self) - self.member.null_count
        return f"Decisions(texts={len(self)}, novel={self.novel.true_count}, refused={refused})"


class Novelty:
    """A growing pool of texts, which says of a text whether it is new.

    A text is new unless its F of ROUGE-L with a text of the pool is greater than `threshold`. F is computed
    in doubles by the expression of rouge-score 0.1.2, and compared as these doubles are: of the shapes of
    texts whose F is exactly 0.7 in real numbers about half are above. A text without a token has an F of 0
    with all, so it is new.

    Only texts that share enough tokens, by their lengths, are compared. Two texts of m and n tokens that do
    take up to `m * n / 64` steps. A pool holds some 330 bytes a text of 18 words. The same texts in the same
    order give the same answers. A pool may be used from several threads; their calls come one after the
    other.

    Args:
        threshold: The F above which a text is not new, 0 to 1.
        tokens: `rouge`: as rouge-score cuts without its stemmer, which lower-cases a text and drops every
            character other than `a` to `z` and `0` to `9`, so of most languages but English little is left.
            `word`: words of all languages, as in `thresher.dedup`.

    Raises:
        ParameterError: A parameter is outside its range.

    Example:
        >>> from thresher.generate.novelty import Novelty
        >>> pool = Novelty()
        >>> pool.add("Write a short poem about the sea.")
        >>> pool.check("Write a short poem about the old sea.")
        Similar(member=0, f=0.9333333333333333)
        >>> pool.check("Name three rivers of Europe.") is None
        True
    """

    def __init__(self, threshold: float = 0.7, tokens: Tokens = "rouge") -> None:
        share = _params.share("threshold", threshold)
        self._pool = _core.filter.Novelty(share, _params.choice("tokens", tokens, _TOKENS))

    def __len__(self) -> int:
        return len(self._pool)

    def add(self, text: str) -> None:
        """Adds a text, whatever it is like: a seed, or one that `check` called new.

        Raises:
            ColumnError: `text` is no text, or has a surrogate without its partner.
        """
        self._pool.add([_text("text", text)])

    def check(self, text: str) -> Similar | None:
        """The text of the pool that `text` is too much like: the most similar one, the earliest of several.

        Nothing is added.

        Returns:
            None if `text` is new.

        Raises:
            ColumnError: `text` is no text, or has a surrogate without its partner.
        """
        found = self._pool.check([_text("text", text)])
        return None if found is None else Similar(*found)

    def offer(self, texts: Any, *, text: str | int | None = None) -> Decisions:  # noqa: ANN401 - Texts, or the table of any library
        """Checks texts in order, and adds each that is new before the next one is checked.

        The same as `check` and `add` one by one. It runs on one thread, since each answer depends on those
        before. The GIL is released, and Ctrl-C stops it; what was added up to then stays in the pool.

        Args:
            texts: A list of str (None: missing), or an Arrow column of strings of any library. With `text`: a
                table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
            text: The column of `texts` to look at, if that is a table.

        Raises:
            ColumnError: `texts` is not text; the message names the row.

        Example:
            >>> from thresher.generate.novelty import Novelty
            >>> pool = Novelty()
            >>> decisions = pool.offer(["Name a river.", "Name a big river.", "Sort these words.", None])
            >>> decisions
            Decisions(texts=4, novel=2, refused=1)
            >>> decisions.novel.to_pylist(), decisions.member.to_pylist()
            ([True, False, True, None], [None, 0, None, None])
        """
        novel, member, f = (wrap(array) for array in self._pool.offer(column(texts, text)))
        return Decisions(novel, member, f)

    def nearest(self, text: str, count: int = 10) -> list[Similar]:
        """The texts of the pool that `text` is most like, whatever the threshold.

        Self-Instruct keeps the ten most similar ones of each new instruction. All texts of the pool that
        share a token are looked at.

        Args:
            text: The text.
            count: How many; a smaller pool has all of its texts in the answer.

        Returns:
            The most similar one first; of equally similar ones the earliest.

        Raises:
            ParameterError: `count` is not positive.
            ColumnError: `text` is no text, or has a surrogate without its partner.
        """
        found = self._pool.nearest([_text("text", text)], _params.whole("count", count, 1))
        return [Similar(*one) for one in found]


def rouge_l(a: str, b: str, tokens: Tokens = "rouge") -> float:
    """The F of ROUGE-L of two texts (Lin 2004), with the doubles of rouge-score 0.1.2; 0 if one has no token.

    It does not depend on which text comes first.

    Args:
        a: A text.
        b: Another one.
        tokens: `rouge` or `word`; see `Novelty`.

    Raises:
        ParameterError: There are no such tokens.
        ColumnError: One is no text, or has a surrogate without its partner.

    Example:
        >>> from thresher.generate.novelty import rouge_l
        >>> rouge_l("Write a poem.", "Write a short poem!")
        0.8571428571428571
        >>> rouge_l("Напиши стихи", "Напиши короткие стихи"), rouge_l("Напиши стихи", "Напиши стихи", "word")
        (0.0, 1.0)
    """
    return _core.filter.rouge_l([_text("a", a), _text("b", b)], _params.choice("tokens", tokens, _TOKENS))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        message = f"{name} is of type `{type(value).__name__}`, but it is a str"
        raise ColumnError(message)
    return value
