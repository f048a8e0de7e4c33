"""The one form between all chat formats, as Python objects.

A conversation keeps everything that a row holds: what no format gives a meaning is in `extra`, and how a
thing was spelled is in `written`, at which only the format that it came from looks. So reading a row and
writing it again in its own format gives the same row. Objects are frozen; `dataclasses.replace` makes changed
ones.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from thresher.chat.convert import RowError, convert
from thresher.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thresher.chat._rows import Rows

MARK: Final = "thresher_conversation"
VERSION: Final = 1

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


class _Absent(enum.Enum):
    ABSENT = "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""The content of a message that has no such field, where None is a field that is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that the assistant makes.

    Attributes:
        name: The function.
        arguments: As they came: a text that holds JSON, or the values themselves; None if there are none.
        id: What a result refers to.
        type: `function` in most formats.
        extra: Further fields of the call.
        function_extra: Further fields of its `function` object.
    """

    name: str
    arguments: Any = None
    id: str | None = None
    type: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    function_extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn.

    Attributes:
        role: Who speaks.
        content: What is said: a text, parts, None if it is null, `ABSENT` if there is no such field.
        input: The input of an instruction (Alpaca).
        reasoning: What was thought before speaking.
        calls: Calls, in order.
        call_id: The call that a result answers.
        name: The name of the speaker or of the function.
        weight: Weight in training: a number or a bool.
        extra: Everything else.
        written: How it was spelled where it came from; empty for one that is new.
    """

    role: Role
    content: str | Sequence[Any] | _Absent | None = ABSENT
    input: str | None = None
    reasoning: str | None = None
    calls: tuple[Call, ...] = ()
    call_id: str | None = None
    name: str | None = None
    weight: float | bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a conversation ends, where it does not end with its messages.

    Attributes:
        kind: `completion` (what is to be learnt), `labelled` (a completion that is good or not), or
            `preference` (a better and a worse one).
        messages: Of a completion; of a labelled one, empty if it is the end of the messages.
        label: Whether it is good.
        chosen: The better one.
        rejected: The worse one.
    """

    kind: Literal["completion", "labelled", "preference"]
    messages: tuple[Message, ...] = ()
    label: bool | None = None
    chosen: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One row of chat data, whatever format it came from.

    Attributes:
        messages: The turns; the prompt, if there is an ending.
        ending: What follows them, or None.
        tools: Tools on offer: a list, or a text that holds one, as it came.
        extra: Everything else.
        written: How it was written where it came from; empty for one that is new.
    """

    messages: tuple[Message, ...]
    ending: Ending | None = None
    tools: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The conversation as a row of the format `conversation`, which loses nothing."""
        return {MARK: VERSION, **_plain(self)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Conversation:
        """The conversation in a row of the format `conversation`.

        Raises:
            DataError: It is not one of this version.
        """
        if row.get(MARK) != VERSION:
            message = f"{MARK} is `{row.get(MARK)!r}`, but this is version {VERSION} of the form"
            raise DataError(message)
        found = {name: value for name, value in row.items() if name != MARK}
        ending = found.get("ending")
        return cls(
            **{
                **found,
                "messages": _messages(found.get("messages", ())),
                "ending": None if ending is None else _ending(ending),
            }
        )


@dataclass(frozen=True, kw_only=True)
class ReadRows:
    """Rows as conversations.

    Attributes:
        format: The format that the rows were in.
        conversations: One a row, None where it could not be read.
        errors: The rows that could not be read.
    """

    format: str
    conversations: list[Conversation | None] = field(repr=False)
    errors: tuple[RowError, ...]


def read(
    rows: Rows, *, from_format: str | Mapping[str, Any] | None = None, threads: int | None = None
) -> ReadRows:
    """Reads rows of any chat format as conversations. `convert` takes conversations, and writes them.

    Args:
        rows: Dicts or JSON texts, an Arrow table of any library, or a Hugging Face data set.
        from_format: The format, or a mapping of fields; see `convert`. Default: found out from the rows.
        threads: Threads to use. Default: as many as the process may use.

    Raises:
        ParameterError: There is no such format, or it cannot be found out.
        ColumnError: `rows` are no rows.

    Example:
        >>> import thresher as th
        >>> row = {"instruction": "Add.", "input": "2, 3", "output": "5", "source": "book"}
        >>> (talk,) = th.chat.read([row]).conversations
        >>> talk.messages[0].input, talk.messages[1].content, talk.extra
        ('2, 3', '5', {'source': 'book'})
        >>> th.chat.convert([talk], to="alpaca").rows == [row]
        True
    """
    done = convert(rows, "conversation", from_format=from_format, threads=threads)
    lines = done.lines.to_pylist()
    conversations = [None if line is None else Conversation.from_dict(json.loads(line)) for line in lines]
    return ReadRows(format=done.format, conversations=conversations, errors=done.errors)


def _messages(rows: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    return tuple(
        Message(**{**row, "calls": tuple(Call(**call) for call in row.get("calls", ()))}) for row in rows
    )


def _ending(row: Mapping[str, Any]) -> Ending:
    lists = {name: _messages(row[name]) for name in ("messages", "chosen", "rejected") if name in row}
    return Ending(**{**row, **lists})


def _plain(value: Any) -> Any:  # noqa: ANN401 - any object of this module, or what JSON can hold
    """Objects as dicts, without what they do not have."""
    if isinstance(value, tuple) and all(isinstance(item, Message | Call) for item in value):
        return [_plain(item) for item in value]
    if not isinstance(value, Conversation | Ending | Message | Call):
        return value
    always = {"messages"} if isinstance(value, Conversation) else set()
    if isinstance(value, Ending):
        always = {"chosen", "rejected"} if value.kind == "preference" else {"messages"}
    row = {}
    for one in fields(value):
        found = getattr(value, one.name)
        if one.name == "content":
            if found is not ABSENT:
                row["content"] = found
        elif one.name in always or not (found is None or found == () or found == {}):
            row[one.name] = _plain(found)
    return row
