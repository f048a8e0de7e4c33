"""Lower layers only: who may import whom, in Python by syntax tree, in Rust by dependencies and source."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "thresher"

# Each module may import those of lower layers; of its own layer none.
LAYERS = [
    {"_core", "_types", "_reference_resolution", "_format"},
    {"_reference"},
    {"errors"},
    {"_arrow", "_params"},
    {"_parameters"},
    {"_runs"},
    {
        "_decontaminate",
        "_dedup",
        "_mix",
        "_pack",
        "_shuffle",
        "chat",
        "estimate",
        "explanation",
        "filters",
        "results",
        "tokenizers",
    },
    {"tokens"},
    {"_pipeline", "generate"},
    {"_explain"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
# The native module and its stub name exceptions and types of each other.
ALLOWED_EXTRA = {("_core", "_types")}
PRINTS = {"cli"}
# The only other place that may read the environment: the key of an endpoint.
READS_KEYS = "generate.endpoint"


def _modules() -> dict[str, Path]:
    """Every module by its dotted name below `thresher`; a package by its own."""
    names = {path.relative_to(PACKAGE).with_suffix(""): path for path in sorted(PACKAGE.rglob("*.py"))}
    return {
        ".".join(name.parts[:-1] if name.name == "__init__" and len(name.parts) > 1 else name.parts): path
        for name, path in names.items()
    }


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "thresher"
                else [str(node.module)]
            )
        for name in names:
            head, _, rest = name.partition(".")
            if head == "thresher":
                inner = rest.partition(".")[0]
                found.add(inner if inner in _modules() or inner == "_core" else "__init__")
    return found


def _capability(module: str) -> str:
    """The module or package that a module belongs to; inside of it, imports are free."""
    return module.partition(".")[0]


def _layer(module: str) -> int:
    base = _capability(module)
    found = [depth for depth, names in enumerate(LAYERS) if base in names]
    assert found, f"`{module}` is in no layer; say in this test where it belongs"
    return found[0]


@pytest.mark.parametrize("module", _modules())
def test_a_module_imports_lower_layers_only(module: str) -> None:
    imported = _imports(ast.parse(_modules()[module].read_text("utf-8")))
    for other in imported:
        siblings = _capability(module) == other
        assert siblings or (module, other) in ALLOWED_EXTRA or _layer(other) < _layer(module), (
            f"{module} imports {other}"
        )


@pytest.mark.parametrize("module", _modules())
def test_only_the_command_line_prints_or_reads_the_environment(module: str) -> None:
    if _capability(module) in PRINTS:
        return
    tree = ast.parse(_modules()[module].read_text("utf-8"))
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not {
        "print",
        "eval",
        "exec",
        "os.getenv",
        "logging.basicConfig",
        "pickle.load",
        "pickle.loads",
    } & set(calls)
    assert module == READS_KEYS or "os.environ" not in {
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("module", _modules())
def test_a_module_opens_with_what_it_does_and_is_of_a_readable_size(module: str) -> None:
    text = _modules()[module].read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 450


def _crate_sources(crate: str) -> list[Path]:
    return sorted((ROOT / "rust" / crate / "src").rglob("*.rs"))


@pytest.mark.parametrize("crate", ["thresher-core", "thresher-chat", "thresher-filter"])
def test_the_core_touches_no_file_no_environment_and_no_console(crate: str) -> None:
    forbidden = re.compile(
        r"\b(std::(fs|env|net|process)|pyo3|static mut)\b|\be?print(ln)?!|\bdbg!|std::io::std"
    )
    sources = _crate_sources(crate)
    assert len(sources) > 5
    for path in sources:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            code = line.split("//")[0]
            assert not forbidden.search(code), f"{path.name}:{number}: {line.strip()}"


def test_only_the_binding_knows_python() -> None:
    for crate in ("thresher-core", "thresher-chat", "thresher-filter", "thresher-tokens", "thresher-io"):
        assert "pyo3" not in (ROOT / "rust" / crate / "Cargo.toml").read_text("utf-8")


def test_the_core_depends_on_no_file_format_codec_or_python() -> None:
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    command = [
        cargo,
        "tree",
        "--offline",
        "--locked",
        "-p",
        "thresher-core",
        "-e",
        "normal",
        "--prefix",
        "none",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=50)
    crates = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    assert "thresher-core" in crates
    assert (
        not {"pyo3", "parquet", "zstd", "flate2", "lz4_flex", "thresher-io", "serde_json", "tokio"} & crates
    )
