"""Replies as servers write them: what an error means, and which parameters may be left out for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.generate.helpers import question
from thresher.generate.faults import Final
from thresher.generate.request import Sampling
from thresher.generate.wire import Dialect, read


def refusal(message: str, **members: Any) -> Final:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None, **members}
    with pytest.raises(Final) as caught:
        read(400, {}, json.dumps({"error": error}).encode(), "http://host/v1")
    return caught.value


def sent(dialect: Dialect) -> dict[str, Any]:
    sampling = Sampling(temperature=0.5, stop=("x",), presence_penalty=1.0)
    return json.loads(dialect.body(question("?", sampling=sampling), "m", None))


@pytest.mark.parametrize(
    ("message", "members", "gone"),
    [
        ("Unsupported parameter: 'temperature'", {}, "temperature"),
        ("Unsupported value", {"param": "presence_penalty"}, "presence_penalty"),
        ("Extra inputs are not permitted: stop", {}, "stop"),
        ("Unknown field `seed`", {}, "seed"),
    ],
)
def test_a_parameter_that_an_endpoint_does_not_take_is_left_out(
    message: str, members: dict[str, Any], gone: str
) -> None:
    dialect = Dialect()
    assert gone in sent(dialect)
    assert dialect.learn(refusal(message, **members))
    assert gone not in sent(dialect)
    assert dialect.changes == (f"{gone} left out",)


@pytest.mark.parametrize(
    "message",
    [
        "The prompt is empty; stop and think",
        "This model's maximum is 8 images",
        "messages: unknown role `stopper`",
    ],
)
def test_a_word_that_is_also_a_parameter_is_none(message: str) -> None:
    dialect = Dialect()
    assert not dialect.learn(refusal(message))
    assert dialect.changes == ()


def test_a_bound_gets_its_other_name_only_where_that_is_asked_for() -> None:
    dialect = Dialect()
    large = refusal("max_tokens is too large: 3000. This model supports at most 2048", param="max_tokens")
    assert not dialect.learn(large), "the other name might be one that the server does not read"
    assert sent(dialect)["max_tokens"] == 1024
    asked = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    assert dialect.learn(refusal(asked, param="max_tokens"))
    assert sent(dialect)["max_completion_tokens"] == 1024
    assert "max_tokens" not in sent(dialect)
    assert not dialect.learn(refusal("Unsupported parameter", param="max_completion_tokens"))


@pytest.mark.parametrize("message", ["maximum context length is 4096 tokens", "Context length exceeded"])
def test_what_is_too_long_is_that_and_no_parameter(message: str) -> None:
    assert refusal(message).failure == "too_long"
