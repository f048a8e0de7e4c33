"""`thresher filter` and `what-if`: texts of files by rules, and what other thresholds would keep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import thresher
from thresher.cli._options import named_values, options_of
from thresher.cli._run import check_streams, inputs_and_output, printable, run_options, say, with_progress

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Keep the texts of files that pass the rules of the field.")
@inputs_and_output(required=False)
@options_of("filter")
@click.option("--list-rules", is_flag=True, help="List presets with their rules and thresholds.")
@click.option("--list-signals", is_flag=True, help="List signals by group, and what each is.")
@run_options
def filter(
    inputs: Sequence[str],
    output: str | None,
    list_rules: bool,
    list_signals: bool,
    as_json: bool,
    quiet: bool,
    **parameters: Any,  # noqa: ANN401 - they go on under the same names
) -> None:
    """Keep the texts of JSONL, Parquet or Arrow files that pass the rules of Gopher, C4, FineWeb or DCLM.

    Every failing rule of a removed record is in removed.parquet, with its value and the threshold. Signals of
    all records are kept in signals/, so `thresher what-if` tells what other thresholds would keep.
    """
    if list_rules or list_signals:
        for line in _listed(rules=list_rules, signals=list_signals):
            click.echo(line)
        return
    if not inputs or output is None:
        message = (
            "no input is given; name at least one file" if not inputs else "no output is given; add -o OUT"
        )
        raise click.UsageError(message)
    check_streams(output, as_json=as_json)
    report = with_progress(
        lambda show: thresher.filter_files(inputs, output, progress=show, **parameters), quiet=quiet
    )
    if as_json:
        click.echo(json.dumps(report.report, ensure_ascii=False))
    if not quiet:
        say(report)


@click.command("what-if", short_help="Say what a filter would keep with other thresholds.")
@click.argument("output", metavar="OUT")
@click.option(
    "--set",
    "set",
    multiple=True,
    metavar="NAME=VALUE",
    callback=named_values,
    help="Thresholds by rule, as fineweb.line_punct=0.1; null leaves the rule out. Repeatable.",
)
@click.option("--step", metavar="STEP", help="Which step of a pipeline, as 2.filter, if it has several.")
@click.option("--curve", metavar="RULE", help="Try thresholds of this rule, spread over its values.")
@click.option("--json", "as_json", is_flag=True, help="Write the counts as JSON.")
def what_if(output: str, set: dict[str, Any], step: str | None, curve: str | None, as_json: bool) -> None:
    """Say what a filter would keep with other thresholds, from the signals of its run; no text is read.

    OUT is the folder or data file of a run that has filtered.
    """
    found = with_progress(
        lambda show: thresher.what_if(output, set=set, step=step, curve=curve, progress=show), quiet=as_json
    )
    if as_json:
        click.echo(json.dumps(found.report, ensure_ascii=False))
        return
    for line in str(found).splitlines():
        click.echo(printable(line))


def _listed(*, rules: bool, signals: bool) -> list[str]:
    lines = []
    for preset in thresher.filters.presets() if rules else ():
        lines.append(f"preset {preset.preset} ({preset.semantics})")
        lines += [f"  {rule}" for rule in preset.rules]
    groups = dict.fromkeys(signal.group for signal in thresher.filters.signal_list())
    for group in groups if signals else ():
        lines.append(f"group {group}")
        found = thresher.filters.signal_list(group)
        lines += [f"  {signal.signal:<40} {signal.about}" for signal in found]
    return lines
