"""The JSON Schema of a pipeline, for editors: made of the same list of parameters as everything else."""

from __future__ import annotations

from typing import Any

from thresher._parameters import parameters
from thresher._pipeline.check import VERBS


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    text = {"type": "string", "minLength": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A pipeline of thresher",
        "type": "object",
        "additionalProperties": False,
        "required": ["inputs", "output", "steps"],
        "properties": {
            "inputs": {
                "description": "Files, patterns and folders to read.",
                "anyOf": [text, {"type": "array", "items": text, "minItems": 1}],
            },
            "output": {"description": "A folder, a data file, or `-`.", **text},
            "options": {"description": "The options of every step.", **_values("options")},
            "steps": {
                "description": "What is done, in order.",
                "type": "array",
                "minItems": 1,
                "items": {
                    "oneOf": [*map(_step, VERBS), {"enum": [verb for verb in VERBS if _is_bare(verb)]}]
                },
            },
        },
    }


def _step(verb: str) -> dict[str, Any]:
    values = _values(verb)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [verb],
        "properties": {verb: {"anyOf": [values, {"type": "null"}]} if _is_bare(verb) else values},
    }


def _is_bare(verb: str) -> bool:
    """Whether a step can do without parameters."""
    return not any(parameter.required for parameter in parameters(verb).values())


def _values(verb: str) -> dict[str, Any]:
    known = parameters(verb).values()
    properties = {}
    for parameter in known:
        properties[parameter.name] = {"description": parameter.about, **parameter.schema}
        if not parameter.required:
            properties[parameter.name]["default"] = parameter.default
    required = [parameter.name for parameter in known if parameter.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"required": required} if required else {}),
    }
