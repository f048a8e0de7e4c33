"""Numbers as people read them: counts, bytes, and the accounting line."""

from __future__ import annotations

from collections.abc import Iterable

_PREFIXES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def count(number: int) -> str:
    """A count with separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{number:,}"


def size(n_bytes: float) -> str:
    """Bytes in decimal units, to two significant digits or better.

    >>> size(999), size(5_210_000), size(999_960)
    ('999 B', '5.2 MB', '1.0 MB')
    """
    exponent = 0
    while round(n_bytes, 0 if exponent == 0 else 1) >= 1000 and exponent + 1 < len(_PREFIXES):
        n_bytes /= 1000
        exponent += 1
    return f"{n_bytes:.0f} B" if exponent == 0 else f"{n_bytes:.1f} {_PREFIXES[exponent]}"


def accounting(documents: int, n_bytes: int, parts: Iterable[tuple[str, int, int]]) -> str:
    """The books in one line; each part is (name, documents, bytes).

    >>> accounting(10, 5_200_000, [("kept", 8, 5_000_000), ("exact", 2, 200_000)])
    'in 10 documents (5.2 MB) = kept 8 (5.0 MB) + exact 2 (200.0 kB)'
    """
    right = " + ".join(f"{name} {count(docs)} ({size(part)})" for name, docs, part in parts)
    return f"in {count(documents)} documents ({size(n_bytes)}) = {right}"
