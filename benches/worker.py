"""One engine on one corpus with one number of threads, in a process of its own.

The runner starts it as `python -m benches.worker JOB.json`. It pins itself to as many CPUs as threads, loads
the corpus outside the clock, warms up on a slice, then times rounds until there are enough or a budget of
seconds is spent (one is always finished). The result and the last answer are written beside the job file.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benches.engines import Engine, Job, all_engines
from benches.engines._command import peak_kib, reset_peak

# Files of `jsonl-parts`.
_PARTS = 4
_WARM_UP_DOCS = 200


def thread_environment(threads: int) -> dict[str, str]:
    """Returns the variables that hold every engine's pools to `threads`."""
    names = (
        "RAYON_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "DAFT_NUM_THREADS",
    )
    values = dict.fromkeys(names, str(threads))
    return {**values, "DAFT_PROGRESS_BAR": "0", "DO_NOT_TRACK": "1", "DAFT_ANALYTICS_ENABLED": "0"}


def _pin(threads: int) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(allowed[:threads]))


def _input(engine: Engine, path: Path) -> Any:
    """Loads what the engine takes, or returns the path for engines that read files themselves."""
    if engine.takes == "jsonl-parts":
        return _parts(path)
    if engine.takes in ("jsonl", "parquet"):
        return path.with_suffix(f".{engine.takes}")
    with path.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    if engine.takes == "list":
        return texts
    import pyarrow as pa

    return pa.array(texts, pa.large_string())


def _parts(path: Path) -> Path:
    """Returns a folder with the same lines in several files, for engines that work on files in parallel."""
    folder = path.with_suffix(".parts")
    if not folder.exists():
        making = path.with_suffix(".parts-making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        with path.open("rb") as lines:
            for number in range(_PARTS):
                # Up to the same share of the bytes, and on to the end of a line.
                end = (number + 1) * path.stat().st_size // _PARTS
                with (making / f"part-{number}.jsonl").open("wb") as part:
                    while lines.tell() < end:
                        part.writelines(lines.readlines(min(1 << 24, end - lines.tell())))
        making.replace(folder)
    return folder


def _warm_up(engine: Engine, given: Any, job: Job) -> None:
    """Imports the library and fills its caches on a slice; a command pays its start-up in the clock."""
    if not isinstance(given, Path):
        engine.run(given[:_WARM_UP_DOCS], job)
        return
    # Reading once puts the file into the page cache, so that no engine is timed on the disk of the machine.
    for path in given.iterdir() if given.is_dir() else [given]:
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    if engine.scope in ("sketch", "copy"):
        engine.run(given, job)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def measure(config: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Runs one job and returns its measurements and its mask of documents (or None)."""
    _pin(config["threads"])
    engine = all_engines()[config["engine"]]
    given = _input(engine, Path(config["path"]))
    walls: list[float] = []
    cpus: list[float] = []
    with tempfile.TemporaryDirectory(dir=config["scratch"]) as folder:
        tools = Path(config["tools"]) if config["tools"] else None
        duplodocus = Path(config["duplodocus"]) if config["duplodocus"] else None
        job = Job(config["threads"], config["threshold"], Path(folder), tools, duplodocus)
        version = engine.version(job) if engine.version else _version(engine, config["tools"])
        _warm_up(engine, given, job)
        result: Any = None
        loaded_kib, children_kib = 0, 0
        deadline = time.perf_counter() + config["budget_s"]
        while not walls or (len(walls) < config["rounds"] and time.perf_counter() < deadline):
            result = None
            _clear(job.scratch)
            gc.collect()
            reset_peak()
            loaded_kib = peak_kib()
            cpu, wall = _cpu_s(), time.perf_counter()
            result = engine.run(given, job)
            walls.append(time.perf_counter() - wall)
            cpus.append(_cpu_s() - cpu)
        own_kib = peak_kib()
        answer = engine.answer(result, config["n_docs"])
        children_kib = answer.children_peak_kib
    measured = {
        "version": version,
        "wall_s": walls,
        "cpu_s": cpus,
        "loaded_mib": loaded_kib / 1024,
        "peak_mib": (children_kib or own_kib) / 1024,
        "kind": answer.kind,
        "evidence": answer.evidence,
    }
    return measured, answer.mask


def _version(engine: Engine, tools: str | None) -> str:
    try:
        return metadata.version(engine.distribution)
    except metadata.PackageNotFoundError:
        if tools:
            for folder in Path(tools).glob("lib/python*/site-packages"):
                for found in metadata.distributions(name=engine.distribution, path=[str(folder)]):
                    return found.version
        raise


def main() -> None:
    """Runs the job named on the command line."""
    path = Path(sys.argv[1])
    config = json.loads(path.read_text(encoding="utf-8"))
    measured, mask = measure(config)
    if mask is not None:
        np.save(path.with_suffix(".npy"), mask)
    path.with_suffix(".result.json").write_text(json.dumps(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
