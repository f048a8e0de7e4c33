"""`thresher pii`: personal data and secrets out of texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import check_streams, inputs_and_output, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Redact personal data and secrets in texts.")
@inputs_and_output(required=True)
@options_of("pii")
@run_options
def pii(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Write tags or pseudonyms in the place of personal data and secrets, or drop the documents.

    --types takes several with commas, as in --types email,phone.
    """
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.pii_files(inputs, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)
