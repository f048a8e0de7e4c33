"""`thresher plan`: what a deduplication would take, told from a sample."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import note, printable, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Estimate memory, disk and time of a deduplication.")
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@options_of("dedup")
@options_of("plan")
@options_of("options", only=("threads", "memory", "tmp"))
@click.option("--json", "as_json", is_flag=True, help="Write the estimate as JSON.")
def plan(
    inputs: Sequence[str],
    as_json: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Estimate from a sample what `thresher dedup` with these parameters would take. Nothing is written.

    Documents, recall, memory, temporary disk, time of each step, and giant clusters to expect.
    """
    found = with_progress(lambda show: thresher.plan(inputs, progress=show, **parameters), quiet=as_json)
    if as_json:
        click.echo(json.dumps(found.report, ensure_ascii=False))
        return
    for text in found.notes:
        note(printable(text), quiet=False)
    click.echo(str(found))
