"""`thresher pack`: rows of tokens in bins of one length."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import check_streams, inputs_and_output, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Pack rows of tokens into training sequences.")
@inputs_and_output(required=True)
@options_of("pack")
@run_options
def pack(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Pack rows of tokens (Parquet, Arrow) into bins of at most --context tokens, all rows together."""
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.pack_files(inputs, output, progress=show, **parameters),
        quiet=quiet,
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if quiet:
        return
    books = report.accounts
    lines = [
        f"{books.packed_tokens:,} of {books.tokens:,} tokens in {report.num_bins:,} bins, "
        f"fill {report.fill:.4f}",
        f"split: {books.split:,} sequences",
        f"truncated: {books.truncated:,} sequences ({books.truncated_tokens:,} tokens)",
        f"dropped: {books.dropped:,} sequences ({books.dropped_tokens:,} tokens)",
    ]
    click.echo("\n".join(lines), err=True)
    say(report)
