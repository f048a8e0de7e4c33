"""What the commands over files share: options, the progress line, text that is safe on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from thresher import _format
from thresher.cli._options import options_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from thresher._runs import RunReport
    from thresher._types import Progress

EXIT_DATA = 65
"""Bad data: in a strict run, or in a validation."""

R = TypeVar("R")
Command = TypeVar("Command", bound="Callable[..., Any]")


def inputs_and_output(*, required: bool) -> Callable[[Command], Command]:
    """The inputs and the output of a run; without `required`, a command that can do without."""

    def add(command: Command) -> Command:
        about = "Folder, data file, or - for standard output."
        output = click.option(
            "-o",
            "--output",
            required=required,
            metavar="OUT",
            help=about if required else f"{about} Default: none.",
        )
        inputs = click.argument("inputs", nargs=-1, required=required, metavar="IN...")
        return inputs(output(command))

    return add


def run_options(command: Command) -> Command:
    """The options that every run over files has."""
    quiet = click.option("--quiet", is_flag=True, help="Say nothing but errors.")
    as_json = click.option(
        "--json", "as_json", is_flag=True, help="Write the report to standard output as JSON."
    )
    return options_of("options")(as_json(quiet(command)))


def with_progress(run: Callable[[Callable[[Progress], None] | None], R], *, quiet: bool) -> R:
    """Calls `run` with what shows its progress, on a terminal."""
    bar = None if quiet or not sys.stderr.isatty() else _Bar()
    try:
        return run(bar.show if bar else None)
    finally:
        if bar:
            bar.close()


def check_streams(output: str | None, *, as_json: bool) -> None:
    """Refuses data and report on the same stream."""
    if as_json and output == "-":
        message = "--json and -o - both write to standard output; choose one"
        raise click.UsageError(message)


def note(text: str, *, quiet: bool) -> None:
    """Says what a user should know although nothing is wrong."""
    if not quiet:
        click.echo(f"note: {text}", err=True)


def say(report: RunReport) -> None:
    """Notes on the inputs, what was set aside, and the accounting line, which comes last."""
    for text in report.notes:
        note(printable(text), quiet=False)
    if report.set_aside:
        reasons = ", ".join(f"{reason} {_format.count(docs)}" for reason, docs in report.set_aside.items())
        place = f"; see {printable(report.quarantine)}" if report.quarantine else ""
        counted = report.only_counted
        rest = f" ({_format.count(counted)} of them only counted)" if counted and place else ""
        click.echo(f"set aside: {reasons}{place}{rest}", err=True)
    for line in str(report).splitlines():
        click.echo(line, err=True)


def printable(text: str) -> str:
    """A name, an id or a line of a message without what could steer a terminal, as controls could."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


class _Bar:
    """The progress line: bytes of the current step, documents a second, memory held and its bound."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._step = ""
        self._began_s = 0.0

    def show(self, moment: Progress) -> None:
        from tqdm import tqdm

        if moment["step"] != self._step:
            self.close()
            self._step, self._began_s = moment["step"], moment["elapsed_s"]
            total = moment["total_bytes"] or None
            self._bar = tqdm(
                total=total, desc=self._step, unit="B", unit_scale=True, leave=False, file=sys.stderr
            )
        seconds = max(moment["elapsed_s"] - self._began_s, 0.1)
        notes = [
            f"{moment['docs'] / seconds:,.0f} docs/s",
            f"RSS {_format.size(moment['rss_bytes'])}/{_format.size(moment['memory_bytes'])}",
        ]
        if moment["quarantined"]:
            notes.append(f"{_format.count(moment['quarantined'])} bad")
        self._bar.set_postfix_str(", ".join(notes), refresh=False)
        # Set rather than added up: moments come ten times a second, and each is to be shown.
        self._bar.n = moment["bytes"]
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
