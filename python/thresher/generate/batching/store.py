"""What the journal knows of batches under way: their requests, noted before anything is submitted.

A batch is noted with all of its requests and what was reserved for them at once, or not at all, and forgotten
at once when all of its answers are on disk. So after a kill at any moment it is known what may be under way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from thresher.generate.journal import Spent
from thresher.generate.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher.generate.journal import Journal

_TABLE = """
CREATE TABLE IF NOT EXISTS batched (
    batch TEXT NOT NULL, key BLOB NOT NULL, max_tokens INTEGER NOT NULL, number INTEGER NOT NULL,
    tries INTEGER NOT NULL, request BLOB NOT NULL, PRIMARY KEY (batch, key, max_tokens)
) WITHOUT ROWID
"""
_FACT = "batch "


class Noted(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is noted of a batch.

    Attributes:
        name: Its name, in the metadata of the server or of the files in a folder.
        url: The address of the endpoint.
        identity: The identity of the model.
        model: The name of the model there.
        path: What is asked, below the address.
        mode: How it is asked for a schema.
        refused: Parameters that the endpoint is known to refuse.
        changes: The same in words.
        folder: The folder of its files; empty if it is submitted.
        number: Its number there.
        file: The id of its file at the server.
        id: Its id at the server.
    """

    name: str
    url: str
    identity: str
    model: str
    path: str
    mode: str
    refused: dict[str, str | None] = {}
    changes: tuple[str, ...] = ()
    folder: str = ""
    number: int = 0
    file: str = ""
    id: str = ""


@dataclass
class Asked:
    """A request of a batch.

    Attributes:
        key: Its key.
        request: The request.
        tries: How often it was in a batch that has ended, and failed.
        number: The number under which the journal has its cost.
        amount: What is reserved for it; None if that is settled.
        is_ours: Whether this run pays for it, and no other one.
    """

    key: bytes
    request: Request
    tries: int = 0
    number: int = 0
    amount: Spent | None = None
    is_ours: bool = True

    @property
    def place(self) -> tuple[bytes, int]:
        """Key and bound."""
        return self.key, self.request.max_tokens


@dataclass
class Batch:
    """A batch under way."""

    noted: Noted
    asked: dict[tuple[bytes, int], Asked] = field(default_factory=dict)


def under_way(journal: Journal) -> int:
    """How many batches a journal waits for, whoever submitted them."""
    row = (len(_FACT), _FACT)
    return int(journal.select("SELECT count(*) FROM facts WHERE substr(name, 1, ?) = ?", row)[0][0])


class Store:
    """The batches in a journal.

    Args:
        journal: The journal.
        run: The name under which it counts what is spent.
    """

    def __init__(self, journal: Journal, run: str) -> None:
        self._journal, self._run = journal, run

    async def open(self) -> list[Batch]:
        """The batches that are under way, in the order of their names."""
        await self._journal.together([(_TABLE, [()])])
        facts = self._journal.select(
            "SELECT value FROM facts WHERE substr(name, 1, ?) = ? ORDER BY name", (len(_FACT), _FACT)
        )
        return [self._loaded(msgspec.json.decode(value, type=Noted)) for (value,) in facts]

    def _loaded(self, noted: Noted) -> Batch:
        rows = self._journal.select(
            "SELECT batched.key, max_tokens, number, tries, request, run, requests, input_tokens,"
            " output_tokens, money, is_known FROM batched JOIN sent ON sent.id = number WHERE batch = ?"
            " ORDER BY number",
            (noted.name,),
        )
        batch = Batch(noted)
        for key, max_tokens, number, tries, request, run, *cost, is_known in rows:
            amount = Spent(
                requests=cost[0], input_tokens=cost[1], output_tokens=cost[2], money=float(cost[3])
            )
            batch.asked[key, max_tokens] = Asked(
                key,
                msgspec.msgpack.decode(request, type=Request),
                tries,
                number,
                None if is_known else amount,
                run == self._run,
            )
        return batch

    async def add(self, batch: Batch, reserved: Sequence[Spent]) -> None:
        """Notes a batch and what is reserved for each of its requests; when this returns, it is on disk."""
        asked = list(batch.asked.values())
        pairs = [(one.key, amount) for one, amount in zip(asked, reserved, strict=True)]
        numbers, sent = self._journal.all_sent(self._run, pairs)
        rows = []
        for one, number, amount in zip(asked, numbers, reserved, strict=True):
            one.number, one.amount = number, amount
            request = msgspec.msgpack.encode(one.request)
            rows.append((batch.noted.name, one.key, one.request.max_tokens, number, one.tries, request))
        lines = ("INSERT INTO batched VALUES (?, ?, ?, ?, ?, ?)", rows)
        await self._journal.together([sent, lines, self._fact(batch)])

    async def change(self, batch: Batch) -> None:
        """Notes what was learned of a batch, as its id."""
        await self._journal.together([self._fact(batch)])

    async def forget(self, batch: Batch) -> None:
        """Forgets a batch whose answers are on disk."""
        name = batch.noted.name
        await self._journal.together(
            [
                ("DELETE FROM batched WHERE batch = ?", [(name,)]),
                ("DELETE FROM facts WHERE name = ?", [(_FACT + name,)]),
            ]
        )

    def _fact(self, batch: Batch) -> tuple[str, Sequence[Sequence[object]]]:
        row = (_FACT + batch.noted.name, msgspec.json.encode(batch.noted))
        return "INSERT OR REPLACE INTO facts VALUES (?, ?)", [row]
