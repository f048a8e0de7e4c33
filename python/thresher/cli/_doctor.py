"""`thresher doctor`: what this build is, and what it runs on."""

from __future__ import annotations

import json
import os

import click

import thresher
from thresher import _core, _format


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def doctor(as_json: bool) -> None:
    """Show what thresher is and what it runs on."""
    import platform
    import shutil
    import tempfile

    import numpy as np
    import pyarrow as pa

    folder = tempfile.gettempdir()
    facts = {
        "version": thresher.__version__,
        "hash_scheme": _core.scheme_version(),
        "instruction_set": _core.instruction_set(),
        "threads": _core.available_threads(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "tmp": folder,
        "tmp_free_bytes": shutil.disk_usage(folder).free,
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        shown = _format.size(value) if isinstance(value, int) and name.endswith("_bytes") else value
        click.echo(f"{name.removesuffix('_bytes').replace('_', ' '):<16} {shown}")
