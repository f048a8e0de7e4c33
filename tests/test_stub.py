"""The hand-written stub of the native module says what the module is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_stub_of_the_native_module_agrees_with_it() -> None:
    command = [
        sys.executable,
        "-m",
        "mypy.stubtest",
        "thresher._core",
        "--mypy-config-file",
        "pyproject.toml",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=55)
    assert done.returncode == 0, done.stdout + done.stderr
