"""The scripted server gives the tests of generation what they take from it: answers and a true log."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.generate.scripted.answers import digest_of
from tests.generate.scripted.asking import CHAT, ask, events, has_ended, question
from tests.generate.scripted.faults import MOST_IN_A_ROW
from tests.generate.server import Server


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
