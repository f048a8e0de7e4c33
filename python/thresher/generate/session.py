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
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thresher import _core
from thresher.errors import ParameterError
from thresher.generate import local
from thresher.generate.batching import BatchClient
from thresher.generate.client import Client, Line
from thresher.generate.engine import Engine
from thresher.generate.faults import Stopped
from thresher.generate.journal import Journal
from thresher.generate.publishing import published
from thresher.generate.status import status_of
from thresher.generate.transport import Http
from thresher.generate.work import JOURNAL, Work, journal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from thresher.generate.engine import Check, Progress
    from thresher.generate.generated import Generated
    from thresher.generate.options import Settings
    from thresher.generate.recipe import Recipe

_EVERY_S = 0.2


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
        work = Work(recipe, settings, endpoints, journal, run, checks)
        progress = _run(work)
        return published(work, progress, output)


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


def _run(work: Work) -> Progress:
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


async def _drive(work: Work) -> Progress:
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
            shown = asyncio.create_task(_show(work, engine))
            try:
                progress = await engine.run()
            finally:
                shown.cancel()
                (failure,) = await asyncio.gather(shown, return_exceptions=True)
        if isinstance(failure, Exception):
            raise failure
        work.changes = {change for line in lines for change in line.dialect.changes}
        if work.settings.progress:
            work.settings.progress(status_of(work.recipe.name, progress, client, work.began_s))
        return progress


@contextlib.asynccontextmanager
async def _client(work: Work, lines: Sequence[Line]) -> AsyncIterator[Client]:
    settings = work.settings
    given: dict[str, Any] = {
        "run": work.run,
        "strict": settings.strict_recipe,
        "retry_failed": settings.retry_failed,
    }
    if not settings.batch:
        yield Client(lines, work.journal, work.purse, **given)
        return
    folder = settings.batch_folder
    async with BatchClient(lines, work.journal, work.purse, folder=folder, **given) as client:
        yield client


async def _show(work: Work, engine: Engine) -> None:
    """Watches the time, and calls the progress function; an exception from it stops the run."""
    while True:
        await asyncio.sleep(_EVERY_S)
        try:
            work.purse.check_time()
            if work.settings.progress is not None:
                status = status_of(work.recipe.name, engine.progress, engine.client, work.began_s)
                work.settings.progress(status)
        except Stopped as stopped:
            engine.stop(stopped.reason, str(stopped))
            return
        except Exception as error:
            engine.stop("failed", f"the progress function failed: {error}")
            raise


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
