"""A session: takes output and journal, opens the endpoints, drives the recipe, publishes what came of it.

```text
output taken ─ journal ─ endpoints ─ engine ─> rows, rejections, lineage ─> tables, card ─> published
                  └ stays: the same call again goes on from it, and sends nothing that was answered
```
A run that is stopped, by a budget, by Ctrl-C or since nothing new comes, publishes the rows that it has and
says so in `run.json`; the same call replaces them by more. The first Ctrl-C sends nothing new and waits for
what is under way, the second ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from thresher import _core
from thresher.errors import ParameterError
from thresher.generate import local, tables
from thresher.generate.batching import BatchClient
from thresher.generate.batching.store import under_way
from thresher.generate.budget import Purse
from thresher.generate.card import card
from thresher.generate.checks import Format, NearDuplicates, Overlap
from thresher.generate.client import Client, Line
from thresher.generate.engine import Engine
from thresher.generate.faults import Stopped
from thresher.generate.journal import Journal
from thresher.generate.status import status_of
from thresher.generate.transport import Http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from thresher.generate.endpoint import Endpoint
    from thresher.generate.engine import Check, Progress
    from thresher.generate.options import Settings
    from thresher.generate.recipe import Recipe, Row

JOURNAL = "answers.journal"
"""Name of the journal beside an output."""
_EVERY_S = 0.2
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Generated(Sequence["Row"]):
    """What a generation gave: its rows, in order, as a sequence.

    Attributes:
        rows: The rows, each with its `id`.
        report: Everything, as it stands in `run.json`.
        output: Where the files are; None if there are none.
    """

    rows: Sequence[Row] = field(repr=False)
    report: Mapping[str, Any] = field(repr=False)
    output: str | None = None

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        """A row, or some."""
        return self.rows[place]

    def __len__(self) -> int:
        """How many rows were kept."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        """The rows."""
        return iter(self.rows)

    @property
    def is_complete(self) -> bool:
        """Whether the target was reached, or all that there is was made."""
        return bool(self.report["complete"])

    @property
    def stopped(self) -> str | None:
        """Why it ended before; None if it did not."""
        stopped = self.report["stopped"]
        return None if stopped is None else str(stopped["message"])

    @property
    def rejected(self) -> dict[str, int]:
        """Rejections, by their first reason."""
        return {reason: tally["docs"] for reason, tally in self.report["accounting"]["removed"].items()}

    def __str__(self) -> str:
        """The books in one line."""
        books = self.report["accounting"]
        parts = [f"kept {books['kept']['docs']:,}"]
        parts += [f"{reason} {tally['docs']:,}" for reason, tally in books["removed"].items()]
        return f"in {books['in']['docs']:,} candidates = {' + '.join(parts)}"


def generate(recipe: Recipe, settings: Settings, checks: Sequence[Check] = ()) -> Generated:
    """Drives a recipe to its target.

    Args:
        recipe: The recipe.
        settings: What every generation takes.
        checks: Checks of this recipe, before those of every one.

    Raises:
        ParameterError: An endpoint or a parameter cannot be used.
        EndpointError: An endpoint answers nothing, refuses the key, or has no quota left.
        BusyError: Another run has the output or the journal.
        FileError: The system refused a file operation.
        KeyboardInterrupt: A second Ctrl-C.
    """
    endpoints = tuple(local.resolved(one) if one.is_local else one for one in settings.endpoints)
    for endpoint in endpoints:
        # All that can be wrong with them is told before anything is made.
        _ = (endpoint.identity, endpoint.key())
    _check_journal(settings)
    with contextlib.ExitStack() as stack:
        output = None
        if settings.output is not None:
            replaces = settings.overwrite or _is_unfinished(settings.output, f"generate {recipe.name}")
            output = _core.runs.Output(settings.output, replaces, f"generate {recipe.name}", settings.inputs)
            stack.callback(output.close, keep=False)
        journal = stack.enter_context(Journal(_journal_path(settings, stack)))
        # The journal counts what a run has spent under this name, over all its sessions.
        run = (
            str(Path(settings.output).absolute())
            if settings.output
            else f"call {os.getpid()} {time.time_ns()}"
        )
        work = _Work(recipe, settings, endpoints, journal, run, checks)
        progress = _run(work)
        return _published(work, progress, output)


def journal_beside(output: str) -> Path:
    """The journal of an output that was given none."""
    return Path(output).parent / JOURNAL


def journal_of(settings: Settings) -> Path | None:
    """The journal of a run; None for one that ends with the call."""
    if settings.journal is not None:
        return Path(settings.journal)
    return None if settings.output is None else journal_beside(settings.output)


def _journal_path(settings: Settings, stack: contextlib.ExitStack) -> Path:
    if (path := journal_of(settings)) is not None:
        return path
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="thresher-"))) / JOURNAL


def _check_journal(settings: Settings) -> None:
    """Refuses a journal that the result would replace, or lie around."""
    path = journal_of(settings)
    if path is None or settings.output is None:
        return
    journal, output = path.absolute(), Path(settings.output).absolute()
    others = [Path(one).absolute() for one in settings.inputs]
    if journal == output or output in journal.parents or journal in others:
        message = f"journal is `{path}`, but it lies neither in the output nor in place of it or of an input"
        raise ParameterError(message)


def _is_unfinished(output: str, verb: str) -> bool:
    """Whether a result of this recipe lies there that ended before its target: it may be replaced."""
    place = Path(output)
    path = place / "run.json" if place.is_dir() else Path(f"{output}.run.json")
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("complete") is False and found.get("verb") == verb


class _Work:
    """What a session works with, and what it did."""

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        endpoints: Sequence[Endpoint],
        journal: Journal,
        run: str,
        own_checks: Sequence[Check],
    ) -> None:
        self.recipe, self.settings, self.endpoints = recipe, settings, endpoints
        self._own_checks = own_checks
        self.journal, self.run = journal, run
        self.purse = Purse(settings.budget, journal.spent(run))
        self.client: Client | None = None
        self.began_s = time.monotonic()
        self.changes: set[str] = set()
        self.stop: Callable[[str, str], None] = lambda reason, message: None

    def all_checks(self) -> tuple[list[Check], Overlap | None]:
        """The checks of every row, and that of every prompt."""
        settings = self.settings
        makes_rows = getattr(self.recipe, "makes_rows", True)
        checks: list[Check] = [Format(self.recipe.conversation)] if makes_rows else []
        checks += self._own_checks
        holdout = Overlap("holdout_overlap", settings.holdout) if settings.holdout else None
        if holdout is not None:
            checks.append(holdout)
        if settings.near_duplicates is not None:
            checks.append(NearDuplicates(settings.near_duplicates))
        return [*checks, *settings.checks], holdout


def _run(work: _Work) -> Progress:
    """Runs to the end in a loop of its own; in a thread of its own where this thread has a loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_drive(work))
    found: list[Progress] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(_drive(work)))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="thresher generate", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        # As the first Ctrl-C elsewhere; a second one ends the wait.
        work.stop("interrupted", "the run was interrupted; the same call goes on from here")
        thread.join()
    if failures:
        raise failures[0]
    return found[0]


