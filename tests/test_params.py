"""Every parameter of every public function, given what it cannot be: an error of ours that names it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th
from tests.tokens.tokenizers_of_tests import byte_level
from thresher import _params, cli
from thresher._parameters import parameters

ROW = {"text": "a b", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}
MODEL = Path(__file__).parent / "golden" / "fasttext" / "softmax.bin"
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
WRONG = [object(), 2**70, -(2**70), 1.5, float("nan"), "bogus", b"x", [object()], {"a": 1}]
FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "minhash": (th.minhash, {"texts": ["a"]}),
    "dedup": (th.dedup, {"texts": ["a"]}),
    "dedup_files": (th.dedup_files, {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True}),
    "decontaminate": (th.decontaminate, {"texts": ["a"], "against": {"b": [{"question": "a b c"}]}}),
    "decontaminate_files": (
        th.decontaminate_files,
        {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True, "against": "evals.jsonl"},
    ),
    "filter_files": (
        th.filter_files,
        {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True, "preset": "c4"},
    ),
    "signals": (th.filters.signals, {"texts": ["a"]}),
    "apply": (th.filters.apply, {"texts": ["a"], "preset": "c4"}),
    "rules": (th.filters.rules, {}),
    "what_if": (th.what_if, {"output": "filtered"}),
    "shuffle_files": (th.shuffle_files, {"inputs": "in.jsonl", "output": "out", "overwrite": True}),
    "plan": (th.plan, {"inputs": "in.jsonl"}),
    "explain": (th.explain, {"output": "out.jsonl", "id": "in.jsonl:0"}),
    "verify": (th.verify, {"output": "out.jsonl"}),
    "convert": (th.chat.convert, {"rows": [ROW], "to": "sharegpt"}),
    "convert_files": (
        th.chat.convert_files,
        {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True, "to": "sharegpt"},
    ),
    "convert_stream": (th.chat.convert_stream, {"rows": [ROW], "to": "sharegpt"}),
    "read": (th.chat.read, {"rows": [ROW]}),
    "validate": (th.chat.validate, {"rows": [ROW]}),
    "validate_files": (th.chat.validate_files, {"inputs": "in.jsonl"}),
    "render": (th.chat.render, {"rows": [ROW], "template": TEMPLATE}),
    "render_files": (
        th.chat.render_files,
        {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True, "template": TEMPLATE},
    ),
    "detect_language": (th.filters.detect_language, {"texts": ["a"]}),
    "language_files": (
        th.filters.language_files,
        {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True},
    ),
    "quality": (th.filters.quality, {"texts": ["a"], "model": MODEL, "label": "city"}),
    "quality_files": (
        th.filters.quality_files,
        {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True, "model": MODEL, "label": "city"},
    ),
    "train_quality": (
        th.filters.train_quality,
        {"good": "in.jsonl", "output": "model.bin", "overwrite": True, "bad": "in.jsonl", "bucket": 100},
    ),
    "tokenize": (th.tokenize, {"texts": ["a"], "tokenizer": "tokenizer.json"}),
    "tokenize_files": (
        th.tokenize_files,
        {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True, "tokenizer": "tokenizer.json"},
    ),
    "merge": (th.tokens.merge, {"inputs": "in.bin", "output": "all.bin"}),
    "check": (th.tokens.check, {"path": "in.bin"}),
    "pack": (th.pack, {"data": [[1, 2]], "context": 8}),
    "pack_files": (
        th.pack_files,
        {"inputs": "in.parquet", "output": "out.parquet", "overwrite": True, "context": 8},
    ),
    "mix_files": (
        th.mix_files,
        {"sources": {"a": "in.jsonl"}, "output": "out.jsonl", "overwrite": True, "unit": "documents"},
    ),
    "train": (
        th.tokenizers.train,
        {"inputs": "in.jsonl", "output": "tok.json", "overwrite": True},
    ),
    "train_texts": (th.tokenizers.train_texts, {"texts": ["a b"]}),
    "find_pii": (th.filters.find_pii, {"texts": ["a"]}),
    "redact_pii": (th.filters.redact_pii, {"texts": ["a"]}),
    "pii_files": (th.pii_files, {"inputs": "in.jsonl", "output": "out.jsonl", "overwrite": True}),
    "probe": (th.chat.probe, {"template": TEMPLATE}),
    "check_mismatch": (
        th.chat.check_mismatch,
        {"rows": [ROW], "trained_with": TEMPLATE, "deployed_with": TEMPLATE},
    ),
    "detect_template": (th.chat.detect_template, {"texts": ["Hi"], "templates": {"a": TEMPLATE}}),
}
# Their errors speak of what was given, not of the parameter.
DATA = {"texts", "text", "rows", "data"}
OTHER_WORDS = {
    "from_format": "mapping",
    "format": "mapping",
    "trained_with": "template",
    "deployed_with": "template",
    "inputs": "input",
    "good": "input",
    "templates": "template",
    "variables": "variables",
}


def _parameters() -> Iterator[Any]:
    for name, (function, _) in FUNCTIONS.items():
        for parameter in inspect.signature(function).parameters:
            yield pytest.param(name, parameter, id=f"{name}-{parameter}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one file of rows."""
    (tmp_path / "in.jsonl").write_text(json.dumps(ROW) + "\n", "utf-8")
    (tmp_path / "evals.jsonl").write_text('{"question": "a b c"}\n', "utf-8")
    byte_level(tmp_path / "tokenizer.json")
    pq.write_table(pa.table({"input_ids": [[1, 2]]}), tmp_path / "in.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "parameter"), list(_parameters()))
@pytest.mark.usefixtures("folder")
def test_a_value_of_a_wrong_type_is_an_error_that_names_the_parameter(name: str, parameter: str) -> None:
    function, given = FUNCTIONS[name]
    refused = 0
    for wrong in WRONG:
        try:
            done = function(**{**given, parameter: wrong})
            if name == "convert_stream":
                list(done)
        except (th.FileError, th.DataError):
            refused += 1
        except (th.ParameterError, th.ColumnError) as error:
            words = str(error)
            refused += 1
            assert parameter in DATA or parameter in words or OTHER_WORDS.get(parameter, "?") in words, words
            assert "line 1 column" not in words
    assert refused or parameter == "ranks"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_keyword_that_is_not_there_is_a_type_error(name: str) -> None:
    function, given = FUNCTIONS[name]
    if "variables" in (names := inspect.signature(function).parameters) and names["variables"].kind is (
        inspect.Parameter.VAR_KEYWORD
    ):
        pytest.skip("further keywords are variables of the template")
    with pytest.raises(TypeError, match="unexpected keyword argument 'treshold'"):
        function(**given, treshold=0.8)


VERBS: dict[str, Callable[..., Any]] = {
    "dedup": th.dedup_files,
    "decontaminate": th.decontaminate_files,
    "filter": th.filter_files,
    "convert": th.chat.convert_files,
    "validate": th.chat.validate_files,
    "render": th.chat.render_files,
    "language": th.filters.language_files,
    "quality": th.filters.quality_files,
    "pii": th.pii_files,
    "tokenize": th.tokenize_files,
    "pack": th.pack_files,
    "mix": th.mix_files,
    "train": th.tokenizers.train,
}
GROUPS = {"train": "tokenizer", "quality": "quality"}
"""Groups of commands that verbs are in."""
COMMANDS = {"quality": "score"}
"""Commands of other names than their verbs."""


def _plain(default: object) -> object:
    """A default of a signature as the native module writes it: nothing given is nothing, in any form."""
    plain = list(default) if isinstance(default, tuple) else default
    return None if plain in ([], {}, inspect.Parameter.empty) else plain


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_the_parameters_and_defaults_of_its_native_run(verb: str) -> None:
    ours = inspect.signature(VERBS[verb]).parameters
    native = {**parameters(verb), **parameters("options")}
    assert set(ours) - {"inputs", "output", "progress"} == set(native)
    for name, parameter in native.items():
        required = ours[name].default is inspect.Parameter.empty
        assert required == parameter.required, name
        assert required or _plain(ours[name].default) == _plain(parameter.default), name


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_documented_with_the_options_of_every_run(verb: str) -> None:
    page = inspect.getdoc(VERBS[verb]) or ""
    arguments = page.partition("Args:")[2].partition("Returns:")[0]
    documented = re.findall(r"^    (\w+): ", arguments, re.MULTILINE)
    assert documented == list(inspect.signature(VERBS[verb]).parameters)
    assert max(map(len, page.splitlines())) <= 110


def test_the_options_that_type_checkers_know_are_those_of_every_run() -> None:
    assert list(th.RunOptions.__annotations__) == [*parameters("options"), "progress"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_has_the_parameters_and_defaults_of_its_native_run(verb: str) -> None:
    group = cli.cli.commands[GROUPS[verb]] if verb in GROUPS else cli.cli
    assert isinstance(group, click.Group)
    command = group.commands[COMMANDS.get(verb, verb)]
    native = {**parameters(verb), **parameters("options")}
    values = {"whole": "8", "mapping": "a=openai"}
    needed = [
        f"--{name}={values.get(parameter.kind, 'openai')}"
        for name, parameter in native.items()
        if parameter.required
    ]
    found = command.make_context(verb, ["in.jsonl", "-o", "out", *needed]).params
    for name, parameter in native.items():
        assert parameter.required or _plain(found[name]) == _plain(parameter.default), name
    flags = {flag for option in command.params for flag in option.opts}
    assert {f"--{name.replace('_', '-')}" for name in native} <= flags


def test_a_size_is_bytes_or_a_text_with_a_unit() -> None:
    for text, n_bytes in {"4GB": 4 * 10**9, "512MB": 512 * 10**6, "1GiB": 2**30, "2k": 2000, "7": 7}.items():
        assert _params.size("memory", text) == n_bytes
    for wrong in ("4XB", "", "GB", "-1GB", "1e9", "0.1", 0, -1, 2**70, "99999999TB", None, True):
        with pytest.raises(th.ParameterError, match="memory is"):
            _params.size("memory", wrong)


def test_a_choice_that_is_nearly_right_is_told() -> None:
    for parameter, wrong, right in (("to", "shargpt", "sharegpt"), ("from_format", "opena", "openai")):
        given = {"to": "trl", parameter: wrong}
        with pytest.raises(th.ParameterError, match=f"did you mean `{right}`"):
            th.chat.convert([ROW], **given)
    with pytest.raises(th.ParameterError, match="did you mean `empty_turn`"):
        th.chat.validate([ROW], ignore=["emtpy_turn"])
