"""Batches as files in a folder, for whoever runs them: vLLM's batch runner, or a web page of a hosted API."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from thresher.errors import FileError

ANSWERS = ("answers", "errors")
"""Files that may hold the answers: the output, and what a hosted API puts apart."""


def requests_file(folder: str, number: int) -> Path:
    """The file with the requests of a batch."""
    return Path(folder) / f"requests-{number:04}.jsonl"


def answers_files(folder: str, number: int) -> list[Path]:
    """The files with answers to a batch that are there."""
    paths = (Path(folder) / f"{name}-{number:04}.jsonl" for name in ANSWERS)
    return [path for path in paths if path.is_file()]


def next_number(folder: str) -> int:
    """The first number behind all files of the folder."""
    numbers = [0]
    for path in Path(folder).glob("*-*.jsonl"):
        with contextlib.suppress(ValueError):
            numbers.append(int(path.stem.rpartition("-")[2]))
    return max(numbers) + 1


def write(folder: str, number: int, content: bytes) -> None:
    """Writes the requests of a batch; the file appears as a whole.

    Raises:
        FileError: The system refused it.
    """
    path = requests_file(folder, number)
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise FileError(error.errno, f"cannot write `{path}`: {error.strerror}", str(path)) from error


def how_to_run(folder: str, batches: list[tuple[int, str]]) -> str:
    """What a user does with the files, of numbers and models."""
    number, model = batches[0]
    first = requests_file(folder, number)
    answers = Path(folder) / f"answers-{number:04}.jsonl"
    count = f"{len(batches):,} file{'s' if len(batches) > 1 else ''} of requests"
    return (
        f"{count} in `{folder}` wait for answers, from `{first.name}` on. Run each, for instance with"
        f" `vllm run-batch -i {first} -o {answers} --model {model}`, and put what comes out beside it as"
        f" `{answers.name}` (errors that came apart as `errors-{number:04}.jsonl`); the same command then"
        " merges it and goes on"
    )
