"""JSON out of what a model answered, whatever stands around it; and asking again where there is none.

A server that promised JSON may send words all the same, put it into its reasoning, or end in the middle. What
can be read is read; what the schema refuses is refused, whoever promised it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from thresher._core import generate as _core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from thresher.generate.request import Answer, Request

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_MOST_STARTS = 64
"""Places of a text at which a value is looked for, at most."""


class Schema:
    """A JSON Schema, ready to check values.

    Args:
        schema: The schema.

    Raises:
        ParameterError: It is none.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)
        self._core = _core.Schema(json.dumps(self.schema))

    def errors(self, value: Any) -> list[str]:  # noqa: ANN401 - any JSON
        """What is wrong with a value; empty if nothing is."""
        return self._core.errors(json.dumps(value))


def values(text: str) -> Iterator[Any]:
    """The JSON values in a text: all of it, or a fenced block, or the objects and arrays inside.

    >>> next(values('Here it is: {"a": [1, 2]} - anything else?'))
    {'a': [1, 2]}
    >>> next(values("No JSON."), None) is None
    True
    """
    for part in (text, *(found[1] for found in _FENCE.finditer(text))):
        value = _whole(part)
        if value is not None:
            yield value
            return
    decoder = json.JSONDecoder(parse_constant=_no_number)
    at = starts = 0
    while starts < _MOST_STARTS:
        at = _next_start(text, at)
        if at < 0:
            return
        starts += 1
        try:
            value, at = decoder.raw_decode(text, at)
            value = _storable(value)
        except (ValueError, RecursionError):
            at += 1
            continue
        yield value


def _storable(value: Any) -> Any:  # noqa: ANN401
    """A value whose texts can be written as UTF-8: a surrogate without its partner becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    return value


def _whole(text: str) -> Any | None:  # noqa: ANN401
    text = text.strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        return _storable(json.loads(text, parse_constant=_no_number))
    except (ValueError, RecursionError):
        return None


def _no_number(_name: str) -> None:
    """What NaN and the infinities become, which JSON does not have."""


def _next_start(text: str, at: int) -> int:
    found = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
    return min(found, default=-1)


def objects(text: str) -> list[dict[str, Any]]:
    """The objects in a text: a bare list, one under any name, in a fence, cut off, or a single one.

    >>> objects('{"items": [{"a": 1}, {"a": 2}]}') == objects('[{"a": 1}, {"a": 2}, {"a": "cu')
    True
    >>> objects('{"error": "I cannot"}'), objects("{}")
    ([{'error': 'I cannot'}], [])
    """
    found: list[dict[str, Any]] = []
    for value in values(text):
        found += _list_in(value)
    return found


def _list_in(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    if isinstance(value, list):
        return [one for one in value if isinstance(one, dict)]
    if not isinstance(value, dict) or not value:
        return []
    for inner in value.values():
        if isinstance(inner, list) and (found := [one for one in inner if isinstance(one, dict)]):
            return found
    if all(isinstance(one, dict) for one in value.values()):
        return list(value.values())
    return [value]


Asking = Generator[Sequence["Request"], Sequence["Answer"], tuple[Any, list["Answer"]]]


def ask_for(request: Request, read: Callable[[str], Any], tries: int = 3) -> Asking:
    """Asks until an answer can be read; gives what was read, or None, and the answers.

    Args:
        request: What is asked; each further try is another sample of the same question.
        read: Reads a text; None if it cannot.
        tries: How often it is asked at most.
    """
    answers: list[Answer] = []
    for attempt in range(tries):
        again = msgspec.structs.replace(request, sample=request.sample + attempt * 1_000_003)
        (answer,) = yield [again]
        answers.append(answer)
        if answer.failure is not None:
            break
        # A parser of the server may take the JSON for a part of the reasoning.
        for text in (answer.text, answer.reasoning):
            found = read(text) if text else None
            if found is not None:
                return found, answers
    return None, answers
