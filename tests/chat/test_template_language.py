"""The template language, held against jinja2 case by case: same text, or an error in both."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import pytest

from thresher import _core
from thresher.errors import ParameterError

from tests.chat import jinja

VARIABLES: dict[str, Any] = {
    "text": "  Hello, World!\n",
    "word": "straße ΣΑΣ",
    "empty": "",
    "nothing": None,
    "yes": True,
    "number": 7,
    "minus": -7,
    "big": 2**70,
    "huge": 10**60,
    "float": 1.0,
    "tiny": 1.5e-7,
    "large": 1e16,
    "third": 1 / 3,
    "items": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "nested": {"a": [1, {"b": None}], "c": "it's", "d": 'say "hi"', "items": [1]},
    "users": [{"name": "Bo", "age": 3}, {"name": "Al", "age": 1}, {"name": "Cy"}],
    "unicode": "ünïcödé 数据 \U0001f600 \x07 \x7f \xa0 \u200b",
    "quotes": "it's \"q\" \\ \t",
}

EXPRESSIONS = [
    # What is printed.
    "yes", "nothing", "number", "float", "tiny", "large", "third", "big", "huge", "items", "nested", "unicode",
    "[unicode]", "[quotes]", "missing", "[missing is defined]", "1e5", "1.0e-5", "123456789.123", "100000000000000.0",
    "[1e300, -0.0, 2.50]", "()", "(1,)", "(1, 2)", "{}", "{'a': (1, 'b')}", "[true, none]", "range(3)", "range(1, 9, 3)",
    "1_000", "0x1F", "0b101", "0o17", "'a' 'b'", "'\\x41\\u00e9\\n\\t\\d'", "\"it's\"",
    # Arithmetic.
    "7 // 2", "-7 // 2", "7 % -3", "-7 % 3", "7 / 2", "4 / 2", "2 ** 10", "2 ** -1", "-2 ** 2", "1 + 1.5", "true + 1",
    "'a' * 3", "3 * 'ab'", "[1] * 2", "[1] + [2]", "(1,) + (2,)", "'a' + 1", "nothing + 'a'", "missing + 1", "1 / 0", "1 % 0",
    "7.5 // 2", "-7.5 % 2", "+number", "-float", "-'a'", "'%s-%d' % ('a', 3)", "'%5.1f|%-5s|%05d' % (2.25, 'x', 42)",
    "'%(a)s' % {'a': 1}", "'%s' % nothing", "'%x' % 255", "big * 2", "number - 10 * 2 + 3",
    # Joining and comparing.
    "1 ~ 'a' ~ nothing ~ missing ~ true ~ 1.0 ~ 1e16", "items ~ ''", "1 == 1.0", "true == 1", "'a' == 1", "[1, 2] == [1, 2]",
    "(1, 2) == [1, 2]", "{'a': 1} == {'a': 1.0}", "nothing == missing", "missing == missing2", "1 < 2 < 3", "1 < 3 < 2",
    "'a' < 'b'", "'a' < 1", "nothing < 1", "[1, 2] < [1, 3]", "missing < 1", "1 in items", "'ell' in text", "5 in 'abc'",
    "'a' in nested", "'a' in nothing", "'a' in missing", "4 not in items", "not yes", "not empty", "1 and 0 or 'x'",
    "empty or 'default'", "nothing and 1", "yes if yes else 'no'", "'a' if nothing", "'a' if nothing else 'b' if empty else 'c'",
    "1 is odd", "2 is even", "9 is divisibleby 3", "1 is not none", "nothing is none", "missing is undefined", "text is string",
    "nested is mapping", "items is iterable", "text is iterable", "nothing is iterable", "text is sequence",
    "nested is sequence", "number is number", "yes is number", "yes is integer", "number is integer", "float is float",
    "yes is boolean", "true is true", "1 is true", "'a' is in words", "1 is sameas 1", "'abc' is lower", "'ABC' is upper",
    "1 is eq 1", "2 is gt 1", "1 is string or true", "nested.items is mapping", "nested.items is callable",
    # Reaching into values.
    "items[0]", "items[-1]", "items[5]", "items[-5]", "items['a']", "items.0", "text[2]", "text[-2]", "text[99]", "nested.a",
    "nested['a'][1].b", "nested.missing", "nested.missing.more", "nested['missing']['more']", "nothing.a", "nothing['a']",
    "number.real2", "items[1:]", "items[:-1]", "items[::-1]", "items[::2]", "items[5:]", "items[-2:99]", "text[2:7]",
    "text[::-1]", "text[-3:]", "text[:2]", "(1, 2, 3)[1:]", "nothing[1:]", "missing[0]", "missing[1:]", "range(9)[2]",
    "range(9)[-1]", "nested['items']", "items[true]", "text[1:1]", "items[::0]",
    # Methods.
    "text.strip()", "text.lstrip() ~ '|'", "text.rstrip() ~ '|'", "text.strip().split(', ')", "'a b  c'.split()",
    "' a b  c '.split(none, 1)", "'a,b,c'.split(',', 1)", "'a,b,c'.rsplit(',', 1)", "'a,b'.split('')", "'xxaxx'.strip('x')",
    "'<think>a</think>b'.split('</think>')[-1].lstrip('\\n')", "text.strip().startswith('Hello')",
    "'abc'.startswith(('x', 'a'))", "'abc'.endswith('bc')", "'abc'.startswith(1)", "'aXbX'.replace('X', '--', 1)",
    "'abc'.replace('', '-')", "word.upper()", "word.lower()", "word.title()", "word.capitalize()", "'aBc'.swapcase()",
    "'hello'.find('l')", "'hello'.rfind('l')", "'hello'.find('z')", "'hello'.index('z')", "'hello'.count('l')",
    "'-'.join(words)", "'-'.join(items)", "'{} {} {a}'.format(1, 'b', a=2)", "'{:>5}|{:<5}|{:^5}|{:05d}|{:,}'.format('a', 'b', 'c', 42, 1234567)",
    "'{:.2f}'.format(third)", "'{0} {0!r}'.format('a')", "'{}'.format()", "'12'.isdigit()", "'a1'.isalnum()", "'ab'.isalpha()",
    "' '.isspace()", "'Ab'.isupper()", "'ab'.islower()", "'abc'.removeprefix('a')", "'abc'.removesuffix('c')", "'7'.zfill(3)",
    "'-7'.zfill(4)", "'a'.center(4, '*') ~ 'ab'.center(5)", "'a'.ljust(3) ~ '|'", "'a'.rjust(3)", "'a=b=c'.partition('=')",
    "'a=b=c'.rpartition('=')", "'a\\nb\\r\\nc'.splitlines()", "'a\\nb\\n'.splitlines(true)", "nested.keys() | list",
    "nested.items() | list", "nested.values() | list", "nested.get('a')", "nested.get('z')", "nested.get('z', 1)",
    "items.count(1)", "items.index(2)", "items.index(9)", "items.append(1)", "nested.update({'a': 1})", "nested.pop('a')",
    "text.nothing()", "items.copy()", "nested.copy() == nested", "nested.items() | length",
    # Filters.
    "items | length", "nothing | length", "number | length", "missing | length", "text | trim", "text | trim | upper | lower",
    "words | join(', ')", "items | join('-')", "users | join(', ', attribute='name')", "words | sort", "words | sort(reverse=true)",
    "words | sort(case_sensitive=true)", "users | sort(attribute='name') | map(attribute='name') | list", "[1, 'a'] | sort",
    "items | max", "items | min", "[] | max", "items | sum", "items | sum(start=10)", "users | map(attribute='age') | list",
    "users | map(attribute='age', default=0) | list", "words | map('upper') | list", "words | map('replace', 'a', 'z') | list",
    "users | selectattr('age') | map(attribute='name') | list", "users | selectattr('age', 'defined') | list | length",
    "users | selectattr('name', 'equalto', 'Bo') | list", "users | rejectattr('age', 'defined') | list", "items | select('odd') | list",
    "items | reject('odd') | list", "[0, 1, ''] | select | list", "items | first", "items | last", "[] | first", "text | first",
    "items | reverse | list", "'abc' | reverse", "missing | default('d')", "nothing | default('d')", "nothing | default('d', true)",
    "empty | d('x', boolean=true)", "nested | dictsort", "{'b': 1, 'A': 2} | dictsort", "{'b': 1, 'A': 2} | dictsort(by='value', reverse=true)",
    "nested | items | list", "number | abs", "minus | abs", "'3.7' | int", "'x' | int", "'x' | int(5)", "3.9 | int", "'1.5' | float",
    "nothing | int", "2.5 | round", "3.14159 | round(2)", "2.1 | round(0, 'ceil')", "7 | round", "1234.5 | round(-2)", "items | string",
    "1.0 | string", "text | capitalize", "'hello world-foo (bar' | title", "'a\\nb\\n\\nc' | indent", "'a\\nb' | indent(2, true)",
    "'a\\n\\nb' | indent(2, blank=true)", "'a b_c d1' | wordcount", "'abcdefghij' | truncate(5, true, '..', 0)",
    "'hello there world' | truncate(11, false, '...', 0)", "items | batch(2) | list", "items | batch(2, 'x') | list", "items | slice(2) | list",
    "items | slice(2, 'x') | list", "[1, 2, 1, 'a', 'A'] | unique | list", "users | groupby('name')", "'<a&\"\\'>' | e", "'<b>' | safe",
    "'%s!' | format('a')", "text | replace('l', 'L', 1)", "'a' | center(5) ~ '|'", "text | list | length", "nested | list", "nothing | list",
    "users | attr('name')", "words | unknown", "1 is unknown", "nested | attr('a')", "items | join(nothing)",
    # JSON.
    "nested | tojson", "unicode | tojson", "[1.0, 1e16, 1e-7, 100000.0, big, huge] | tojson", "nested | tojson(indent=2)",
    "{'b': 1, 'a': [true, none]} | tojson(sort_keys=true)", "nested | tojson(indent=4, sort_keys=true)", "unicode | tojson(ensure_ascii=true)",
    "nested | tojson(separators=(',', ':'))", "{} | tojson(indent=2)", "[[], {}] | tojson(indent=1)", "missing | tojson", "quotes | tojson",
    "(1, 2) | tojson", "{1: 2, none: 3, true: 4, 1.5: 5} | tojson", "range(3) | tojson", "[1, [2, {'a': []}]] | tojson(indent='\\t')",
    "'</script>&' | tojson", "nested | tojson(true)", "nested.keys() | tojson", "'\\x00\\x1f' | tojson", "nested | tojson | length",
    # Functions.
    "range(5) | list", "range(5, 0, -2) | list", "range(0)", "range(1, 2, 0)", "range('a')", "dict(a=1, b='x')", "dict(nested, z=1)",
    "raise_exception('no')", "strftime_now('%Y-%m-%d')", "strftime_now('%d %b %Y, %A %j %H:%M:%S %p %I %y %B %a %%')", "namespace(a=1).a",
    "missing()", "number()", "range(100001)", "dict([('a', 1)])",
]

STATEMENTS = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n", "a\n  {% if true %}  b  {% endif %}  \nc", "a \n {%- if true -%} \n b \n {%- endif -%} \n c",
    "  {%+ if true %}x{% endif +%}\n y", "{# note #}\na\n  {# note #}  \nb {#- c -#} d", "{{ 'a' }}\n{{ 'b' -}}\n\n{{- 'c' }}\n\n",
    "{% raw %}{{ x }} {% if %}{% endraw %}\nz", "a {%- raw -%} {{ b }} {%- endraw -%} c", "  {% raw %}\n x {% endraw %}\n y", "a\r\nb\rc\n",
    "\n\n{% set a = 1 %}\n\n{{ a }}\n\n", "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "{% for i in [1, 2] %}{{ x is defined }}{% set x = i %}{% endfor %}",
    "{% set ns = namespace(x=0) %}{% for i in items %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set nested.a = 1 %}", "{{ namespace(a=1) }}",
    "{% for i in items %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for i in items %}{{ loop.previtem }}|{{ loop.nextitem }} {% endfor %}", "{% for i in items %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i > 1) }}{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in items if i > 1 %}{{ i }}{{ loop.index }}{% endfor %}", "{% for i in items if i > 9 %}x{% else %}none{% endfor %}",
    "{% for k, v in nested.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in nested %}{{ k }}{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for c in 'ab' %}{{ c }}-{% endfor %}", "{% for x in nothing %}{% endfor %}", "{% for x in missing %}{% endfor %}ok",
    "{% for x in 5 %}{% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in items %}{% for j in [1, 2] %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for i in [1, 2] %}{{ loop }}{% endfor %}",
    "{% for n in [[1, [2]], [3]] recursive %}{% if n is iterable %}({{ loop(n) }}){% else %}{{ n }}@{{ loop.depth }}{% endif %}{% endfor %}",
    "{% macro m(a, b=2, c=none) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=3) }} {{ m(b=1, a=0) }} {{ m() }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(z=2) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}", "{% macro m() %}{{ caller('x') }}{% endmacro %}{% call(a) m() %}<{{ a }}>{% endcall %}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}",
    "{{ m() }}{% macro m() %}{% endmacro %}", "{% macro m(a) -%}\n  {{ a }}\n{%- endmacro %}\n[{{ m('x') }}]\n{{ m('y') | upper }}", "{% macro m() %}a{% endmacro %}{{ m }}{{ m.name }}",
    "{% set x %}a {{ 1 }} {% endset %}[{{ x }}]", "{% set x | upper | trim %} a {% endset %}[{{ x }}]", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "{% filter upper %}a{{ word }}{% endfilter %}", "{% if missing %}a{% elif number > 5 %}b{% else %}c{% endif %}",
    "{% if missing.more %}a{% endif %}", "{% if nothing is none and missing is not defined %}ok{% endif %}", "{% generation %}a{% endgeneration %}b",
    "{% generation %}{% set z = 1 %}{% endgeneration %}{{ z is defined }}", "{{ 'a' if messages is defined and messages | length > 1 else 'b' }}", "{% print 1 %}",
    "{% do items.append(1) %}", "{% if true %}", "{{ 1 ", "{% endif %}", "{{ }}", "{% for %}", "{{ a b }}", "{{ 1 + }}", "{{ 'a }}", "{# x", "{% raw %}", "{{ (1 }}", "{% set true = 1 %}",
    "{{ [1, 2,] }}{{ {'a': 1,} }}{{ (1,) }}", "{{ {'a': {'b': 1}}}}", "{{ '}}' }}{{ \"%}\" }}", "{% set x = '{{' %}{{ x }}", "{ {{ 1 }} }{ % %}", "{{ -1 | abs }}{{ (-1) | abs }}",
    "{{ 1 if true }}{{ not 1 == 2 }}{{ not (1 in [1]) }}", "{{ 1 ~ 2 + 3 }}", "{{ 2 + 3 ~ 4 }}", "{{ 10 - 2 - 3 }}{{ 2 ** 3 ** 2 }}{{ 8 / 2 / 2 }}", "{{ items | map('string') | join(',') }}",
    "{% for u in users %}{{ u.name }}{{ ', ' if not loop.last }}{% endfor %}", "{% set ns = namespace() %}{{ ns.missing is defined }}{% set ns.a = 1 %}{{ ns['a'] }}",
    "{% for i in items -%}\n  {{ i }}\n{%- endfor %}\n", "{% if true -%}\n\n x\n\n{%- else -%} y {%- endif %}", "a{% if true %}\n\n{% endif %}b\n\n\n", "{% set a = 'x' %}\n  {{ a }}\n  {% set b = 1 %}\nend",
    "{{ '\\n' }}{{ '\\\\n' }}{{ \"\\\"\" }}", "{{ 'é' }}ü{# é #}", "{% autoescape false %}{{ '<' }}{% endautoescape %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}",
    "{{ ''.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ nested.__class__ }}", "{{ nested.clear() }}", "{{ (items | map('upper') | list)[0] }}",
]  # fmt: skip


def ours(template: str, variables: dict[str, Any]) -> str | None:
    try:
        return _core.chat_render_variables(template, json.dumps(variables), jinja.NOW)
    except ParameterError:
        return None


def theirs(template: str, variables: dict[str, Any]) -> str | None:
    try:
        return jinja.render(template, variables)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
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
