"""Documents of files without what benchmarks hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Unpack

from thresher import _core
from thresher._decontaminate.found import benchmarks_of, table
from thresher._runs import RunOptions, RunReport, over_files, run

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from thresher._decontaminate.found import BenchmarkFound
    from thresher._runs import Paths


@dataclass(frozen=True)
class DecontaminateReport(RunReport):
    """The result of `decontaminate_files`: what was found of each benchmark, and what was written.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `benchmarks`,
            `contaminated`, `matches` and `unlisted`.
    """

    @property
    def benchmarks(self) -> tuple[BenchmarkFound, ...]:
        """What was found of each benchmark."""
        return benchmarks_of(self.report["benchmarks"])

    @property
    def contaminated(self) -> int:
        """Documents that hold something of a benchmark."""
        return int(self.report["contaminated"])

    @property
    def removed(self) -> int:
        """Documents that are not in the output because of it."""
        return sum(int(tally["docs"]) for tally in self.report["accounting"]["removed"].values())

    @property
    def matches(self) -> list[Mapping[str, Any]]:
        """The first `max_matches` matches, each with the `input` and `row` of its document."""
        return list(self.report["matches"])

    @property
    def table(self) -> str:
        """A line for each benchmark: items, those that were found, documents, items that cannot be found."""
        return table(self.benchmarks)

    def __repr__(self) -> str:
        """One line with the counts."""
        return (
            f"DecontaminateReport(documents={self.documents}, kept={self.kept}, "
            f"contaminated={self.contaminated}, quarantined={self.quarantined})"
        )


@over_files
def decontaminate_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    against: Paths,
    rule: str = "gpt3-13",
    fuzzy: bool = False,
    action: Literal["drop", "cut"] = "drop",
    threshold: float | None = None,
    common: int = 10,
    prompts: str | Sequence[str] = (),
    answers: str | Sequence[str] = (),
    window: int = 200,
    min_piece: int = 200,
    max_pieces: int = 10,
    text: str = "text",
    id: str | None = None,
    chat: bool = False,
    from_format: str | Mapping[str, Any] | None = None,
    max_matches: int = 1000,
    **options: Unpack[RunOptions],
) -> DecontaminateReport:
    r"""Takes documents of files that hold items of benchmarks out, or cuts these items out of them.

    See `decontaminate` for what counts as found. Documents are streamed. The benchmarks are held in memory,
    at about 50 bytes an n-gram, which count against `memory`. Kept rows pass through unchanged, JSONL lines
    byte for byte; of a cut document everything but the text does. `removed.parquet` says of each removed
    document which items it holds and where, and `run.json` lists the matches of cut documents too. A row of a
    benchmark that cannot be read is an error.

    After an interrupt, a kill or a full disk the same call goes on behind what was done. The output is the
    same with any number of threads, any memory and any number of interruptions. The GIL is released, and
    Ctrl-C stops the run.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`, `.arrows`),
            patterns, folders of such files, or `-` for JSONL on standard input.
        output: A folder for the data and the evidence; a data file, with the evidence beside it; or `-` for
            standard output, which gets the data alone.
        against: The benchmarks: files of any of these formats, patterns or folders. Each file is one, called
            by its name without endings; each of its rows is an item.
        rule: When a field of an item counts as found: `gpt3-13`, `palm-70`, `llama3-8` or `ngram:N`.
        fuzzy: Find items with one word in ten inserted, deleted or changed too.
        action: `drop` the documents, or `cut` what was found out of them as GPT-3 did.
        threshold: The share from which on `palm-70` or `llama3-8` counts, above 0 and up to 1.
        common: An n-gram that more items of a benchmark have than this counts for nothing: it frames the
            questions.
        prompts: Paths of the fields that are prompts. Default: found by their names.
        answers: Paths of the fields that are answers. Default: found by their names.
        window: With `cut`, characters that go on either side of what was found.
        min_piece: With `cut`, characters of a piece that stays; a shorter one goes.
        max_pieces: With `cut`, pieces of a document that stays; one that splits into more goes as a whole.
        text: Dotted path of the text field (`text`, `meta.body`).
        id: Dotted path of the id field. Default: a document is named `file:row`.
        chat: Rows are chat data: the text of all turns counts. They can only be dropped.
        from_format: The format of chat rows, a name or a mapping of fields. Default: found out from them.
        max_matches: Matches to list in the report; all are counted.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: A parameter is outside its range, there is no input, no row has a field, or a
            benchmark has no rows or fields.
        DataError: A row of a benchmark that cannot be read, a bad record in a strict run, more of them than
            `max_quarantine`, or a file that changed while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> row = '{"question": "Who wrote the play Hamlet?", "answer": "William Shakespeare"}\n'
        >>> _ = (folder / "trivia.jsonl").write_text(row)
        >>> text = '{"text": "Who wrote the play Hamlet? William Shakespeare."}\n{"text": "To be or not."}\n'
        >>> _ = (folder / "in.jsonl").write_text(text)
        >>> report = th.decontaminate_files(
        ...     folder / "in.jsonl", folder / "out.jsonl", against=folder / "trivia.jsonl"
        ... )
        >>> report, report.benchmarks[0].rows
        (DecontaminateReport(documents=2, kept=1, contaminated=1, quarantined=0), (0,))
    """
    own = {
        "inputs": inputs,
        "output": output,
        "against": against,
        "rule": rule,
        "fuzzy": fuzzy,
        "action": action,
        "threshold": threshold,
        "common": common,
        "prompts": prompts,
        "answers": answers,
        "window": window,
        "min_piece": min_piece,
        "max_pieces": max_pieces,
        "text": text,
        "id": id,
        "chat": chat,
        "from_format": from_format,
        "max_matches": max_matches,
    }
    return run(_core.runs.decontaminate, own, options, DecontaminateReport)
