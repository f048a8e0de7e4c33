"""The client of batches: collects what is asked until everybody waits, and hands over what comes back.

A recipe asks in steps, so requests come in waves: when every slot that is under way waits for an answer, what
was collected makes a batch. A budget that does not hold all of them makes batches one after the other, each
settled by what the one before it took. What stops a run leaves its batches under way; the same command merges
them, and submits none of their requests again.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import secrets
import tempfile
import time
from typing import TYPE_CHECKING, Self

from thresher.errors import FileError, ThresherError
from thresher.generate import wire
from thresher.generate.batching import folder as folders
from thresher.generate.batching.api import MOST_TRIES as MOST_CALLS
from thresher.generate.batching.api import Api, exhausted, pause_s
from thresher.generate.batching.lines import MOST_BYTES, MOST_LINES, line_of
from thresher.generate.batching.merging import Merger
from thresher.generate.batching.store import Asked, Batch, Noted, Store
from thresher.generate.client import Client, Line
from thresher.generate.faults import EndpointError, Stopped, Transient
from thresher.generate.wire import Dialect

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    from thresher.generate.batching.api import Remote
    from thresher.generate.budget import Purse
    from thresher.generate.journal import Journal, Spent
    from thresher.generate.request import Answer, Request

FIRST_LOOK_S, LONGEST_LOOK_S, _SLOWER = 0.25, 60.0, 1.5
"""Pauses between looks at a batch."""
MOST_BARREN = 6
"""Batches in a row without one answer after which an endpoint counts as down."""
_FIRST_REST_S, _LONGER = 1.0, 4.0
"""Pause after the first of them, and by what the next one is longer."""
_QUIET_S, _QUIET_LOOKS = 0.02, 3
"""For so many looks nothing may be asked or answered before what was collected makes a batch."""
_LOST_S = 1.0
"""What a server may need until a batch whose reply was lost is in its list."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class _Queue:
    """What was collected for one endpoint, and how large its next batch may be."""

    def __init__(self) -> None:
        self.asked: dict[tuple[bytes, int], Asked] = {}
        self.most_lines = MOST_LINES
        self.barren = 0
        self.not_before_s = 0.0


