"""duplodocus (allenai): the whole command on a folder of JSONL files, in its memory and its disk mode.

It is not in a registry: build it from its sources (`cargo build --release`) and pass the path of the binary
as `--duplodocus PATH`. It works on whole files in parallel, so it gets the corpus in several. Bands are those
that thresher takes at a threshold of 0.8; it checks no candidate against the text.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benches.engines import Answer, Engine, Job
from benches.engines._command import run_command

_BANDS = ["--num-buckets", "21", "--bucket-size", "6", "--ngram-size", "5", "--tokenizer", "uniseg"]
_REMOVE = ["--remove-duplicates", "true"]


def _binary(job: Job) -> str:
    if job.duplodocus is None:
        message = "duplodocus is built from its sources; pass the path of its binary as `--duplodocus PATH`"
        raise FileNotFoundError(message)
    return str(job.duplodocus)


def _version(job: Job) -> str:
    done = subprocess.run([_binary(job), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def _run_memory(parts: Path, job: Job) -> Any:
    folders = ["--storage-dir", str(job.scratch / "state"), "--output-dir", str(job.scratch / "clean")]
    argv = [_binary(job), "--threads", str(job.threads), "minhash-memory", "--input-dir", str(parts)]
    argv += [*folders, *_BANDS, *_REMOVE, "--cleanup-storage"]
    return job.scratch / "clean", run_command(argv, log=job.scratch / "duplodocus.log")


def _run_disk(parts: Path, job: Job) -> Any:
    state, clean = job.scratch / "state", job.scratch / "clean"
    at, once = ["--storage-dir", str(state)], ["--path-chunk", "0", "--num-path-chunks", "1"]
    steps = [
        ["mh-build-file-map", "--input-dir", str(parts), *at],
        ["mh-hash-docs", "--local-input", str(parts), *at, *once, *_BANDS],
        ["mh-gather-edges", *at],
        ["mh-build-uf", *at, "--num-path-chunks", "1"],
        ["mh-clean-files", "--input-dir", str(parts), *at, "--output-dir", str(clean), *once, *_REMOVE],
    ]
    head = [_binary(job), "--threads", str(job.threads)]
    peaks = [run_command([*head, *step], log=job.scratch / "duplodocus.log") for step in steps]
    return clean, max(peaks)


def _answer(result: Any, n_docs: int) -> Answer:
    output, peak = result
    keep = np.zeros(n_docs, dtype=np.bool_)
    for part in Path(output).rglob("*.jsonl*"):
        with part.open(encoding="utf-8") as lines:
            keep[[int(json.loads(line)["id"]) for line in lines]] = True
    return Answer("keep", keep, peak)


def _engine(name: str, mode: str, run: Any) -> Engine:
    return Engine(
        name=name,
        distribution="duplodocus",
        scope="whole",
        takes="jsonl-parts",
        words="runs",
        settings=f"{mode}, uniseg words, 21 x 6, word 5-grams, input in 4 files; start-up included",
        run=run,
        answer=_answer,
        corpora=("rfcs", "psdocs", "short", "languages", "big", "windows", "lookalikes"),
        version=_version,
    )


ENGINES = [
    _engine("duplodocus", "minhash-memory", _run_memory),
    _engine("duplodocus-disk", "the five steps mh-*", _run_disk),
]
