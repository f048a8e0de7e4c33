"""Conversion between chat formats, with a report of what the target could not carry.

A row goes through one intermediate form that keeps everything a format holds. What the target has no place
for is named, field by field; a row that it cannot say at all is set aside with the reason. Nothing is lost
without a word.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from thresher import _core, _params
from thresher._arrow import wrap
from thresher._runs import RunOptions, RunReport, over_files, run
from thresher.chat._rows import json_rows, named
from thresher.errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pyarrow as pa

    from thresher._runs import Paths
    from thresher.chat._rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One field that the target format could not carry.

    Attributes:
        field: The field, as in `messages[].tool_calls[].id`.
        outcome: What became of it.
        count: How often.
        rows: In how many rows.
        examples: The first of these rows, by their place in the input.
    """

    field: str
    outcome: str
    count: int
    rows: int
    examples: tuple[int, ...]

    def __str__(self) -> str:
        """One line of a loss report."""
        rows = ", ".join(map(str, self.examples))
        more = ", ..." if self.rows > len(self.examples) else ""
        return f"{self.field}: {self.outcome} ({self.count} times in {self.rows} rows: {rows}{more})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLoss(Loss):
    """A loss in one of several files.

    Attributes:
        input: The name of the file; `examples` count its rows from 0.
    """

    input: str

    def __str__(self) -> str:
        """One line of a loss report."""
        return f"{self.input}: {Loss.__str__(self)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """A row that could not be read or written.

    Attributes:
        row: Its place in the input.
        reason: What kind of trouble it is, as `wrong_shape` or `not_expressible`.
        detail: One sentence with the field and what is allowed.
    """

    row: int
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Converted:
    """Rows in another format.

    Attributes:
        format: The format that the rows were in; `from_format` of the call, or what was detected.
        to: The format that they are in now.
        lines: One JSON text a row, null where a row could not be converted; pyarrow `large_string`.
        losses: What the target could not carry, by field.
        errors: The rows that could not be converted.
    """

    format: str
    to: str
    lines: pa.LargeStringArray = field(repr=False)
    losses: tuple[Loss, ...]
    errors: tuple[RowError, ...]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The converted rows as dicts, without those that could not be converted."""
        return [json.loads(line) for line in self.lines.to_pylist() if line is not None]

    def __len__(self) -> int:
        """Rows that were converted."""
        return len(self.lines) - int(self.lines.null_count)


def convert(
    rows: Rows,
    to: str,
    *,
    from_format: str | Mapping[str, Any] | None = None,
    strict: bool = False,
    threads: int | None = None,
) -> Converted:
    """Converts rows of chat data to another format.

    Args:
        rows: Dicts or JSON texts, an Arrow table of any library, or a Hugging Face data set.
        to: The format to write, one of `formats()`.
        from_format: The format to read, or a mapping of fields (an entry of LLaMA-Factory's
            `dataset_info.json`, or of `datasets` in an axolotl configuration). Default: found out from the
            rows; refused if two formats fit.
        strict: Whether a loss, or a row that cannot be converted, is an error.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        The rows in the same order, the losses and the rows that could not be converted.

    Raises:
        ParameterError: There is no such format, or it cannot be found out.
        ColumnError: `rows` are no rows.
        DataError: Something was lost, and `strict` is set.

    Example:
        >>> import thresher as th
        >>> done = th.chat.convert([{"instruction": "Add 2 and 3.", "input": "", "output": "5"}], to="openai")
        >>> [message["content"] for message in done.rows[0]["messages"]]
        ['Add 2 and 3.', '5']
        >>> done.losses
        ()
    """
    options = {
        "from_format": named("from_format", from_format),
        "to": _params.choice("to", to, _core.chat.formats()),
    }
    strict = _params.flag("strict", strict)
    lines, report = _core.chat.convert(
        json_rows(rows), json.dumps(options), _params.optional_whole("threads", threads)
    )
    found = json.loads(report)
    losses = tuple(Loss(**{**loss, "examples": tuple(loss["examples"])}) for loss in found["losses"])
    errors = tuple(RowError(**error) for error in found["errors"])
    if strict and (losses or errors):
        what = str(losses[0]) if losses else f"row {errors[0].row}: {errors[0].detail}"
        message = f"`{to}` cannot carry everything: {what}; without `strict` this is reported and goes on"
        raise DataError(message)
    return Converted(format=found["from"], to=found["to"], lines=wrap(lines), losses=losses, errors=errors)


@dataclass(frozen=True)
class ConvertReport(RunReport):
    """The result of `convert_files`: what was read, written, lost and set aside.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `from`, `to` and
            `losses`.
    """

    @property
    def from_format(self) -> str:
        """The format of the inputs."""
        return str(self.report["from"])

    @property
    def to(self) -> str:
        """The format of the output."""
        return str(self.report["to"])

    @property
    def losses(self) -> tuple[FileLoss, ...]:
        """What the target could not carry, by input and field."""
        return tuple(
            FileLoss(input=found["input"], **{**loss, "examples": tuple(loss["examples"])})
            for found in self.report["losses"]
            for loss in found["losses"]
        )

    def __repr__(self) -> str:
        """One line with the counts."""
        return (
            f"ConvertReport(documents={self.documents}, kept={self.kept}, quarantined={self.quarantined}, "
            f"losses={len(self.losses)})"
        )


@over_files
def convert_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    to: str,
    from_format: str | Mapping[str, Any] | None = None,
    **options: Unpack[RunOptions],
) -> ConvertReport:
    r"""Converts the rows of files to another format; see `convert` for what a loss is.

    The rows are streamed once; for a Parquet or Arrow output, whose columns only all rows together tell,
    twice. Memory is a few units of 4 MiB a thread. A row that cannot be read or written goes to quarantine
    with its place and the reason. The output is the same with any number of threads. After an interrupt,
    a kill or a full disk the same call goes on behind what was done.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`, `.arrow`), patterns, folders of such
            files, or `-` for JSONL on standard input.
        output: A folder for the data and the evidence, where files keep name and format; a data file, whose
            name says the format, with the evidence beside it; or `-` for JSONL on standard output.
        to: The format to write, one of `formats()`.
        from_format: The format to read, or a mapping of fields. Default: found out from the first rows.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: There is no such format, it cannot be found out, or there is no input.
        DataError: A bad row or a loss in a strict run, more bad rows than `max_quarantine`, a file that
            changed while it was read, or a field without one type in a columnar output.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"instruction": "Say yes.", "output": "Yes."}\n')
        >>> th.chat.convert_files(folder / "in.jsonl", folder / "out.jsonl", to="sharegpt")
        ConvertReport(documents=1, kept=1, quarantined=0, losses=0)
    """
    own = {"inputs": inputs, "output": output, "to": to, "from_format": from_format}
    return run(_core.runs.convert, own, options, ConvertReport)


def formats() -> tuple[str, ...]:
    """The names of all formats.

    Example:
        >>> import thresher as th
        >>> "sharegpt" in th.chat.formats()
        True
    """
    return tuple(_core.chat.formats())
