"""Texts of files by the rules of the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from thresher import _core
from thresher._runs import RunOptions, RunReport, over_files, run
from thresher.filters.texts import RuleCount, thresholds

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from thresher._runs import Paths


@dataclass(frozen=True)
class FilterReport(RunReport):
    """The result of `filter_files`: which records stay, and what each rule did.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `rules`, `signals`
            (those that are kept of every record) and `edited`.
    """

    @property
    def rules(self) -> tuple[RuleCount, ...]:
        """What each rule did, in the order of the presets."""
        return tuple(RuleCount(**rule) for rule in self.report["rules"])

    @property
    def removed(self) -> dict[str, int]:
        """Records that go, by their first failing rule."""
        return {reason: int(count["docs"]) for reason, count in self.report["accounting"]["removed"].items()}

    @property
    def edited(self) -> int:
        """Kept texts of which lines were edited."""
        return int(self.report["edited"])

    def __repr__(self) -> str:
        """One line with the counts."""
        gone = sum(self.removed.values())
        return (
            f"FilterReport(documents={self.documents}, kept={self.kept}, removed={gone}, "
            f"quarantined={self.quarantined})"
        )


@over_files
def filter_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    preset: str | Iterable[str] = (),
    set: Mapping[str, float | None] | None = None,
    text: str = "text",
    id: str | None = None,
    signals: str | Iterable[str] = (),
    unended_lines: bool = False,
    edit_lines: bool = False,
    keep_signals: bool = True,
    **options: Unpack[RunOptions],
) -> FilterReport:
    r"""Removes the records of files whose texts fail rules; see `thresher.filters.apply`.

    Records are streamed; memory is a few units of 4 MiB a thread. Kept records pass through unchanged, JSONL
    lines byte for byte, unless `edit_lines` is set. `removed.parquet` names every failing rule of a record,
    with its value and the threshold; the first one counts in the books. The signals of every record, removed
    ones included, are in `signals/filter.parquet` of the output, so `thresher.what_if` tells what other
    thresholds would keep without reading a text. A record that cannot be read, or has no text, goes to
    quarantine.

    After an interrupt, a kill or a full disk the same call goes on behind what was done. The output is the
    same with any number of threads and any number of interruptions.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders
            of such files, or `-` for JSONL on standard input.
        output: A folder for the data and the evidence; a data file of the format of the inputs, with the
            evidence beside it; or `-` for standard output, which gets the data alone.
        preset: Rules to apply, by the name of their preset: `gopher`, `gopher-repetition`, `c4`, `fineweb`,
            `dclm`, `lengths`; `thresher.filters.rules()` lists them. `lengths` has no thresholds of its own.
        set: Thresholds by rule, as `{"fineweb.line_punct": 0.1}`; None leaves a rule out.
        text: Dotted path of the text field (`text`, `meta.body`).
        id: Dotted path of the id field, a number or a string. Default: a document is named `file:row`.
        signals: Groups of signals to keep besides those that the rules look at, as `redpajama`. Without a
            preset every record is kept, and the signals are what comes out.
        unended_lines: For the rules and edits of `c4`, a line may end without a punctuation mark, as in
            FineWeb's pipeline.
        edit_lines: Write each kept text as the recipe of preset `c4` or `dclm` leaves it: without the lines
            that it drops, and without `[1]` or `Read more`. Rules look at the text as it was read; a step
            behind this one sees the edited text.
        keep_signals: Keep the signals of every record in the output.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: There is no such preset, rule or group, there is no input, or no record has a field.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "A few words"}\n{"text": "A short sentence."}\n')
        >>> report = th.filter_files(folder / "in.jsonl", folder / "out", preset="fineweb")
        >>> report
        FilterReport(documents=2, kept=0, removed=2, quarantined=0)
        >>> report.removed
        {'fineweb.line_punct': 1, 'fineweb.short_lines': 1}
    """
    own = {
        "inputs": inputs,
        "output": output,
        "preset": preset,
        "set": thresholds("set", {} if set is None else set),
        "text": text,
        "id": id,
        "signals": signals,
        "unended_lines": unended_lines,
        "edit_lines": edit_lines,
        "keep_signals": keep_signals,
    }
    return run(_core.runs.filter, own, options, FilterReport)
