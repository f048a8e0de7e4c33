"""Options made from the parameters of a verb: one list in the native module, no second one here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from thresher._parameters import Parameter, parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

Command = TypeVar("Command", bound="Callable[..., Any]")

_ALIASES = {"from_format": ["--from"]}
"""Shorter names that options have besides their own."""

_SCALARS: dict[str, Any] = {"whole": int, "share": float, "number": float}
_LISTS = ("texts", "paths", "choices", "mapping", "records")


def options_of(
    verb: str, only: Collection[str] | None = None, *, required: bool = True
) -> Callable[[Command], Command]:
    """The options of a verb, or of `options` those of every run, or `only` some of them, for click.

    Without `required`, what has to be given may also stand elsewhere.
    """

    def add(command: Command) -> Command:
        for parameter in reversed(parameters(verb).values()):
            if only is None or parameter.name in only:
                command = _option(parameter, required=required)(command)
        return command

    return add


def _option(parameter: Parameter, *, required: bool) -> Callable[[Command], Command]:
    name = f"--{parameter.name.replace('_', '-')}"
    settings: dict[str, Any] = {"help": parameter.about, "required": required and parameter.required}
    if parameter.kind == "flag":
        flag = f"{name}/--no-{name.removeprefix('--')}" if parameter.default else name
        return click.option(flag, parameter.name, default=parameter.default, is_flag=True, **settings)
    if parameter.metavar:
        settings["metavar"] = parameter.metavar
    if parameter.kind == "choice":
        settings["type"] = click.Choice(parameter.choices)
    elif parameter.kind in _SCALARS:
        settings["type"] = _SCALARS[parameter.kind]
    elif parameter.kind in _LISTS:
        settings["multiple"] = True
        if parameter.kind in _STRUCTURED:
            settings["callback"] = _STRUCTURED[parameter.kind]
        elif parameter.kind == "choices":
            settings["callback"] = _words
        elif parameter.is_optional:
            settings["callback"] = lambda _context, _option, values: list(values) or None
        commas = ", or several with commas between them" if parameter.kind == "choices" else ""
        settings["help"] += f" Repeatable{commas}."
    elif parameter.kind == "format":
        settings["callback"] = _format
        settings["help"] = settings["help"].replace(
            "a mapping of fields", "a JSON file with a mapping of fields"
        )
    if parameter.default not in (None, [], {}) and not parameter.required:
        settings |= {"default": parameter.default, "show_default": True}
    return click.option(name, *_ALIASES.get(parameter.name, ()), parameter.name, **settings)


def _words(_context: click.Context, _option: click.Parameter, values: Iterable[str]) -> list[str]:
    """Words of a choice: each value is one, or several with commas between them."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def named_values(_context: click.Context, option: click.Parameter, values: Iterable[str]) -> dict[str, Any]:
    """Values by name: JSON where a value is that, else a text."""
    found: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals:
            message = f"`{text}` is no NAME=VALUE"
            raise click.BadParameter(message, param=option)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _records(_context: click.Context, option: click.Parameter, values: Iterable[str]) -> list[dict[str, Any]]:
    """Mappings of values by name, each as JSON."""
    found = []
    for text in values:
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            message = f'`{text}` is no JSON object, as {{"name": ...}}'
            raise click.BadParameter(message, param=option)
        found.append(record)
    return found


_STRUCTURED: dict[str, Callable[..., Any]] = {"mapping": named_values, "records": _records}


def _format(
    _context: click.Context, option: click.Parameter, name: str | None
) -> str | dict[str, Any] | None:
    """The name of a format, or the mapping in a JSON file."""
    if not name or not name.endswith(".json"):
        return name
    try:
        mapping: dict[str, Any] = json.loads(Path(name).read_text("utf-8"))
    except ValueError as error:
        message = f"`{name}` is no JSON: {error}"
        raise click.BadParameter(message, param=option) from error
    return mapping
