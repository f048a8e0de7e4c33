"""The scripted server gives the tests of generation what they take from it: answers, faults, a true log."""

from __future__ import annotations

import http.client
import os
import random
import re
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.generate.scripted.answers import digest_of, tokens_of
from tests.generate.scripted.faults import ANSWERS, KINDS, MOST_IN_A_ROW, TRANSIENT, Faults
from tests.generate.scripted.schemas import example
from tests.generate.scripts import domain
from tests.generate.server import Server

CHAT = "/v1/chat/completions"


def ask(
    server: Server, body: Any, path: str = CHAT, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", path, msgspec.json.encode(body), headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def answer(server: Server, body: Any, path: str = CHAT) -> dict[str, Any]:
    status, raw = ask(server, body, path)
    assert status == 200, raw
    return msgspec.json.decode(raw)


def content(server: Server, body: Any) -> str:
    return answer(server, body)["choices"][0]["message"]["content"]


def question(text: str, **others: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **others}


def events(server: Server, wanted: Callable[[dict[str, Any]], bool], count: int = 1) -> list[dict[str, Any]]:
    """The lines that are wanted, once there are so many: some are written after the client has its reply."""
    for _ in range(500):
        found = [line for line in server.log() if wanted(line)]
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not in the log: {server.log()}")


def has_ended(line: dict[str, Any]) -> bool:
    return line["event"] in ("sent", "lost")


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_an_answer_depends_on_the_question_alone_whatever_failed_before() -> None:
    bodies = [question(f"{number}") for number in range(20)]
    seen: list[list[bytes]] = []
    kinds = "429,500,reset,reset-body,truncated,garbage,error-200,empty-choices"
    for options in ({}, {"faults": 0.5, "kinds": kinds}, {"faults": 0.5, "kinds": kinds, "seed": 2}):
        with Server("domain", **options) as server:
            answers, tries = [], 0
            for body in bodies:
                for _ in range(MOST_IN_A_ROW + 1):
                    tries += 1
                    try:
                        _, raw = ask(server, body)
                    except (OSError, http.client.HTTPException):
                        continue
                    if events(server, has_ended, tries)[-1]["fault"] == "ok":
                        answers.append(raw)
                        break
            assert len(answers) == len(bodies)
            assert server.answered() == Counter(digest_of(body) for body in bodies)
            seen.append(answers)
            failed = sum(line["fault"] != "ok" for line in server.log() if line["event"] == "request")
            assert (failed > 0) == bool(options)
    assert seen[0] == seen[1] == seen[2]


def test_the_order_of_the_members_of_a_body_does_not_matter(echo: Server) -> None:
    body = question("order", temperature=0.5)
    turned = dict(reversed(body.items()))
    assert ask(echo, body) == ask(echo, turned)
    assert echo.answered()[digest_of(body)] == 2


def test_the_log_tells_when_a_request_came_and_when_its_reply_left_but_no_key(echo: Server) -> None:
    body = question("log")
    ask(echo, body, headers={"Authorization": "Bearer sk-of-a-test"})
    ask(echo, body)
    first, second = [
        line for line in echo.log() if line.get("digest") == digest_of(body) and line["event"] == "request"
    ]
    sent = events(echo, lambda line: line.get("digest") == digest_of(body) and line["event"] == "sent", 2)
    assert (first["authorization"], second["authorization"]) == (True, False)
    assert [(line["try"], line["id"]) for line in sent] == [(1, first["id"]), (2, second["id"])]
    assert sent[0]["usage"]["completion_tokens"] > 0
    assert echo.asked()[digest_of(body)] == 2
    assert b"sk-of" not in echo.log_file.read_bytes()


def test_bodies_and_replies_are_logged_on_demand() -> None:
    with Server(log_bodies=True) as server:
        body = question("hello")
        _, raw = ask(server, body)
        asked, sent = events(server, lambda _: True, 2)
    assert asked["body"] == body
    assert sent["reply"] == raw.decode()


def test_it_listens_on_the_loopback_address_alone(echo: Server) -> None:
    socket.create_connection(("127.0.0.1", echo.port), timeout=5).close()
    if sys.platform == "linux":
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", echo.port), timeout=5)


def test_models_health_and_addresses_that_are_none(echo: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=10)
    found = []
    for method, path in (("GET", "/health"), ("GET", "/v1/models"), ("GET", "/v1/nothing"), ("GET", CHAT)):
        connection.request(method, path)
        reply = connection.getresponse()
        found.append((reply.status, msgspec.json.decode(reply.read())))
    connection.close()
    assert [status for status, _ in found] == [200, 200, 404, 405]
    assert found[1][1]["data"][0]["id"] == "scripted"


# Faults.


def outcome(server: Server, body: Any) -> str:
    """What a client sees of one try."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.4) as raw:
        payload = msgspec.json.encode(body)
        raw.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload
        )
        got, ends = b"", time.monotonic() + 0.4
        try:
            while chunk := raw.recv(65536):
                got += chunk
                if time.monotonic() > ends:
                    return "slow"
                head, gap, rest = got.partition(b"\r\n\r\n")
                if gap and len(rest) == int(re.search(rb"Content-Length: (\d+)", head)[1]):  # type: ignore[index]
                    break
        except TimeoutError:
            return "slow" if got else "silent"
        except ConnectionResetError:
            return "reset in the body" if got else "reset"
    head, _, rest = got.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    if status != 200:
        wait = re.search(rb"Retry-After: ([^\r]*)", head)
        until = "" if wait is None else " date" if b"GMT" in wait[1] else " seconds"
        return f"{status}{' quota' if b'insufficient_quota' in rest else ''}{until}"
    try:
        value = msgspec.json.decode(rest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "cut" if rest.startswith(b"{") else "garbage"
    if "error" in value:
        return "error with 200"
    if not value["choices"]:
        return "no choices"
    choice = value["choices"][0]
    return "refusal" if choice["message"].get("refusal") else choice["finish_reason"]


SEEN = {
    "429": "429 seconds",
    "429-date": "429 date",
    "500": "500",
    "502": "502",
    "503": "503",
    "reset": "reset",
    "reset-body": "reset in the body",
    "drip": "slow",
    "truncated": "cut",
    "garbage": "garbage",
    "error-200": "error with 200",
    "empty-choices": "no choices",
    "content-filter": "content_filter",
    "refusal": "refusal",
    "insufficient-quota": "429 quota",
    "hang": "silent",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_seen_as_what_it_is_and_the_fourth_try_is_answered(kind: str) -> None:
    body = question("fault")
    with Server(faults=1.0, kinds=kind) as server:
        seen = [outcome(server, body) for _ in range(4)]
        assert seen == [SEEN[kind]] * 3 + ["stop"]
        ended = events(server, has_ended, 4)
        assert [line["fault"] for line in ended] == [kind] * 3 + ["ok"]
        is_broken = kind in ("reset", "reset-body", "drip", "hang")
        assert {line["event"] for line in ended[:3]} == {"lost" if is_broken else "sent"}
        assert server.answered() == {digest_of(body): 1}


def test_a_slow_drip_never_brings_its_last_byte() -> None:
    with Server(faults=1.0, kinds="drip", drip_seconds=0.1) as server:
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(server, question("drip"))
        (lost,) = events(server, lambda line: line["event"] == "lost")
    assert lost["fault"] == "drip"


def test_faults_are_as_many_as_asked_never_four_in_a_row_and_the_same_again() -> None:
    digests = [f"{random.Random(number).getrandbits(128):032x}" for number in range(5000)]
    faults = Faults(rate=0.2)
    first = [faults.choose(digest, 1) for digest in digests]
    assert 900 < sum(kind is not None for kind in first) < 1100
    assert set(first) == {*TRANSIENT, None}
    assert first == [Faults(rate=0.2).choose(digest, 1) for digest in digests]
    assert first != [Faults(rate=0.2, seed=2).choose(digest, 1) for digest in digests]
    assert first != [faults.choose(digest, 2) for digest in digests]
    rows = [[Faults(rate=0.9).choose(digest, number) for number in range(1, 30)] for digest in digests[:200]]
    longest = max(len(run) for row in rows for run in "".join("x" if kind else " " for kind in row).split())
    assert longest == MOST_IN_A_ROW


def test_final_faults_belong_to_the_body_and_are_the_same_at_each_try() -> None:
    digests = [f"{number:032x}" for number in range(2000)]
    faults = Faults(final_rate=0.1)
    kinds = {digest: {faults.choose(digest, number) for number in range(1, 9)} for digest in digests}
    assert all(len(found) == 1 for found in kinds.values())
    assert {kind for found in kinds.values() for kind in found} == {*ANSWERS, None}
    assert 140 < sum(None not in found for found in kinds.values()) < 260


def test_a_client_that_leaves_before_its_reply_is_a_reply_lost() -> None:
    body = question("gone")
    with Server(latency_ms=150) as server:
        payload = msgspec.json.encode(body)
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
            raw.sendall(f"POST {CHAT} HTTP/1.1\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload)
            events(server, lambda line: line["event"] == "request")
        (lost,) = events(server, lambda line: line["event"] == "lost")
        assert (lost["digest"], lost["fault"]) == (digest_of(body), "ok")
        assert server.answered() == {}
        assert server.asked() == {digest_of(body): 1}


def test_more_in_flight_than_allowed_are_turned_away() -> None:
    with Server(latency_ms=100, most_in_flight=2) as server:
        payload = msgspec.json.encode(question("many"))
        head = f"POST {CHAT} HTTP/1.1\r\nContent-Length: {len(payload)}\r\n\r\n".encode()
        opened = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(6)]
        for raw in opened:
            raw.sendall(head + payload)
        statuses = Counter(raw.recv(65536).split(b" ")[1] for raw in opened)
        for raw in opened:
            raw.close()
        # Those that were answered make room.
        assert ask(server, question("many"))[0] == 200
    assert statuses == {b"200": 2, b"429": 4}


# Parameters.


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


# The script `domain`.


def test_a_prompt_is_read_for_its_number_and_its_task_types() -> None:
    prompt = (
        "Domain: law.\nEach has one of these task types: explain, list steps for.\nWrite 7 examples as JSON."
    )
    assert domain.number_of_pairs(prompt) == 7
    assert domain.task_types(prompt) == ["explain", "list steps for"]
    assert domain.number_of_pairs("Generate 12 diverse instruction-response pairs.") == 12
    assert domain.number_of_pairs("1 of them. Write 7 examples") == 7
    assert (domain.number_of_pairs("nothing"), domain.task_types("nothing")) == (5, list(domain.USUAL_TYPES))


def _differ(one: list[str], other: list[str]) -> int:
    return abs(len(one) - len(other)) + sum(a != b for a, b in zip(one, other, strict=False))


def test_pairs_come_in_every_form_with_near_duplicates_and_broken_ones() -> None:
    forms: Counter[str] = Counter()
    pairs: list[dict[str, Any]] = []
    for number in range(300):
        reply = domain.answer(question(f"Write 6 examples about {number}"))
        text = reply.content
        if reply.finish_reason == "length":
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(text)
            forms["cut"] += 1
        elif text.startswith("```json\n"):
            pairs += msgspec.json.decode(text.removeprefix("```json\n").removesuffix("```"))
            forms["fenced"] += 1
        elif not text.startswith(("{", "[")):
            forms["prose"] += 1
        else:
            value = msgspec.json.decode(text)
            found = (
                [value]
                if isinstance(value, list)
                else [one for one in value.values() if isinstance(one, list)]
            )
            if not found:
                forms["error" if "error" in value else "single" if value else "nothing"] += 1
                continue
            pairs += found[0]
            short = len(found[0]) == 3
            forms["short" if short else "array" if isinstance(value, list) else min(value)] += 1
            assert short or len(found[0]) == 6
    assert {"cut", "fenced", "prose", "array", "items", "data", "error", "single", "nothing", "short"} < set(
        forms
    )
    assert sum(forms[key] for key in domain.KEYS) > 10
    whole = [pair for pair in pairs if set(pair) == {"instruction", "response", "task_type"}]
    broken = [
        pair
        for pair in whole
        if not all(isinstance(text, str) and text for text in pair.values())
        or pair["instruction"] == pair["response"]
        or pair["task_type"] not in domain.USUAL_TYPES
        or "### " in pair["response"]
    ]
    share = (len(pairs) - len(whole) + len(broken)) / len(pairs)
    assert 0.1 < share < 0.2
    words = [pair["instruction"].split() for pair in whole if isinstance(pair["instruction"], str)]
    worn = [domain.well_worn(place, ["x"])["instruction"].split() for place in range(domain.SETS)]
    near = sum(any(_differ(one, other) <= 1 for other in worn) for one in words)
    assert 0.1 < near / len(words) < 0.2


def test_a_base_model_continues_with_one_pair_and_goes_on_behind_the_line_of_signs() -> None:
    missing = 0
    for number in range(200):
        reply = domain.answer({"model": "m", "prompt": f"Domain: law {number}\nTask: explain\nInstruction:"})
        pair, _, more = reply.content.partition(f"\n{domain.END}\n")
        instruction, _, response = pair.partition("\nResponse: ")
        missing += not instruction.strip() or not response.strip()
        assert more.startswith("Domain: ")
    assert 2 < missing < 40


# The process.


def test_what_kills_the_group_of_the_client_does_not_reach_the_server() -> None:
    with Server() as server:
        assert os.getsid(server.pid) != os.getsid(0)
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_the_server_ends_with_the_process_that_started_it() -> None:
    program = """
        import os
        from tests.generate.server import Server
        server = Server().__enter__()
        print(server.pid, flush=True)
        os._exit(9)
    """
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=root,
        stdout=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    pid = int(done.stdout)
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("it is still there")


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="no_such_script"), Server("no_such_script"):
        pass


def test_a_script_can_be_any_python_file(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text(
        "from tests.generate.scripted.answers import Reply\n"
        "def answer(body):\n"
        "    return Reply(raw=b'raw bytes')\n"
    )
    with Server(str(script), log=tmp_path / "log") as server:
        assert ask(server, question("own")) == (200, b"raw bytes")
    assert len((tmp_path / "log").read_text().splitlines()) == 2


# HTTP.


def talk(server: Server, *parts: bytes, count: int) -> bytes:
    """Sends bytes in parts, and reads until there were so many replies."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        for part in parts:
            raw.sendall(part)
            time.sleep(0.002)
        got = b""
        while got.count(b'"usage"') < count and (chunk := raw.recv(65536)):
            got += chunk
        return got


def test_requests_in_pieces_in_one_piece_in_chunks_and_with_100_continue(echo: Server) -> None:
    payload = msgspec.json.encode(question("http"))
    head = f"POST {CHAT}?x=1 HTTP/1.1\r\nhost: x\r\ncontent-length: {len(payload)}\r\n\r\n".encode()
    whole = head + payload
    pieces = [whole[at : at + 37] for at in range(0, len(whole), 37)]
    assert talk(echo, *pieces, count=1).count(b"HTTP/1.1 200") == 1
    assert talk(echo, whole * 3, count=3).count(b"HTTP/1.1 200") == 3
    chunked = f"POST {CHAT} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    half = len(payload) // 2
    for part in (payload[:half], payload[half:]):
        chunked += f"{len(part):x}\r\n".encode() + part + b"\r\n"
    chunked += b"0\r\n\r\n"
    assert talk(echo, chunked + whole, count=2).count(b"HTTP/1.1 200") == 2
    waiting = head.replace(b"host: x", b"Expect: 100-continue")
    assert talk(echo, waiting, payload, count=1).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_bytes_that_are_no_request_end_the_connection(echo: Server, sent: bytes) -> None:
    got = talk(echo, sent, count=1)
    assert got.startswith(b"HTTP/1.1 400")


def test_a_long_reply_arrives_whole_and_counts_when_it_has_left(tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text(
        "from tests.generate.scripted.answers import Reply\n"
        "def answer(body):\n"
        "    return Reply(raw=b'x' * 20_000_000)\n"
    )
    with Server(str(script)) as server:
        payload = msgspec.json.encode(question("long"))
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
            raw.sendall(f"POST {CHAT} HTTP/1.1\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload)
            events(server, lambda line: line["event"] == "request")
            # Nobody reads yet, and it is more than sockets hold.
            assert [line["event"] for line in server.log()] == ["request"]
            got = 0
            while got < 20_000_000:
                got += len(raw.recv(1 << 20))
        events(server, lambda line: line["event"] == "sent")
