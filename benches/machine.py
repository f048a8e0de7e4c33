"""What a record says about the machine it was made on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any


def _field(file: str, key: str) -> str:
    try:
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            if line.startswith(key):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "unknown"


def describe() -> dict[str, Any]:
    """Returns CPU, vector units, cores, memory, system and Python of this machine."""
    flags = set(_field("/proc/cpuinfo", "flags").split())
    memory = re.match(r"\d+", _field("/proc/meminfo", "MemTotal"))
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "family": f"{_field('/proc/cpuinfo', 'cpu family')}/{_field('/proc/cpuinfo', 'model')}",
        "vector": [name for name in ("avx2", "avx512f", "avx512bw", "avx512vl") if name in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[0]) / 2**20, 1) if memory else None,
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": os.getloadavg()[0],
    }


def slug(description: dict[str, Any]) -> str:
    """Returns a folder name for a machine, such as `amd-epyc-2-cores`."""
    name = re.sub(r"[^a-z0-9]+", "-", str(description["cpu"]).lower()).strip("-")
    return f"{name}-{description['cores']}-cores"


def sentence(description: dict[str, Any]) -> str:
    """Returns the machine in one line, for captions."""
    vector = (
        "AVX-512" if "avx512bw" in description["vector"] else "AVX2" if description["vector"] else "no AVX2"
    )
    memory = description["memory_gib"]
    return (
        f"{description['cpu']}, {description['cores']} cores, {vector}, {memory} GiB, {description['python']}"
    )
