"""What there is to filter by: presets, their rules, and signals, as the native module lists them."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from thresher import _core, _params

Bound: TypeAlias = Literal["at_least", "at_most"]
"""On which side of its threshold a signal has to be; the threshold itself is allowed."""

_SIGNS = {"at_least": ">=", "at_most": "<="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A threshold on a signal.

    Attributes:
        rule: Its name, `preset.rule`.
        signal: The signal that it looks at.
        bound: `at_least` or `at_most`.
        threshold: The least or greatest value that it allows; None if it has none until you set one.
    """

    rule: str
    signal: str
    bound: Bound
    threshold: float | None

    def __str__(self) -> str:
        """One line: what a text has to satisfy."""
        threshold = "(not set)" if self.threshold is None else f"{self.threshold:g}"
        return f"{self.rule:<46} {self.signal:<40} {_SIGNS[self.bound]} {threshold}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A published set of rules.

    Attributes:
        preset: Its name.
        semantics: Whose definition it follows, where tools differ.
        rules: Its rules, in the order of the tool.
    """

    preset: str
    semantics: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A number that is computed for a text.

    Attributes:
        signal: Its name, that of its column.
        group: Signals that are computed together.
        about: What it is.
    """

    signal: str
    group: str
    about: str


def presets() -> tuple[Preset, ...]:
    """All presets, with their rules and published thresholds.

    Example:
        >>> import thresher as th
        >>> [preset.preset for preset in th.filters.presets()]
        ['gopher', 'gopher-repetition', 'c4', 'fineweb', 'dclm', 'lengths']
    """
    return tuple(
        Preset(
            preset=one["preset"],
            semantics=one["semantics"],
            rules=tuple(Rule(**rule) for rule in one["rules"]),
        )
        for one in _catalogue()["presets"]
    )


def rules(preset: str | None = None) -> tuple[Rule, ...]:
    """The rules of a preset, or of all.

    Args:
        preset: The name of a preset. Default: all of them.

    Raises:
        ParameterError: There is no such preset.

    Example:
        >>> import thresher as th
        >>> for rule in th.filters.rules("c4"):
        ...     print(rule.rule, rule.bound, rule.threshold)
        c4.lorem_ipsum at_most 0.0
        c4.curly_bracket at_most 0.0
        c4.sentences at_least 5.0
    """
    known = {one.preset: one.rules for one in presets()}
    if preset is None:
        return tuple(rule for of_preset in known.values() for rule in of_preset)
    return known[_params.choice("preset", preset, known)]


def signal_list(group: str | None = None) -> tuple[Signal, ...]:
    """All signals with what they are, or those of a group.

    Args:
        group: The name of a group. Default: all of them.

    Raises:
        ParameterError: There is no such group.

    Example:
        >>> import thresher as th
        >>> [signal.signal for signal in th.filters.signal_list("lengths")][:3]
        ['chars', 'words', 'lines']
    """
    known = tuple(Signal(**one) for one in _catalogue()["signals"])
    if group is None:
        return known
    found = _params.choice("group", group, dict.fromkeys(signal.group for signal in known))
    return tuple(signal for signal in known if signal.group == found)


@functools.cache
def _catalogue() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_core.filter.catalogue())
    return found
