"""README and docs: each block runs alone, values are what is said, links lead somewhere.

The rule for a block: it stands for itself. A `python` block begins with its own imports and is run in a
fresh interpreter; a block without a language whose lines are `thresher` commands is run by a fresh shell.
Both start in a copy of the repository's root with nothing but `examples/` in it, so what a block reads it
names by its path there (`examples/alpaca.json`), and nothing comes from the block before. Behind an
expression, `# ...: [1, 2]` claims that it is that list, and is checked.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.generate.server import Server

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ADDRESS = "http://127.0.0.1:8000/v1"
"""The endpoint of the pages; a scripted server answers there, as a model of the page's recipe might."""
CHECKED = """
for _expression, _value in {claims!r}:
    _found = eval(_expression)
    _found = getattr(_found, "to_pylist", lambda: _found)()
    assert _found == _value, f"{{_expression}} is {{_found!r}}, not {{_value!r}}"
"""


def _blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def _all_blocks(language: str) -> list[Any]:
    return [
        pytest.param(block, path.stem, id=f"{path.name}-{index}")
        for path in DOCUMENTS
        for index, block in enumerate(_blocks(path, language))
    ]


def _claims(block: str) -> list[tuple[str, Any]]:
    """Lines of an expression, printed or not, and, behind `# ...:`, the list that it is."""
    found = re.findall(r"^(\S.*?) +# [^\n:]*: (\[.*\])", block, re.MULTILINE)
    printed = re.compile(r"print\((.*)\)")
    return [(printed.sub(r"\1", expression), ast.literal_eval(value)) for expression, value in found]


def _is_command(line: str) -> bool:
    return line.startswith(("thresher ", ".venv/bin/thresher "))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the repository's root, as far as a block may look."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def _run(command: list[str], root: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def _with_model(block: str, page: str) -> Iterator[str]:
    """A block with the address of a server that answers as the recipe of the page needs it."""
    if ADDRESS not in block:
        yield block
        return
    script = {
        "self-instruct": "self_instruct",
        "distill": "explain",
        "document-qa": "document_qa",
        "own": "echo",
    }
    with Server(script.get(page, "domain")) as server:
        yield block.replace(ADDRESS, server.base_url)


@pytest.mark.parametrize(("block", "page"), _all_blocks("python"))
def test_each_block_of_python_runs_alone_and_gives_what_it_says(block: str, page: str, root: Path) -> None:
    with _with_model(block, page) as block:
        _run_python(block, root)


def _run_python(block: str, root: Path) -> None:
    _run([sys.executable, "-I", "-W", "error", "-c", block + CHECKED.format(claims=_claims(block))], root)


@pytest.mark.parametrize(("block", "page"), _all_blocks(""))
def test_each_block_of_commands_runs_alone(block: str, page: str, root: Path) -> None:
    lines = block.splitlines()
    if not all(_is_command(line) for line in lines):
        assert not any(_is_command(line) for line in lines), (
            "commands and other lines want blocks of their own"
        )
        pytest.skip("no commands of thresher")
    with _with_model(block, page) as block:
        _run(["sh", "-e", "-c", block.replace(".venv/bin/thresher ", "thresher ")], root)


def test_a_claim_that_is_wrong_fails(root: Path) -> None:
    block = "text = ['a']\ntext  # what it is: ['b']\n"
    with pytest.raises(AssertionError, match=r"text is \['a'\], not \['b'\]"):
        _run([sys.executable, "-I", "-c", block + CHECKED.format(claims=_claims(block))], root)


def test_the_first_page_says_what_two_values_are() -> None:
    assert sum(len(_claims(block)) for block in _blocks(ROOT / "README.md", "python")) == 2


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=str)
def test_links_lead_to_files(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#]+)", text) + re.findall(
        r"`((?:tests|python|rust|benches|examples|fuzz)/[\w/.-]+)`", text
    )
    assert targets or path.parent.name == "docs"
    for target in targets:
        here = (path.parent / target).exists() or (ROOT / target).exists()
        assert "://" in target or here, target
