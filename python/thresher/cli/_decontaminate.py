"""`thresher decontaminate`: documents that hold items of benchmarks, dropped or cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import (
    check_streams,
    inputs_and_output,
    printable,
    run_options,
    say,
    with_progress,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Take out documents that hold items of benchmarks, or cut these out.")
@inputs_and_output(required=True)
@options_of("decontaminate")
@run_options
def decontaminate(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Find the items of benchmarks that documents hold, by a rule of the field, and drop or cut them."""
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.decontaminate_files(inputs, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        for line in report.table.splitlines():
            click.echo(printable(line), err=True)
        say(report)
