"""JSON out of answers, and what may not break it: depth, surrogates, what is no number, endless replies."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generate.helpers import endpoint
from thresher.errors import ParameterError
from thresher.generate import domain_instructions, transport
from thresher.generate.answers import Schema, objects, values
from thresher.generate.endpoint import Endpoint
from thresher.generate.faults import Transient

PAIR = {"instruction": "Why?", "response": "So."}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([PAIR, PAIR]),
        json.dumps({"items": [PAIR, PAIR]}),
        json.dumps({"whatever": [PAIR, PAIR], "count": 2}),
        json.dumps({"1": PAIR, "2": PAIR}),
        f"Here you are:\n```json\n{json.dumps([PAIR, PAIR])}\n```\nAnything else?",
        f"Sure! {json.dumps([PAIR, PAIR])} I hope it helps.",
        json.dumps([PAIR, PAIR, PAIR])[:-20],
        f"{json.dumps(PAIR)}\n{json.dumps(PAIR)}",
        json.dumps({"pairs": [PAIR, "no object", PAIR]}),
    ],
)
def test_a_list_is_found_whatever_stands_around_it(text: str) -> None:
    assert objects(text) == [PAIR, PAIR]


@pytest.mark.parametrize("text", ["", "no JSON", "{}", "[]", "{", "[[[[", "null", '"text"', "```json\n```"])
def test_nothing_is_made_of_nothing(text: str) -> None:
    assert objects(text) == []


@pytest.mark.parametrize("depth", [500, 900, 990, 2000, 200_000])
def test_depth_is_no_crash(depth: int) -> None:
    assert isinstance(list(values("[" * depth + "]" * depth)), list)
    assert isinstance(objects('{"a":' * depth + "1" + "}" * depth), list)


def test_what_cannot_be_written_is_replaced() -> None:
    found = objects('[{"a": "x\\ud800y", "b": NaN, "c": -Infinity, "\\udfff": 1}]')
    assert found == [{"a": "x\ufffdy", "b": None, "c": None, "\ufffd": 1}]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20), st.text()
)
def test_any_text_around_any_value_is_read_or_not(value: Any, text: str) -> None:
    for found in objects(f"{text}{json.dumps(value)}{text}"):
        json.dumps(found).encode()


def test_a_schema_says_what_is_wrong() -> None:
    schema = Schema({"type": "object", "required": ["a"], "properties": {"a": {"enum": ["x"]}}})
    assert schema.errors({"a": "x"}) == []
    assert "a" in schema.errors({})[0]
    with pytest.raises(ParameterError):
        Schema({"type": "no type"})


async def _endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
    except ConnectionError:
        pass


def test_a_reply_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 1 << 20)

    async def main() -> None:
        async with await asyncio.start_server(_endless, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with transport.Http(endpoint(f"http://127.0.0.1:{port}/v1")) as http:
                with pytest.raises(Transient, match="more than 1,048,576 bytes"):
                    await http.post("/chat/completions", b"{}", 20)

    asyncio.run(main())


def test_a_key_that_is_none_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-1\r\nX-Other: 2")
    with pytest.raises(ParameterError, match="`MY_KEY` holds characters") as caught:
        Endpoint("http://127.0.0.1/v1", "m", key_env="MY_KEY").key()
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("output", "journal"), [("out", "out/j"), ("a.jsonl", "a.jsonl"), ("out", "out/data/j")]
)
def test_a_journal_that_the_result_would_replace_is_refused(
    tmp_path: Path, output: str, journal: str
) -> None:
    with pytest.raises(ParameterError, match="journal is `"):
        domain_instructions(
            "law",
            endpoint=endpoint("http://127.0.0.1:1/v1"),
            output=tmp_path / output,
            journal=tmp_path / journal,
        )
    assert not list(tmp_path.iterdir())
