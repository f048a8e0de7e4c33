"""Tasks and documents of a user's files: JSONL rows with named fields, or texts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from thresher import _params
from thresher.errors import DataError, FileError, ParameterError

if TYPE_CHECKING:
    from thresher.generate.recipes.distill import Task
    from thresher.generate.recipes.document_qa import Document

Rows: TypeAlias = "str | os.PathLike[str] | Iterable[str | Mapping[str, Any]]"
"""A JSONL file, or texts or rows."""


_LONGEST_NAME = 4096


def rows_of(name: str, source: Rows) -> list[tuple[str, Any]]:
    """The rows of a JSONL file or a list, each with what calls it in a message.

    Raises:
        ParameterError: There are none.
        DataError: A line is no JSON.
        FileError: The file cannot be read.
    """
    if isinstance(source, str | os.PathLike):
        found = [(f"{source}:{number}", _json(f"{source}:{number}", line)) for number, line in _lines(source)]
    else:
        several = _params.several(name, source, "a JSONL file, or a list of texts or rows")
        found = [(f"{name}[{place}]", row) for place, row in enumerate(several)]
    if not found:
        message = f"{name} is empty: there is no row in `{source}`"
        raise ParameterError(message)
    return found


def _lines(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file.

    Raises:
        FileError: It cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read `{path}`: {error}"
        raise FileError(getattr(error, "errno", None) or 5, message, str(path)) from error


def _json(place: str, line: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(line)
    except ValueError as error:
        message = f"{place}: no JSON: {error}"
        raise DataError(message) from error


def files_of(*sources: object) -> tuple[str, ...]:
    """The files among sources, which no result may replace."""
    several = [
        one for source in sources for one in (source if isinstance(source, list | tuple) else [source])
    ]
    return tuple(str(path) for one in several if (path := _path(one)) is not None)


def tasks_of(name: str, source: Rows) -> list[Task]:
    """The tasks of rows with `instruction`, perhaps `input`, `task_type`, `output` and `id`; or of texts."""
    from thresher.generate.recipes.distill import Task

    tasks = []
    for number, (place, row) in enumerate(rows_of(name, source)):
        given = {"instruction": row} if isinstance(row, str) else row
        text = _text(given, "instruction", place)
        optional = {
            field: str(given.get(own) or "")
            for field, own in (("input", "input"), ("task_type", "task_type"), ("answer", "output"))
        }
        tasks.append(Task(id=str(given.get("id", f"task:{number}")), instruction=text, **optional))
    return tasks


def documents_of(source: Rows | Iterable[str | os.PathLike[str]]) -> list[Document]:
    """The documents of a JSONL file with `text`, of text files, or of texts.

    Raises:
        ParameterError: There are none.
    """
    from thresher.generate.recipes.document_qa import Document

    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    documents = []
    for place, one in enumerate(paths):
        path = _path(one)
        if path is not None and path.suffix == ".jsonl":
            for number, (line, row) in enumerate(rows_of("documents", path)):
                name = f"{path}:{number}"
                text = _text(row, "text", line)
                documents.append(Document(id=str(row.get("id", name)), text=text))
        elif path is not None:
            documents.append(Document(id=str(path), text=read_text(path)))
        elif isinstance(one, Mapping):
            name = str(one.get("id", f"documents[{place}]"))
            documents.append(Document(id=name, text=_text(one, "text", f"documents[{place}]")))
        else:
            text = _params.word("documents", one, "texts")
            documents.append(Document(id=f"documents[{place}]", text=text))
    if not documents:
        message = "there is no document; name text files or a JSONL file, or give texts"
        raise ParameterError(message)
    return documents


def _path(one: object) -> Path | None:
    """What was given as a path: any path, and a text that names a file."""
    if isinstance(one, os.PathLike):
        return Path(one)
    if isinstance(one, str) and "\n" not in one and len(one) < _LONGEST_NAME and Path(one).is_file():
        return Path(one)
    return None


def _text(row: Any, field: str, place: str) -> str:  # noqa: ANN401 - it is what a user wrote
    value = row.get(field) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        message = f"{place} has no `{field}` that is a text"
        raise DataError(message)
    return value.strip() if field != "text" else value
