"""The batch API of the scripted server: states, files, and what can go wrong with a line or a call."""

from __future__ import annotations

import asyncio
import http.client
from collections import Counter
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.generate.scripted.answers import digest_of
from tests.generate.scripted.asking import CHAT, call, get
from tests.generate.server import Server


def upload(server: Server, content: bytes) -> str:
    """Uploads as a real client does."""

    async def send() -> Any:
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", content, filename="in.jsonl", content_type="application/jsonl")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.base_url}/files", data=form) as reply,
        ):
            assert reply.status == 200
            return await reply.json()

    shown = asyncio.run(send())
    assert (shown["bytes"], shown["purpose"]) == (len(content), "batch")
    return shown["id"]


def body_of(number: int) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}


def lines_of(numbers: range) -> bytes:
    lines = [
        {"custom_id": f"row-{number}", "method": "POST", "url": CHAT, "body": body_of(number)}
        for number in numbers
    ]
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def submit(server: Server, content: bytes, **metadata: str) -> dict[str, Any]:
    asked = {"input_file_id": upload(server, content), "endpoint": CHAT, "completion_window": "24h"}
    return get(server, "POST", "/v1/batches", {**asked, "metadata": metadata})


def poll(server: Server, name: str) -> tuple[dict[str, Any], list[str]]:
    """Looks at a batch until it has ended; the states that were seen."""
    seen = []
    while True:
        batch = get(server, "GET", f"/v1/batches/{name}")
        seen.append(batch["status"])
        if batch["status"] in ("completed", "expired", "failed", "cancelled"):
            return batch, seen


def rows(server: Server, name: str | None) -> list[dict[str, Any]]:
    if name is None:
        return []
    status, raw = call(server, "GET", f"/v1/files/{name}/content")
    assert status == 200
    return [msgspec.json.decode(line) for line in raw.splitlines()]


def test_a_batch_ends_after_some_polls_with_the_answers_of_single_requests_out_of_order() -> None:
    with Server(batch_polls=4) as server:
        batch = submit(server, lines_of(range(50)), run="seven")
        assert batch["status"] == "validating"
        ended, seen = poll(server, batch["id"])
        assert seen == ["in_progress", "in_progress", "finalizing", "completed"]
        assert ended["request_counts"] == {"total": 50, "completed": 50, "failed": 0}
        assert ended["metadata"] == {"run": "seven"}
        assert ended["error_file_id"] is None
        found = rows(server, ended["output_file_id"])
        assert server.answered() == Counter(digest_of(body_of(number)) for number in range(50))
        single = call(server, "POST", CHAT, msgspec.json.encode(body_of(7)))[1]
    order = [int(row["custom_id"].removeprefix("row-")) for row in found]
    assert order != sorted(order)
    assert sorted(order) == list(range(50))
    assert all(row["error"] is None and row["response"]["status_code"] == 200 for row in found)
    assert found[order.index(7)]["response"]["body"] == msgspec.json.decode(single)


def test_a_share_of_the_lines_fails_and_gets_through_when_sent_again() -> None:
    with Server(batch_errors=0.3) as server:
        numbers, answered = set(range(60)), set()
        for _ in range(4):
            content = b"".join(lines_of(range(number, number + 1)) for number in sorted(numbers))
            ended, _ = poll(server, submit(server, content)["id"])
            failed = rows(server, ended["error_file_id"])
            assert all(row["response"]["status_code"] in (429, 500) for row in failed)
            assert all("error" in row["response"]["body"] for row in failed)
            done = {
                int(row["custom_id"].removeprefix("row-")) for row in rows(server, ended["output_file_id"])
            }
            assert ended["request_counts"] == {
                "total": len(numbers),
                "completed": len(done),
                "failed": len(failed),
            }
            assert done | {int(row["custom_id"].removeprefix("row-")) for row in failed} == numbers
            assert not done & answered
            answered |= done
            if len(numbers) == 60:
                assert 5 < len(failed) < 35
            numbers -= done
            if not numbers:
                break
        assert answered == set(range(60))
        assert set(server.answered().values()) == {1}


def test_a_batch_that_expires_has_a_part_of_its_answers_and_the_next_one_is_whole() -> None:
    with Server(batches="expire,complete") as server:
        first, _ = poll(server, submit(server, lines_of(range(40)))["id"])
        second, _ = poll(server, submit(server, lines_of(range(40)))["id"])
        done, expired = rows(server, first["output_file_id"]), rows(server, first["error_file_id"])
        outcomes = Counter(line["outcome"] for line in server.log() if line["event"] == "batch_line")
    assert (first["status"], second["status"]) == ("expired", "completed")
    assert 5 < len(done) < 35
    assert len(done) + len(expired) == 40
    assert {row["error"]["code"] for row in expired} == {"batch_expired"}
    assert outcomes == {"ok": len(done) + 40, "expired": len(expired)}


