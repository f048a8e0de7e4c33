"""OpenAI's API on the wire: the body of a request for one endpoint, and the answer in the body of a reply.

Endpoints differ: some refuse parameters that others need, put reasoning into members of their own, or send an
error with status 200. A `Dialect` is what was learned of one endpoint; each parameter that was renamed or
left out is noted on the answers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from thresher.generate.faults import EndpointError, Final, Transient, retry_after_s
from thresher.generate.request import Answer, TokenChoice, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thresher.generate.request import Request

MODES = ("json_schema", "structured_outputs", "json_object", "tools", "prompt")
"""How a schema is asked for: `response_format` of OpenAI, the member of vLLM, JSON without a schema, a
function that has to be called, and words alone."""

_ESSENTIAL = frozenset({"model", "messages", "prompt", "n"})
_SHOWN = 300
_REFUSED = re.compile(
    r"\b(max_tokens|max_completion_tokens|temperature|top_p|presence_penalty|frequency_penalty|stop|seed"
    r"|top_logprobs|logprobs|response_format|json_schema|structured_outputs|tool_choice|tools)\b"
)
_UNSUPPORTED = re.compile(
    r"unsupported|n[o']t support|unrecogni[sz]ed|unknown|unexpected|extra|n[o']t permitted|n[o']t allowed",
    re.IGNORECASE,
)
"""What a message says of a parameter that an endpoint does not take, whatever its value is."""
_THINK = re.compile(r"\s*<think>(.*?)(?:</think>|\Z)\s*", re.DOTALL)


class Dialect:
    """What was learned of one endpoint.

    Attributes:
        refused: Parameters that it refuses, and what stands for each: another name, or None.
        changes: The same in words, for the answers.
        mode: How it is asked for a schema; None until a request with one was answered.
    """

    def __init__(self) -> None:
        self.refused: dict[str, str | None] = {}
        self.changes: tuple[str, ...] = ()
        self.mode: str | None = None

    def body(self, request: Request, model: str, mode: str | None) -> bytes:
        """The body that asks for an answer; `mode` says how the schema is asked for."""
        sampling = request.sampling
        body: dict[str, Any] = {"model": model}
        if request.prompt is None:
            body["messages"] = [
                {"role": message.role, "content": message.content} for message in request.messages
            ]
        else:
            body["prompt"] = request.prompt
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
            value = getattr(sampling, name)
            if value is not None:
                body[name] = value
        if sampling.temperature != 0:
            # Where a server has a sampler of its own seed, another sample is another answer.
            body["seed"] = ((sampling.seed or 0) + request.sample) % 2**31
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        body["max_tokens"] = request.max_tokens
        if request.top_logprobs is not None:
            if request.prompt is None:
                body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
            else:
                body["logprobs"] = request.top_logprobs
        if request.schema is not None and mode is not None:
            _ask_for_schema(body, request.schema, mode)
        for name, other in self.refused.items():
            if name in body:
                value = body.pop(name)
                if other is not None:
                    body[other] = value
        return _encoder.encode(body)

    def learn(self, refusal: Final) -> bool:
        """Takes a refusal of a parameter into account; False if it is none that can be done without."""
        is_new = self._learn(refusal)
        self.changes = tuple(
            f"{name} left out" if other is None else f"{name} sent as {other}"
            for name, other in sorted(self.refused.items())
        )
        return is_new

    def _learn(self, refusal: Final) -> bool:
        name = refusal.parameter
        if name in ("max_tokens", "max_completion_tokens"):
            # A bound that is only too large stays a bound: another name for it may be one that nobody reads.
            is_name = "max_completion_tokens" in refusal.detail or _UNSUPPORTED.search(refusal.detail)
            if not is_name or "max_tokens" in self.refused:
                return False
            self.refused["max_tokens"] = "max_completion_tokens"
            return True
        if name is None or name in _ESSENTIAL or name in self.refused:
            return False
        self.refused[name] = None
        if name in ("logprobs", "top_logprobs"):
            self.refused |= {"logprobs": None, "top_logprobs": None}
        return True


def _ask_for_schema(body: dict[str, Any], schema: Mapping[str, Any], mode: str) -> None:
    if mode == "json_schema":
        asked = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": asked}
    elif mode == "structured_outputs":
        body["structured_outputs"] = {"json": schema}
    elif mode == "json_object":
        body["response_format"] = {"type": "json_object"}
    elif mode == "tools":
        function = {"name": "answer", "description": "Gives the answer.", "parameters": schema}
        body["tools"] = [{"type": "function", "function": function}]
        body["tool_choice"] = {"type": "function", "function": {"name": "answer"}}
    if mode in ("json_object", "prompt") and "messages" in body:
        note = "Answer with JSON alone. It has to follow this JSON Schema:\n"
        text = note + msgspec.json.encode(schema).decode()
        body["messages"] = [*body["messages"][:-1], _with(body["messages"][-1], text)]


def _with(message: Mapping[str, str], text: str) -> dict[str, str]:
    return {**message, "content": f"{message['content']}\n\n{text}"}


def is_about_schema(refusal: Final) -> bool:
    """Whether a refusal is about the way in which the schema was asked for."""
    named = refusal.parameter or ""
    words = (
        "response_format",
        "json_schema",
        "structured_outputs",
        "schema",
        "tools",
        "tool_choice",
        "grammar",
    )
    return any(word in named for word in words) or any(word in refusal.detail.lower() for word in words)


class _Message(msgspec.Struct):
    content: Any = None
    reasoning_content: str | None = None
    reasoning: Any = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Any = None
    completion_tokens_details: Any = None


class _Reply(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    error: Any = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Reply, strict=False)


def read(status: int, headers: Mapping[str, str], raw: bytes, url: str) -> Answer:
    """The answer in a reply.

    Raises:
        Transient: It may succeed later.
        Final: It has no answer, now or later.
        EndpointError: The endpoint cannot be used.
    """
    if status != 200:
        refuse(status, headers, raw, url)
    try:
        reply = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Transient("garbage", f"the body is no answer: {error}") from error
    if reply.error:
        code, message, _ = _error_parts(reply.error)
        status = code if isinstance(code, int) and 400 <= code < 600 else 0
        if status in (400, 401, 403, 404, 413, 422) or _is_quota(code, message):
            refuse(status, headers, raw, url)
        raise Transient("error_body", message or "an error with status 200")
    if not reply.choices:
        raise Transient("no_choices", "a reply without choices")
    return _answer_of(reply, reply.choices[0])


def _answer_of(reply: _Reply, choice: _Choice) -> Answer:
    message = choice.message or _Message(content=choice.text)
    text, reasoning = _text_of(message.content), _text_of(message.reasoning_content or message.reasoning)
    if message.tool_calls and not text:
        function = message.tool_calls[0].get("function")
        text = str(function.get("arguments", "")) if isinstance(function, dict) else ""
    if found := _THINK.match(text):
        reasoning = reasoning or found[1].strip()
        text = text[found.end() :]
    finish = choice.finish_reason or "stop"
    if message.refusal:
        raise Final("refusal", message.refusal[:_SHOWN])
    if finish == "content_filter":
        raise Final("content_filter", "the server's filter stopped the answer")
    if not text.strip() and not reasoning and finish != "length":
        raise Transient("empty", "an answer without content")
    return Answer(
        text=text,
        reasoning=reasoning,
        finish=finish,
        usage=_usage(reply.usage),
        choices=_token_choices(choice.logprobs),
        model=reply.model or "",
        fingerprint=reply.system_fingerprint or "",
    )


def _text_of(content: Any) -> str:  # noqa: ANN401 - it is what a server wrote
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _usage(usage: _Usage | None) -> Usage:
    if usage is None:
        return Usage()
    return Usage(
        input=usage.prompt_tokens or 0,
        output=usage.completion_tokens or 0,
        cached=_detail(usage.prompt_tokens_details, "cached_tokens"),
        reasoning=_detail(usage.completion_tokens_details, "reasoning_tokens"),
    )


def _detail(details: Any, name: str) -> int:  # noqa: ANN401
    value = details.get(name) if isinstance(details, dict) else None
    return value if isinstance(value, int) else 0


def _token_choices(logprobs: Any) -> tuple[TokenChoice, ...]:  # noqa: ANN401
    """The tokens with their alternatives, in the form of chats or in that of completions."""
    if not isinstance(logprobs, dict):
        return ()
    found: list[TokenChoice] = []
    for place in logprobs.get("content") or ():
        if not isinstance(place, dict):
            return ()
        tops = place.get("top_logprobs") or [place]
        alternatives = {
            str(one.get("token")): _number(one.get("logprob")) for one in tops if isinstance(one, dict)
        }
        found.append(TokenChoice(token=str(place.get("token", "")), alternatives=alternatives))
    for token, tops in zip(logprobs.get("tokens") or (), logprobs.get("top_logprobs") or (), strict=False):
        if isinstance(tops, dict):
            alternatives = {str(name): _number(value) for name, value in tops.items()}
            found.append(TokenChoice(token=str(token), alternatives=alternatives))
    return tuple(found)


def _number(value: Any) -> float:  # noqa: ANN401
    return float(value) if isinstance(value, int | float) else -1e9


def refuse(status: int, headers: Mapping[str, str], raw: bytes, url: str) -> None:
    """Says what an error of a server means, by raising it."""
    try:
        error = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = raw.decode("utf-8", "replace")
    code, message, parameter = _error_parts(error.get("error", error) if isinstance(error, dict) else error)
    message = message or f"status {status}"
    if _is_quota(code, message):
        problem = f"`{url}` has no quota left: {message}"
        raise EndpointError(problem, url)
    if status == 429:
        raise Transient("rate_limited", message, retry_after_s(headers.get("Retry-After")))
    if status in (401, 403):
        problem = f"`{url}` refuses the key (status {status}): {message}"
        raise EndpointError(problem, url)
    if status == 404:
        problem = f"`{url}` does not know the model or the address (status 404): {message}"
        raise EndpointError(problem, url)
    if status in (408, 409, 425) or status >= 500:
        raise Transient(
            "server_error", f"status {status}: {message}", retry_after_s(headers.get("Retry-After"))
        )
    if code == "context_length_exceeded" or "context length" in message.lower() or status == 413:
        raise Final("too_long", message)
    if code == "content_filter":
        raise Final("content_filter", message)
    if parameter is None and _UNSUPPORTED.search(message) and (found := _REFUSED.search(message)):
        parameter = found[0]
    raise Final("bad_request", message, parameter)


def _error_parts(error: Any) -> tuple[Any, str, str | None]:  # noqa: ANN401
    """Code, message and parameter of an error, whatever its shape."""
    if not isinstance(error, dict):
        return None, str(error)[:_SHOWN], None
    parameter = error.get("param")
    named = parameter.split(".")[0] if isinstance(parameter, str) and parameter else None
    code = error.get("code") or error.get("type")
    return code, str(error.get("message") or error)[:_SHOWN], named


def _is_quota(code: Any, message: str) -> bool:  # noqa: ANN401
    return code == "insufficient_quota" or "insufficient_quota" in message
