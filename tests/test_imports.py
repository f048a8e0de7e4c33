"""`import thresher` is quick: it loads nothing heavy, and no call of the network or of pickle hides in it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "pyarrow",
    "numpy",
    "pandas",
    "polars",
    "datasets",
    "click",
    "tqdm",
    "asyncio",
    "http",
    "socket",
    "pickle",
}


def _modules(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=50
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_package_loads_nothing_heavy() -> None:
    loaded = _modules("import thresher")
    assert "thresher" in loaded
    assert loaded & HEAVY == set()


def test_the_command_line_loads_no_data_library() -> None:
    assert (
        _modules("import thresher.cli") & {"pyarrow", "numpy", "pandas", "polars", "datasets", "tqdm"}
        == set()
    )


def test_this_test_can_fail() -> None:
    assert "numpy" in _modules("import numpy")
