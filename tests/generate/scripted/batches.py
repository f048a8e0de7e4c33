"""OpenAI's batch API: files, batches that end after a few polls, results out of order, errors apart.

A line is answered as the same body would be by itself. What fails is chosen by the body and by how often it
was in a batch, so what is sent again gets through in the end.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tests.generate.scripted.answers import CREATED
from tests.generate.scripted.connection import Reply, Request
from tests.generate.scripted.faults import Faults, error

KINDS = ("complete", "expire", "fail")
"""How batches end: whole; with a half that ran out of time; or refused after their submission."""
MOST_LINES = 50_000
_URLS = ("/v1/chat/completions", "/v1/completions")

Answer = Callable[[str, bytes], "tuple[str, Reply, bool]"]
"""From address and body to digest, reply and whether it is an answer."""
Note = Callable[..., None]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class _Refused(Exception):
    def __init__(self, status: int, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status, self.parameter = status, parameter


class _Batch(msgspec.Struct):
    """A batch; `shown` is what its address answers."""

    shown: dict[str, Any]
    lines: list[dict[str, Any]]
    kind: str
    polls: int = 0


class Batches:
    """The files and batches of a server.

    Args:
        answer: Answers one line.
        note: Writes a line of the log.
        kinds: How the batches end, in the order of their submission; the last one holds for all that follow.
        polls: How often a batch is looked at until it has ended.
        errors: Share of the lines that end in the error file.
        seed: Of what fails.
    """

    def __init__(
        self, answer: Answer, note: Note, *, kinds: Sequence[str], polls: int, errors: float, seed: int
    ) -> None:
        self._answer, self._note = answer, note
        self._kinds, self._polls, self._seed = kinds, polls, seed
        self._faults = Faults(rate=errors, kinds=("429", "500"), seed=seed)
        self._files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._batches: dict[str, _Batch] = {}
        self._tries: Counter[str] = Counter()

    def handle(self, request: Request) -> Reply:
        """The reply to a request below `/v1/files` or `/v1/batches`."""
        _, _, what, *rest = request.path.split("/")
        try:
            value = self._route(request, what, rest)
        except _Refused as refused:
            body = error(str(refused), "invalid_request_error", refused.parameter)
            return Reply(refused.status, _encode(body))
        if isinstance(value, bytes):
            return Reply(200, value, content_type="application/octet-stream")
        return Reply(200, _encode(value))

    def _route(self, request: Request, what: str, rest: list[str]) -> Any:
        match (request.method, what, rest):
            case ("POST", "files", []):
                return self._upload(request)
            case ("GET", "files", [name]):
                return self._file(name)[0]
            case ("GET", "files", [name, "content"]):
                return self._file(name)[1]
            case ("DELETE", "files", [name]):
                self._file(name)
                del self._files[name]
                return {"id": name, "object": "file", "deleted": True}
            case ("POST", "batches", []):
                return self._submit(request)
            case ("GET", "batches", []):
                return self._list(request)
            case ("GET", "batches", [name]):
                batch = self._batch(name)
                batch.polls += 1
                self._advance(batch)
                return batch.shown
            case ("POST", "batches", [name, "cancel"]):
                return self._cancel(self._batch(name))
        raise _Refused(404, f"Invalid URL ({request.method} {request.path})")

    # Files.

    def _upload(self, request: Request) -> dict[str, Any]:
        parts = _form(request)
        if "file" not in parts or "purpose" not in parts:
            raise _Refused(400, "A file and its purpose are needed.", "file")
        return self._keep(parts["file"], parts["purpose"].decode())

    def _keep(self, content: bytes, purpose: str) -> dict[str, Any]:
        name = f"file-{len(self._files):06}{hashlib.blake2b(content, digest_size=4).hexdigest()}"
        shown = {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": CREATED,
            "filename": f"{name}.jsonl",
            "purpose": purpose,
            "status": "processed",
        }
        self._files[name] = shown, content
        return shown

    def _file(self, name: str) -> tuple[dict[str, Any], bytes]:
        if name not in self._files:
            raise _Refused(404, f"No such File object: {name}", "id")
        return self._files[name]

    # Batches.

    def _submit(self, request: Request) -> dict[str, Any]:
        try:
            asked = _decode(request.body)
            name, endpoint = asked["input_file_id"], asked["endpoint"]
        except (msgspec.DecodeError, LookupError, TypeError) as bad:
            raise _Refused(400, f"A batch needs `input_file_id` and `endpoint`: {bad}") from bad
        _, content = self._file(name)
        if endpoint not in _URLS:
            raise _Refused(400, f"Invalid value: '{endpoint}'.", "endpoint")
        place = len(self._batches)
        lines, faults = _lines(content, endpoint)
        kind = self._kinds[min(place, len(self._kinds) - 1)]
        if kind == "fail" and not faults:
            faults = [_fault(None, "token_limit_exceeded", "Enqueued token limit reached for this model.")]
        shown = {
            "id": f"batch_{place:06}",
            "object": "batch",
            "endpoint": endpoint,
            "errors": {"object": "list", "data": faults} if faults else None,
            "input_file_id": name,
            "completion_window": asked.get("completion_window", "24h"),
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": CREATED + place,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
            "metadata": asked.get("metadata"),
        }
        self._batches[shown["id"]] = _Batch(shown, lines, kind)
        return shown

    def _batch(self, name: str) -> _Batch:
        if name not in self._batches:
            raise _Refused(404, f"No batch found with id '{name}'.", "id")
        return self._batches[name]

    def _list(self, request: Request) -> dict[str, Any]:
        """The batches, the newest first, in pages."""
        shown = [batch.shown for batch in reversed(self._batches.values())]
        after = request.query.get("after")
        start = next((place for place, one in enumerate(shown, 1) if one["id"] == after), 0)
        end = start + int(request.query.get("limit", "20"))
        return {"object": "list", "data": shown[start:end], "has_more": end < len(shown)}

    def _cancel(self, batch: _Batch) -> dict[str, Any]:
        if batch.shown["status"] in ("validating", "in_progress", "finalizing"):
            batch.shown["status"] = "cancelling"
        return batch.shown

    def _advance(self, batch: _Batch) -> None:
        shown = batch.shown
        if shown["status"] == "cancelling":
            shown["status"] = "cancelled"
            self._run(batch, share=0.5, is_expired=False)
        elif shown["status"] not in ("validating", "in_progress", "finalizing"):
            return
        elif shown["errors"]:
            shown["status"] = "failed"
        elif batch.polls >= self._polls:
            expires = batch.kind == "expire"
            shown["status"] = "expired" if expires else "completed"
            self._run(batch, share=0.5 if expires else 1.0, is_expired=expires)
        else:
            shown["status"] = "in_progress" if batch.polls < self._polls - 1 else "finalizing"

    def _run(self, batch: _Batch, *, share: float, is_expired: bool) -> None:
        """Answers a share of the lines; the others have expired, or were never begun."""
        outputs, errors = [], []
        for line in batch.lines:
            own = {"id": f"batch_req_{line['custom_id']}", "custom_id": line["custom_id"]}
            if share < 1 and _point(line["custom_id"], self._seed) >= share:
                outcome, digest = "expired" if is_expired else "cancelled", ""
                if is_expired:
                    message = "This request could not be executed before the completion window expired."
                    errors.append(
                        {**own, "response": None, "error": {"code": "batch_expired", "message": message}}
                    )
            else:
                digest, reply, is_answer = self._answer(line["url"], _encode(line["body"]))
                outcome = "ok"
                self._tries[digest] += 1
                if (fault := self._faults.choose(digest, self._tries[digest])) is not None:
                    failed = error("The server had an error while processing your request", "server_error")
                    reply, is_answer = Reply(int(fault), _encode(failed)), False
                if not is_answer:
                    outcome = "error"
                body = msgspec.Raw(reply.body)
                response = {"status_code": reply.status, "request_id": f"req-{digest}", "body": body}
                (outputs if is_answer else errors).append({**own, "response": response, "error": None})
            self._note(
                "batch_line",
                batch=batch.shown["id"],
                custom_id=line["custom_id"],
                digest=digest,
                outcome=outcome,
            )
        order = random.Random(f"{self._seed} {batch.shown['input_file_id']}")
        for name, rows in (("output_file_id", outputs), ("error_file_id", errors)):
            if rows:
                order.shuffle(rows)
                content = b"".join(_encode(row) + b"\n" for row in rows)
                batch.shown[name] = self._keep(content, "batch_output")["id"]
        batch.shown["request_counts"] |= {"completed": len(outputs), "failed": len(errors)}


def _point(text: str, seed: int) -> float:
    found = hashlib.blake2b(f"{seed} {text}".encode(), digest_size=8).digest()
    return int.from_bytes(found, "little") / 2**64


def _fault(line: int | None, code: str, message: str) -> dict[str, Any]:
    return {"code": code, "line": line, "message": message, "param": None}


def _lines(content: bytes, endpoint: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of an input file, and what is wrong with it."""
    lines: list[dict[str, Any]] = []
    faults: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            line = _decode(raw)
            name, url, method = line["custom_id"], line["url"], line["method"]
            is_whole = isinstance(name, str) and isinstance(line["body"], dict) and method == "POST"
        except (msgspec.DecodeError, LookupError, TypeError):
            is_whole, name, url = False, "", endpoint
        if not is_whole:
            faults.append(_fault(number, "invalid_json_line", "This line is no request."))
        elif name in seen:
            faults.append(_fault(number, "duplicate_custom_id", f"The custom_id `{name}` is there twice."))
        elif url != endpoint:
            faults.append(_fault(number, "mismatched_endpoint", f"The url `{url}` is not `{endpoint}`."))
        else:
            lines.append(line)
        seen.add(name)
    if not lines and not faults:
        faults.append(_fault(None, "empty_file", "The input file is empty."))
    if len(lines) > MOST_LINES:
        faults.append(_fault(None, "too_many_tasks", f"There are more than {MOST_LINES} requests."))
    return lines, faults


def _form(request: Request) -> dict[str, bytes]:
    """The parts of a form (RFC 7578) by their names."""
    kind, _, rest = request.headers.get("content-type", "").partition("boundary=")
    boundary = rest.partition(";")[0].strip().strip('"')
    if not kind.lower().startswith("multipart/form-data") or not boundary:
        raise _Refused(400, "A file is uploaded as multipart/form-data.", "file")
    parts = {}
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        for piece in head.replace(b"\r\n", b";").split(b";"):
            name, _, value = piece.strip().partition(b"=")
            if name.lower() == b"name":
                parts[value.strip(b'"').decode()] = content
    return parts
