"""`thresher verify` and `explain`: whether a result is what was written, and what became of one document."""

from __future__ import annotations

import json

import click

import thresher
from thresher.cli._run import EXIT_DATA, printable, with_progress


@click.command(short_help="Compare a result with its run.json.")
@click.argument("output", metavar="OUT")
@click.option("--threads", type=int, help="Threads to use; default: as many as the process may use.")
@click.option("--json", "as_json", is_flag=True, help="Write the report to standard output as JSON.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors; the exit code tells.")
def verify(output: str, threads: int | None, as_json: bool, quiet: bool) -> int:
    """Compare a result with its run.json: every file, its bytes and rows, and files that no run has written.

    OUT is the folder or data file of an earlier run. The exit code is 65 if anything differs.
    """
    report = with_progress(
        lambda show: thresher.verify(output, threads=threads, progress=show), quiet=quiet or as_json
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    elif not quiet:
        for line in str(report).splitlines():
            click.echo(printable(line))
    return 0 if report.ok else EXIT_DATA


@click.command(short_help="Say what became of one document or row, and why.")
@click.argument("output", metavar="OUT")
@click.argument("id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Write the explanation as JSON.")
def explain(output: str, id: str, as_json: bool) -> None:
    """Say what became of one document or generated row of a result, and why.

    OUT is the folder or data file of an earlier run. ID is what stands in the id field, or input:row; of a
    generation, an id of its rows or of rejected.parquet: then every request and answer behind it is shown.
    """
    found = with_progress(lambda show: thresher.explain(output, id, progress=show), quiet=as_json)
    click.echo(json.dumps(found.report, ensure_ascii=False) if as_json else str(found))
