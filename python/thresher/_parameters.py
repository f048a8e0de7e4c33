"""The parameters of runs, as the native module describes them: one list for checks, documents and options.

Each verb over files has one list of parameters in Rust: names, defaults, ranges and a sentence about each.
From it come the check of what a user gave (`checked`), the part of a docstring that is the same for every
run (`documentation`), the options of the command line, and the schema of a pipeline.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thresher import _core, _params

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[["Parameter", Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter.

    Attributes:
        name: Its name in Python, in YAML and in the native module.
        kind: What it can be, one of the keys of the checks below.
        metavar: The word that stands for its value in help texts.
        about: What it is, in a sentence or two.
        default: What it is if it is not given.
        required: Whether it has to be given.
        schema: What it can be, as JSON Schema.
    """

    name: str
    kind: str
    metavar: str
    about: str
    default: Any
    required: bool
    schema: Mapping[str, Any]

    @property
    def is_optional(self) -> bool:
        """Whether None, too, is a value."""
        return self.default is None and not self.required

    @property
    def _allowed(self) -> Mapping[str, Any]:
        """The schema of a value that is not None."""
        return self.schema["anyOf"][0] if self.is_optional else self.schema

    @property
    def choices(self) -> list[str]:
        """The words that it can be; empty if it is no choice."""
        schema = self._allowed
        found = schema.get("anyOf", [schema])[0].get("enum", [])
        return [str(word) for word in found]

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest whole number that it can be."""
        return int(self._allowed["minimum"]), int(self._allowed["maximum"])


@functools.cache
def parameters(verb: str) -> dict[str, Parameter]:
    """The parameters of a verb, or `options`, those of every run, by name and in order."""
    return {one["name"]: Parameter(**one) for one in json.loads(_core.runs.parameters(verb))}


def checked(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given as plain values of the right types.

    Raises:
        ParameterError: A value cannot be that of its parameter; the message names both.
    """
    return {name: check(known[name], value) for name, value in given.items()}


def check(parameter: Parameter, value: Any) -> Any:  # noqa: ANN401 - it is what a user wrote
    """`value` as a plain value of the type of its parameter."""
    if value is None and parameter.is_optional:
        return None
    return _CHECKS[parameter.kind](parameter, value)


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """`; did you mean ...?` if a known name is near, else nothing."""
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean `{close[0]}`?" if close else ""


def documentation(indent: str) -> str:
    """The options of every run as lines of an `Args:` section."""
    lines = []
    for option in parameters("options").values():
        text = f"{option.name}: {option.about}"
        lines += textwrap.wrap(
            text, 110, initial_indent=indent, subsequent_indent=f"{indent}    ", break_on_hyphens=False
        )
    return "\n".join(lines)


def _texts(parameter: Parameter, value: Any) -> list[str]:  # noqa: ANN401
    what = f"a {parameter.metavar.lower()}, or a list of them"
    is_one = isinstance(value, str | os.PathLike)
    several = [value] if is_one else _params.several(parameter.name, value, what)
    return [_params.path(parameter.name, one, what) for one in several]


def _choices(parameter: Parameter, value: Any) -> list[str]:  # noqa: ANN401
    what = f"a {parameter.metavar.lower()}, or a list of them"
    several = [value] if isinstance(value, str) else _params.several(parameter.name, value, what)
    return [_params.choice(parameter.name, one, parameter.choices) for one in several]


_CHECKS: Mapping[str, Check] = {
    "flag": lambda parameter, value: _params.flag(parameter.name, value),
    "whole": lambda parameter, value: _params.whole(parameter.name, value, *parameter.limits),
    "share": lambda parameter, value: _params.share(parameter.name, value),
    "number": lambda parameter, value: _params.number(parameter.name, value),
    "size": lambda parameter, value: _params.size(parameter.name, value),
    "text": lambda parameter, value: _params.word(parameter.name, value, "a text"),
    "choice": lambda parameter, value: _params.choice(parameter.name, value, parameter.choices),
    "texts": _texts,
    "choices": _choices,
    "format": lambda parameter, value: _params.form(parameter.name, value, parameter.choices),
    # A template has been read by now.
    "template": lambda _parameter, value: value,
    "mapping": lambda parameter, value: dict(
        _params.mapping(parameter.name, value, "a mapping of values by name")
    ),
    "records": lambda parameter, value: [
        dict(_params.mapping(parameter.name, one, "a list of mappings"))
        for one in _params.several(parameter.name, value, "a list of mappings")
    ],
    "path": lambda parameter, value: _params.path(parameter.name, value),
    "paths": _texts,
}
