"""A value for a JSON Schema, as a server gives that holds a model to one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.generate.scripted.words import sentence

Record = Callable[[random.Random, dict[str, Any]], "dict[str, Any] | None"]
"""Makes an object for the `properties` of a schema, if a script knows what they mean; else None."""

_DEEPEST = 6
_MOST_ITEMS = 200


def example(schema: Any, chance: random.Random, record: Record | None = None) -> Any:
    """A value that the schema allows.

    `pattern`, `format`, `multipleOf`, `not` and conditions are passed over. Lists are mostly as long as they
    may be; a sixth of them is shorter.
    """
    return _Maker(schema if isinstance(schema, dict) else {}, chance, record).value(schema, 0)


class _Maker:
    def __init__(self, root: dict[str, Any], chance: random.Random, record: Record | None) -> None:
        self._root, self._chance, self._record = root, chance, record

    def value(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict):
            return sentence(self._chance, 4)
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        for name in ("anyOf", "oneOf"):
            if name in schema:
                others = [
                    one for one in schema[name] if not isinstance(one, dict) or one.get("type") != "null"
                ]
                return self.value((others or schema[name])[0], depth)
        if "allOf" in schema:
            return self.value(_merged(schema), depth)
        kind = schema.get("type") or (
            "object" if "properties" in schema else "array" if "items" in schema else "string"
        )
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        return getattr(self, f"_{kind}")(schema, depth)

    def _resolve(self, ref: str) -> Any:
        found: Any = self._root
        for part in ref.removeprefix("#").split("/"):
            if part:
                found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if self._record is not None and (made := self._record(self._chance, properties)) is not None:
            return made
        required = schema.get("required", [])
        names = [name for name in properties if depth < _DEEPEST or name in required]
        return {name: self.value(properties[name], depth + 1) for name in names}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        if depth >= _DEEPEST:
            most = least
        else:
            most = max(least, min(schema.get("maxItems", max(least, 3)), _MOST_ITEMS))
        count = most if self._chance.random() < 5 / 6 else self._chance.randint(min(least or 1, most), most)
        first = schema.get("prefixItems", [])
        kinds = [first[place] if place < len(first) else schema.get("items", True) for place in range(count)]
        return [self.value(kind, depth + 1) for kind in kinds]

    def _string(self, schema: dict[str, Any], depth: int) -> str:
        text = sentence(self._chance, self._chance.randint(3, 12))
        while len(text) < schema.get("minLength", 0):
            text += " " + sentence(self._chance, 8)
        return text[: schema["maxLength"]] if "maxLength" in schema else text

    def _integer(self, schema: dict[str, Any], depth: int) -> int:
        least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        most = schema.get("maximum", schema.get("exclusiveMaximum", least + 101) - 1)
        return self._chance.randint(int(least), max(int(least), int(most)))

    def _number(self, schema: dict[str, Any], depth: int) -> float:
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        most = schema.get("maximum", schema.get("exclusiveMaximum", least + 1))
        return least + (most - least) * self._chance.choice((0.25, 0.5, 0.75))

    def _boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return self._chance.random() < 0.5

    def _null(self, schema: dict[str, Any], depth: int) -> None:
        return None


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """The parts of `allOf` in one schema, their properties together."""
    merged: dict[str, Any] = {name: value for name, value in schema.items() if name != "allOf"}
    for part in schema["allOf"]:
        for name, value in part.items():
            if name == "properties":
                merged["properties"] = {**merged.get("properties", {}), **value}
            elif name == "required":
                merged["required"] = [*merged.get("required", []), *value]
            else:
                merged[name] = value
    return merged