async def _drive(work: _Work) -> Progress:
    async with contextlib.AsyncExitStack() as stack:
        lines = []
        for endpoint in work.endpoints:
            base_url = None
            if endpoint.is_local:
                server = await asyncio.to_thread(local.LocalServer, endpoint, work.settings.threads)
                stack.callback(server.close)
                base_url = server.base_url
            lines.append(Line(endpoint, await stack.enter_async_context(Http(endpoint, base_url))))
        client = work.client = await stack.enter_async_context(_client(work, lines))
        checks, holdout = work.all_checks()
        engine = Engine(
            work.recipe,
            client,
            checks=checks,
            target=work.settings.target,
            refuse=None if holdout is None else holdout.refuse,
        )
        # What is there already lives as long as the run: the collector need not look at it again and again.
        gc.freeze()
        stack.callback(gc.unfreeze)
        work.stop = engine.stop
        with _interrupts(engine):
            shown = asyncio.create_task(_show(work, engine)) if work.settings.progress else None
            try:
                progress = await engine.run()
            finally:
                if shown is not None:
                    shown.cancel()
                    await asyncio.gather(shown, return_exceptions=True)
        work.changes = {change for line in lines for change in line.dialect.changes}
        if work.settings.progress:
            work.settings.progress(status_of(work.recipe.name, progress, client, work.began_s))
        return progress


@contextlib.asynccontextmanager
async def _client(work: _Work, lines: Sequence[Line]) -> AsyncIterator[Client]:
    settings = work.settings
    if not settings.batch:
        yield Client(lines, work.journal, work.purse, run=work.run, strict=settings.strict_recipe)
        return
    async with BatchClient(
        lines,
        work.journal,
        work.purse,
        run=work.run,
        strict=settings.strict_recipe,
        folder=settings.batch_folder,
    ) as client:
        yield client


