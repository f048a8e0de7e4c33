"""`thresher dedup`: near-duplicates out of files."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher import _format
from thresher.cli._options import options_of
from thresher.cli._run import (
    check_streams,
    inputs_and_output,
    note,
    printable,
    run_options,
    say,
    with_progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thresher._dedup import DedupReport
    from thresher._types import Progress


@click.command(short_help="Remove exact and near-duplicates from files.")
@inputs_and_output(required=True)
@options_of("dedup")
@click.option(
    "--clusters", type=click.IntRange(0, 10), default=0, show_default=True, help="Largest clusters to show."
)
@run_options
def dedup(
    inputs: Sequence[str],
    output: str,
    clusters: int,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Remove duplicates from JSONL (plain, .gz, .zst), Parquet, Arrow files and folders of text files."""
    check_streams(output, as_json=as_json)

    def run(show: Callable[[Progress], None] | None) -> DedupReport:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_args, **_options: note(str(message), quiet=quiet)
            return thresher.dedup_files(inputs, output, progress=show, **parameters)

    report = with_progress(run, quiet=quiet)
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if quiet:
        return
    if unchecked := report.unchecked:
        parts = ", ".join(f"{similarity}: {_format.count(pairs)}" for similarity, pairs in unchecked.items())
        total = _format.count(sum(unchecked.values()))
        note(f"{total} pairs were left unchecked; by likely similarity: {parts}", quiet=quiet)
    for cluster in report.largest_clusters[:clusters]:
        click.echo(f"cluster of {_format.count(cluster['size'])}: {printable(cluster['id'])}", err=True)
        for example in cluster["examples"]:
            click.echo(f"    {printable(example)}", err=True)
    say(report)
