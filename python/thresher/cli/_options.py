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

_SCALARS: dict[str, Any] = {"whole": int, "share": float}
_LISTS = ("texts", "choices")


def options_of(verb: str, only: Collection[str] | None = None) -> Callable[[Command], Command]:
    """The options of a verb, or of `options` those of every run, or `only` some of them, for click."""

    def add(command: Command) -> Command:
        for parameter in reversed(parameters(verb).values()):
            if only is None or parameter.name in only:
                command = _option(parameter)(command)
        return command

    return add


def _option(parameter: Parameter) -> Callable[[Command], Command]:
    name = f"--{parameter.name.replace('_', '-')}"
    settings: dict[str, Any] = {"help": parameter.about, "required": parameter.required}
    if parameter.kind == "flag":
        flag = f"{name}/--no-{name.removeprefix('--')}" if parameter.default else name
        return click.option(flag, parameter.name, default=parameter.default, is_flag=True, **settings)
    if parameter.metavar:
        settings["metavar"] = parameter.metavar
    if parameter.kind == "choice":
        settings["type"] = click.Choice(parameter.choices)
    elif parameter.kind in _SCALARS:
        settings["type"] = _SCALARS[parameter.kind]
    elif parameter.kind in _LISTS or parameter.kind == "mapping":
        settings["multiple"] = True
        if parameter.kind == "mapping":
            settings["callback"] = _mapping
        elif parameter.is_optional:
            settings["callback"] = lambda _context, _option, values: list(values) or None
        settings["help"] += " Repeatable."
    elif parameter.kind == "format":
        settings["callback"] = _format
        settings["help"] = settings["help"].replace(
            "a mapping of fields", "a JSON file with a mapping of fields"
        )
    if parameter.default not in (None, [], {}) and not parameter.required:
        settings |= {"default": parameter.default, "show_default": True}
    return click.option(name, *_ALIASES.get(parameter.name, ()), parameter.name, **settings)


def _mapping(_context: click.Context, option: click.Parameter, values: Iterable[str]) -> dict[str, Any]:
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
