"""What goes wrong with a try is what was asked for, as often as asked for, and is in the log."""

from __future__ import annotations

import http.client
import random
import re
import socket
import time
from collections import Counter
from typing import Any

import msgspec
import pytest

from tests.generate.scripted.answers import digest_of
from tests.generate.scripted.asking import CHAT, ask, events, has_ended, question
from tests.generate.scripted.faults import ANSWERS, KINDS, MOST_IN_A_ROW, TRANSIENT, Faults
from tests.generate.server import Server


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
