"""Validation of chat data: the table of problems, JSON Schema against another implementation, reports."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thresher as th

GOLDEN = Path(__file__).parent.parent / "golden" / "chat_problems.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
GOOD = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
EMPTY = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": ""}]}


def _codes(report: th.chat.Validated) -> list[str]:
    return [problem.code for problem in report.problems]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "+".join(case["codes"]) or "none")
def test_a_row_has_the_problems_of_the_table(case: dict[str, Any]) -> None:
    row = case["row"]
    text = row if isinstance(row, str) else json.dumps(row)
    report = th.chat.validate([text], format=case["format"], **case.get("options", {}))
    assert _codes(report) == case["codes"]
    assert [problem.path for problem in report.problems[:1]] == [case["path"] for _ in case["codes"][:1]]
    assert report.ok == all(problem.severity == "warning" for problem in report.problems)


def test_every_code_can_be_ignored() -> None:
    names = {check.code for check in th.chat.checks()}
    assert {code for case in CASES for code in case["codes"]} <= names
    for case in CASES:
        row = case["row"] if isinstance(case["row"], str) else json.dumps(case["row"])
        report = th.chat.validate(
            [row], format=case["format"], ignore=case["codes"], **case.get("options", {})
        )
        assert not set(_codes(report)) & set(case["codes"])


def test_a_report_says_how_many_and_which() -> None:
    report = th.chat.validate([GOOD, EMPTY] * 20, max_problems=3)
    assert not report.ok
    assert (report.rows, report.valid, report.format) == (40, 20, "openai")
    assert report.counts == {"empty_turn": 20}
    assert report.codes["empty_turn"].examples == (1, 3, 5, 7, 9)
    assert [problem.row for problem in report.problems] == [1, 3, 5]
    assert report.unlisted == 17
    table = str(report)
    assert "40 rows (openai): 20 valid" in table
    assert "empty_turn  error" in table
    assert "1, 3, 5, 7, 9, ..." in table
    assert "row 1 messages[1].content: error:" in table
    assert table.endswith("and 17 more")
    assert json.loads(json.dumps(report.to_dict()))["codes"]["empty_turn"]["rows"] == 20
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.rows = 1  # type: ignore[misc]


def test_good_rows_have_a_report_of_one_line() -> None:
    report = th.chat.validate([GOOD])
    assert report.ok
    assert str(report) == "1 row (openai): 1 valid"
    assert th.chat.validate([], format="openai").ok


def test_the_report_does_not_depend_on_threads_or_on_what_rows_come_in() -> None:
    rows = [GOOD, EMPTY, GOOD] * 1500
    whole = th.chat.validate(rows, threads=1)
    texts = [json.dumps(row) for row in rows]
    for other in (rows, texts, pa.array(texts), pa.chunked_array([texts[:7], texts[7:]])):
        assert th.chat.validate(other, threads=4, format="openai") == whole


def test_a_table_is_read_row_by_row() -> None:
    table = pa.table({"instruction": ["i", ""], "output": ["", "o"]})
    report = th.chat.validate(table)
    assert report.format == "alpaca"
    assert [(problem.row, problem.path) for problem in report.problems] == [(0, "output"), (1, "instruction")]


def test_a_row_that_is_not_there_is_a_problem_of_that_row() -> None:
    report = th.chat.validate(pa.array([json.dumps(GOOD), None, "{"]))
    assert [(problem.row, problem.code) for problem in report.problems] == [
        (1, "not_an_object"),
        (2, "invalid_json"),
    ]


def test_strict_makes_errors_of_warnings() -> None:
    row = {"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "a"}]}
    assert th.chat.validate([row]).ok
    report = th.chat.validate([row], strict=True)
    assert not report.ok
    assert report.codes["blank_turn"].severity == "error"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"target": "gpt"}, "`gpt`.*alternating"),
        ({"ignore": ["emtpy"]}, "`emtpy`.*empty_turn"),
        ({"reasoning": "drop"}, "`drop`.*`keep`"),
        ({"format": "gpt"}, "gpt.*sharegpt"),
        ({"max_problems": -1}, "`-1`.*0 or more"),
        ({"threads": 0}, "`0`"),
    ],
)
def test_a_parameter_that_is_wrong_is_named_with_what_is_allowed(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(th.ParameterError, match=says):
        th.chat.validate([GOOD], **wrong)


def test_rows_of_no_known_format_are_refused() -> None:
    with pytest.raises(th.ParameterError, match="format"):
        th.chat.validate([{"a": 1}])


# JSON Schema: what we say against what the `jsonschema` package of Python says.

KEYS = st.sampled_from(["a", "b", "n", "\u00e4"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-4, 4)
    | st.sampled_from([0.5, 1.0, -2.5])
    | st.text("ab\u00e41", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
PATTERNS = st.sampled_from(["^a", "b$", "^[ab]+$", "a|b", "^\\d$", ".", "^a{2,3}$", "\u00e4"])
REFS = st.sampled_from(["#/$defs/leaf", "#/$defs/tree", "#/$defs/pair"])


def _some(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Up to three of the keywords."""
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))


LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "const": VALUES,
    "minimum": st.integers(-3, 3),
    "exclusiveMaximum": st.integers(-3, 3),
    "multipleOf": st.integers(1, 3),
    "minLength": st.integers(0, 3),
    "maxLength": st.integers(0, 3),
    "pattern": PATTERNS,
    "minItems": st.integers(0, 3),
    "maxItems": st.integers(0, 3),
    "uniqueItems": st.booleans(),
    "minProperties": st.integers(0, 3),
    "maxProperties": st.integers(0, 3),
    "required": st.lists(KEYS, max_size=2, unique=True),
    "$ref": REFS,
}
SCHEMAS = st.recursive(
    st.booleans() | _some(LEAVES),
    lambda inner: _some(
        LEAVES
        | {
            "properties": st.dictionaries(KEYS, inner, max_size=3),
            "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "contains": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "dependentSchemas": st.dictionaries(KEYS, inner, max_size=1),
            "unevaluatedItems": inner,
        }
    ),
    max_leaves=6,
)
DEFINITIONS = {
    "leaf": {"type": ["integer", "string"]},
    "tree": {"properties": {"a": {"$ref": "#/$defs/tree"}, "n": {"type": "integer"}}},
    "pair": {"items": {"$ref": "#/$defs/leaf"}, "minItems": 2},
}
PARAMETERS = SCHEMAS.filter(lambda schema: isinstance(schema, dict)).map(
    lambda schema: {**schema, "$defs": DEFINITIONS}
)


def _call(schema: object, arguments: object) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps(arguments)}}
    return {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [call]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
    }


@settings(max_examples=300)
@given(PARAMETERS, st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=4))
def test_arguments_satisfy_a_schema_if_another_implementation_says_so(
    schema: dict[str, Any], arguments: list[dict[str, Any]]
) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    oracle = jsonschema.Draft202012Validator(schema)
    report = th.chat.validate([_call(schema, value) for value in arguments], format="openai", threads=1)
    found = {problem.row: problem.code for problem in report.problems}
    if "tool_schema_unchecked" in found.values():
        # Recursion together with `unevaluated...` is refused; nothing else of these schemas is.
        assert "unevaluatedItems" in json.dumps(schema)
        return
    assert set(found.values()) <= {"arguments_violate_schema"}
    valid = [row for row, value in enumerate(arguments) if oracle.is_valid(value)]
    assert [row for row in range(len(arguments)) if row not in found] == valid


WRONG = {
    "type": st.sampled_from(["strin", 1, []]),
    "properties": st.sampled_from([1, [], {"a": 1}]),
    "required": st.sampled_from(["a", [1], ["a", "a"]]),
    "minLength": st.sampled_from([-1, "1"]),
    "enum": st.sampled_from([1, "a"]),
    "anyOf": st.sampled_from([[], {}, [1]]),
    "items": st.sampled_from([1, "a"]),
    "additionalProperties": st.sampled_from([1, "a"]),
}


@given(_some(WRONG), _some(LEAVES))
def test_a_schema_is_valid_if_another_implementation_says_so(
    wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    schema = {**right, **wrong, "$defs": DEFINITIONS}
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        valid = True
    except jsonschema.SchemaError:
        valid = False
    report = th.chat.validate([_call(schema, {"a": 1})], format="openai")
    assert ("tool_schema_invalid" in report.counts) is not valid


def test_a_violation_is_placed_where_the_other_implementation_places_it() -> None:
    schema = {
        "type": "object",
        "properties": {"stops": {"type": "array", "items": {"properties": {"city": {"type": "string"}}}}},
    }
    arguments = {"stops": [{"city": "Paris"}, {"city": 1}, {"city": None}]}
    report = th.chat.validate([_call(schema, arguments)])
    places = [
        error.json_path.removeprefix("$")
        for error in jsonschema.Draft202012Validator(schema).iter_errors(arguments)
    ]
    prefix = "messages[1].tool_calls[0].function.arguments"
    assert [problem.path for problem in report.problems] == [prefix + place for place in places]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "http://127.0.0.1:9/dialect"},
        {"allOf": [{"$ref": "#"}]},
        {"$dynamicRef": "#a"},
        {"pattern": "^(?=(a+)+$)"},
        {
            "$ref": "#/$defs/0",
            "$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(60)} | {"60": {}},
        },
    ],
    ids=["remote", "file", "dialect", "endless", "dynamic", "backtracking", "doubling"],
)
def test_a_hostile_schema_is_refused_and_nothing_hangs(schema: dict[str, Any]) -> None:
    report = th.chat.validate([_call(schema, {"a": "a" * 10_000})])
    assert report.counts == {"tool_schema_unchecked": 1}
