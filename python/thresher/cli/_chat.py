"""`thresher convert`, `validate` and `render`: chat data in another format, checked, as a model sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import (
    EXIT_DATA,
    check_streams,
    inputs_and_output,
    printable,
    run_options,
    say,
    with_progress,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Convert chat data from any format to another.")
@inputs_and_output(required=True)
@options_of("convert")
@run_options
def convert(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Convert chat data (JSONL, Parquet, Arrow) to another format, and say what it could not carry."""
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.chat.convert_files(inputs, output, progress=show, **parameters),
        quiet=quiet,
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if quiet:
        return
    click.echo(f"{report.from_format} -> {report.to}", err=True)
    for loss in report.losses:
        click.echo(f"lost: {printable(str(loss))}", err=True)
    say(report)


@click.command(short_help="Check chat data: all that is wrong with each row.")
@inputs_and_output(required=False)
@options_of("validate")
@click.option("--list-checks", is_flag=True, help="List what is looked for, and for which targets.")
@run_options
def validate(
    inputs: Sequence[str],
    output: str | None,
    list_checks: bool,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> int:
    """Check chat data: everything that is wrong with each row, with its place.

    The exit code is 65 if a row has an error; with --strict, a warning is one.
    """
    if list_checks:
        for check in thresher.chat.checks():
            click.echo(f"{check.code:<24} {check.severity:<8} {check.about}")
        for name, about in thresher.chat.targets().items():
            click.echo(f"target {name:<17} {'':<8} {about}")
        return 0
    if not inputs:
        message = "no input is given; name at least one file"
        raise click.UsageError(message)
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.chat.validate_files(inputs, output, progress=show, **parameters),
        quiet=quiet,
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        for name, found in report.by_input.items():
            click.echo(printable(name), err=True)
            for line in str(found).splitlines():
                click.echo(f"  {printable(line)}", err=True)
        say(report)
    return 0 if report.ok else EXIT_DATA


@click.command(short_help="Render chat data by a chat template.")
@inputs_and_output(required=True)
@options_of("render")
@run_options
def render(
    inputs: Sequence[str],
    output: str,
    template: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Render chat data with the chat template of a model, with the spans that the model is to learn."""
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.chat.render_files(
            inputs,
            output,
            template=Path(template),
            progress=show,
            **parameters,
        ),
        quiet=quiet,
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)
