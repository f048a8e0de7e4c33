"""Rendering: the text of jinja2, whatever the style of the template and the row."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thresher as th
from tests.chat import chats, jinja, templates

FAILURES = (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError)


def expected(template: str, variables: dict[str, Any]) -> str | None:
    try:
        return jinja.render(template, variables)
    except FAILURES:
        return None


@pytest.mark.parametrize("style", templates.STYLES)
@given(row=chats.rows(), prompt=st.booleans(), thinking=st.booleans(), mapping=st.booleans())
@settings(max_examples=60)
def test_the_text_is_that_of_jinja2(
    style: str, row: dict[str, Any], prompt: bool, thinking: bool, mapping: bool
) -> None:
    template = templates.plain(style)
    variables = {
        **templates.TOKENS,
        "enable_thinking": thinking,
        "add_generation_prompt": prompt,
        **chats.seen(row, mapping=mapping),
    }
    want = expected(template, variables)
    done = th.chat.render(
        [row],
        template=template,
        from_format="openai",
        add_generation_prompt=prompt,
        mask=False,
        now=jinja.NOW,
        arguments="mapping" if mapping else "written",
        enable_thinking=thinking,
        **templates.TOKENS,
    )
    assert done.texts.to_pylist() == [want]
    assert len(done.errors) == (want is None)


def test_the_styles_render_and_refuse() -> None:
    user, assistant = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}
    good, bad = {"messages": [user, assistant]}, {"messages": [user, user, assistant]}
    for style in templates.STYLES:
        done = th.chat.render(
            [good, bad], template=templates.plain(style), mask=False, now=jinja.NOW, **templates.TOKENS
        )
        refused = style in ("mistral", "gemma")
        assert [error.reason for error in done.errors] == ["template_raised"] * refused
        assert "Yes" in done.texts[0].as_py()
        assert len(done) == 2 - refused


def _pieces(text: str, spans: list[dict[str, int]]) -> list[str]:
    return [text[span["start"] : span["end"]] for span in spans]


@pytest.mark.parametrize("style", templates.STYLES)
@given(row=chats.rows(), prompt=st.booleans())
@settings(max_examples=40)
def test_spans_are_what_generation_tags_would_hold(style: str, row: dict[str, Any], prompt: bool) -> None:
    options = {"from_format": "openai", "now": jinja.NOW, "arguments": "mapping", **templates.TOKENS}
    tagged = th.chat.render([row], template=templates.tagged(style), add_generation_prompt=prompt, **options)
    found = th.chat.render([row], template=templates.plain(style), add_generation_prompt=prompt, **options)
    variables = {**templates.TOKENS, "add_generation_prompt": prompt, **chats.seen(row, mapping=True)}
    text = expected(templates.plain(style), variables)
    assert tagged.texts.to_pylist() == [text]
    if text is None:
        return
    want = jinja.spans(templates.tagged(style), variables)
    assert [(span["start"], span["end"]) for span in tagged.spans[0].as_py()] == want
    if found.errors:
        assert found.errors[0].reason == "no_spans"
        return
    assert found.texts.to_pylist() == [text]
    assert _pieces(text, found.spans[0].as_py()) == [text[start:end] for start, end in want]


@pytest.mark.parametrize("style", ["chatml", "qwen", "gemma", "llama3"])
def test_long_conversations_have_the_same_spans_though_turns_are_looked_for_all_at_once(style: str) -> None:
    rng = random.Random(3)
    rows = []
    for _ in range(40):
        turns: list[dict[str, Any]] = []
        for _ in range(rng.randrange(7, 20)):
            turns.append({"role": "user", "content": rng.choice(["a", "go on", "</s>", "yes<|im_end|>", ""])})
            turns.append({"role": "assistant", "content": rng.choice(["b", "a", "", " c\n", "long " * 9])})
            if style == "qwen" and rng.random() < 0.5:
                turns[-1]["tool_calls"] = [
                    {"type": "function", "id": "x", "function": {"name": "f", "arguments": '{"a": 1}'}}
                ]
                turns.append({"role": "tool", "content": "r", "tool_call_id": "x"})
            if style == "qwen" and rng.random() < 0.5:
                turns[-1 if turns[-1]["role"] == "assistant" else -2]["reasoning_content"] = "so"
        rows.append({"messages": turns})
    options = {"from_format": "openai", "now": jinja.NOW, **templates.TOKENS}
    tagged = th.chat.render(rows, template=templates.tagged(style), **options)
    found = th.chat.render(rows, template=templates.plain(style), **options)
    assert not tagged.errors
    # An empty answer can stand in two places; then nothing is guessed.
    assert {error.reason for error in found.errors} <= {"no_spans"}
    assert len(found) >= 30
    for index in range(len(rows)):
        if found.texts[index].is_valid:
            assert found.texts[index] == tagged.texts[index]
            assert found.spans[index] == tagged.spans[index]


def test_spans_are_in_characters_and_cover_thoughts_and_calls() -> None:
    row = {
        "messages": [
            {"role": "user", "content": "\U0001f600é"},
            {
                "role": "assistant",
                "content": "Ich schaue nach. \U0001f600",
                "reasoning_content": "naïve",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"où": "数"}'}}
                ],
            },
            {"role": "tool", "content": "22°", "tool_call_id": "a"},
            {"role": "assistant", "content": "Es ist 22° warm."},
        ]
    }
    done = th.chat.render([row], template=templates.plain("qwen"), mask=True, strict=True)
    assert _pieces(done.texts[0].as_py(), done.spans[0].as_py()) == [
        "<think>\nnaïve\n</think>\n\nIch schaue nach. \U0001f600\n<tool_call>\n"
        '{"name": "look", "arguments": {"où": "数"}}\n</tool_call><|im_end|>',
        "<think>\n\n</think>\n\nEs ist 22° warm.<|im_end|>",
    ]


def test_a_turn_begins_behind_what_the_prompt_already_says() -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]}
    done = th.chat.render([row], template=templates.plain("qwen"), enable_thinking=False, strict=True)
    assert done.texts[0].as_py().endswith("<think>\n\n</think>\n\nYes<|im_end|>\n")
    assert _pieces(done.texts[0].as_py(), done.spans[0].as_py()) == ["Yes<|im_end|>"]


def test_old_thoughts_that_the_template_leaves_out_do_not_hide_the_turn() -> None:
    row = {
        "messages": [
            {"role": "user", "content": "1"},
            {"role": "assistant", "content": "<think>\nold\n</think>\n\none"},
            {"role": "user", "content": "2"},
            {"role": "assistant", "content": "<think>\nnew\n</think>\n\ntwo"},
        ]
    }
    done = th.chat.render([row], template=templates.plain("qwen"), strict=True)
    assert _pieces(done.texts[0].as_py(), done.spans[0].as_py()) == [
        "one<|im_end|>",
        "<think>\nnew\n</think>\n\ntwo<|im_end|>",
    ]


def test_without_a_prompt_to_go_on_the_header_is_not_generated() -> None:
    template = "{% for m in messages %}<{{ m.role }}>\n{{ m.content }}</s>\n{% endfor %}"
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}] * 2}
    done = th.chat.render([row], template=template, strict=True)
    assert _pieces(done.texts[0].as_py(), done.spans[0].as_py()) == ["a</s>", "a</s>"]


def test_a_turn_that_cannot_be_found_for_sure_sets_the_row_aside() -> None:
    changed = "{{ m.role }}:{{ m.content | reverse }}#{{ messages | length * (m.content | length) }}\n"
    template = "{% for m in messages %}" + changed + "{% endfor %}"
    row = {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "bc"},
            {"role": "user", "content": "d"},
        ]
    }
    done = th.chat.render([row], template=template)
    assert [error.reason for error in done.errors] == ["no_spans"]
    assert done.texts.to_pylist() == done.spans.to_pylist() == [None]
    assert not th.chat.render([row], template=template, mask=False).errors


@pytest.mark.parametrize("kind", ["plain", "tagged"])
def test_a_weight_of_nothing_leaves_a_message_out(kind: str) -> None:
    turns = [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "one", "weight": 0},
        {"role": "user", "content": "2"},
        {"role": "assistant", "content": "two", "weight": 1},
        {"role": "user", "content": "3"},
        {"role": "assistant", "content": "three", "train": False},
    ]
    template = getattr(templates, kind)("chatml")
    done = th.chat.render([{"messages": turns}], template=template, from_format="openai", strict=True)
    assert _pieces(done.texts[0].as_py(), done.spans[0].as_py()) == ["two<|im_end|>"]


def test_of_a_preference_one_ending_is_rendered_and_learnt() -> None:
    user, old = {"role": "user", "content": "q"}, {"role": "assistant", "content": "old"}
    row = {
        "prompt": [user, old, user],
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    }
    for ending, want in [
        ("chosen", ["good<|im_end|>"]),
        ("rejected", ["bad<|im_end|>"]),
        ("prompt", ["old<|im_end|>"]),
    ]:
        done = th.chat.render(
            [row], template=templates.plain("chatml"), from_format="trl", ending=ending, strict=True
        )
        assert _pieces(done.texts[0].as_py(), done.spans[0].as_py()) == want


def test_rows_of_other_formats_are_rendered() -> None:
    row = {"instruction": "Add", "input": "2 and 3", "output": "5"}
    done = th.chat.render([row], template=templates.plain("chatml"), strict=True)
    assert done.format == "alpaca"
    assert done.texts[0].as_py() == (
        "<|im_start|>user\nAdd\n2 and 3<|im_end|>\n<|im_start|>assistant\n5<|im_end|>\n"
    )


def test_bad_rows_are_set_aside_and_good_ones_are_not() -> None:
    good = json.dumps({"messages": [{"role": "user", "content": "Hi"}]})
    rows = [good, "{", '{"messages": [{"role": "wizard", "content": ""}]}', good]
    done = th.chat.render(rows, template=templates.plain("chatml"), from_format="openai", threads=2)
    assert [(error.row, error.reason) for error in done.errors] == [(1, "invalid_json"), (2, "unknown_role")]
    assert len(done) == 2
    with pytest.raises(th.DataError, match="row 1"):
        th.chat.render(rows, template=templates.plain("chatml"), from_format="openai", strict=True)


def test_the_same_bytes_for_any_number_of_threads() -> None:
    rows = [
        {"messages": [{"role": "user", "content": str(n)}, {"role": "assistant", "content": "x" * n}]}
        for n in range(300)
    ]
    one, two = (
        th.chat.render(rows, template=templates.plain("chatml"), threads=threads) for threads in (1, 2)
    )
    assert one.texts.equals(two.texts)
    assert one.spans.equals(two.spans)


def test_templates_come_from_files_and_configurations(tmp_path: Path) -> None:
    text = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
    tokens = {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>", "pad_token": None}
    config = {**tokens, "chat_template": text}
    several = {
        **tokens,
        "chat_template": [{"name": "default", "template": text}, {"name": "tool_use", "template": "T"}],
    }
    row = {"messages": [{"role": "user", "content": "Hi"}]}
    folder, old = tmp_path / "new", tmp_path / "old"
    for path in (folder, old):
        path.mkdir()
    (folder / "tokenizer_config.json").write_text(json.dumps(tokens))
    (folder / "chat_template.jinja").write_text(text)
    (old / "tokenizer_config.json").write_text(json.dumps(config))
    (old / "chat_template.json").write_text(json.dumps({"chat_template": text}))
    for template in (config, several, folder, str(folder), old, old / "tokenizer_config.json"):
        done = th.chat.render([row], template=template, mask=False, strict=True)
        assert done.texts.to_pylist() == ["<s>Hi</s>"], template
    assert th.chat.render([row], template=several, name="tool_use", mask=False).texts.to_pylist() == ["T"]
    done = th.chat.render(
        [row], template=folder / "chat_template.jinja", mask=False, bos_token="[", eos_token="]"
    )
    assert done.texts.to_pylist() == ["[Hi]"]
    for wrong in ({"a": 1}, tmp_path / "nothing.jinja", tmp_path):
        with pytest.raises(th.ParameterError):
            th.chat.render([row], template=wrong)
    with pytest.raises(th.ParameterError, match="no template called `rag`"):
        th.chat.render([row], template=several, name="rag")


def test_what_is_wrong_with_a_parameter_is_said() -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}]}
    for wrong, what in [
        ({"template": "{% if %}"}, "line 1"),
        ({"template": "\n{{ x | nope }}"}, "line 2 of the template: there is no filter `nope`"),
        ({"template": "x{{ 1 }}", "now": "tomorrow"}, "now is `tomorrow`"),
        ({"template": "x{{ 1 }}", "arguments": "yes"}, "arguments is `yes`"),
        ({"template": "x{{ 1 }}", "ending": "yes"}, "ending is `yes`"),
        ({"template": "x{{ 1 }}", "thing": object()}, "what JSON can hold"),
    ]:
        with pytest.raises(th.ParameterError, match=what):
            th.chat.render([row], **wrong)


def test_the_date_is_given_and_never_taken_from_the_clock() -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}]}
    template = "{{ strftime_now('%d %b %Y') }}"
    done = th.chat.render([row], template=template, now=datetime.date(2024, 7, 26))
    assert done.texts.to_pylist() == ["26 Jul 2024"]
    assert "pass `now`" in th.chat.render([row], template=template).errors[0].detail
