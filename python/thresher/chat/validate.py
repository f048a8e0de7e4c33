"""Checks of chat data: everything that is wrong with each row, at once, with its place.

A row of any format is read into the one intermediate form and checked there: order of roles, calls and
their results, arguments against the schemas of the tools, empty turns, weights, system prompts, reasoning.
`checks()` lists what is looked for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack

from thresher import _core, _params
from thresher._format import count
from thresher._runs import RunOptions, RunReport, over_files, run
from thresher.chat._rows import json_rows, named
from thresher.errors import ParameterError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from thresher._runs import Paths
    from thresher.chat._rows import Rows

    Severity = Literal["error", "warning"]

_SHOWN_PROBLEMS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that a row is checked for.

    Attributes:
        code: The stable name, for `ignore` and in reports.
        severity: `error` or `warning`.
        about: What is wrong with such a row.
    """

    code: str
    severity: Severity
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a row.

    Attributes:
        row: The place of the row in the input.
        code: What kind of problem it is, one of `checks()`.
        severity: `error` or `warning`.
        path: Where in the row, as in `messages[3].tool_calls[0].function.arguments`; empty for the row
            itself.
        message: One sentence: the value, what is allowed, what to do.
    """

    row: int
    code: str
    severity: Severity
    path: str
    message: str

    def __str__(self) -> str:
        """One line of a report."""
        path = f" {self.path}" if self.path else ""
        return f"row {self.row}{path}: {self.severity}: {self.message} [{self.code}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCount:
    """How often a problem was found.

    Attributes:
        severity: `error` or `warning`.
        count: Problems.
        rows: Rows that have them.
        examples: The first five of these rows.
    """

    severity: Severity
    count: int
    rows: int
    examples: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Validated:
    """What is wrong with rows of chat data.

    Attributes:
        format: The format that the rows were read as.
        rows: Rows that were checked.
        valid: Rows without an error; they may have warnings.
        codes: What was found, by code: how often, in how many rows, and in which.
        problems: The first problems, in order of row and place.
        unlisted: Problems that are counted in `codes`, but beyond `max_problems`.
    """

    format: str
    rows: int
    valid: int
    codes: Mapping[str, CodeCount]
    problems: list[Problem] = field(repr=False)
    unlisted: int

    @property
    def ok(self) -> bool:
        """Whether no row has an error."""
        return self.valid == self.rows

    @property
    def counts(self) -> dict[str, int]:
        """Problems by code."""
        return {code: found.count for code, found in self.codes.items()}

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values that JSON can hold."""
        return {"ok": self.ok, **asdict(self)}

    def __str__(self) -> str:
        """A table of the codes, and the first problems."""
        rows = "row" if self.rows == 1 else "rows"
        lines = [f"{count(self.rows)} {rows} ({self.format}): {count(self.valid)} valid"]
        if self.codes:
            table = [("code", "severity", "count", "rows", "first rows")]
            for code, found in self.codes.items():
                first = ", ".join(map(str, found.examples)) + (
                    ", ..." if found.rows > len(found.examples) else ""
                )
                table.append((code, found.severity, count(found.count), count(found.rows), first))
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            for line in table:
                cells = [
                    cell.rjust(width) if 2 <= at <= 3 else cell.ljust(width)
                    for at, (cell, width) in enumerate(zip(line, widths, strict=True))
                ]
                lines.append("  ".join(cells).rstrip())
        lines += map(str, self.problems[:_SHOWN_PROBLEMS])
        rest = sum(self.counts.values()) - min(len(self.problems), _SHOWN_PROBLEMS)
        if rest:
            lines.append(f"and {count(rest)} more")
        return "\n".join(lines)


def validate(
    rows: Rows,
    *,
    format: str | Mapping[str, Any] | None = None,
    target: str = "openai",
    reasoning: Literal["keep", "strip", "any"] = "any",
    ignore: Iterable[str] = (),
    strict: bool = False,
    max_problems: int = 1000,
    threads: int | None = None,
) -> Validated:
    """Checks rows of chat data, and says everything that is wrong with each.

    Args:
        rows: Dicts or JSON texts, an Arrow table of any library, or a Hugging Face data set.
        format: The format of the rows, one of `formats()`, or a mapping of fields. Default: found out from
            the rows.
        target: Whose order of roles counts: `openai` (system or developer first, results follow calls),
            `single-call` (the same with one call a turn), `alternating` (user and assistant take turns), or
            `any`.
        reasoning: `keep` if the last assistant turn must have its reasoning (a field, or `<think>` in the
            text); `strip` if no turn may have any left; `any` for both.
        ignore: Codes of `checks()` that are not looked for.
        strict: Whether a warning is an error.
        max_problems: Problems to list; all are counted.
        threads: Threads to use. Default: as many as the process may use. The report does not depend on it.

    Returns:
        The report; it never raises for what is in a row.

    Raises:
        ParameterError: There is no such format, target or code, or the format cannot be found out.
        ColumnError: `rows` are no rows.

    Example:
        >>> import thresher as th
        >>> rows = [{"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": ""}]}]
        >>> report = th.chat.validate(rows)
        >>> report.ok, report.counts
        (False, {'empty_turn': 1})
        >>> print(report.problems[0].path)
        messages[1].content
    """
    call = {
        "format": named("format", format),
        "max_problems": _checked(max_problems),
        "options": {**_options(target, reasoning, ignore), "strict": _params.flag("strict", strict)},
    }
    found_format, found = _core.chat.validate(
        json_rows(rows), json.dumps(call), _params.optional_whole("threads", threads)
    )
    return _report(found_format, json.loads(found))


