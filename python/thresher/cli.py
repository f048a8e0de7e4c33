"""The command line: thin arguments over the public functions, and the only place that prints.

Data goes to standard output, everything for people to standard error, so a command can stand in a pipe. There
is no colour, so NO_COLOR holds by itself. Exit codes (after sysexits.h): 0 done, 2 wrong usage, 65 bad data
in a strict run, 70 a bug of ours, 74 input/output or disk full, 75 output in use by another run, 130
interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import click

import thresher
from thresher import _core, _format
from thresher.dedup import DEFAULT_RECALL, MAX_RECORD_BYTES
from thresher.errors import BusyError, DataError, InternalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher._types import Progress, Unit

EXIT_USAGE, EXIT_DATA, EXIT_INTERNAL, EXIT_IO, EXIT_BUSY, EXIT_INTERRUPTED = 2, 65, 70, 74, 75, 130
EXIT_PIPE = 141
"""Whoever read our output has gone: as if the signal of a closed pipe had ended us, and as silent."""


class _ReaderGone(Exception):
    """Whoever read our output has gone."""


class _Commands(click.Group):
    """A group that tells a closed pipe from other failures before click does, which would exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as in click
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise _ReaderGone from error
            raise


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(thresher.__version__, message="thresher %(version)s")
def cli() -> None:
    """Removes near-duplicates from large text corpora: verified, deterministic, at memory speed."""


@cli.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="Folder, data file, or - for standard output."
)
@click.option(
    "--text", default="text", show_default=True, metavar="FIELD", help="Dotted path of the text field."
)
@click.option("--id", metavar="FIELD", help="Dotted path of the id field; else documents are named file:row.")
@click.option(
    "--threshold", type=float, default=0.8, show_default=True, help="Exact Jaccard similarity to remove at."
)
@click.option("--ngram", type=int, default=5, show_default=True, help="Words or characters in a shingle.")
@click.option("--unit", type=click.Choice(["word", "char"]), default="word", show_default=True)
@click.option(
    "--keep",
    default="first",
    show_default=True,
    metavar="POLICY",
    help="Which duplicate stays: first, longest, shortest, max:FIELD or min:FIELD.",
)
@click.option("--exact-only", is_flag=True, help="Only equal texts are duplicates.")
@click.option("--num-hashes", type=int, default=128, show_default=True, help="Lanes of a signature.")
@click.option(
    "--recall", type=float, default=DEFAULT_RECALL, show_default=True, help="Recall at the threshold."
)
@click.option(
    "--glob", multiple=True, metavar="PATTERN", help="Files of a folder that are documents; repeatable."
)
@click.option("--threads", type=int, help="Threads to use; default: as many as the process may use.")
@click.option("--tmp", metavar="DIR", help="Folder for a copy of standard input.")
@click.option("--strict", is_flag=True, help="Stop at the first bad record.")
@click.option("--max-record-bytes", type=int, default=MAX_RECORD_BYTES, show_default=True)
@click.option(
    "--clusters", type=click.IntRange(0, 10), default=0, show_default=True, help="Largest clusters to show."
)
@click.option("--json", "as_json", is_flag=True, help="Write the report to standard output as JSON.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def dedup(
    inputs: Sequence[str],
    output: str,
    unit: Unit,
    glob: Sequence[str],
    clusters: int,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Remove duplicates from JSONL (plain, .gz, .zst), Parquet, Arrow files and folders of text files."""
    if as_json and output == "-":
        message = "--json and -o - both write to standard output; choose one"
        raise click.UsageError(message)
    bar = None if quiet or not sys.stderr.isatty() else _Bar()
    try:
        report = thresher.dedup_files(
            inputs,
            output,
            unit=unit,
            glob=list(glob) or None,
            progress=bar.show if bar else None,
            **parameters,
        )
    finally:
        if bar:
            bar.close()
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if quiet:
        return
    for cluster in report.largest_clusters[:clusters]:
        click.echo(f"cluster of {_format.count(cluster['size'])}: {_printable(cluster['id'])}", err=True)
        for example in cluster["examples"]:
            click.echo(f"    {_printable(example)}", err=True)
    click.echo(str(report), err=True)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def doctor(as_json: bool) -> None:
    """Show what thresher is and what it runs on."""
    import platform
    import shutil
    import tempfile

    import numpy as np
    import pyarrow as pa

    folder = tempfile.gettempdir()
    facts = {
        "version": thresher.__version__,
        "hash_scheme": _core.scheme_version(),
        "instruction_set": _core.instruction_set(),
        "threads": _core.available_threads(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "tmp": folder,
        "tmp_free_bytes": shutil.disk_usage(folder).free,
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        shown = _format.size(value) if isinstance(value, int) and name.endswith("_bytes") else value
        click.echo(f"{name.removesuffix('_bytes').replace('_', ' '):<16} {shown}")


class _Bar:
    """The progress line: bytes of the current step, documents a second, memory."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._step = ""
        self._began_s = 0.0

    def show(self, moment: Progress) -> None:
        from tqdm import tqdm

        if moment["step"] != self._step:
            self.close()
            self._step, self._began_s = moment["step"], moment["elapsed_s"]
            total = moment["total_bytes"] or None
            self._bar = tqdm(
                total=total, desc=self._step, unit="B", unit_scale=True, leave=False, file=sys.stderr
            )
        seconds = max(moment["elapsed_s"] - self._began_s, 0.1)
        notes = [f"{moment['docs'] / seconds:,.0f} docs/s", f"RSS {_format.size(moment['rss_bytes'])}"]
        if moment["quarantined"]:
            notes.append(f"{_format.count(moment['quarantined'])} bad")
        self._bar.set_postfix_str(", ".join(notes), refresh=False)
        # Set rather than added up: moments come ten times a second, and each is to be shown.
        self._bar.n = moment["bytes"]
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _printable(text: str) -> str:
    """An id without what could steer a terminal."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _fail(error: BaseException) -> int:
    """Says what went wrong, and gives the exit code for it."""
    if isinstance(error, _ReaderGone) or (isinstance(error, OSError) and error.errno == errno.EPIPE):
        # Python flushes standard output at exit, which would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("thresher: interrupted", err=True)
        return EXIT_INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if not isinstance(error, thresher.ThresherError | OSError):
        traceback.print_exception(error)
    click.echo(f"thresher: {error}", err=True)
    for kind, code in (
        (BusyError, EXIT_BUSY),
        (OSError, EXIT_IO),
        (DataError, EXIT_DATA),
        (InternalError, EXIT_INTERNAL),
    ):
        if isinstance(error, kind):
            return code
    return EXIT_USAGE if isinstance(error, thresher.ThresherError) else EXIT_INTERNAL


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command and exits with its code.

    Args:
        arguments: What follows the command's name. Default: that of the process.
    """
    try:
        code = cli.main(
            args=None if arguments is None else list(arguments), prog_name="thresher", standalone_mode=False
        )
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        sys.exit(_fail(error))
    sys.exit(code if isinstance(code, int) else 0)
