"""The journal: every answer is on disk before it is used, and nothing that is there is asked again.

One SQLite file, in WAL mode with full synchronisation. One thread writes; what arrives while it commits goes
into the next commit, so thousands of answers a second cost a few syncs. Beside the answers it notes what was
sent, before it is sent where a budget is to hold: a request whose fate nobody knows, after a kill, counts as
spent. The file belongs to one process at a time.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from thresher.errors import BusyError, DataError, FileError
from thresher.generate.request import KEY_VERSION, Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
"""Version of the tables, as `user_version` of the file."""

APPLICATION_ID = 0x74687273
"""Marks the file as a journal of thresher."""

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB NOT NULL, max_tokens INTEGER NOT NULL, finish TEXT NOT NULL, output_tokens INTEGER NOT NULL,
    request BLOB NOT NULL, answer BLOB NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (key, max_tokens)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, key BLOB NOT NULL, requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, money REAL NOT NULL, is_known INTEGER NOT
    NULL
);
CREATE INDEX IF NOT EXISTS sent_run ON sent (run);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
_SENT = "INSERT INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
Statement: TypeAlias = tuple[str, Sequence[Sequence[Any]]]
"""SQL, and the rows that it is carried out for."""
_MOST_OF_A_COMMIT = 512
_LEAST_COMPRESSED = 1024
_PACKED, _PLAIN = b"z", b"p"


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent, or is reserved: requests, tokens and money."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens of questions and answers."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            money=self.money + other.money,
        )


class Journal:
    """A journal that is open for writing.

    Args:
        path: Its file; it is made if it is not there.

    Raises:
        BusyError: Another process has it open.
        DataError: The file is something else, or was made by a newer version.
        FileError: The system refused it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = _take(self.path)
        try:
            self._reader = _open(self.path)
            self._next_id = 1 + (self._reader.execute("SELECT max(id) FROM sent").fetchone()[0] or 0)
            self._known = {row[0] for row in self._reader.execute("SELECT DISTINCT key FROM answers")}
        except BaseException:
            os.close(self._lock)
            raise
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer = threading.Thread(target=self._write, name="thresher journal", daemon=True)
        self._writer.start()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Requests that have an answer."""
        return len(self._known)

    def close(self) -> None:
        """Writes what is left, and lets go of the file."""
        if self._writer.is_alive():
            self._queue.put(None)
            self._writer.join()
        self._reader.close()
        # Last: closing any descriptor of the file drops the locks of SQLite.
        os.close(self._lock)

    def find(self, key: bytes, max_tokens: int) -> Answer | None:
        """The answer to a request under a bound on its length, if there is one.

        One that was asked under the same bound comes first; then one that ended by itself within it.
        """
        if key not in self._known:
            return None
        rows = self._reader.execute(
            "SELECT answer FROM answers WHERE key = ?1 AND (max_tokens = ?2 OR"
            " (finish <> 'length' AND output_tokens <= ?2))"
            " ORDER BY max_tokens <> ?2, max_tokens LIMIT 1",
            (key, max_tokens),
        )
        found = rows.fetchone()
        return None if found is None else _answer(found[0])

    def answer(self, key: str) -> Answer | None:
        """An answer by the hex of its key; of several, the first that ended by itself, else the longest."""
        rows = self._reader.execute(
            "SELECT answer FROM answers WHERE key = ? ORDER BY finish = 'length',"
            " CASE finish WHEN 'length' THEN -max_tokens ELSE max_tokens END LIMIT 1",
            (bytes.fromhex(key),),
        )
        found = rows.fetchone()
        return None if found is None else _answer(found[0])

    async def put(self, key: bytes, max_tokens: int, request: bytes, answer: Answer, raw: bytes) -> None:
        """Stores an answer; when this returns, it is on disk.

        Args:
            key: The key of the request.
            max_tokens: The bound on the length of the answer.
            request: What the key is made of.
            answer: The answer.
            raw: What the server sent.
        """
        row = (
            key,
            max_tokens,
            answer.finish,
            answer.usage.output,
            _packed(request),
            msgspec.msgpack.encode(answer),
            _packed(raw),
        )
        await self._done("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self._known.add(key)

    def note_sent(self, run: str, key: bytes, reserved: Spent) -> tuple[int, asyncio.Future[None]]:
        """Notes that a request goes out and what it may cost; gives its number, and when that is on disk."""
        number, self._next_id = self._next_id, self._next_id + 1
        row = (number, run, key, *_columns(reserved), 0)
        return number, self._done(_SENT, row)

    def note_cost(self, number: int, spent: Spent) -> None:
        """Notes what a request has cost."""
        sql = (
            "UPDATE sent SET requests = ?, input_tokens = ?, output_tokens = ?, money = ?, is_known = 1"
            " WHERE id = ?"
        )
        self._queue.put(_Work(sql, (*_columns(spent), number), None))

    def spent(self, run: str) -> Spent:
        """What a run has spent so far, requests of unknown fate included."""
        row = self._reader.execute(
            "SELECT total(requests), total(input_tokens), total(output_tokens), total(money) FROM sent WHERE"
            " run = ?",
            (run,),
        ).fetchone()
        return Spent(
            requests=int(row[0]), input_tokens=int(row[1]), output_tokens=int(row[2]), money=float(row[3])
        )

    async def end(self, run: str) -> None:
        """Ends a run: what it spent counts for no later run of its name."""
        await self._done("UPDATE sent SET run = run || ' (ended)' WHERE run = ?", (run,))

    def fact(self, name: str) -> Any | None:  # noqa: ANN401 - any JSON
        """A fact that was noted, as the batch that is under way; None if there is none."""
        found = self._reader.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if found is None else msgspec.json.decode(found[0])

    async def note_fact(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Notes a fact; when this returns, it is on disk. None forgets it."""
        if value is None:
            await self._done("DELETE FROM facts WHERE name = ?", (name,))
        else:
            await self._done("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, msgspec.json.encode(value)))

    def select(self, sql: str, row: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows that are on disk, for what keeps tables of its own here."""
        return self._reader.execute(sql, row).fetchall()

    def together(self, statements: Sequence[Statement]) -> asyncio.Future[None]:
        """Carries out statements, all or none, each for each of its rows; gives when that is on disk."""
        return self._done("", statements)

    def all_sent(self, run: str, reserved: Sequence[tuple[bytes, Spent]]) -> tuple[range, Statement]:
        """As `note_sent` for many at once: their numbers, and a statement for `together`."""
        numbers = range(self._next_id, self._next_id + len(reserved))
        self._next_id = numbers.stop
        rows = [
            (number, run, key, *_columns(amount), 0)
            for number, (key, amount) in zip(numbers, reserved, strict=True)
        ]
        return numbers, (_SENT, rows)

    def _done(self, sql: str, row: Sequence[Any]) -> asyncio.Future[None]:
        if self._failure is not None:
            raise self._failure
        self._loop = asyncio.get_running_loop()
        done = self._loop.create_future()
        self._queue.put(_Work(sql, row, done))
        return done

    def _write(self) -> None:
        connection = _open(self.path)
        is_last = False
        try:
            while not is_last:
                work = [self._queue.get()]
                while len(work) < _MOST_OF_A_COMMIT and work[-1] is not None and not self._queue.empty():
                    work.append(self._queue.get())
                is_last = work[-1] is None
                batch = [one for one in work if one is not None]
                failure = self._failure or _commit(connection, batch, self.path)
                self._failure = failure
                waiting = [one.done for one in batch if one.done is not None]
                if waiting and self._loop is not None and not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(_settle, waiting, failure)
        finally:
            connection.close()


class _Work:
    """A statement to be carried out, and who waits for it; without SQL, `row` are several statements."""

    __slots__ = ("done", "row", "sql")

    def __init__(self, sql: str, row: Sequence[Any], done: asyncio.Future[None] | None) -> None:
        self.sql, self.row, self.done = sql, row, done


def _commit(connection: sqlite3.Connection, batch: Sequence[_Work], path: Path) -> BaseException | None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        for work in batch:
            if work.sql:
                connection.execute(work.sql, work.row)
                continue
            for sql, rows in work.row:
                for row in rows:
                    connection.execute(sql, row)
        connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        if connection.in_transaction:
            connection.rollback()
        return _failed(error, path, "write to")
    return None


def _settle(waiting: Sequence[asyncio.Future[None]], failure: BaseException | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)


def _take(path: Path) -> int:
    """Opens the file and locks it for this process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FileError(
            error.errno, f"cannot open the journal `{path}`: {error.strerror}", str(path)
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        message = (
            f"the journal `{path}` is in use by another run; wait for it, or give this run another journal"
        )
        raise BusyError(error.errno, message, str(path)) from error
    return descriptor


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not is_empty and mark != APPLICATION_ID:
            message = f"`{path}` is a database, but no journal of thresher; choose another name"
            raise DataError(message)
        if version > FORMAT:
            message = (
                f"the journal `{path}` has format {version}, but this version of thresher reads up to"
                f" {FORMAT}; update thresher, or choose another journal"
            )
            raise DataError(message)
        # Not before it is known to be ours.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if is_empty:
            connection.executescript(
                f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; {_TABLES}"
                f"INSERT INTO facts VALUES ('key_version', '{KEY_VERSION}'); COMMIT;"
            )
    except sqlite3.DatabaseError as error:
        raise _failed(error, path, "open") from error
    return connection


def _failed(error: BaseException, path: Path, action: str) -> Exception:
    """What a failure of SQLite or of the system means for the user."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return DataError(
            f"`{path}` is no journal, or is damaged: {error}. Move it away; what it held is asked again"
        )
    return FileError(
        getattr(error, "errno", None) or 5, f"cannot {action} the journal `{path}`: {error}", str(path)
    )


def _columns(spent: Spent) -> tuple[int, int, int, float]:
    return spent.requests, spent.input_tokens, spent.output_tokens, spent.money


def _packed(data: bytes) -> bytes:
    if len(data) < _LEAST_COMPRESSED:
        return _PLAIN + data
    return _PACKED + zlib.compress(data, 1)


def _unpacked(data: bytes) -> bytes:
    return zlib.decompress(data[1:]) if data[:1] == _PACKED else data[1:]


_decoder = msgspec.msgpack.Decoder(Answer)


def _answer(data: bytes) -> Answer:
    return _decoder.decode(data)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a journal: what was asked, and what came back.

    Attributes:
        key: The key, in hex.
        max_tokens: The bound on the answer's length.
        request: What the key is made of, decoded.
        answer: The answer.
        raw: What the server sent.
    """

    key: str
    max_tokens: int
    request: dict[str, Any]
    answer: Answer
    raw: bytes


def entries(path: str | os.PathLike[str], keys: Sequence[str] | None = None) -> Iterator[Entry]:
    """The entries of a journal, or those of some keys, in the order of the keys, also while a run has it."""
    connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
    try:
        columns = "SELECT key, max_tokens, request, answer, raw FROM answers"
        if keys is None:
            rows = connection.execute(f"{columns} ORDER BY key, max_tokens")
            yield from map(_entry, rows)
        else:
            for key in keys:
                rows = connection.execute(
                    f"{columns} WHERE key = ? ORDER BY max_tokens", (bytes.fromhex(key),)
                )
                yield from map(_entry, rows)
    except sqlite3.DatabaseError as error:
        raise _failed(error, Path(path), "read") from error
    finally:
        connection.close()


def _entry(row: Sequence[Any]) -> Entry:
    request = msgspec.json.decode(_unpacked(row[2]))
    return Entry(
        key=row[0].hex(), max_tokens=row[1], request=request, answer=_answer(row[3]), raw=_unpacked(row[4])
    )
