"""`thresher run`: a pipeline of several steps, from a file."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, cast

import click

import thresher
from thresher.cli._run import check_streams, note, printable, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher._runs import RunOptions


@click.command(short_help="Run the steps of a pipeline.")
@click.argument("pipeline", required=False, metavar="PIPELINE.yaml")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Replace or add a value, as steps.1.dedup.threshold=0.7. Places count from 0. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Check the pipeline, say what would be done, and do nothing.")
@click.option(
    "--schema", is_flag=True, help="Write the JSON Schema of a pipeline, for editors, and do nothing."
)
@run_options
@click.pass_context
def run(
    context: click.Context,
    /,
    pipeline: str | None,
    settings: Sequence[str],
    dry_run: bool,
    schema: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Run the steps of a pipeline: dedup, filter, validate, convert, render, tokenize, shuffle, pack.

    Every mistake in the file is named at once, with its line. Paths count from the working directory. Options
    that are given here replace those of the file.
    """
    if schema:
        click.echo(json.dumps(thresher.Pipeline.schema(), indent=2))
        return
    if pipeline is None:
        message = "no pipeline is given; name a YAML file"
        raise click.UsageError(message)
    overrides = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            message = f"--set is `{setting}`, but it is NAME=VALUE, as steps.1.dedup.threshold=0.7"
            raise click.UsageError(message)
        overrides[name] = value
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_args, **_options: note(printable(str(message)), quiet=quiet)
        loaded = thresher.Pipeline.load(pipeline, overrides=overrides, options=_given(context, options))
    if dry_run:
        click.echo(
            json.dumps(loaded.to_dict(), ensure_ascii=False) if as_json else _printable_lines(loaded.plan())
        )
        return
    check_streams(loaded.to_dict()["output"], as_json=as_json)
    report = with_progress(lambda show: loaded.run(progress=show), quiet=quiet)
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)


def _given(context: click.Context, options: dict[str, Any]) -> RunOptions:
    """The options that stand on the command line."""
    source = click.core.ParameterSource.COMMANDLINE
    given = {name: value for name, value in options.items() if context.get_parameter_source(name) is source}
    return cast("RunOptions", given)


def _printable_lines(text: str) -> str:
    """Lines without what could steer a terminal."""
    return "\n".join(map(printable, text.splitlines()))
