"""What a model is asked, what it answered, and the key under which an answer is kept.

The key covers everything that determines an answer: the text, the sampling, the schema, the number of the
sample and the identity of the model. It does not cover the address, time limits and the like, so an answer is
found again from another server, another recipe or another run. The bound on its length is no part of it
either: an answer that ended by itself is the same under any larger bound.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal, TypeAlias

import msgspec

from thresher import _params
from thresher.errors import ParameterError

KEY_VERSION = 1
"""Version of what keys are made of; a journal holds answers under keys of one version."""

Failure: TypeAlias = Literal["refusal", "content_filter", "empty", "too_long", "bad_request", "server_error"]
"""Why a request has no answer, now and in every later run."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a chat.

    Attributes:
        role: `system`, `user` or `assistant`.
        content: Its text.
    """

    role: str
    content: str


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an answer is sampled; what is None is left to the server.

    Attributes:
        temperature: 0 for the most likely tokens.
        top_p: Share of the probability that is sampled from.
        presence_penalty: Penalty on tokens that are there already.
        frequency_penalty: Penalty on tokens by how often they are there.
        stop: Texts that end the answer.
        seed: Seed of the server's sampler, where it has one.
    """

    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


def temperature_of(value: float) -> float:
    """A temperature that was given.

    Raises:
        ParameterError: It is negative, or no number.
    """
    found = _params.number("temperature", value)
    if found < 0:
        message = f"temperature is `{found:g}`, but it is at least 0"
        raise ParameterError(message)
    return found


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question to a model.

    Attributes:
        messages: The chat; empty if `prompt` is given.
        prompt: A text to be continued, for `/v1/completions`.
        sampling: How the answer is sampled.
        max_tokens: Tokens of the answer at most, reasoning included. Doubled, up to `max_tokens_cap`, if the
            answer ends by it before it has any content.
        max_tokens_cap: How far it may be raised.
        schema: JSON Schema that the answer has to follow.
        top_logprobs: How many alternatives of each token are asked for, with their log-probabilities.
        sample: Which of several answers to the same question this is.
        purpose: What the recipe asks for, for the report; it is no part of the key.
        slot: The slot that asks; it chooses the endpoint, and is no part of the key.
        endpoint: The endpoint to be asked instead, by its place among those of the run; no part of the key
            either, which has the identity of the model.
    """

    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    sampling: Sampling = Sampling()
    max_tokens: int = 1024
    max_tokens_cap: int = 8192
    schema: dict[str, Any] | None = None
    top_logprobs: int | None = None
    sample: int = 0
    purpose: str = ""
    slot: str = ""
    endpoint: int | None = None

    @property
    def text_bytes(self) -> int:
        """Bytes of UTF-8 that are sent as text."""
        if self.prompt is not None:
            return len(self.prompt.encode())
        return sum(len(message.content.encode()) for message in self.messages)

    def canonical(self, identity: str) -> bytes:
        """What determines the answer, as JSON with sorted members.

        Args:
            identity: What names the model's weights.
        """
        parts: dict[str, Any] = {
            "v": KEY_VERSION,
            "model": identity,
            "api": "chat" if self.prompt is None else "completion",
            "sampling": self.sampling,
            "sample": self.sample,
        }
        if self.prompt is None:
            parts["messages"] = self.messages
        else:
            parts["prompt"] = self.prompt
        if self.schema is not None:
            parts["schema"] = self.schema
        if self.top_logprobs is not None:
            parts["top_logprobs"] = self.top_logprobs
        return _sorted.encode(parts)


_sorted = msgspec.json.Encoder(order="sorted")


def key_of(canonical: bytes) -> bytes:
    """The key of a request: SHA-256 of its canonical form."""
    return hashlib.sha256(canonical).digest()


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens as the server counted them.

    Attributes:
        input: Tokens of the question.
        cached: Those of them that the server had in its cache.
        output: Tokens of the answer, reasoning included.
        reasoning: Those of them that are reasoning.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


class TokenChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The token at one place of an answer, and what else could have stood there.

    Attributes:
        token: Its text.
        alternatives: Natural logarithms of the probabilities of the likeliest tokens at this place.
    """

    token: str
    alternatives: dict[str, float]


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model answered.

    Attributes:
        text: The content, without reasoning.
        reasoning: The reasoning, wherever the server put it.
        finish: `stop`, `length`, or what else the server says.
        failure: Why there is no answer; None if there is one.
        detail: What the server said about the failure.
        usage: Tokens.
        choices: The tokens with their alternatives, if they were asked for and given.
        model: The name of the model that the server gave.
        fingerprint: What the server says about its configuration.
        endpoint: The endpoint that answered, by its name.
        mode: How the schema was asked for; empty without one.
        changes: Parameters that the endpoint refused, and what became of each.
        tries: How often it was sent.
        key: The key of the request, in hex.
    """

    text: str = ""
    reasoning: str = ""
    finish: str = ""
    failure: Failure | None = None
    detail: str = ""
    usage: Usage = Usage()
    choices: tuple[TokenChoice, ...] = ()
    model: str = ""
    fingerprint: str = ""
    endpoint: str = ""
    mode: str = ""
    changes: tuple[str, ...] = ()
    tries: int = 1
    key: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether it ended by the bound on its length."""
        return self.finish == "length"
