"""The public names are what `__all__` says; each has a docstring; exceptions are what people expect."""

from __future__ import annotations

import inspect
import types

import pytest

import thresher as th
from thresher import errors

PACKAGES = {"chat", "filters", "generate", "tokenizers", "tokens"}
"""Capabilities that are called by the name of their package, as in `th.chat.convert`."""


def test_all_is_every_public_name() -> None:
    submodules = {name for name, value in vars(th).items() if isinstance(value, types.ModuleType)}
    public = {name for name in vars(th) if not name.startswith("_")} - (submodules - PACKAGES)
    assert public | {"__version__"} == set(th.__all__)
    assert list(th.__all__) == sorted(th.__all__)


@pytest.mark.parametrize("name", [name for name in th.__all__ if name != "__version__"])
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert len(inspect.getdoc(getattr(th, name)) or "") > 40


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (th.ParameterError, ValueError),
        (th.ColumnError, TypeError),
        (th.DataError, ValueError),
        (th.FileError, OSError),
        (th.BusyError, OSError),
        (th.InternalError, RuntimeError),
    ],
)
def test_every_error_is_ours_and_the_builtin_one(kind: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(kind, th.ThresherError)
    assert issubclass(kind, builtin)
    assert kind.__name__ in (errors.__doc__ or "")


def test_a_file_error_keeps_number_and_path_and_shows_our_words() -> None:
    error = th.FileError(2, "cannot open `a.jsonl`: not there", "a.jsonl")
    assert (error.errno, error.filename) == (2, "a.jsonl")
    assert str(error) == "cannot open `a.jsonl`: not there"


@pytest.mark.parametrize("name", ["dedup", "minhash", "dedup_files"])
def test_parameters_after_the_first_are_by_keyword(name: str) -> None:
    parameters = list(inspect.signature(getattr(th, name)).parameters.values())
    positional = [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == (["inputs", "output"] if name == "dedup_files" else ["texts"])