def test_a_cancelled_batch_keeps_what_it_had() -> None:
    with Server() as server:
        batch = submit(server, lines_of(range(40)))
        assert get(server, "POST", f"/v1/batches/{batch['id']}/cancel")["status"] == "cancelling"
        ended, _ = poll(server, batch["id"])
        assert ended["status"] == "cancelled"
        assert 0 < ended["request_counts"]["completed"] < 40
        assert ended["error_file_id"] is None
        assert get(server, "POST", f"/v1/batches/{batch['id']}/cancel")["status"] == "cancelled"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"{broken\n", "invalid_json_line"),
        (
            b'{"custom_id": "a", "method": "GET", "url": "/v1/chat/completions", "body": {}}\n',
            "invalid_json_line",
        ),
        (lines_of(range(2)) + lines_of(range(1, 2)), "duplicate_custom_id"),
        (lines_of(range(1)).replace(b"/chat/", b"/"), "mismatched_endpoint"),
    ],
)
def test_an_input_file_that_is_none_fails_the_batch(content: bytes, code: str) -> None:
    with Server() as server:
        ended, _ = poll(server, submit(server, content)["id"])
    assert ended["status"] == "failed"
    assert ended["errors"]["data"][0]["code"] == code


def test_a_batch_can_be_refused_although_its_file_is_whole() -> None:
    with Server(batches="fail,complete") as server:
        assert poll(server, submit(server, lines_of(range(3)))["id"])[0]["status"] == "failed"
        assert poll(server, submit(server, lines_of(range(3)))["id"])[0]["status"] == "completed"
        assert set(server.answered().values()) == {1}


def test_a_body_that_the_server_refuses_is_in_the_error_file() -> None:
    with Server(refuse="temperature") as server:
        line = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {**body_of(1), "temperature": 0.5}}
        ended, _ = poll(server, submit(server, msgspec.json.encode(line))["id"])
        (row,) = rows(server, ended["error_file_id"])
    assert row["response"]["status_code"] == 400
    assert row["response"]["body"]["error"]["param"] == "temperature"


def test_batches_are_listed_the_newest_first_in_pages() -> None:
    with Server() as server:
        names = [submit(server, lines_of(range(1)), number=str(number))["id"] for number in range(5)]
        page = get(server, "GET", "/v1/batches?limit=2")
        assert [one["id"] for one in page["data"]] == [names[4], names[3]]
        assert page["has_more"]
        page = get(server, "GET", f"/v1/batches?limit=5&after={names[3]}")
        assert [one["metadata"]["number"] for one in page["data"]] == ["2", "1", "0"]
        assert not page["has_more"]


def test_files_are_shown_and_deleted_and_what_is_not_there_is_not_found() -> None:
    with Server() as server:
        name = upload(server, b"x\r\n--y\n\n")
        assert call(server, "GET", f"/v1/files/{name}/content") == (200, b"x\r\n--y\n\n")
        assert get(server, "GET", f"/v1/files/{name}")["bytes"] == 8
        assert get(server, "DELETE", f"/v1/files/{name}")["deleted"]
        paths = (f"/v1/files/{name}", f"/v1/files/{name}/content", "/v1/batches/none", "/v1/batches/a/b/c")
        assert [call(server, "GET", path)[0] for path in paths] == [404] * 4
        assert call(server, "POST", "/v1/batches", b'{"input_file_id": "none", "endpoint": "x"}')[0] == 404
        assert call(server, "POST", "/v1/batches", b"{}")[0] == 400
        assert call(server, "POST", "/v1/files", b"{}")[0] == 400
        assert (
            call(server, "POST", "/v1/files", b"{}", Content_Type="multipart/form-data; boundary=x")[0] == 400
        )


def test_a_batch_exists_even_if_the_reply_to_its_submission_was_lost() -> None:
    with Server(batch_faults=1.0) as server:
        failed = 0
        for _ in range(3):
            try:
                failed += call(server, "POST", "/v1/batches", b"{}")[0] == 500
            except (OSError, http.client.HTTPException):
                failed += 1
        assert failed == 3
        # The fourth call of a kind gets through, as with other faults.
        form = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        form += b'--x\r\nContent-Disposition: form-data; name="file"; filename="in"\r\n\r\n' + lines_of(
            range(2)
        )
        form += b"\r\n--x--\r\n"
        for _ in range(4):
            try:
                status, raw = call(
                    server, "POST", "/v1/files", form, Content_Type="multipart/form-data; boundary=x"
                )
            except (OSError, http.client.HTTPException):
                continue
        assert status == 200
        asked = {"input_file_id": msgspec.json.decode(raw)["id"], "endpoint": CHAT}
        for place in range(4):
            if place != 0:
                with pytest.raises((OSError, http.client.HTTPException, AssertionError)):
                    get(server, "POST", "/v1/batches", asked)
            else:
                assert get(server, "POST", "/v1/batches", asked)["id"] == "batch_000000"
        for _ in range(4):
            try:
                status, raw = call(server, "GET", "/v1/batches")
            except (OSError, http.client.HTTPException):
                continue
        assert [one["id"] for one in msgspec.json.decode(raw)["data"]] == [
            f"batch_{place:06}" for place in (3, 2, 1, 0)
        ]
        assert {line.get("fault") for line in server.settled() if line.get("path") == "/v1/batches"} >= {None}