class BatchClient(Client):
    """Asks endpoints by batches, through a journal; used as a context.

    Args:
        lines: The endpoints in use.
        journal: Where answers are kept.
        purse: What may be spent.
        run: The name under which the journal counts what is spent.
        strict: Refuse to leave out or rename a parameter that an endpoint does not take.
        folder: Where files are written instead of submitting anything.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        journal: Journal,
        purse: Purse,
        *,
        run: str,
        strict: bool = False,
        retry_failed: bool = False,
        folder: str | None = None,
    ) -> None:
        super().__init__(lines, journal, purse, run=run, strict=strict, retry_failed=retry_failed)
        self._folder = folder
        self._store = Store(journal, run)
        self._waiting: dict[tuple[bytes, int], asyncio.Future[Answer]] = {}
        self._queues: dict[Line, _Queue] = collections.defaultdict(_Queue)
        self._open: dict[str, Batch] = {}
        self._covered: set[tuple[bytes, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = asyncio.Event()
        self._moves = 0
        self._ended: BaseException | None = None

    @property
    def window(self) -> int:
        """Slots under way that pay: as many as a batch may have requests."""
        return MOST_LINES

    @property
    def in_flight(self) -> int:
        """Requests of batches under way."""
        return len(self._covered)

    @property
    def goes_on(self) -> str:
        """What a user who has interrupted a run is told."""
        names = [batch.noted.id for batch in self._open.values() if batch.noted.id]
        if not names or self._folder is not None:
            return super().goes_on
        shown = ", ".join(f"`{name}`" for name in names[:3]) + (", ..." if len(names) > 3 else "")
        stays = "batches stay" if len(names) > 1 else "batch stays"
        return f"{len(names):,} {stays} under way ({shown}), and the same command merges what it gives"

    def leave(self, stopped: Stopped) -> None:
        """The run is stopped; what is under way stays so, and nobody waits for it any more."""
        self._end(stopped)

    async def __aenter__(self) -> Self:
        for batch in await self._store.open():
            line = self._line_of(batch)
            if line is None or batch.noted.folder != (self._folder or ""):
                # Of another endpoint, or of another way: it stays in the journal.
                continue
            for asked in batch.asked.values():
                if asked.is_ours and asked.amount is not None:
                    self.purse.take_up(asked.amount)
            self._cover(batch)
            if self._folder is None:
                self._start(self._carry(line, batch))
            elif found := folders.answers_files(self._folder, batch.noted.number):
                await self._merge_files(line, batch, found)
            else:
                self._write(batch)
        self._start(self._collect())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _obtain(self, line: Line, request: Request, key: bytes, canonical: bytes) -> Answer:
        if self._ended is not None:
            raise self._ended
        place = (key, request.max_tokens)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[place] = future
        if place not in self._covered:
            self._queues[line].asked[place] = Asked(key, request)
        self._moved()
        try:
            return await future
        finally:
            del self._waiting[place]
            self._moved()

    def _moved(self) -> None:
        self._moves += 1
        self._asked.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        async def carried() -> None:
            try:
                await work
            except Exception as error:
                self._end(error)

        task = asyncio.create_task(carried())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, error: BaseException) -> None:
        """Tells everybody who waits why nothing comes."""
        self._ended = self._ended or error
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)

    def _line_of(self, batch: Batch) -> Line | None:
        noted = batch.noted
        for line in self.lines:
            if (line.endpoint.base_url, line.identity, line.path) == (noted.url, noted.identity, noted.path):
                return line
        return None

    def _cover(self, batch: Batch) -> None:
        self._open[batch.noted.name] = batch
        self._covered |= batch.asked.keys()
        for place in batch.asked:
            for queue in self._queues.values():
                queue.asked.pop(place, None)

    # Collecting.

    async def _collect(self) -> None:
        while True:
            await self._asked.wait()
            await self._wait_for_quiet()
            self._asked.clear()
            if self._waiting:
                await self._send_off()

    async def _wait_for_quiet(self) -> None:
        looks, seen = 0, -1
        while looks < _QUIET_LOOKS:
            await asyncio.sleep(_QUIET_S)
            is_quiet = seen == self._moves and len(self._under_way) == len(self._waiting)
            looks, seen = (looks + 1 if is_quiet else 0), self._moves

    async def _send_off(self) -> None:
        refused: Stopped | None = None
        for line in self.lines:
            queue = self._queues[line]
            while queue.asked:
                if (rest_s := queue.not_before_s - time.monotonic()) > 0:
                    asyncio.get_running_loop().call_later(rest_s, self._asked.set)
                    break
                batch, content, refused = await self._next(line, queue)
                if batch is None:
                    break
                self.tally.sent += len(batch.asked)
                if self._folder is None:
                    self._start(self._carry(line, batch, content))
                else:
                    folders.write(self._folder, batch.noted.number, content)
        if self._folder is not None and self._open:
            batches = sorted((one.noted.number, one.noted.model) for one in self._open.values())
            self._end(Stopped("batch", folders.how_to_run(self._folder, batches)))
        elif refused is not None and not self._open:
            self._end(refused)

    async def _next(self, line: Line, queue: _Queue) -> tuple[Batch | None, bytes, Stopped | None]:
        """Notes the next batch of what was collected; and why not all of it fits the budget."""
        noted = self._noted(line)
        batch, size = Batch(noted), 0
        rows: list[bytes] = []
        reserved: list[Spent] = []
        refused: Stopped | None = None
        try:
            for place, asked in queue.asked.items():
                row = _row(noted, asked)
                if rows and (size + len(row) > MOST_BYTES or len(rows) >= queue.most_lines):
                    break
                try:
                    reserved.append(self.purse.reserve(line.endpoint, asked.request, is_batch=True))
                except Stopped as stopped:
                    refused = stopped
                    break
                batch.asked[place] = asked
                rows.append(row)
                size += len(row)
            if not rows:
                return None, b"", refused
            await self._store.add(batch, reserved)
        except BaseException:
            for amount in reserved:
                self.purse.give_back(amount)
            raise
        self._cover(batch)
        return batch, b"".join(rows), refused

    def _noted(self, line: Line) -> Noted:
        endpoint = line.endpoint
        if line.dialect.mode is None:
            # A batch cannot find out; what another run has found holds.
            known = self.journal.fact(f"mode {endpoint.base_url} {line.identity}")
            line.dialect.mode = known if known in wire.MODES else wire.MODES[0]
        number = 0
        if self._folder is not None:
            numbers = [batch.noted.number + 1 for batch in self._open.values()]
            number = max([folders.next_number(self._folder), *numbers])
        return Noted(
            name=secrets.token_hex(16),
            url=endpoint.base_url,
            identity=line.identity,
            model=endpoint.model,
            path=line.path,
            mode=line.dialect.mode,
            refused=dict(line.dialect.refused),
            changes=line.dialect.changes,
            folder=self._folder or "",
            number=number,
        )

    # From the submission to the answers.

    async def _carry(self, line: Line, batch: Batch, content: bytes | None = None) -> None:
        transport: Any = line.transport
        api = Api(transport, line.endpoint.base_url, line.endpoint.timeout_s)
        if not batch.noted.id:
            await self._submit(api, batch, content)
        remote = await self._watch(api, batch)
        merger = Merger(self, line, batch, remote.status)
        if remote.status == "failed":
            merger.refuse(remote.errors)
        for file in (remote.output_file_id, remote.error_file_id):
            if file:
                with _files("a temporary file"), tempfile.TemporaryFile(prefix="thresher-") as spool:
                    await api.download(file, spool)
                    spool.seek(0)
                    await merger.take(spool)
        await self._close(merger)

    async def _submit(self, api: Api, batch: Batch, content: bytes | None) -> None:
        """Submits a batch, unless it was submitted: after a kill, or after a reply that was lost."""
        noted = batch.noted
        remote = await api.find(noted.name, noted.file) if content is None else None
        tries = 0
        while remote is None:
            if not noted.file:
                if content is None:
                    content = b"".join(_row(noted, asked) for asked in batch.asked.values())
                noted.file = await api.upload(noted.name, content)
                await self._store.change(batch)
            try:
                remote = await api.create(noted.name, noted.file, noted.path)
            except Transient as fault:
                tries += 1
                if tries >= MOST_CALLS:
                    raise exhausted(noted.url, tries, fault) from fault
                await asyncio.sleep(_LOST_S + pause_s(tries, fault))
                remote = await api.find(noted.name, noted.file)
        noted.id = remote.id
        await self._store.change(batch)

    async def _watch(self, api: Api, batch: Batch) -> Remote:
        pause = FIRST_LOOK_S
        while True:
            remote = await api.get(batch.noted.id)
            if remote.status in _ENDED:
                return remote
            # Time goes by without anybody asking.
            self.purse.check_time()
            await asyncio.sleep(pause)
            pause = min(LONGEST_LOOK_S, pause * _SLOWER)

    async def _merge_files(self, line: Line, batch: Batch, paths: Sequence[Path]) -> None:
        merger = Merger(self, line, batch, "")
        for path in paths:
            with _files(path), path.open("rb") as file:
                await merger.take(file)
        await self._close(merger)

    def _write(self, batch: Batch) -> None:
        """Writes the file of a batch that was noted, if a kill came between."""
        noted = batch.noted
        if not folders.requests_file(noted.folder, noted.number).exists():
            content = b"".join(_row(noted, asked) for asked in batch.asked.values())
            folders.write(noted.folder, noted.number, content)

    async def _note_mode(self, merger: Merger) -> None:
        """Notes how an endpoint takes a schema, once it has answered so."""
        noted = merger.batch.noted
        fact = f"mode {noted.url} {noted.identity}"
        if merger.has_schema and self.journal.fact(fact) != noted.mode:
            await self.journal.note_fact(fact, noted.mode)

    async def _close(self, merger: Merger) -> None:
        """Ends a batch whose answers are on disk; what may succeed later is collected again."""
        line, batch = merger.line, merger.batch
        again = await merger.rest()
        await self._note_mode(merger)
        await self._store.forget(batch)
        del self._open[batch.noted.name]
        self._covered -= batch.asked.keys()
        queue = self._queues[line]
        if merger.halves:
            queue.most_lines = max(1, len(batch.asked) // 2)
        queue.barren = 0 if merger.n_answered or merger.has_learned else queue.barren + 1
        if queue.barren and self._folder is None:
            queue.not_before_s = time.monotonic() + _FIRST_REST_S * _LONGER ** (queue.barren - 1)
        if merger.failure is not None:
            raise merger.failure
        if queue.barren >= MOST_BARREN and self._folder is None:
            message = (
                f"`{batch.noted.url}` has answered nothing in the last {queue.barren} batches; the last one,"
                f" `{batch.noted.id}`, ended as `{merger.status}`: {merger.seen}. When that is mended, the"
                " same command goes on from here"
            )
            raise EndpointError(message, batch.noted.url)
        for asked in again:
            if asked.place in self._waiting:
                queue.asked[asked.place] = asked
        self._moved()

    def hand_over(self, asked: Asked, answer: Answer) -> None:
        """Gives an answer that is on disk to who waits for it."""
        future = self._waiting.get(asked.place)
        if future is not None and not future.done():
            future.set_result(answer)


@contextlib.contextmanager
def _files(path: object) -> Iterator[None]:
    """Says what was done with a file that the system refused."""
    try:
        yield
    except OSError as error:
        if isinstance(error, ThresherError):
            raise
        message = f"cannot take the answers of a batch by `{path}`: {error.strerror}"
        raise FileError(error.errno, message, str(path)) from error


def _row(noted: Noted, asked: Asked) -> bytes:
    request, dialect = asked.request, Dialect()
    dialect.refused = noted.refused
    mode = noted.mode if request.schema is not None and request.prompt is None else None
    return line_of(asked.place, noted.path, dialect.body(request, noted.model, mode))
