"""`thresher tokenize` and `thresher tokens`: texts as ids, and files of ids."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import check_streams, inputs_and_output, printable, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher.tokens import TokenFile


@click.command(short_help="Turn texts of files into ids of tokens.")
@inputs_and_output(required=True)
@options_of("tokenize")
@run_options
def tokenize(
    inputs: Sequence[str],
    output: str,
    template: str | None,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Turn texts of files into ids of tokens: rows, .bin/.idx of Megatron-LM, or shards for numpy."""
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.tokenize_files(
            inputs, output, template=None if template is None else Path(template), progress=show, **parameters
        ),
        quiet=quiet,
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)


@click.group(short_help="Merge and check files of tokens.")
def tokens() -> None:
    """Look after files of tokens: .bin with .idx, as Megatron-LM reads them."""


@tokens.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="OUT", help="The .bin that they become.")
@click.option("--overwrite", is_flag=True, help="Replace files of that name.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def merge(inputs: Sequence[str], output: str, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Put token files behind each other under one index, in the memory of a few blocks."""
    merged = with_progress(
        lambda show: thresher.tokens.merge(inputs, output, overwrite=overwrite, progress=show), quiet=quiet
    )
    _say(merged, as_json=as_json, quiet=quiet)


@tokens.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print what they hold as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def check(paths: Sequence[str], as_json: bool, quiet: bool) -> None:
    """Make sure that tokens and index agree, and say what they hold."""
    for path in paths:
        _say(thresher.tokens.check(path), as_json=as_json, quiet=quiet)


def _say(file: TokenFile, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(file)))
    elif not quiet:
        held = f"{file.documents:,} documents, {file.sequences:,} sequences, {file.tokens:,} tokens"
        click.echo(f"{printable(file.path)}: {held} of {file.dtype}", err=True)
