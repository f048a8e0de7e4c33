"""Hypothesis strategies of conversations in OpenAI's format, and of what jinja2 gets to see of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

ODD = [
    "",
    " ",
    "\n",
    "</think>",
    "<think>a</think>b",
    "<|im_end|>",
    "ünï 数据 \U0001f600",
    "\u200b",
    "a'b\"c",
    "{{ x }}",
    "</s>",
    "e\u0301",
]


def texts() -> st.SearchStrategy[str]:
    some = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ue000\ue001"), max_size=12)
    return st.one_of(some, st.sampled_from(ODD), st.tuples(st.sampled_from(ODD), some).map("".join))


def values() -> st.SearchStrategy[Any]:
    leaf = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts(), inner, max_size=3)),
        max_leaves=6,
    )


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    arguments = draw(st.dictionaries(texts(), values(), max_size=3))
    return {
        "id": draw(st.text("abc123", min_size=1, max_size=4)),
        "type": "function",
        "function": {
            "name": draw(st.sampled_from(["look", "ask_weather", "f"])),
            "arguments": json.dumps(arguments),
        },
    }


@st.composite
def messages(draw: st.DrawFn, roles: list[str] | None = None) -> dict[str, Any]:
    role = draw(st.sampled_from(roles or ["system", "developer", "user", "assistant", "tool"]))
    message: dict[str, Any] = {"role": role, "content": draw(st.one_of(texts(), texts(), texts(), st.none()))}
    if role == "assistant":
        if draw(st.booleans()):
            message["reasoning_content"] = draw(texts())
        if draw(st.booleans()):
            message["tool_calls"] = draw(st.lists(calls(), min_size=1, max_size=2))
    if role == "tool":
        message["tool_call_id"] = draw(st.text("abc123", min_size=1, max_size=4))
    return message


def tools() -> st.SearchStrategy[Any]:
    schema = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(texts(), values(), max_size=2)}
    )
    function = st.fixed_dictionaries(
        {"name": st.sampled_from(["look", "f"]), "description": texts(), "parameters": schema}
    )
    return st.lists(
        st.fixed_dictionaries({"type": st.just("function"), "function": function}), min_size=1, max_size=2
    )


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation in any order of roles, or one as people have them."""
    if draw(st.booleans()):
        row: dict[str, Any] = {"messages": draw(st.lists(messages(), min_size=1, max_size=6))}
    else:
        turns = [draw(messages(["system"]))] if draw(st.booleans()) else []
        for _ in range(draw(st.integers(1, 3))):
            turns += [draw(messages(["user"])), draw(messages(["assistant"]))]
            for call in turns[-1].get("tool_calls", []) if draw(st.booleans()) else []:
                turns.append({"role": "tool", "content": draw(texts()), "tool_call_id": call["id"]})
        row = {"messages": turns}
    if draw(st.booleans()):
        row["tools"] = draw(tools())
    return row


def seen(row: dict[str, Any], *, mapping: bool) -> dict[str, Any]:
    """The variables that a template sees of a row; arguments as mappings, or as the texts they are."""
    turns = json.loads(json.dumps(row["messages"]))
    for turn in turns:
        for call in turn.get("tool_calls") or []:
            if mapping:
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return {"messages": turns, "tools": row.get("tools"), "documents": None}
