"""The template language, held against jinja2 case by case: same text, or an error in both."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import pytest

from tests.chat import jinja
from tests.chat.template_cases import EXPRESSIONS, STATEMENTS, VARIABLES
from thresher import _core
from thresher.errors import ParameterError


def ours(template: str, variables: dict[str, Any]) -> str | None:
    try:
        return _core.chat.render_variables(template, json.dumps(variables), jinja.NOW)
    except ParameterError:
        return None


def theirs(template: str, variables: dict[str, Any]) -> str | None:
    try:
        return jinja.render(template, variables)
    except (
        jinja2.TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        SyntaxError,
    ):
        return None


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_means_what_jinja2_says(expression: str) -> None:
    template = "{{ " + expression + " }}"
    assert ours(template, VARIABLES) == theirs(template, VARIABLES)


@pytest.mark.parametrize("template", STATEMENTS)
def test_a_statement_means_what_jinja2_says(template: str) -> None:
    assert ours(template, VARIABLES) == theirs(template, VARIABLES)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_the_table_is_large_and_has_errors_in_it() -> None:
    templates = ["{{ " + expression + " }}" for expression in EXPRESSIONS] + STATEMENTS
    refused = sum(theirs(template, VARIABLES) is None for template in templates)
    assert len(templates) > 400
    assert 40 < refused < len(templates) / 2
