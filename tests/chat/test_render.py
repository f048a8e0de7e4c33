"""Rendering: the text of jinja2, whatever the style of the template and the row."""

from __future__ import annotations

import datetime
import json
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
@settings(max_examples=250)
def test_the_text_is_that_of_jinja2(style: str, row: dict[str, Any], prompt: bool, thinking: bool, mapping: bool) -> None:
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
        done = th.chat.render([good, bad], template=templates.plain(style), mask=False, now=jinja.NOW, **templates.TOKENS)
        refused = style in ("mistral", "gemma")
        assert [error.reason for error in done.errors] == ["template_raised"] * refused
        assert "Yes" in done.texts[0].as_py()
        assert len(done) == 2 - refused


def _pieces(text: str, spans: list[dict[str, int]]) -> list[str]:
    return [text[span["start"] : span["end"]] for span in spans]


@pytest.mark.parametrize("style", templates.STYLES)
@given(row=chats.rows(), prompt=st.booleans())
@settings(max_examples=100)
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
