"""`thresher convert`: chat data from one format to another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._run import check_streams, printable, run_options, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("--to", required=True, metavar="FORMAT", help="The format to write.")
@click.option(
    "--from",
    "from_format",
    metavar="FORMAT",
    help="The format to read, or a JSON file with a mapping of fields; found out from the rows by default.",
)
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="Folder, data file, or - for standard output."
)
@run_options
def convert(
    inputs: Sequence[str],
    output: str,
    from_format: str | None,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Convert chat data (JSONL, Parquet, Arrow) to another format, and say what it could not carry."""
    check_streams(output, as_json=as_json)
    mapping = None
    if from_format and from_format.endswith(".json"):
        try:
            mapping = json.loads(Path(from_format).read_text("utf-8"))
        except ValueError as error:
            message = f"`{from_format}` is no JSON: {error}"
            raise click.UsageError(message) from error
    report = with_progress(
        lambda show: thresher.chat.convert_files(
            inputs, output, from_format=mapping or from_format, progress=show, **parameters
        ),
        quiet=quiet,
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if quiet:
        return
    click.echo(f"{report.from_format} -> {report.to}", err=True)
    for loss in report.losses:
        click.echo(f"lost: {printable(str(loss))}", err=True)
    click.echo(str(report), err=True)
