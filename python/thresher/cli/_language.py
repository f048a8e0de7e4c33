"""`thresher language`: the languages of texts, and only some of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import check_streams, inputs_and_output, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Detect the languages of texts, and keep some.")
@inputs_and_output(required=True)
@options_of("language")
@run_options
def language(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Add the language of each text and its score as columns, and remove what is in other languages."""
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.filters.language_files(inputs, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)
