"""`thresher convert`, `validate` and `render`: chat data in another format, checked, as a model sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._run import EXIT_DATA, check_streams, printable, run_options, say, with_progress

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
    report = with_progress(
        lambda show: thresher.chat.convert_files(
            inputs, output, from_format=_format_or_mapping(from_format), progress=show, **parameters
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
    say(report)


@click.command()
@click.argument("inputs", nargs=-1, metavar="IN...")
@click.option("-o", "--output", metavar="OUT", help="Where the rows without an error go; default: nowhere.")
@click.option(
    "--format",
    metavar="FORMAT",
    help="The format of the rows, or a JSON file with a mapping of fields; default: found out from them.",
)
@click.option("--target", default="openai", show_default=True, help="Whose order of roles counts.")
@click.option("--reasoning", type=click.Choice(["keep", "strip", "any"]), default="any", show_default=True)
@click.option("--ignore", multiple=True, metavar="CODE", help="A check to leave out; repeatable.")
@click.option("--max-problems", type=int, default=1000, show_default=True, help="Problems to list.")
@click.option("--list-checks", is_flag=True, help="List what is looked for, and for which targets.")
@run_options
def validate(
    inputs: Sequence[str],
    output: str | None,
    format: str | None,
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
        lambda show: thresher.chat.validate_files(
            inputs, output, format=_format_or_mapping(format), progress=show, **parameters
        ),
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


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="Folder, data file, or - for standard output."
)
@click.option(
    "--template",
    required=True,
    metavar="FILE",
    help="A .jinja file, a tokenizer_config.json, or the folder of a tokenizer.",
)
@click.option("--name", metavar="NAME", help="Which template, if a configuration has several.")
@click.option(
    "--from",
    "from_format",
    metavar="FORMAT",
    help="The format of the rows, or a JSON file with a mapping of fields; default: found out from them.",
)
@click.option("--add-generation-prompt", is_flag=True, help="End where the model would go on.")
@click.option("--mask/--no-mask", default=True, help="Find what the model is to generate.")
@click.option("--now", metavar="DATE", help="What the template takes for today, as 2024-07-26.")
@click.option(
    "--ending", type=click.Choice(["chosen", "rejected", "prompt"]), default="chosen", show_default=True
)
@run_options
def render(
    inputs: Sequence[str],
    output: str,
    template: str,
    from_format: str | None,
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
            from_format=_format_or_mapping(from_format),
            progress=show,
            **parameters,
        ),
        quiet=quiet,
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)


def _format_or_mapping(name: str | None) -> str | dict[str, Any] | None:
    """The name of a format, or the mapping in a JSON file."""
    if not name or not name.endswith(".json"):
        return name
    try:
        mapping: dict[str, Any] = json.loads(Path(name).read_text("utf-8"))
    except ValueError as error:
        message = f"`{name}` is no JSON: {error}"
        raise click.UsageError(message) from error
    return mapping
