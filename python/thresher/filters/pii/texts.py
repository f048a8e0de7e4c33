"""Personal data and secrets in texts in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thresher import _core, _params
from thresher._arrow import column, wrap
from thresher.errors import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

Type: TypeAlias = Literal[
    "email",
    "phone",
    "ip",
    "card",
    "iban",
    "ssn",
    "wallet",
    "secret",
    "credentials",
    "mac",
    "birthdate",
]
"""What personal data and secrets can be."""

Action: TypeAlias = Literal["redact", "pseudonym", "drop"]
"""What becomes of a text with personal data."""

_ACTIONS = ("redact", "pseudonym", "drop")


@dataclass(frozen=True, slots=True)
class PiiResult:
    """The result of `redact_pii`: the texts, which of them stay, and what was found.

    Attributes:
        texts: `large_string`: the texts with what takes the place of personal data, null for a missing one.
            With `action="drop"` all texts as they came, those that go included.
        keep: `bool`, no nulls: whether the text stays. All stay unless `action="drop"`.
        counts: How often each type was found; types that were not found are left out.
    """

    texts: pa.LargeStringArray
    keep: pa.BooleanArray
    counts: Mapping[str, int]

    def __repr__(self) -> str:
        """The counts: no text stands in a log by chance."""
        return f"PiiResult(texts={len(self.texts)}, counts={dict(self.counts)})"


def find_pii(
    texts: Any,  # noqa: ANN401 - any library's table
    *,
    text: str | int | None = None,
    types: Type | Sequence[Type] = (),
    reserved: bool = False,
    threads: int | None = None,
) -> pa.ListArray[Any]:
    """Finds personal data and secrets in texts.

    Check digits, plans of numbering and registries decide as far as they reach, and the word in front of a
    number where they do not. Time is linear in the bytes of text, whatever the text. The result does not
    depend on the threads. The GIL is released, and Ctrl-C stops it.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library, read in place.
            With `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        text: The column of `texts` to look at, if that is a table.
        types: Types to look for: `email`, `phone`, `ip`, `card`, `iban`, `ssn`, `wallet`, `secret`,
            `credentials`, `mac`, `birthdate`. Default: all.
        reserved: Look for what is reserved for documentation too, as addresses at example.com.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        `list<struct<start: int64, end: int64, type: dictionary<int8, string>>>`, one row a text, null for a
        missing one. Start and end count bytes of the UTF-8 of the text; spans are in order and lie apart.

    Raises:
        ParameterError: There is no such type.
        ColumnError: `texts` is not text.

    Example:
        >>> import thresher as th
        >>> th.filters.find_pii(["Call (415) 555-2671.", "nothing", None]).to_pylist()
        [[{'start': 5, 'end': 19, 'type': 'phone'}], [], None]
    """
    return wrap(
        _core.filter.find_pii(
            column(texts, text),
            types=_types(types),
            reserved=_params.flag("reserved", reserved),
            threads=_params.optional_whole("threads", threads),
        )
    )


def redact_pii(
    texts: Any,  # noqa: ANN401
    *,
    text: str | int | None = None,
    types: Type | Sequence[Type] = (),
    action: Action = "redact",
    tag: str = "<{type}>",
    key: str | bytes | None = None,
    reserved: bool = False,
    threads: int | None = None,
) -> PiiResult:
    """Writes tags or pseudonyms in the place of personal data and secrets, or says which texts have none.

    The same value has the same pseudonym under the same key, in whatever form it is written, so people can
    still be told apart. Who does not know the key cannot find the value. Pseudonyms are made-up values that
    belong to nobody, such as a name at example.com; none of them is found again.

    Args:
        texts: As for `find_pii`.
        text: The column of `texts` to look at, if that is a table.
        types: Types to look for, as for `find_pii`. Default: all.
        action: `redact` writes `tag`, `pseudonym` a pseudonym, and `drop` only says which texts go.
        tag: What `redact` writes; `{type}` is the type in capitals.
        key: The key of pseudonyms, of 16 bytes or more. Keep it secret; it is stored nowhere.
        reserved: Look for what is reserved for documentation too, as addresses at example.com.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        The texts, which of them stay, and what was found.

    Raises:
        ParameterError: There is no such type or action, or a key is missing, too short, or not needed.
        ColumnError: `texts` is not text.

    Example:
        >>> import thresher as th
        >>> result = th.filters.redact_pii(["Mail ada@lovelace.org", "from 81.2.69.142"])
        >>> result.texts.to_pylist()
        ['Mail <EMAIL>', 'from <IP>']
        >>> result
        PiiResult(texts=2, counts={'email': 1, 'ip': 1})
    """
    written, keep, counts = _core.filter.redact_pii(
        column(texts, text),
        types=_types(types),
        action=_params.choice("action", action, _ACTIONS),
        tag=_params.word("tag", tag, "a text"),
        key=_secret(key),
        reserved=_params.flag("reserved", reserved),
        threads=_params.optional_whole("threads", threads),
    )
    return PiiResult(wrap(written), wrap(keep), dict(counts))


def _secret(key: object) -> bytes | None:
    if key is None or isinstance(key, bytes):
        return key
    if not isinstance(key, str):
        message = f"key is of type `{type(key).__name__}`, but it is a str or bytes"
        raise ParameterError(message)
    return key.encode()


def _types(types: str | Sequence[str]) -> list[str]:
    several = (
        [types] if isinstance(types, str) else _params.several("types", types, "a type, or a list of them")
    )
    return [_params.choice("types", one, _core.filter.pii_types()) for one in several]
