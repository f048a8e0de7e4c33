"""`thresher tokenizer train`: a vocabulary learned from files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import options_of
from thresher.cli._run import inputs_and_output, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(short_help="Train a tokenizer.")
def tokenizer() -> None:
    """Make tokenizers."""


@tokenizer.command()
@inputs_and_output(required=True)
@options_of("train")
@run_options
def train(
    inputs: Sequence[str],
    output: str,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Train a BPE or Unigram on JSONL (plain, .gz, .zst), Parquet, Arrow files and folders of text files.

    OUT is a folder that transformers loads, or a file whose name ends in .json.
    """
    report = with_progress(
        lambda show: thresher.tokenizers.train(inputs, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)
