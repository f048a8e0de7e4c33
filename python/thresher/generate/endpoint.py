"""Endpoints: where a model is served, what names it, and what it may be asked for.

Any server with OpenAI's API will do: hosted ones, vLLM, SGLang, Ollama, llama.cpp. `local:PATH.gguf` starts a
llama.cpp server in this process (see `local`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from thresher import _params
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

OPENAI = "api.openai.com"
_NO_NAMES = frozenset({"", "default", "model", "local", "gpt", "llm", "test"})
"""Names that servers give to whatever they serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Prices in money per million tokens; an unknown one is None, and a budget in money refuses then.

    Attributes:
        input: Tokens of questions.
        output: Tokens of answers, reasoning included.
        cached: Tokens of questions that the server has in its cache. Default: as `input`.
        batch: What a batch costs of that, as a share.
    """

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    batch: float = 0.5

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached", "batch"):
            value = getattr(self, name)
            if value is not None and _params.number(f"price_{name}", value) < 0:
                message = f"price_{name} is `{value:g}`, but it is at least 0"
                raise ParameterError(message)

    def of(
        self, input_tokens: int, cached: int, output_tokens: int, *, is_batch: bool = False
    ) -> float | None:
        """The price of a request; None if it is unknown.

        >>> Price(input=1.0, output=2.0, cached=0.5).of(1_000_000, 500_000, 1_000_000)
        2.75
        """
        if self.input is None or self.output is None:
            return None
        rest = self.input if self.cached is None else self.cached
        price = (input_tokens - cached) * self.input + cached * rest + output_tokens * self.output
        return price * (self.batch if is_batch else 1.0) / 1e6


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind an API as OpenAI's.

    Attributes:
        base_url: The address, which ends in `/v1` as a rule; or `local:PATH.gguf`.
        model: The name under which the server knows it.
        revision: What names the weights, if the model's name does not: a commit, a date. Needed for names
            such as `default`, under which a server serves anything.
        key_env: The environment variable with the key. Default: `OPENAI_API_KEY` for api.openai.com, else
            none; a key never goes to a host that was not named with it.
        api: `chat`, or `completion` for a base model that continues texts.
        max_in_flight: Requests at a time at most.
        rpm: Requests a minute at most; None for no bound.
        tpm: Tokens a minute at most; None for no bound.
        timeout_s: Seconds until a request is given up and sent again.
        weight: Share of the rows, beside other endpoints.
        price: What tokens cost.
        family: Family of the model, as `llama`; judge, teacher and student should be of different ones.
        licence: Licence of the model.
        terms: Terms under which its answers may be used, or where they stand.
        context: Tokens that question and answer may have together; None if unknown.
    """

    base_url: str
    model: str = ""
    revision: str | None = field(default=None, kw_only=True)
    key_env: str | None = field(default=None, kw_only=True)
    api: Literal["chat", "completion"] = field(default="chat", kw_only=True)
    max_in_flight: int = field(default=32, kw_only=True)
    rpm: int | None = field(default=None, kw_only=True)
    tpm: int | None = field(default=None, kw_only=True)
    timeout_s: float = field(default=120.0, kw_only=True)
    weight: float = field(default=1.0, kw_only=True)
    price: Price = field(default=Price(), kw_only=True)
    family: str | None = field(default=None, kw_only=True)
    licence: str | None = field(default=None, kw_only=True)
    terms: str | None = field(default=None, kw_only=True)
    context: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not self.is_local:
            parts = urlsplit(_params.word("base_url", self.base_url, "an address or `local:PATH.gguf`"))
            if parts.scheme not in ("http", "https") or not parts.hostname:
                message = (
                    f"base_url is `{self.base_url}`, but an endpoint is an address such as"
                    " `http://127.0.0.1:8000/v1`, or `local:PATH.gguf`"
                )
                raise ParameterError(message)
            if parts.username or parts.password:
                message = (
                    "base_url has a name or a password in it; name the variable with the key in `key_env`"
                )
                raise ParameterError(message)
        _params.choice("api", self.api, ("chat", "completion"))
        _params.whole("max_in_flight", self.max_in_flight, 1, 100_000)
        for name in ("rpm", "tpm", "context"):
            if getattr(self, name) is not None:
                _params.whole(name, getattr(self, name), 1)
        for name in ("timeout_s", "weight"):
            if _params.number(name, getattr(self, name)) <= 0:
                message = f"{name} is `{getattr(self, name):g}`, but it is more than 0"
                raise ParameterError(message)

    @property
    def is_local(self) -> bool:
        """Whether a server in this process is meant."""
        return isinstance(self.base_url, str) and self.base_url.startswith("local:")

    @property
    def name(self) -> str:
        """Model and host, for reports; without a path, a port or a key."""
        if self.is_local:
            return self.model or Path(self.base_url.removeprefix("local:")).name
        return f"{self.model}@{urlsplit(self.base_url).hostname}"

    @property
    def identity(self) -> str:
        """What names the weights in keys of the journal.

        Raises:
            ParameterError: Neither the model's name nor a revision names them.
        """
        if not self.model:
            message = (
                f"no model is named for `{self.base_url}`; give `model` (--model) as the server does; most"
                " servers list theirs below the address, under `/models`"
            )
            raise ParameterError(message)
        if self.revision:
            return f"{self.model}@{self.revision}"
        if self.model.lower() in _NO_NAMES:
            message = (
                f"model is `{self.model}`, a name under which a server serves anything, so its answers"
                " cannot be told from those of another model; give `revision`, for instance the name and"
                " version of the weights"
            )
            raise ParameterError(message)
        return self.model

    def key(self) -> str | None:
        """The key, from the environment; None if the endpoint needs none.

        Raises:
            ParameterError: The variable that was named is not set.
        """
        name = self.key_env
        if name is None:
            if self.is_local or urlsplit(self.base_url).hostname != OPENAI:
                return None
            name = "OPENAI_API_KEY"
        key = os.environ.get(name, "").strip()
        if key and not (key.isascii() and key.isprintable()):
            message = (
                f"the environment variable `{name}` holds characters that no key has; it is sent in a header"
            )
            raise ParameterError(message)
        if not key:
            message = f"the environment variable `{name}` is not set; it holds the key for `{self.base_url}`"
            raise ParameterError(message)
        return key


def choose(endpoints: Sequence[Endpoint], slot: str) -> int:
    """The endpoint that a slot asks: by a hash of the slot, in shares of the weights."""
    if len(endpoints) == 1:
        return 0
    point = int.from_bytes(hashlib.sha256(slot.encode()).digest()[:8], "little") / 2**64
    point *= sum(endpoint.weight for endpoint in endpoints)
    for place, endpoint in enumerate(endpoints):
        point -= endpoint.weight
        if point < 0:
            return place
    return len(endpoints) - 1