@dataclass(frozen=True)
class ValidateReport(RunReport):
    """The result of `validate_files`: what is wrong with the rows of each file, and what was written.

    Attributes:
        report: Everything: what that of every run has, and `format` and `found` (by input). With an output,
            it is in `run.json`.
    """

    @property
    def by_input(self) -> dict[str, Validated]:
        """What was found, by the name of the input; its rows count from 0."""
        return {found["input"]: _report(str(self.report["from"]), found) for found in self.report["found"]}

    @property
    def ok(self) -> bool:
        """Whether every row was read and has no error."""
        return self.quarantined == 0

    def __repr__(self) -> str:
        """One line with the counts."""
        return f"ValidateReport(documents={self.documents}, valid={self.kept}, invalid={self.quarantined})"


@over_files
def validate_files(
    inputs: Paths,
    output: str | os.PathLike[str] | None = None,
    *,
    format: str | Mapping[str, Any] | None = None,
    target: str = "openai",
    reasoning: Literal["keep", "strip", "any"] = "any",
    ignore: Iterable[str] = (),
    max_problems: int = 1000,
    **options: Unpack[RunOptions],
) -> ValidateReport:
    r"""Checks the rows of files; see `validate` for what is looked for.

    Rows are streamed; memory is a few units of 4 MiB a thread. With an output, rows without an error are
    written there as they are (a JSONL line byte for byte), and the others go to quarantine, each with its
    place and its first error.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders
            of such files, or `-` for JSONL on standard input.
        output: A folder, a data file of the format of the inputs, or `-`. Default: rows are only looked at.
        format: The format of the rows, or a mapping of fields. Default: found out from the first rows.
        target: Whose order of roles counts; see `validate`.
        reasoning: `keep`, `strip` or `any`; see `validate`.
        ignore: Codes of `checks()` that are not looked for.
        max_problems: Problems to list for each input; all are counted. Of `max_quarantine`, rows that cannot
            be read count, and only with an output; rows with an error in them do not.

    Returns:
        The report; nothing in a row raises.

    Raises:
        ParameterError: There is no such format, target or code, the format cannot be found out, or there is
            no input.
        DataError: A file changed while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"instruction": "Say yes.", "output": ""}\n')
        >>> report = th.chat.validate_files(folder / "in.jsonl")
        >>> report, report.by_input["in.jsonl"].counts
        (ValidateReport(documents=1, valid=0, invalid=1), {'empty_turn': 1})
    """
    own = {
        "inputs": inputs,
        "output": output,
        "format": format,
        "target": target,
        "reasoning": reasoning,
        "ignore": ignore,
        "max_problems": max_problems,
    }
    return run(_core.runs.validate, own, options, ValidateReport)


def _checked(max_problems: int) -> int:
    if _params.whole("max_problems", max_problems) < 0:
        message = f"max_problems is `{max_problems}`, but it is 0 or more; 0 only counts"
        raise ParameterError(message)
    return _params.whole("max_problems", max_problems)


def _options(target: str, reasoning: str, ignore: Iterable[str]) -> dict[str, object]:
    codes = [check.code for check in checks()]
    ignored = [ignore] if isinstance(ignore, str) else _params.several("ignore", ignore, "codes of checks")
    return {
        "target": _params.choice("target", target, targets()),
        "reasoning": _params.choice("reasoning", reasoning, ("keep", "strip", "any")),
        "ignore": [_params.choice("ignore", code, codes) for code in ignored],
    }


def _report(format: str, found: Mapping[str, Any]) -> Validated:
    """The native report on rows as ours."""
    codes = {
        code: CodeCount(**{**counted, "examples": tuple(counted["examples"])})
        for code, counted in found["codes"].items()
    }
    return Validated(
        format=format,
        rows=found["rows"],
        valid=found["valid"],
        codes=codes,
        problems=[Problem(**problem) for problem in found["problems"]],
        unlisted=found["unlisted"],
    )


def checks() -> tuple[Check, ...]:
    """Everything that rows are checked for.

    Example:
        >>> import thresher as th
        >>> {check.code: check.severity for check in th.chat.checks()}["empty_turn"]
        'error'
    """
    return tuple(
        Check(code=code, severity="error" if severity == "error" else "warning", about=about)
        for code, severity, about in _core.chat.checks()
    )


def targets() -> dict[str, str]:
    """The targets that rows can be checked for, and what each stands for.

    Example:
        >>> import thresher as th
        >>> sorted(th.chat.targets())
        ['alternating', 'any', 'openai', 'single-call']
    """
    return dict(_core.chat.targets())