async def _show(work: _Work, engine: Engine) -> None:
    """Calls the progress function; an exception from it stops the run."""
    show, client = work.settings.progress, work.client
    while show is not None and client is not None:
        await asyncio.sleep(_EVERY_S)
        try:
            work.purse.check_time()
            show(status_of(work.recipe.name, engine.progress, client, work.began_s))
        except Stopped as stopped:
            engine.stop(stopped.reason, str(stopped))
            return


@contextlib.contextmanager
def _interrupts(engine: Engine) -> Iterator[None]:
    """The first Ctrl-C drains, the second ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    interrupts = 0

    def interrupted() -> None:
        nonlocal interrupts
        interrupts += 1
        message = f"the run was interrupted; {engine.client.goes_on}"
        engine.stop("interrupted", message)
        if interrupts > 1 and main is not None:
            main.cancel()

    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield
    except asyncio.CancelledError:
        if interrupts > 1:
            raise KeyboardInterrupt from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


def _published(work: _Work, progress: Progress, output: _core.runs.Output | None) -> Generated:
    """Puts together what came of it, and publishes it."""
    rows = tables.rows_of(work.recipe, progress.kept, work.settings.to)
    report = _report(work, progress)
    if output is None:
        return Generated(rows, report)
    data = "data" if output.form != "folder" else "data/rows.jsonl"
    form = "parquet" if output.form == "parquet" else "jsonl"
    _write(rows, output, data, form)
    tables.write_table(
        tables.lineage_of(work.recipe, progress.kept, work.journal), output.path("lineage.parquet")
    )
    tables.write_table(tables.rejected_of(progress.rejected), output.path("rejected.parquet"))
    text = card(
        recipe=work.recipe.name,
        about=work.recipe.about,
        notes=[*work.recipe.deviations(), *report["notes"]],
        settings=report["config"]["recipe"],
        endpoints=work.endpoints,
        books=report["accounting"],
        data="data/*" if output.form == "folder" else Path(str(work.settings.output)).name,
        version=_core.version(),
    )
    Path(output.path("README.md")).write_text(text, "utf-8")
    counts = {data: len(rows), "lineage.parquet": len(rows), "rejected.parquet": len(progress.rejected)}
    published = json.loads(output.publish(json.dumps(report, ensure_ascii=False), counts))
    if report["complete"]:
        asyncio.run(work.journal.end(work.run))
    return Generated(rows, published, work.settings.output)


def _write(rows: Sequence[Row], output: _core.runs.Output, data: str, form: str) -> None:
    path = output.path(data)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    tables.write_rows(rows, path, form, output.codec)


def _report(work: _Work, progress: Progress) -> dict[str, Any]:
    settings, client = work.settings, work.client
    stopped = progress.stopped
    tally = client.tally if client else None
    spent = work.purse.spent
    return {
        "verb": f"generate {work.recipe.name}",
        "config": {
            "inputs": [],
            "output": settings.output,
            "recipe": {"name": work.recipe.name, "version": work.recipe.version, **work.recipe.settings()},
            "endpoints": [_shown(endpoint) for endpoint in work.endpoints],
            "journal": None if settings.output is None else str(journal_of(settings)),
            "target": settings.target,
            "to": settings.to,
            "near_duplicates": settings.near_duplicates,
            "strict_recipe": settings.strict_recipe,
            "batch": settings.batch,
        },
        "complete": stopped is None,
        "stopped": None if stopped is None else {"reason": stopped.reason, "message": str(stopped)},
        "accounting": tables.books(progress.kept, progress.rejected),
        "rounds": progress.rounds,
        "slots": progress.slots,
        "requests": {
            "sent": tally.sent if tally else 0,
            "answered": tally.answered if tally else 0,
            "from_journal": tally.found if tally else 0,
            "failed": dict(sorted(tally.failed.items())) if tally else {},
            "tried_again": dict(sorted(tally.tried_again.items())) if tally else {},
            "batches_under_way": under_way(work.journal),
        },
        "spent": {
            "requests": spent.requests,
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "money": spent.money
            if all(endpoint.price.input is not None for endpoint in work.endpoints)
            else None,
        },
        "notes": [
            *getattr(work.recipe, "notes", list)(),
            *(f"an endpoint refused a parameter: {change}" for change in sorted(work.changes)),
        ],
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT,
        "timings": {"total": time.monotonic() - work.began_s},
        "threads": settings.threads or 1,
    }


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "base_url": endpoint.base_url
        if not endpoint.is_local
        else local.PREFIX + Path(endpoint.base_url).name,
        "model": endpoint.model,
        "identity": endpoint.identity,
        "api": endpoint.api,
        "weight": endpoint.weight,
        "family": endpoint.family,
        "licence": endpoint.licence,
        "terms": endpoint.terms,
    }
