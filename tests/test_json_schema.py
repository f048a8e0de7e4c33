"""JSON Schemas of the native module: what they say of values, and which of them are refused."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher as th
from thresher._core.generate import Schema

PAIRS = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "question": {"type": "string", "minLength": 1, "pattern": "^[A-Z]"},
                    "score": {"$ref": "#/$defs/score"},
                },
                "required": ["question"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "$defs": {"score": {"enum": [1, 2, 3, None]}},
}


def _errors(schema: dict[str, Any], value: object) -> list[str]:
    return Schema(json.dumps(schema)).errors(json.dumps(value))


LEAVES = st.none() | st.booleans() | st.integers(-1, 4) | st.sampled_from(["", "A", "a", "question"])
PAIR = st.dictionaries(st.sampled_from(["question", "score", "other"]), LEAVES)
VALUES = st.fixed_dictionaries({"pairs": st.lists(PAIR | LEAVES, max_size=4) | LEAVES}) | LEAVES | PAIR


@given(VALUES)
def test_a_value_has_errors_where_jsonschema_finds_some(value: object) -> None:
    found = _errors(PAIRS, value)
    expected = list(jsonschema.Draft202012Validator(PAIRS).iter_errors(value))
    places = {
        "".join(f"/{part}" for part in error.absolute_path) or "the value as a whole" for error in expected
    }
    assert {error.partition(": ")[0] for error in found} == places
    assert len(found) <= 20


def test_an_error_is_a_sentence_with_its_place_and_what_was_found() -> None:
    (error,) = _errors(PAIRS, {"pairs": [{"question": "Why?"}, {"question": "Who?", "score": "high"}]})
    assert error.startswith("/pairs/1/score: it is not one of ")
    assert error.endswith('; found `"high"`')
    (error,) = _errors({"properties": {"a/b": {"prefixItems": [{"type": "string"}]}}}, {"a/b": [1]})
    assert error.startswith("/a~1b/0: ")
    (error,) = _errors(PAIRS, {})
    assert error == 'the value as a whole: "pairs" is a required property; found `{}`'
    (error,) = Schema(json.dumps(PAIRS)).errors('{"pairs": [')
    assert error.startswith("the value as a whole: it is not JSON")
    assert len(_errors({"items": {"type": "string"}}, list(range(100)))) == 20


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("{", "no JSON Schema"),
        ("[]", "not an object"),
        ('{"type": "strin"}', "no JSON Schema"),
        ('{"$ref": "https://example.com/s.json"}', "nothing is fetched"),
        ('{"$ref": "file:///etc/hostname"}', "nothing is fetched"),
        ('{"$schema": "https://example.com/dialect"}', "leads out"),
        ('{"$ref": "#"}', "leads back to itself"),
        ('{"pattern": "(a+)+(?=b)"}', "looks around"),
    ],
)
def test_a_schema_that_is_none_or_leads_out_of_itself_is_refused(schema: str, why: str) -> None:
    with pytest.raises(th.ParameterError, match=why):
        Schema(schema)
