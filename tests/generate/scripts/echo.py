"""Answers with the digest of what was asked: short, quick, another one for each question."""

from __future__ import annotations

from typing import Any

from tests.generate.scripted.answers import Reply, digest_of


def answer(body: dict[str, Any]) -> Reply:
    return Reply(content=digest_of({"asked": body.get("messages", body.get("prompt"))}))
