"""`thresher shuffle`: rows of files in a random order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import check_streams, inputs_and_output, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Put the rows of files into a random order.")
@inputs_and_output(required=True)
@options_of("shuffle")
@run_options
def shuffle(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Put the rows of JSONL, Parquet or Arrow files into an exact random order, in bounded memory.

    The same rows, seed and epoch give the same bytes, with any number of threads and any memory.
    """
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.shuffle_files(inputs, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)
