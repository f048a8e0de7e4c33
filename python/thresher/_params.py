"""Parameters by type, before anything looks at their values; an error names parameter and value.

The ranges are checked where the values are used. A file run writes its parameters down as JSON, so what
comes back from here is plain `int`, `float`, `bool` and `str`, whatever library the value came from.
"""

from __future__ import annotations

import difflib
import math
import operator
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from thresher.errors import ParameterError

_SHOWN_CHARACTERS = 60
_UNITS = {
    f"{prefix}{i}": (1024 if i else 1000) ** power
    for power, prefix in enumerate("kmgtp", 1)
    for i in ("", "i")
}
_UNITS[""] = 1
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?) *(?P<unit>([kKmMgGtTpP][iI]?)?[bB]?)")
_SIZES = "a number of bytes, or a size such as `4GB`, `512MB` or `1GiB`"


def whole(name: str, value: Any, least: int = -(2**63), most: int = 2**63 - 1) -> int:  # noqa: ANN401 - it is what a user wrote
    """`value` as an `int` in its range."""
    try:
        found = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = None
    if found is None:
        _refuse(name, value, "a whole number")
    if not least <= found <= most:
        _refuse(name, value, f"a whole number from {least:,} to {most:,}")
    return found


def optional_whole(name: str, value: Any) -> int | None:  # noqa: ANN401
    """`value` as an `int`, or None."""
    return None if value is None else whole(name, value)


def number(name: str, value: Any) -> float:  # noqa: ANN401
    """`value` as a finite `float`."""
    try:
        found = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        _refuse(name, value, "a finite number")
    return found


def share(name: str, value: Any) -> float:  # noqa: ANN401
    """`value` as a `float` from 0 to 1."""
    found = number(name, value)
    if not 0 <= found <= 1:
        _refuse(name, value, "a number from 0 to 1")
    return found


def flag(name: str, value: Any) -> bool:  # noqa: ANN401
    """`value` as a `bool`; a number is not taken for one."""
    if not isinstance(value, bool) and type(value).__module__ != "numpy":
        _refuse(name, value, "True or False")
    return bool(value)


def word(name: str, value: Any, allowed: str) -> str:  # noqa: ANN401
    """`value` as a `str`; `allowed` says which ones there are."""
    if not isinstance(value, str):
        _refuse(name, value, allowed)
    return str(value)


def optional_word(name: str, value: Any, allowed: str) -> str | None:  # noqa: ANN401
    """`value` as a `str`, or None."""
    return None if value is None else word(name, value, allowed)


def choice(name: str, value: Any, choices: Iterable[str]) -> str:  # noqa: ANN401
    """`value` as one of `choices`."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        close = difflib.get_close_matches(value, known, 1) if isinstance(value, str) else []
        meant = f"; did you mean `{close[0]}`?" if close else ""
        _refuse(name, value, f"one of {', '.join(f'`{one}`' for one in known)}{meant}")
    return str(value)


def path(name: str, value: Any, what: str = "a path") -> str:  # noqa: ANN401
    """`value` as a path; `what` says what is allowed."""
    try:
        return os.fsdecode(value)
    except TypeError:
        _refuse(name, value, what)


def size(name: str, value: Any) -> int:  # noqa: ANN401
    """`value` as a number of bytes: a whole number, or a text with a unit.

    >>> size("memory", "4GB"), size("memory", "1.5 GiB"), size("memory", 512)
    (4000000000, 1610612736, 512)
    """
    if not isinstance(value, str):
        if isinstance(value, bool) or not hasattr(type(value), "__index__"):
            _refuse(name, value, _SIZES)
        return whole(name, value, 1)
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        _refuse(name, value, _SIZES)
    n_bytes = float(found["number"]) * _UNITS[found["unit"].lower().removesuffix("b")]
    if not 1 <= n_bytes < 2**63:
        _refuse(name, value, _SIZES)
    return int(n_bytes)


def form(name: str, value: Any, names: Iterable[str]) -> str | dict[str, Any]:  # noqa: ANN401
    """`value` as a chat format: one of `names`, or a mapping of fields."""
    return dict(value) if isinstance(value, Mapping) else choice(name, value, names)


def several(name: str, value: Any, what: str = "a path, or a list of them") -> list[Any]:  # noqa: ANN401
    """The members of a list or another iterable; `what` says what is allowed."""
    if not isinstance(value, Iterable) or isinstance(value, bytes | dict):
        _refuse(name, value, what)
    return list(value)


def mapping(name: str, value: Any, what: str) -> Mapping[str, Any]:  # noqa: ANN401
    """`value` as a mapping; `what` says of what."""
    if not isinstance(value, Mapping):
        _refuse(name, value, what)
    return value


def callback(name: str, value: Any) -> Any:  # noqa: ANN401
    """`value` as something to call, or None."""
    if value is not None and not callable(value):
        _refuse(name, value, "a function, or None")
    return value


def _refuse(name: str, value: object, allowed: str) -> NoReturn:
    # A float as it was most likely written: 2, not 2.0.
    shown = value if isinstance(value, str) else f"{value:.15g}" if isinstance(value, float) else repr(value)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = f"{shown[:_SHOWN_CHARACTERS]}..."
    message = f"{name} is `{shown}`, but it is {allowed}"
    raise ParameterError(message)
