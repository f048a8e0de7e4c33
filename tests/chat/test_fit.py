"""What a template can do, and whether data of one template fits a model deployed with another."""

from __future__ import annotations

import pytest

import thresher as th
from tests.chat import jinja, templates

LOOP = "{% for m in messages %}[{{ m.role }}]{{ m.content or '' }}"
CALLS = "{% for c in m.tool_calls or [] %}({{ c.function.name }} "
END = "){% endfor %}{% endfor %}"

FORMS = [
    # Template, string, mapping, recommended.
    (CALLS + "{{ c.function.arguments | tojson }}" + END, "double_encoded", "ok", "mapping"),
    (CALLS + "{{ c.function.arguments }}" + END, "ok", "prints_python", "string"),
    (CALLS + "{{ '' + c.function.arguments }}" + END, "ok", "raises", "string"),
    (
        CALLS + "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}" + END,
        "raises",
        "ok",
        "mapping",
    ),
    (
        CALLS
        + "{% if c.function.arguments is mapping %}{{ c.function.arguments | tojson }}{% endif %}"
        + END,
        "dropped",
        "ok",
        "mapping",
    ),
    (
        CALLS
        + "{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}"
        + END,
        "ok",
        "ok",
        "mapping",
    ),
    ("{% endfor %}", "dropped", "dropped", None),
]


@pytest.mark.parametrize(("template", "string", "mapping", "recommended"), FORMS)
def test_the_form_of_arguments_is_found_out(
    template: str, string: str, mapping: str, recommended: str | None
) -> None:
    found = th.chat.probe(LOOP + template)
    assert (found.string.normal, found.mapping.normal, found.recommended) == (string, mapping, recommended)


def test_empty_missing_and_null_arguments_have_fates_of_their_own() -> None:
    found = th.chat.probe(LOOP + CALLS + "{{ c.function.arguments if c.function.arguments else none }}" + END)
    assert (found.string.null, found.string.absent) == ("prints_none", "prints_none")
    found = th.chat.probe(LOOP + CALLS + "{{ c.function.arguments | tojson }}" + END)
    assert (found.mapping.empty, found.string.empty, found.mapping.absent) == (
        "ok",
        "double_encoded",
        "raises",
    )


def test_rendering_uses_the_form_that_the_template_wants() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    row = {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
    }
    wants_mapping, wants_string = (LOOP + form for form, *_ in (FORMS[0], FORMS[1]))
    for template, arguments, want in [
        (wants_mapping, "auto", '(f {"a": 1})'),
        (wants_string, "auto", '(f {"a":1})'),
        (wants_mapping, "string", '(f "{\\"a\\":1}")'),
        (wants_string, "mapping", "(f {'a': 1})"),
        (wants_mapping, "written", '(f "{\\"a\\":1}")'),
    ]:
        done = th.chat.render([row], template=template, arguments=arguments, mask=False, strict=True)
        assert done.texts[0].as_py() == "[user]q[assistant]" + want


def test_what_the_styles_can_do() -> None:
    found = {
        style: th.chat.probe(templates.plain(style), now=jinja.NOW, **templates.TOKENS)
        for style in templates.STYLES
    }
    can = {
        style: {name for name in probe.__slots__ if getattr(probe, name) is True}
        for style, probe in found.items()
    }
    assert can == {
        "chatml": {"system", "developer", "tool_results", "generation_prompt"},
        "llama3": {"system", "developer", "tools", "tool_results", "generation_prompt"},
        "mistral": {"system", "needs_alternation"},
        "gemma": {"needs_alternation", "generation_prompt"},
        "qwen": {"system", "tools", "parallel_calls", "tool_results", "reasoning", "generation_prompt"},
    }
    assert found["llama3"].recommended == "mapping"
    assert th.chat.probe(templates.tagged("chatml")).generation_tags


ROWS = [
    {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]}
    for n in range(9)
]


@pytest.mark.parametrize("trained", templates.STYLES)
@pytest.mark.parametrize("deployed", templates.STYLES)
def test_a_template_fits_itself_and_no_other(trained: str, deployed: str) -> None:
    found = th.chat.check_mismatch(
        ROWS,
        trained_with=templates.plain(trained),
        deployed_with=templates.plain(deployed),
        now=jinja.NOW,
        **templates.TOKENS,
    )
    assert found.rows == 9
    assert (found.verdict == "same") == (trained == deployed)
    if trained != deployed:
        assert found.different == 9
        assert found.differences[0].row == 0
        assert found.differences[0].trained != found.differences[0].deployed
        assert found.parts


def test_a_default_system_prompt_an_end_marker_and_a_prompt_are_told_apart() -> None:
    chatml = templates.plain("chatml")
    default = (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
        + chatml.lstrip()
    )
    other_end = chatml.replace("<|im_end|>", "<|end|>")
    no_prompt = chatml.replace("add_generation_prompt", "false")
    with_system = [{"messages": [{"role": "system", "content": "s"}, *row["messages"]]} for row in ROWS]
    for rows, other, verdict, parts in [
        (ROWS, default, "differs", ["start"]),
        (with_system, default, "differs_elsewhere", ["start"]),
        (ROWS, other_end, "differs", ["after_system", "before_answer", "after_answer", "end"]),
        (ROWS, no_prompt, "differs", ["prompt"]),
    ]:
        found = th.chat.check_mismatch(rows, trained_with=chatml, deployed_with=other)
        assert (found.verdict, [part.part for part in found.parts]) == (verdict, parts)
    found = th.chat.check_mismatch(ROWS, trained_with=chatml, deployed_with=default)
    assert found.parts[0].trained == "<|im_start|>user\n"
    assert found.parts[0].deployed == "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n"


def test_rows_that_the_deployed_template_refuses_are_a_mismatch() -> None:
    rows = [{"messages": [{"role": "system", "content": "s"}, *ROWS[0]["messages"]]}]
    found = th.chat.check_mismatch(
        rows,
        trained_with=templates.plain("chatml"),
        deployed_with=templates.plain("gemma"),
        bos_token="<bos>",
    )
    assert (found.verdict, found.failed_deployed) == ("differs", 1)
    assert found.errors[0].reason == "template_raised"


def test_the_template_of_rendered_texts_is_found() -> None:
    candidates = {style: templates.plain(style) for style in templates.STYLES if style != "qwen"}
    for style, template in candidates.items():
        texts = th.chat.render(
            ROWS, template=template, mask=False, now=jinja.NOW, strict=True, **templates.TOKENS
        ).texts
        fits = th.chat.detect_template(texts, candidates, now=jinja.NOW, **templates.TOKENS)
        assert next(iter(fits)) == style
        assert fits[style] == 1.0
        assert all(share < 1.0 for other, share in fits.items() if other != style)
