"""What a recipe is: a state machine over slots, prompts as files, rules as functions.

```text
round ─ slots, made from what was kept before it ─> work, all at once: requests, answers, candidates
                                                     └─> merged slot by slot: rules, checks, kept or rejected
```
A slot's work is a generator: it yields requests and is given their answers. It knows no network, no clock and
no other slot, so what comes of a slot depends on the answers alone. Candidates are merged in the order of the
slots, whatever order the answers came in. So the same journal gives the same rows.
"""

from __future__ import annotations

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from thresher.generate.request import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Row: TypeAlias = dict[str, Any]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a slot has made.

    Attributes:
        row: Its fields.
        keys: The answers that it was made of, by their keys.
        parents: What it was made from: ids of rows, seeds or documents.
        notes: What else its lineage tells, by name; anything that JSON holds.
    """

    row: Row
    keys: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    notes: dict[str, Any] = {}


class Idea(msgspec.Struct, frozen=True, kw_only=True):
    """A step on the way to rows, as an instruction that has no answer yet; taken or rejected, and no row.

    Attributes:
        value: What the recipe goes on with.
        row: Its fields, for the table of rejections.
        keys: The answers that it was made of.
        parents: What it was made from.
    """

    value: Any
    row: Row = {}
    keys: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Something that became no row.

    Attributes:
        reasons: The rules that it breaks, the first one first.
        detail: What was seen.
        row: Its fields, as far as there are any.
        keys: The answers that it was made of.
        parents: What it was made from.
    """

    reasons: tuple[str, ...]
    detail: str = ""
    row: Row = {}
    keys: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


Work: TypeAlias = Generator[Sequence[Request], Sequence[Answer], Sequence["Candidate | Idea | Rejection"]]
"""What a slot does: yields requests, asked at the same time; is sent their answers; returns what it made."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the order of a run.

    Attributes:
        id: Its name, unique in the run; rows are called by it.
        task: What the recipe needs to work on it.
    """

    id: str
    task: Any = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was kept.

    Attributes:
        id: Its id.
        row: Its fields.
    """

    id: str
    row: Row


class Recipe(ABC):
    """A method of generation. Your own needs `name`, `fields`, `slots` and `work`; the rest has defaults."""

    name: str
    """As in `generate NAME`."""
    fields: tuple[str, ...]
    """The fields of a row, in order."""
    about: str = "Rows of a recipe of one's own."
    """What it does, in a sentence of a dataset card."""
    version: int = 1
    """Goes up when the same answers may give other rows."""
    a_slot: float = 1.0
    """Rows that a slot is expected to give, before anything is known."""
    is_finite: bool = False
    """Whether its slots end by themselves, so that it never stalls."""
    makes_rows: bool = True
    """False if it passes rows of others on, which need not be sound chats."""

    @abstractmethod
    def slots(self, number: int, kept: Sequence[Kept]) -> Iterable[Slot] | None:
        """The slots of a round, made from what was kept before it; None if there is nothing left to do."""

    @abstractmethod
    def work(self, slot: Slot) -> Work:
        """What a slot does."""

    def rules(self, candidate: Candidate) -> tuple[Sequence[str], str]:
        """The rules that a candidate breaks, given all that was kept before it, and what was seen.

        Called in the order of the slots, for each candidate once. Default: there are none.
        """
        return (), ""

    def take(self, idea: Idea, name: str) -> tuple[Sequence[str], str]:
        """Takes a step on the way to rows, or says which rules it breaks; in the order of the slots."""
        message = f"the recipe `{self.name}` makes ideas and has no `take`"
        raise NotImplementedError(message)

    def keep(self, kept: Kept) -> None:  # noqa: B027 - most recipes have nothing to note
        """A candidate was kept."""

    def text(self, row: Row) -> str:
        """The text of a row, for checks that compare rows. Default: all of its fields that are texts."""
        return "\n".join(value for name in self.fields if isinstance(value := row.get(name), str))

    def conversation(self, row: Row) -> Row:
        """A row as a chat of OpenAI's format. Default: the first field asks, the last one answers."""
        return chat_of(("user", str(row[self.fields[0]])), ("assistant", str(row[self.fields[-1]])))

    def deviations(self) -> Sequence[str]:
        """What differs from a published method, for the card."""
        return ()

    def settings(self) -> Mapping[str, Any]:
        """What the recipe was asked for, for the report: its parameters and the prompts, by hash."""
        return {}

    def notes(self) -> Sequence[str]:
        """What the report is to say at its end."""
        return ()


def shuffled(seed: int, *name: object) -> random.Random:
    """Random numbers for one place of a run: the same for the same seed and name, whatever else was drawn."""
    digest = hashlib.sha256(repr((seed, *name)).encode()).digest()
    return random.Random(int.from_bytes(digest, "little"))


def chat_of(*turns: tuple[str, str]) -> Row:
    """A chat of OpenAI's format, of roles and contents; turns without content are left out."""
    return {"messages": [{"role": role, "content": content} for role, content in turns if content]}


def of_failure(answer: Answer, purpose: str, **more: Any) -> Rejection:  # noqa: ANN401 - as in Rejection
    """The rejection for a request that has no answer."""
    return Rejection(
        reasons=(f"{answer.failure}",), detail=f"{purpose}: {answer.detail}"[:500], keys=(answer.key,), **more
    )
