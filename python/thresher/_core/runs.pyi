"""Runs over files."""

import os
from collections.abc import Callable, Sequence
from typing import final

from thresher._types import Progress

__all__ = [
    "Output",
    "convert",
    "decontaminate",
    "dedup",
    "filter",
    "language",
    "mix",
    "pack",
    "parameters",
    "pii",
    "pipeline",
    "quality",
    "quality_train",
    "render",
    "shuffle",
    "tokenize",
    "train",
    "validate",
]

def dedup(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Near-duplicates among files.

    Args:
        config_json: The parameters, as a JSON object.
        progress: Called about ten times a second, with the GIL held; an exception from it stops the run.

    Returns:
        The report, as JSON; the same that the run writes.

    Raises:
        ParameterError: A parameter is outside its range.
        DataError: Bad data in a strict run, or files that change while they are read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.
        KeyboardInterrupt: Ctrl-C.
    """

def decontaminate(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files without what benchmarks hold; as `dedup`, with the parameters of a decontamination."""

def filter(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Texts of files by rules; as `dedup`, with the parameters of a filter."""

def convert(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files in another chat format; as `dedup`, with the parameters of a conversion."""

def validate(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """What is wrong with the rows of files; as `dedup`, with the parameters of a validation."""

def render(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files rendered with a chat template; as `dedup`, with the parameters of a rendering."""

def language(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Languages of the texts of files; as `dedup`, with the parameters of a detection."""

def quality(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Scores of the texts of files by a classifier; as `dedup`, with the parameters of a scoring."""

def quality_train(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """A classifier trained on files; as `dedup`, with the parameters of a training."""

def shuffle(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files in a random order; as `dedup`, with the parameters of a shuffle."""

def tokenize(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Texts of files as ids of tokens; as `dedup`, with the parameters of a tokenization."""

def pii(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Personal data in the texts of files; as `dedup`, with the parameters of a search for it."""

def pack(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of tokens of files, packed into bins; as `dedup`, with the parameters of packing."""

def mix(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of several sources in one mix; as `dedup`, with the parameters of a mix."""

def train(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """A tokenizer trained on files; as `dedup`, with the parameters of a training."""

def pipeline(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Several steps over files; as `dedup`, with `inputs`, `output`, `steps` and the options of every run."""

def parameters(verb: str) -> str:
    """What there is to ask a verb for, or of `options` every run: a list in JSON.

    Args:
        verb: `dedup`, `filter`, `convert`, `validate`, `render`, `shuffle`, `tokenize`, `pack`, `train`,
            `mix` with `mix.source` and `mix.phase`, or `options`.

    Returns:
        Of each parameter `name`, `kind`, `metavar`, `about`, `default`, `required` and `schema`.

    Raises:
        ParameterError: There is no such verb.
    """

@final
class Output:
    """An output that is taken for a run whose files are made in Python, until it is closed or dropped.

    What is made is staged in the state of the output, and goes to its place at once. Until then the result
    that was there stays whole; a run that is killed costs nothing but its own files.
    """

    def __new__(
        cls,
        output: str,
        overwrite: bool,
        verb: str,
        inputs: Sequence[str | os.PathLike[str]] = ...,
    ) -> Output:
        """Takes an output, and completes what an earlier run had begun to publish there.

        Args:
            output: A folder, or a data file whose name ends in .jsonl, .jsonl.gz, .jsonl.zst or .parquet.
            overwrite: A finished result may be replaced.
            verb: The command that runs, as `report.html` names it.
            inputs: Files that must not lie where the result goes.

        Raises:
            ParameterError: The output cannot be, is finished and `overwrite` is not set, holds files that
                thresher did not write, or would overwrite an input.
            BusyError: Another run, of whichever verb, has it.
            FileError: The operating system refused a file operation.
        """

    @property
    def form(self) -> str:
        """`folder`, or the format of the single file: `jsonl` or `parquet`."""

    @property
    def codec(self) -> str:
        """The compression of the single file as a whole: `plain`, `gzip` or `zstd`."""

    @property
    def work(self) -> str:
        """A folder for temporary files, which is there; it is the same for every run on this output."""

    def path(self, part: str) -> str:
        """Where a part is to be made now; its folder is there.

        Args:
            part: `data/NAME`, or `data` with a single file; `rejected.parquet`, `lineage.parquet` or
                `README.md`.

        Raises:
            ParameterError: There is no such part, or the output is published or closed.
        """

    def publish(self, report_json: str, rows: dict[str, int]) -> str:
        """Publishes what was made.

        Every file is synced to disk and hashed, and its rows are counted. What fails leaves the result that
        was there as it was, and can be put right and tried again.

        Args:
            report_json: A JSON object, to which the marker, `outputs`, `files` and the checksum are added.
                The page shows of it what is there: `config`, `accounting` (`in`, `kept`, `removed` and
                `quarantined` by reason, each with `docs` and `bytes`), `notes`, `timings`,
                `peak_rss_bytes`, `threads`, `inputs`; of a generation `rejections` (by rule: `rows`,
                `about`; else those of the books), `requests` and `spent` (objects of figures).
            rows: Rows of parts, by name. A part that is not named is counted all the same.

        Returns:
            The whole report, as JSON.

        Raises:
            ParameterError: The report is no object of JSON, or has what is added to it; rows are given of a
                part that was not asked for; files of somebody else came into the way.
            InternalError: The books do not balance, rows are not as many as was said or as are kept, a part
                is missing, or a file was made that is no part.
            FileError: The operating system refused a file operation.
            KeyboardInterrupt: Ctrl-C.
        """

    def close(self, keep: bool) -> None:
        """Lets go of the output.

        Args:
            keep: What is in `work` stays for the next run. An output that is dropped without a result keeps
                it.
        """
