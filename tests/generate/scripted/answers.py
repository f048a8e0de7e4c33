"""From what a script says to the body of a reply: `n`, `stop`, `max_tokens`, logprobs, schemas, reasoning.

All of it is a pure function of the body of the request, the script and the options of the server: the same
request has the same reply, byte for byte, whatever came before.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from typing import Any, Protocol

import msgspec

from tests.generate.scripted.schemas import Record, example

_TOKEN = re.compile(r"""\s?[^\d\s"]{1,6}|\d{1,3}|[\s"]""")
CREATED = 1_700_000_000
_encoder = msgspec.json.Encoder(order="deterministic")


class Reply(msgspec.Struct, kw_only=True):
    """What a script answers.

    Attributes:
        content: The text.
        reasoning: What came before it.
        finish_reason: `stop`, or what the script wants: `length`, `content_filter`.
        refusal: A refusal in place of the content.
        usage: Instead of the tokens that are counted.
        alternatives: By the place of a token in the content: likely tokens there, with their probabilities.
        raw: The body, whole, in place of everything else.
    """

    content: str = ""
    reasoning: str = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    usage: dict[str, int] | None = None
    alternatives: dict[int, dict[str, float]] | None = None
    raw: bytes | None = None


class Script(Protocol):
    """A module in `scripts`.

    It may also have `record`, which makes objects for schemas (see `schemas.Record`); `IGNORES_SCHEMA`, the
    share of answers that do not follow the schema; and `alternatives`, the likely tokens of such an answer.
    """

    def answer(self, body: dict[str, Any]) -> Reply:
        """The answer: a pure function of the body."""


class Manner(msgspec.Struct):
    """How a server answers, whatever the script says.

    Attributes:
        reasoning: Where reasoning goes: `reasoning_content`, `reasoning`, or `think` for tags in the content.
        thinks: Each answer has reasoning.
        misplaces: The content goes where reasoning does, and is itself empty.
    """

    reasoning: str = "reasoning_content"
    thinks: bool = False
    misplaces: bool = False


def digest_of(body: dict[str, Any]) -> str:
    """What tells one body from another, whatever the order of its members."""
    return hashlib.blake2b(_encoder.encode(body), digest_size=16).hexdigest()


def chance_of(body: dict[str, Any], purpose: str = "") -> random.Random:
    """Random numbers for an answer: by what is asked, of which model and with which seed.

    How it is asked has no part in it: a bound on tokens changes the form of an answer, not its sense.
    """
    asked = [body.get("messages"), body.get("prompt"), body.get("model"), body.get("seed"), purpose]
    return random.Random(hashlib.blake2b(_encoder.encode(asked), digest_size=16).digest())


def text_of(body: dict[str, Any]) -> str:
    """All that was asked, in one text."""
    if "messages" not in body:
        prompt = body.get("prompt")
        return prompt if isinstance(prompt, str) else ""
    texts = []
    for message in body["messages"]:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        texts.append(content if isinstance(content, str) else "")
    return "\n".join(texts)


def tokens_of(text: str) -> list[str]:
    """The text in tokens: up to six characters with the blank before; numbers and quotes by themselves."""
    return _TOKEN.findall(text)


def reply_to(
    body: dict[str, Any], digest: str, script: Script, manner: Manner
) -> tuple[bytes, dict[str, Any]]:
    """The body of the reply, and the usage that it names."""
    is_chat = "messages" in body
    count = body.get("n") or 1
    choices, completion, thought = [], 0, 0
    usage = None
    for place in range(count):
        asked = body if place == 0 else {**body, "seed": f"{body.get('seed')}, choice {place}"}
        reply = script.answer(asked)
        if reply.raw is not None:
            return reply.raw, reply.usage or {}
        choice, spoken, thinking = _choice(asked, _as_asked(asked, reply, script), manner, is_chat)
        choice["index"] = place
        choices.append(choice)
        completion, thought = completion + spoken + thinking, thought + thinking
        usage = reply.usage
    usage = usage or _usage(body, digest, completion, thought)
    made = {
        "id": f"{'chatcmpl' if is_chat else 'cmpl'}-{digest[:24]}",
        "object": "chat.completion" if is_chat else "text_completion",
        "created": CREATED,
        "model": body.get("model", ""),
        "choices": choices,
        "usage": usage,
        "system_fingerprint": "fp_scripted",
    }
    return msgspec.json.encode(made), usage


def _usage(body: dict[str, Any], digest: str, completion: int, thought: int) -> dict[str, Any]:
    """Tokens: of the answer as `tokens_of` has it, of the question a quarter of its characters."""
    prompt = 3 + len(text_of(body)) // 4
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        # A fourth of the questions find half of themselves in a cache.
        "prompt_tokens_details": {"cached_tokens": prompt // 2 if digest[0] in "0123" else 0},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _as_asked(body: dict[str, Any], reply: Reply, script: Script) -> Reply:
    """The reply as the body's schema wants it, unless the script ignores schemas this time."""
    response_format = body.get("response_format") or {}
    outputs = body.get("structured_outputs") or {}
    schema = outputs.get("json")
    if response_format.get("type") == "json_schema":
        schema = response_format["json_schema"].get("schema", True)
    if schema is None and (tools := body.get("tools")) and _must_call(body):
        schema = tools[0]["function"].get("parameters", True)
    if schema is None and "choice" in outputs:
        schema = {"enum": outputs["choice"]}
    if schema is None:
        if response_format.get("type") == "json_object" and not reply.content.lstrip().startswith(
            ("{", "[", "`")
        ):
            return msgspec.structs.replace(
                reply, content=msgspec.json.encode({"answer": reply.content}).decode()
            )
        return reply
    chance = chance_of(body, "schema")
    if chance.random() < getattr(script, "IGNORES_SCHEMA", 0.0):
        return reply
    record: Record | None = getattr(script, "record", None)
    value = example(schema, chance, None if record is None else lambda *of: record(body, *of))
    content = value if "choice" in outputs else msgspec.json.encode(value).decode()
    shown = getattr(script, "alternatives", None)
    return Reply(
        content=content,
        reasoning=reply.reasoning,
        alternatives=shown(body, content) if shown is not None else None,
    )


