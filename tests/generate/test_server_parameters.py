"""The scripted server takes the parameters of a request as OpenAI does, or refuses them."""

from __future__ import annotations

import http.client
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.generate.scripted.answers import tokens_of
from tests.generate.scripted.asking import CHAT, answer, ask, content, question
from tests.generate.scripted.schemas import example
from tests.generate.scripts import domain
from tests.generate.server import Server


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_several_choices_of_which_the_first_is_that_of_one(echo: Server) -> None:
    with Server("domain") as server:
        one = answer(server, question("Write 3 examples"))["choices"]
        three = answer(server, question("Write 3 examples", n=3))["choices"]
    assert three[0] == one[0]
    assert [choice["index"] for choice in three] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in three}) == 3


def test_another_seed_or_model_is_another_answer_but_a_bound_is_not() -> None:
    body = question("Write 3 examples")
    with Server("domain") as server:
        whole = content(server, body)
        assert content(server, {**body, "seed": 5}) != whole
        assert content(server, {**body, "model": "other"}) != whole
        assert content(server, {**body, "max_tokens": 5000, "temperature": 0.3}) == whole


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_bound_on_tokens_cuts_and_says_so(echo: Server, name: str) -> None:
    whole = content(echo, question("cut"))
    reply = answer(echo, question("cut", **{name: 3}))
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["choices"][0]["message"]["content"] == "".join(tokens_of(whole)[:3])
    assert reply["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("text", ["", "a", "  two  words\n", "score: 10", "naïve ²³ 日本語\t_x_", "12 34"])
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


def test_a_stop_sequence_ends_the_text(echo: Server) -> None:
    whole = content(echo, question("stop"))
    reply = answer(echo, question("stop", stop=[whole[12:18], whole[4:10], "no such text"]))["choices"][0]
    assert reply["message"]["content"] == whole[:4]
    assert reply["finish_reason"] == "stop"


def test_a_completion_has_a_text(echo: Server) -> None:
    reply = answer(echo, {"model": "m", "prompt": "once", "logprobs": 2}, "/v1/completions")
    choice = reply["choices"][0]
    assert reply["object"] == "text_completion"
    assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
    offsets = choice["logprobs"]["text_offset"]
    assert [choice["text"][at] for at in offsets] == [token[0] for token in choice["logprobs"]["tokens"]]
    assert all(
        token in tops
        for token, tops in zip(choice["logprobs"]["tokens"], choice["logprobs"]["top_logprobs"], strict=True)
    )


@pytest.mark.parametrize("top", [0, 1, 3])
def test_logarithms_of_probabilities_for_each_token(echo: Server, top: int) -> None:
    choice = answer(echo, question("logs", logprobs=True, top_logprobs=top))["choices"][0]
    places = choice["logprobs"]["content"]
    assert "".join(place["token"] for place in places) == choice["message"]["content"]
    assert all(len(place["top_logprobs"]) == top and place["logprob"] <= 0 for place in places)


def test_reasoning_goes_where_servers_put_it_and_counts_as_tokens() -> None:
    seen = {}
    for where in ("reasoning_content", "reasoning", "think"):
        with Server(think=True, reasoning=where) as server:
            seen[where] = answer(server, question("why"))
            # The bound ends within the reasoning: no content at all.
            cut = answer(server, question("why", max_tokens=2))["choices"][0]
        assert cut["finish_reason"] == "length"
        if where != "think":
            assert cut["message"]["content"] == ""
            assert cut["message"][where]
    plain = seen["reasoning"]["choices"][0]["message"]
    assert plain["reasoning"] == seen["reasoning_content"]["choices"][0]["message"]["reasoning_content"]
    tagged = seen["think"]["choices"][0]["message"]["content"]
    assert tagged == f"<think>\n{plain['reasoning']}\n</think>\n\n{plain['content']}"
    with Server(think=True) as server:
        # A bound that ends the answer between its reasoning and its content, and one before the last token.
        tokens = tokens_of(plain["content"])
        for kept in (0, len(tokens) - 1):
            bound = len(tokens_of(plain["reasoning"])) + kept
            cut = answer(server, question("why", max_tokens=bound))["choices"][0]
            assert (cut["message"]["content"], cut["finish_reason"]) == ("".join(tokens[:kept]), "length")
            assert cut["message"]["reasoning_content"] == plain["reasoning"]
    usage = seen["think"]["usage"]
    thought = usage["completion_tokens_details"]["reasoning_tokens"]
    assert thought == len(tokens_of(plain["reasoning"]))
    assert usage["completion_tokens"] == thought + len(tokens_of(plain["content"]))


def test_content_can_be_put_where_reasoning_belongs(echo: Server) -> None:
    with Server(misplace=True) as server:
        message = answer(server, question("where"))["choices"][0]["message"]
    assert message["content"] == ""
    assert message["reasoning_content"] == content(echo, question("where"))


def test_parameters_are_refused_in_the_form_of_an_error() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    with Server(refuse="max_tokens,temperature,response_format:json_schema") as server:
        for others, parameter in (
            ({"max_tokens": 5}, "max_tokens"),
            ({"temperature": 0.7}, "temperature"),
            ({"response_format": schema}, "response_format"),
        ):
            status, raw = ask(server, question("refuse", **others))
            error = msgspec.json.decode(raw)["error"]
            assert (status, error["param"]) == (400, parameter)
            assert set(error) == {"message", "type", "param", "code"}
            assert parameter in error["message"]
        taken = question(
            "refuse", max_completion_tokens=50, temperature=1, response_format={"type": "json_object"}
        )
        assert msgspec.json.decode(content(server, taken))
        # What was refused counts as no try.
        assert sum(server.asked().values()) == 1


def test_parameters_can_be_passed_over() -> None:
    with Server(ignore="max_tokens,n") as server:
        reply = answer(server, question("ignore", max_tokens=1, n=4))
    assert len(reply["choices"]) == 1
    assert reply["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"3", b'{"model":"m"}', b'{"messages":"no","n":"x"}', b"\xff"]
)
def test_a_body_that_is_none_is_refused_and_the_server_goes_on(echo: Server, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=10)
    connection.request("POST", CHAT, body)
    reply = connection.getresponse()
    assert reply.status == 400
    assert msgspec.json.decode(reply.read())["error"]["type"] == "invalid_request_error"
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()


SCHEMAS = [
    {
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["score"],
    },
    {
        "type": "object",
        "properties": {
            "pairs": {
                "type": "array",
                "minItems": 1,
                "maxItems": 4,
                "items": {
                    "type": "object",
                    "properties": {
                        "instruction": {"type": "string", "minLength": 1},
                        "response": {"type": "string", "minLength": 1},
                        "task_type": {"type": "string", "enum": ["explain", "compare"]},
                    },
                    "required": ["instruction", "response", "task_type"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["pairs"],
        "additionalProperties": False,
    },
    {
        "$defs": {
            "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"const": 1}}}
        },
        "$ref": "#/$defs/node",
    },
    {"anyOf": [{"type": "null"}, {"type": ["null", "number"], "minimum": 0.5, "maximum": 0.75}]},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "boolean"}}}, {"required": ["a"]}]},
    {
        "type": "array",
        "prefixItems": [{"type": "null"}],
        "items": {"type": "string", "maxLength": 9},
        "minItems": 2,
    },
    {"type": "object", "properties": {"text": {"type": "string", "minLength": 300}}},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"enum": ["A", "B", "tie"]},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_example_follows_its_schema(schema: dict[str, Any]) -> None:
    for number in range(50):
        value = example(schema, random.Random(number), lambda *of: domain.record({}, *of))
        jsonschema.Draft202012Validator(schema).validate(value)


def test_a_schema_is_followed_however_it_is_asked_for(echo: Server) -> None:
    schema = SCHEMAS[1]
    function = {"type": "function", "function": {"name": "give", "parameters": schema}}
    ways = [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}},
        {"structured_outputs": {"json": schema}},
        {"tools": [function], "tool_choice": {"type": "function", "function": {"name": "give"}}},
    ]
    found = []
    for way in ways:
        message = answer(echo, question("schema", **way))["choices"][0]["message"]
        found.append(message["content"] or message["tool_calls"][0]["function"]["arguments"])
    assert found[0] == found[1] == found[2]
    jsonschema.validate(msgspec.json.decode(found[0]), schema)
    assert content(echo, question("schema", structured_outputs={"choice": ["yes", "no"]})) in ("yes", "no")


def test_a_share_of_the_answers_ignores_the_schema() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMAS[1]}}
    valid = jsonschema.Draft202012Validator(SCHEMAS[1]).is_valid
    followed = 0
    with Server("domain") as server:
        for number in range(100):
            text = content(server, question(f"Write 4 examples {number}", response_format=schema))
            try:
                followed += valid(msgspec.json.decode(text))
            except msgspec.DecodeError:
                continue
    assert 50 < followed < 90
