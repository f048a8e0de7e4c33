"""What a run over files would take, told from a sample of its inputs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thresher import _core, _format, _params
from thresher._parameters import checked, parameters
from thresher._runs import paths

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from thresher._runs import Paths
    from thresher._types import Progress, Unit


@dataclass(frozen=True)
class Estimate:
    """What a deduplication of files would take.

    Attributes:
        report: Everything, as plain values that JSON can hold.
    """

    report: Mapping[str, Any] = field(repr=False)

    @property
    def documents(self) -> int:
        """Documents in the inputs."""
        return int(self.report["documents"])

    @property
    def duplicates(self) -> float:
        """Share of them that would be removed, from 0 to 1."""
        return float(self.report["expected_duplicates"])

    @property
    def recall(self) -> float:
        """Probability that a pair exactly at the threshold is found."""
        return float(self.report["expected_recall"])

    @property
    def memory_bytes(self) -> int:
        """Memory that the run would take: no more than its bound."""
        return int(self.report["memory_bytes"])

    @property
    def disk_bytes(self) -> int:
        """Temporary disk that the run would take, beside the result."""
        return int(self.report["disk_bytes"])

    @property
    def seconds(self) -> float:
        """Time of all steps."""
        return float(self.report["seconds"])

    @property
    def steps(self) -> dict[str, float]:
        """Seconds of each step, in order."""
        return {str(step): float(seconds) for step, seconds in self.report["steps"]}

    @property
    def giant_clusters(self) -> list[int]:
        """Documents of the clusters that would have more than 10,000, the largest first."""
        return [int(size) for size in self.report["giant_clusters"]]

    @property
    def notes(self) -> list[str]:
        """What was left out of the inputs and of the sample."""
        return [str(note) for note in self.report["notes"]]

    def __str__(self) -> str:
        """A line for each figure."""
        found, count, size = self.report, _format.count, _format.size
        sample = f"{count(found['sampled_documents'])} documents, {size(found['sampled_bytes'])} of text"
        limit = size(found["memory_limit_bytes"])
        lines = [
            ("inputs", f"{count(found['inputs'])} ({size(found['bytes'])})"),
            ("documents", f"{count(self.documents)} ({size(found['text_bytes'])} of text)"),
            ("sample", f"{sample}; {found['sampled_duplicates']:.1%} of it duplicates"),
            ("duplicates", f"about {self.duplicates:.1%} of the documents"),
            ("recall", f"{self.recall:.4f} at the threshold ({found['bands']} bands of {found['rows']})"),
            ("memory", f"{size(self.memory_bytes)} (bound: {limit})"),
            ("temporary disk", size(self.disk_bytes)),
            *((f"  {step}", _duration(seconds)) for step, seconds in self.steps.items()),
            ("time", f"{_duration(self.seconds)} on {found['threads']} threads"),
        ]
        giants = ", ".join(map(count, self.giant_clusters))
        lines.append(("giant clusters", f"of about {giants} documents" if giants else "none to expect"))
        return "\n".join(f"{name:<16}{value}" for name, value in lines)


def plan(
    inputs: Paths,
    *,
    text: str = "text",
    id: str | None = None,
    threshold: float = 0.8,
    keep: str = "first",
    num_hashes: int = 128,
    ngram: int = 5,
    unit: Unit = "word",
    seed: int = 0,
    recall: float = 0.995,
    exact_only: bool = False,
    glob: str | Sequence[str] | None = None,
    against: Paths = (),
    total_bytes: int | str | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    tmp: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Estimate:
    r"""Estimates what `dedup_files` with the same parameters would take. Nothing is written.

    Up to 256 MB of the inputs are read, at places spread over each where its format allows, and signed and
    compared here: so speed is that of this machine, whatever else runs on it. What the whole has is
    extrapolated: documents and bytes from counts, duplicates from how often the sample meets two or three
    documents that are alike.

    Args:
        inputs: As for `dedup_files`.
        text: As for `dedup_files`, like all that follow.
        id: Dotted path of the id field.
        threshold: Exact Jaccard similarity from which on a document goes.
        keep: Which document of a group of duplicates stays.
        num_hashes: Lanes of a signature.
        ngram: Words (or characters) in a shingle.
        unit: `word` or `char`.
        seed: The family of hashes that signatures are made of.
        recall: Probability that a pair exactly at the threshold is found.
        exact_only: Only equal texts are duplicates.
        glob: Patterns of the files of an input folder that are documents.
        against: Reference files; they are not part of the estimate.
        total_bytes: Bytes on disk of all inputs, if those given are a part of them: a number, or as `1TB`.
            The rest is taken to be like them, with as large a share of duplicates.
        threads: Threads that the run would use.
        memory: Bound on its memory.
        tmp: Folder for a copy of standard input.
        progress: Called about ten times a second with a `Progress`; an exception from it stops the run.

    Returns:
        The estimate.

    Raises:
        ParameterError: A parameter is outside its range, or there is no input.
        DataError: No document of the sample can be read.
        FileError: The operating system refused a file operation.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "a rose"}\n{"text": "a rose"}\n{"text": "b"}\n')
        >>> found = th.plan(folder / "in.jsonl")
        >>> found.documents, round(found.duplicates, 2)
        (3, 0.33)
    """
    own = {
        "text": text,
        "id": id,
        "threshold": threshold,
        "keep": keep,
        "num_hashes": num_hashes,
        "ngram": ngram,
        "unit": unit,
        "seed": seed,
        "recall": recall,
        "exact_only": exact_only,
        "glob": glob,
        "against": against,
    }
    own_of_plan = {"total_bytes": total_bytes}
    options = {"threads": threads, "memory": memory, "tmp": tmp}
    config = {
        "run": {
            "inputs": paths(inputs),
            "output": None,
            **checked(parameters("dedup"), own),
            **checked(parameters("options"), options),
        },
        "plan": checked(parameters("plan"), own_of_plan),
    }
    found = _core.results.plan(json.dumps(config), _params.callback("progress", progress))
    return Estimate(json.loads(found))


def _duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
