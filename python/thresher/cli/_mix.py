"""`thresher mix`: sources in one mix, from a file or from options."""

from __future__ import annotations

import json
from typing import Any

import click

import thresher
from thresher._pipeline.mix import load
from thresher.cli._options import options_of
from thresher.cli._run import check_streams, note, printable, run_options, say, with_progress


@click.command(short_help="Mix sources in given proportions to a given size.")
@click.argument("document", required=False, metavar="MIX.yaml")
@click.option("-o", "--output", metavar="OUT", help="Folder or data file. Default: that of the document.")
@options_of("mix", required=False)
@run_options
@click.pass_context
def mix(
    context: click.Context,
    /,
    document: str | None,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Mix rows of several sources, and print what came out against what was asked for.

    MIX.yaml holds the parameters under their names, output among them, and options. Every mistake in it is
    named at once, with its line. What is given here replaces what it says.
    """
    given = {name: value for name, value in parameters.items() if _is_given(context, name)}
    if document is not None:
        loaded, notes = load(document)
        for text in notes:
            note(printable(text), quiet=quiet)
        given = {**loaded, **given}
    for name, what in {"sources": "sources", "output": "an output"}.items():
        if name not in given:
            message = f"no {name} is given; write {what} in MIX.yaml, or use --{name}"
            raise click.UsageError(message)
    check_streams(given["output"], as_json=as_json)
    sources, output = given.pop("sources"), given.pop("output")
    report = with_progress(
        lambda show: thresher.mix_files(sources, output, progress=show, **given), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        for line in report.table.splitlines():
            click.echo(printable(line), err=True)
        say(report)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
