"""The command line: thin arguments over the public functions, and the only package that prints.

Data goes to standard output, everything for people to standard error, so a command can stand in a pipe. There
is no colour, so NO_COLOR holds by itself. Exit codes (after sysexits.h): 0 done, 2 wrong usage, 65 bad data
in a strict run, a validation or a result, 70 a bug of ours, 74 input/output or disk full, 75 output in use
by another run, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import click

import thresher
from thresher.cli._chat import convert, render, validate
from thresher.cli._decontaminate import decontaminate
from thresher.cli._dedup import dedup
from thresher.cli._doctor import doctor
from thresher.cli._filter import filter, what_if
from thresher.cli._generate import generate
from thresher.cli._judge import judge
from thresher.cli._language import language
from thresher.cli._mix import mix
from thresher.cli._pack import pack
from thresher.cli._pii import pii
from thresher.cli._pipeline import run
from thresher.cli._plan import plan
from thresher.cli._quality import quality
from thresher.cli._results import explain, verify
from thresher.cli._run import EXIT_DATA, printable
from thresher.cli._shuffle import shuffle
from thresher.cli._tokenizer import tokenizer
from thresher.cli._tokens import tokenize, tokens
from thresher.errors import BusyError, DataError, InternalError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_USAGE, EXIT_INTERNAL, EXIT_IO, EXIT_BUSY, EXIT_INTERRUPTED = 2, 70, 74, 75, 130
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
    """Turn raw text and model calls into clean training data.

    Removes exact and near-duplicates from files within a bound on memory, and goes on where it was
    interrupted. Filters texts by the rules of the field. Takes out what holds items of benchmarks. Makes
    instruction data with models and judges it, and pays for no answer twice. Converts, validates and renders
    chat data. Detects languages and scores quality. Redacts personal data. Trains tokenizers, tokenises,
    mixes, shuffles and packs. Runs pipelines of steps over files, plans runs, and verifies and explains
    results.
    """


for command in (
    dedup,
    decontaminate,
    filter,
    generate,
    judge,
    convert,
    validate,
    render,
    language,
    quality,
    pii,
    tokenizer,
    tokenize,
    mix,
    shuffle,
    pack,
    tokens,
    run,
    plan,
    verify,
    explain,
    what_if,
    doctor,
):
    cli.add_command(command)


def _say(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("thresher: interrupted", err=True)
        return
    if isinstance(error, click.ClickException):
        error.show()
        return
    if not isinstance(error, thresher.ThresherError | OSError):
        traceback.print_exception(error)
    click.echo("thresher: " + "\n".join(map(printable, str(error).splitlines())), err=True)


def _fail(error: BaseException) -> int:
    """Says what went wrong, and gives the exit code for it."""
    if isinstance(error, _ReaderGone) or (isinstance(error, OSError) and error.errno == errno.EPIPE):
        # Python flushes standard output at exit, which would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    # The code tells as much where standard error cannot be written, as on a full disk.
    with contextlib.suppress(OSError):
        _say(error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return EXIT_INTERRUPTED
    if isinstance(error, click.ClickException):
        return error.exit_code
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
