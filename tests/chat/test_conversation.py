"""The intermediate form: nothing is lost on the way into objects and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher as th

Row = dict[str, Any]
texts = st.text(max_size=12)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
extra = st.dictionaries(st.text("xyz", min_size=4, max_size=5), anything, max_size=2)
calls = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": texts}, optional={"arguments": texts | st.just({"a": 1})})},
    optional={"id": texts, "type": st.just("function")},
)


def _turn(role: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    content = st.none() | texts | st.just([{"type": "text", "text": "hi"}])
    return st.builds(
        lambda turn, more: {**more, **turn},
        st.fixed_dictionaries({"role": st.just(role)}, optional={"content": content, **fields}),
        extra,
    )


openai = st.builds(
    lambda row, more: {**more, **row},
    st.fixed_dictionaries(
        {
            "messages": st.lists(
                _turn("user", name=texts)
                | _turn("system")
                | _turn("developer")
                | _turn(
                    "assistant", tool_calls=st.lists(calls, max_size=2), weight=st.sampled_from([0, 1, True])
                )
                | _turn("tool", tool_call_id=texts),
                max_size=4,
            )
        },
        optional={"tools": st.just([]) | st.just([{"type": "function", "function": {"name": "f"}}])},
    ),
    extra,
)
alpaca = st.builds(
    lambda row, more: {**more, **row},
    st.fixed_dictionaries(
        {"instruction": texts, "output": texts},
        optional={"input": texts, "system": texts, "history": st.lists(st.tuples(texts, texts).map(list))},
    ),
    extra,
)


@given(st.lists(openai, min_size=1, max_size=3))
def test_rows_become_conversations_and_the_same_rows_again(rows: list[Row]) -> None:
    found = th.chat.read(rows, from_format="openai")
    assert found.errors == ()
    assert th.chat.convert(found.conversations, to="openai").rows == rows


@given(alpaca)
def test_a_conversation_is_what_its_dict_says(row: Row) -> None:
    (talk,) = th.chat.read([row], from_format="alpaca").conversations
    assert talk is not None
    assert th.chat.Conversation.from_dict(json.loads(json.dumps(talk.to_dict()))) == talk
    assert th.chat.convert([talk], to="alpaca").rows == [row]


PREFERENCE = {"prompt": "a", "chosen": "b", "rejected": "c"}


def test_endings_are_objects_too() -> None:
    (talk,) = th.chat.read([PREFERENCE]).conversations
    assert talk is not None
    assert talk.ending is not None
    assert (talk.ending.kind, talk.ending.chosen[0].content) == ("preference", "b")
    assert th.chat.convert([talk], to="prompt-completion").rows == [PREFERENCE]


def test_a_new_conversation_is_written_as_usual() -> None:
    call = th.chat.Call(name="f", arguments={"a": 1}, id="c1")
    talk = th.chat.Conversation(
        messages=(
            th.chat.Message(role="user", content="Hi"),
            th.chat.Message(role="assistant", calls=(call,)),
            th.chat.Message(role="tool", content="2", call_id="c1"),
        )
    )
    (row,) = th.chat.convert([talk], to="openai", from_format="conversation").rows
    assert row["messages"][1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert row["messages"][2]["tool_call_id"] == "c1"
    changed = dataclasses.replace(talk, messages=talk.messages[:1])
    assert len(th.chat.convert([changed], to="openai", from_format="conversation").rows[0]["messages"]) == 1


def test_a_changed_conversation_is_written_as_it_is_now() -> None:
    (talk,) = th.chat.read(
        [{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}]
    ).conversations
    assert talk is not None
    answer = dataclasses.replace(talk.messages[1], content="c")
    changed = dataclasses.replace(talk, messages=(talk.messages[0], answer))
    (row,) = th.chat.convert([changed], to="sharegpt").rows
    assert row["conversations"][1] == {"from": "gpt", "value": "c"}


def test_rows_that_cannot_be_read_are_none_and_named() -> None:
    found = th.chat.read([{"instruction": "a", "output": "b"}, {"instruction": 1}], from_format="alpaca")
    assert found.conversations[1] is None
    assert [(error.row, error.reason) for error in found.errors] == [(1, "missing_field")]
    with pytest.raises(th.DataError, match="version"):
        th.chat.Conversation.from_dict({"messages": []})
