"""jinja2 as Hugging Face configures it for chat templates: the oracle of our interpreter."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any, ClassVar

import jinja2
import jinja2.exceptions
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

NOW = "2024-07-26T15:04:05"


class _Generation(jinja2.ext.Extension):
    """`{% generation %}`: notes the texts that the model is to generate, each between marks."""

    tags: ClassVar = {"generation"}
    marks = ("\ue000", "\ue001")

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.CallBlock:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        return self.marks[0] + caller() + self.marks[1]


def _raise(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _tojson(
    x: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment() -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    env.filters["tojson"] = _tojson
    env.globals["raise_exception"] = _raise
    env.globals["strftime_now"] = lambda form: datetime.datetime.fromisoformat(NOW).strftime(form)
    return env


ENVIRONMENT = environment()


def marked(template: str, variables: dict[str, Any]) -> str:
    """The text with marks around what a `generation` tag holds."""
    return ENVIRONMENT.from_string(template).render(**variables)


def render(template: str, variables: dict[str, Any]) -> str:
    """The text."""
    text = marked(template, variables)
    for mark in _Generation.marks:
        text = text.replace(mark, "")
    return text


def spans(template: str, variables: dict[str, Any]) -> list[tuple[int, int]]:
    """What the model is to generate, in characters."""
    found, at = [], 0
    for part in marked(template, variables).split(_Generation.marks[0])[0:]:
        inside, mark, after = part.partition(_Generation.marks[1])
        if mark:
            found.append((at, at + len(inside)))
        at += len(inside) + len(after)
    return [(start, end) for start, end in found if end > start]