def _must_call(body: dict[str, Any]) -> bool:
    return isinstance(body.get("tool_choice"), dict) or body.get("tool_choice") == "required"


def _choice(
    body: dict[str, Any], reply: Reply, manner: Manner, is_chat: bool
) -> tuple[dict[str, Any], int, int]:
    """One choice, and the tokens of its content and of its reasoning."""
    content, reasoning, finish = reply.content, reply.reasoning, reply.finish_reason
    if manner.thinks and not reasoning:
        reasoning = f"The question has {len(text_of(body))} characters. I will answer it."
    if manner.misplaces:
        reasoning, content = content, ""
    stops = body.get("stop") or []
    cuts = [content.find(stop) for stop in ([stops] if isinstance(stops, str) else stops) if stop in content]
    if cuts:
        content, finish = content[: min(cuts)], "stop"
    most = body.get("max_completion_tokens") or body.get("max_tokens") or math.inf
    thinking = tokens_of(reasoning) if reasoning else []
    tokens = tokens_of(content)
    if len(thinking) + len(tokens) > most:
        finish = "length"
        thinking = thinking[: int(most)]
        tokens = tokens[: int(most) - len(thinking)]
        content, reasoning = "".join(tokens), "".join(thinking)
    choice: dict[str, Any] = {"finish_reason": finish}
    if not is_chat:
        choice |= {"text": content, "logprobs": _completion_logprobs(body, reply, tokens)}
        return choice, len(tokens), 0
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": reply.refusal}
    if reply.refusal is not None:
        message["content"] = None
    elif _must_call(body) and body.get("tools"):
        called = {"name": body["tools"][0]["function"]["name"], "arguments": content}
        message |= {"content": None, "tool_calls": [{"id": "call_0", "type": "function", "function": called}]}
    if reasoning and manner.reasoning == "think":
        message["content"] = f"<think>\n{reasoning}\n</think>\n\n{content}"
    elif reasoning:
        message[manner.reasoning] = reasoning
    choice |= {"message": message, "logprobs": _chat_logprobs(body, reply, tokens)}
    return choice, len(tokens), len(thinking)


def _places(reply: Reply, tokens: list[str], most: int) -> list[tuple[str, int, dict[str, float]]]:
    """Each token, its place, and the logarithms of the likeliest tokens there, the likeliest first."""
    found, at = [], 0
    for token in tokens:
        shares = (reply.alternatives or {}).get(at)
        if shares is None:
            shares = {token: 0.95}
        logs = {
            name: math.log(share)
            for name, share in sorted(shares.items(), key=lambda of: -of[1])
            if share > 0
        }
        logs.setdefault(token, -20.0)
        kept = dict(list(logs.items())[:most])
        kept |= {f"<{place}>": -20.0 - place for place in range(most - len(kept))}
        found.append((token, at, kept | {token: logs[token]}))
        at += len(token)
    return found


def _chat_logprobs(body: dict[str, Any], reply: Reply, tokens: list[str]) -> dict[str, Any] | None:
    if not body.get("logprobs"):
        return None
    most = body.get("top_logprobs") or 0

    def shown(token: str, log: float) -> dict[str, Any]:
        return {"token": token, "logprob": log, "bytes": list(token.encode())}

    content = []
    for token, _, logs in _places(reply, tokens, most):
        tops = [shown(name, log) for name, log in list(logs.items())[:most]]
        content.append({**shown(token, logs[token]), "top_logprobs": tops})
    return {"content": content, "refusal": None}


def _completion_logprobs(body: dict[str, Any], reply: Reply, tokens: list[str]) -> dict[str, Any] | None:
    most = body.get("logprobs")
    if most is None or most is False:
        return None
    places = _places(reply, tokens, int(most))
    return {
        "tokens": tokens,
        "token_logprobs": [logs[token] for token, _, logs in places],
        "top_logprobs": [logs for _, _, logs in places],
        "text_offset": [at for _, at, _ in places],
    }
