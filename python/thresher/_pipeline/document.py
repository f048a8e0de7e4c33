"""YAML as values that know where they stand, read within bounds.

YAML 1.2, safe: text, numbers, booleans, null, dates, lists and mappings, and nothing that would make an
object or run a program. Size, depth, aliases and the number of values are bounded, so that a small document
cannot become a large one. `no`, `yes`, `on` and `off` are text in YAML 1.2 and truth values in YAML 1.1; who
writes them without quotes is told.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_BYTES: Final = 2**20
_MAX_DEPTH: Final = 32
_MAX_ALIASES: Final = 64
_MAX_VALUES: Final = 10_000
_WORDS: Final = {"no": "false", "off": "false", "yes": "true", "on": "true"}
_SCALARS: Final = {
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: A mapping of nodes by name, a list of nodes, or a plain value.
        place: As `pipeline.yaml:6`, for messages.
    """

    value: Any
    place: str

    @property
    def plain(self) -> Any:  # noqa: ANN401 - whatever YAML can hold
        """The value without places; dates as text."""
        if isinstance(self.value, dict):
            return {name: node.plain for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        if isinstance(self.value, datetime.date):
            return self.value.isoformat()
        return self.value


@dataclass(slots=True)
class Document:
    """A document that was read.

    Attributes:
        root: Its value.
        notes: What its author should know although nothing is wrong.
    """

    root: Node
    notes: list[str] = field(default_factory=list)


def read(text: str, name: str) -> Document:
    """The document in `text`; `name` stands for it in messages.

    Raises:
        ParameterError: It is no YAML, or goes beyond the bounds.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text.encode()) > _MAX_BYTES:
        message = f"{name}: the document is longer than {_MAX_BYTES:,} bytes"
        raise ParameterError(message)
    try:
        _check_events(YAML(typ="safe", pure=True).parse(text), name)
        reader = YAML(typ="safe", pure=True)
        composed = reader.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        message = f"{place}: this is no YAML: {error.problem or error.context}"
        raise ParameterError(message) from error
    except (YAMLError, ValueError) as error:
        message = f"{name}: this is no YAML: {error}"
        raise ParameterError(message) from error
    builder = _Builder(name, reader)
    root = Node({}, f"{name}:1") if composed is None else builder.node(composed, "")
    return Document(root, builder.notes)


def from_values(value: object, name: str) -> Node:
    """Values of Python as nodes that all stand in `name`."""
    if isinstance(value, dict):
        return Node({str(key): from_values(item, name) for key, item in value.items()}, name)
    if isinstance(value, list | tuple):
        return Node([from_values(item, name) for item in value], name)
    return Node(value, name)


def with_value(root: Node, path: str, text: str) -> Node:
    """The document with `text`, read as YAML, at the dotted `path`; parts that are numbers count from 0.

    Raises:
        ParameterError: There is no such place.
    """
    value = _moved(read(text, f"--set {path}").root, "--set") if text.strip() else Node("", "--set")
    return with_node(root, path.split("."), value)


def _moved(node: Node, place: str) -> Node:
    """The same values, all in one place."""
    return from_values(node.plain, place)


def with_node(node: Node, parts: list[str], value: Node) -> Node:
    """The document with a node at the place that `parts` lead to.

    Raises:
        ParameterError: There is no such place.
    """
    if not parts:
        return value
    place = value.place
    first, rest = parts[0], parts[1:]
    if isinstance(node.value, list):
        if not first.isdecimal() or int(first) >= len(node.value):
            message = (
                f"{place}: there is no place `{first}` in a list of {len(node.value)}; they count from 0"
            )
            raise ParameterError(message)
        items = list(node.value)
        items[int(first)] = with_node(items[int(first)], rest, value)
        return Node(items, node.place)
    if node.value == first:
        # A step without parameters is its name alone.
        node = Node({first: Node(None, place)}, node.place)
    if node.value is not None and not isinstance(node.value, dict):
        message = f"{place}: `{first}` would stand in `{node.value}`, which is one value and no mapping"
        raise ParameterError(message)
    members: Mapping[str, Node] = node.value or {}
    return Node({**members, first: with_node(members.get(first, Node(None, place)), rest, value)}, node.place)


def _check_events(events: Any, name: str) -> None:  # noqa: ANN401 - ruamel has no types for them
    """Refuses what would grow while it is put together."""
    depth = aliases = 0
    for event in events:
        kind = type(event).__name__
        depth += kind in ("MappingStartEvent", "SequenceStartEvent")
        depth -= kind in ("MappingEndEvent", "SequenceEndEvent")
        aliases += kind == "AliasEvent"
        if depth > _MAX_DEPTH or aliases > _MAX_ALIASES:
            what = (
                f"deeper than {_MAX_DEPTH} levels" if depth > _MAX_DEPTH else f"over {_MAX_ALIASES} aliases"
            )
            message = f"{name}:{event.start_mark.line + 1}: the document has {what}"
            raise ParameterError(message)


class _Builder:
    """Makes nodes of what ruamel has composed."""

    def __init__(self, name: str, reader: Any) -> None:  # noqa: ANN401
        self.notes: list[str] = []
        self._name = name
        self._reader = reader
        self._values = 0

    def node(self, composed: Any, key: str, depth: int = 0) -> Node:  # noqa: ANN401
        place = f"{self._name}:{composed.start_mark.line + 1}"
        self._values += 1
        if self._values > _MAX_VALUES or depth > _MAX_DEPTH:
            message = f"{place}: the document has more than {_MAX_VALUES:,} values, or holds itself"
            raise ParameterError(message)
        if composed.tag == "tag:yaml.org,2002:seq":
            items = enumerate(composed.value)
            return Node([self.node(item, _below(key, str(at)), depth + 1) for at, item in items], place)
        if composed.tag == "tag:yaml.org,2002:map":
            return Node(self._members(composed, key, depth), place)
        if composed.tag not in _SCALARS or not isinstance(composed.value, str):
            message = f"{place}: {key}: the tag `{composed.tag}` means nothing here; leave it out"
            raise ParameterError(message)
        if composed.style is None and (meant := _WORDS.get(composed.value.lower())):
            self.notes.append(
                f"{place}: {key}: `{composed.value}` is a text in YAML 1.2; write {meant}, or quote it"
            )
        return Node(self._reader.constructor.construct_object(composed), place)

    def _members(self, composed: Any, key: str, depth: int) -> dict[str, Node]:  # noqa: ANN401
        members: dict[str, Node] = {}
        for name_node, value_node in composed.value:
            place = f"{self._name}:{name_node.start_mark.line + 1}"
            name = name_node.value
            if not isinstance(name, str):
                message = f"{place}: a name is a text, but here it is a list or a mapping"
                raise ParameterError(message)
            if name in members:
                message = f"{place}: {_below(key, name)}: the name stands here twice"
                raise ParameterError(message)
            value = self.node(value_node, _below(key, name), depth + 1)
            # A value that begins on a later line is looked for at its name.
            members[name] = Node(value.value, place)
        return members


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
