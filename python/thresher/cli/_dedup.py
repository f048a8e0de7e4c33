"""`thresher dedup`: near-duplicates out of files."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher import _format
from thresher.cli._run import check_streams, note, printable, run_options, say, with_progress
from thresher.dedup import DEFAULT_RECALL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thresher._types import Progress, Unit
    from thresher.result import FileReport


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="Folder, data file, or - for standard output."
)
@click.option(
    "--text", default="text", show_default=True, metavar="FIELD", help="Dotted path of the text field."
)
@click.option("--id", metavar="FIELD", help="Dotted path of the id field; else documents are named file:row.")
@click.option(
    "--threshold", type=float, default=0.8, show_default=True, help="Exact Jaccard similarity to remove at."
)
@click.option("--ngram", type=int, default=5, show_default=True, help="Words or characters in a shingle.")
@click.option("--unit", type=click.Choice(["word", "char"]), default="word", show_default=True)
@click.option(
    "--keep",
    default="first",
    show_default=True,
    metavar="POLICY",
    help="Which duplicate stays: first, longest, shortest, max:FIELD or min:FIELD.",
)
@click.option("--exact-only", is_flag=True, help="Only equal texts are duplicates.")
@click.option("--num-hashes", type=int, default=128, show_default=True, help="Lanes of a signature.")
@click.option("--seed", type=int, default=0, show_default=True, help="Family of the hashes that sign.")
@click.option(
    "--recall", type=float, default=DEFAULT_RECALL, show_default=True, help="Recall at the threshold."
)
@click.option(
    "--glob", multiple=True, metavar="PATTERN", help="Files of a folder that are documents; repeatable."
)
@click.option(
    "--clusters", type=click.IntRange(0, 10), default=0, show_default=True, help="Largest clusters to show."
)
@run_options
def dedup(
    inputs: Sequence[str],
    output: str,
    unit: Unit,
    glob: Sequence[str],
    clusters: int,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Remove duplicates from JSONL (plain, .gz, .zst), Parquet, Arrow files and folders of text files."""
    check_streams(output, as_json=as_json)

    def run(show: Callable[[Progress], None] | None) -> FileReport:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_args, **_options: note(str(message), quiet=quiet)
            return thresher.dedup_files(
                inputs, output, unit=unit, glob=list(glob) or None, progress=show, **parameters
            )

    report = with_progress(run, quiet=quiet)
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if quiet:
        return
    if unchecked := report.unchecked:
        parts = ", ".join(f"{similarity}: {_format.count(pairs)}" for similarity, pairs in unchecked.items())
        total = _format.count(sum(unchecked.values()))
        note(f"{total} pairs were left unchecked; by likely similarity: {parts}", quiet=quiet)
    for cluster in report.largest_clusters[:clusters]:
        click.echo(f"cluster of {_format.count(cluster['size'])}: {printable(cluster['id'])}", err=True)
        for example in cluster["examples"]:
            click.echo(f"    {printable(example)}", err=True)
    say(report)
