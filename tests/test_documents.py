"""README and docs: their Python runs, their commands run, what they say a value is it is, their links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import CliRunner

from thresher.cli import cli

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ALPACA = [
    {"instruction": "Add 2 and 3.", "input": "", "output": "5"},
    {"instruction": "Say it in German.", "input": "yes", "output": "ja"},
]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the documents name."""
    (tmp_path / "raw").mkdir()
    lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in ("a rose", "a rose", "an onion"))
    (tmp_path / "raw" / "a.jsonl.zst").write_bytes(zstandard.compress(lines))
    (tmp_path / "alpaca.json").write_text(json.dumps(ALPACA), "utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _claims(block: str) -> list[tuple[str, Any]]:
    """Lines of an expression and, behind `# ...:`, the list that it is."""
    found = re.findall(r"^(\S.*?) +# [^\n:]*: (\[.*?\])", block, re.MULTILINE)
    return [(expression, ast.literal_eval(value)) for expression, value in found]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.usefixtures("folder")
def test_the_python_runs_and_gives_what_it_says(path: Path) -> None:
    names: dict[str, Any] = {"rows": ALPACA}
    for block in _blocks(path, "python"):
        exec(compile(block, path.name, "exec"), names)
        for expression, value in _claims(block):
            found = eval(expression, names)
            assert getattr(found, "to_pylist", lambda found=found: found)() == value, expression


def test_the_first_page_says_what_three_values_are() -> None:
    assert sum(len(_claims(block)) for block in _blocks(ROOT / "README.md", "python")) == 3


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.usefixtures("folder")
def test_the_commands_run(path: Path) -> None:
    lines = [line for block in _blocks(path, "") for line in block.splitlines()]
    for line in (line.partition("  #")[0] for line in lines if line.startswith("thresher ")):
        done = CliRunner().invoke(cli, shlex.split(line)[1:], standalone_mode=False)
        assert done.exception is None, (line, done.exception)
        assert done.return_value in (0, None), (line, done.stderr)


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=str)
def test_links_lead_to_files(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#]+)", text) + re.findall(
        r"`((?:tests|python|rust|benches)/[\w/.-]+)`", text
    )
    assert targets
    for target in targets:
        here = (path.parent / target).exists() or (ROOT / target).exists()
        assert "://" in target or here, target
