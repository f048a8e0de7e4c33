"""What is done with the result of an earlier run over files.

Every run writes a `run.json` that lists the files of its result with rows and checksums; `verify` compares.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thresher import _core, _format, _params
from thresher._parameters import check, parameters

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from thresher._types import Progress

    Verdict: TypeAlias = Literal["ok", "missing", "size", "hash", "rows", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """What is true of one file of a result.

    Attributes:
        name: Its name below the folder of the result; `data` for a single data file. A folder of documents
            ends in `/` and counts as one file.
        path: Where it is.
        verdict: `ok`; `missing`; `size`, `hash` or `rows` if these differ from what was written;
            `unreadable`.
        detail: What differs; empty if nothing does.
    """

    name: str
    path: str
    verdict: Verdict
    detail: str

    def __str__(self) -> str:
        """One line of a report."""
        return f"{self.verdict:<10} {self.name}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class VerifyReport:
    """Whether a result is what was written.

    Attributes:
        report: Everything, as plain values that JSON can hold.
    """

    report: Mapping[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether every file is there and as it was written, and no other file is."""
        return bool(self.report["ok"])

    @property
    def files(self) -> list[FileCheck]:
        """Every file of the result, `run.json` first."""
        return [FileCheck(**file) for file in self.report["files"]]

    @property
    def strangers(self) -> list[str]:
        """Files beside them that no run of thresher has written; at most a thousand are named."""
        return [str(path) for path in self.report["strangers"]]

    def __str__(self) -> str:
        """What is wrong, a line each, and a line for the whole."""
        wrong = [file for file in self.files if file.verdict != "ok"]
        lines = [str(file) for file in wrong] + [f"{'stranger':<10} {path}" for path in self.strangers]
        n_files, n_bytes = _format.count(len(self.files)), _format.size(self.report["bytes"])
        if self.ok:
            return f"{n_files} files ({n_bytes}): all as they were written"
        strange = f", {_format.count(len(self.strangers))} of somebody else" if self.strangers else ""
        return "\n".join([*lines, f"{n_files} files ({n_bytes}): {len(wrong)} not as written{strange}"])


def verify(
    output: str | os.PathLike[str],
    *,
    threads: int | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> VerifyReport:
    r"""Compares the result of a run over files with what its `run.json` says of it.

    Every file of the result is read once: whether it is there, its length, the XXH3-128 of its bytes, and its
    rows. `run.json` carries a checksum of itself. Files that are not listed are named. Nothing is changed. A
    file takes one thread; memory is a block a thread, and for compressed and columnar files a unit of a few
    MiB. XXH3 finds damage of every kind; it does not prove that nobody has forged a file on purpose.

    Args:
        output: What the run was given as its output: a folder or a data file; or its `run.json`.
        threads: Threads to use. Default: as many as the process may use. The report does not depend on it.
        progress: Called about ten times a second with a `Progress`; an exception from it stops the run.

    Returns:
        The report; it does not raise for what is wrong with a file.

    Raises:
        DataError: There is no `run.json`, or it is not one of thresher.
        FileError: There is no such output.
        ParameterError: The result was written by a newer version.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "a rose"}\n{"text": "a rose"}\n')
        >>> _ = th.dedup_files(folder / "in.jsonl", folder / "out")
        >>> th.verify(folder / "out").ok
        True
        >>> _ = (folder / "out" / "data" / "in.jsonl").write_text('{"text": "a nose"}\n')
        >>> [(file.name, file.verdict) for file in th.verify(folder / "out").files if file.verdict != "ok"]
        [('data/in.jsonl', 'hash')]
    """
    config = {
        "output": _params.path("output", output),
        "threads": check(parameters("options")["threads"], threads) or _core.available_threads(),
    }
    found = _core.results.verify(json.dumps(config), _params.callback("progress", progress))
    return VerifyReport(json.loads(found))
