"""Seeds: the instructions of people that a recipe starts from, out of a file, texts or rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from thresher.errors import DataError
from thresher.generate.sources import rows_of

if TYPE_CHECKING:
    from thresher.generate.sources import Rows


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """A seed.

    Attributes:
        id: Its id, or its place.
        instruction: The instruction.
        texts: All its texts, for the check that no row repeats them.
    """

    id: str
    instruction: str
    texts: tuple[str, ...] = ()


def read_seeds(seeds: Rows) -> list[Seed]:
    """The seeds.

    Raises:
        ParameterError: There are none.
        DataError: One has no instruction.
        FileError: The file cannot be read.
    """
    return [_seed(number, place, row) for number, (place, row) in enumerate(rows_of("seeds", seeds))]


def _seed(number: int, place: str, row: Any) -> Seed:  # noqa: ANN401 - it is what a user wrote
    if isinstance(row, str):
        row = {"instruction": row}
    instruction = row.get("instruction") if isinstance(row, Mapping) else None
    if not isinstance(instruction, str) or not instruction.strip():
        message = f"{place} has no `instruction` that is a text"
        raise DataError(message)
    texts = [instruction]
    for one in (row, *(row.get("instances") or ())):
        texts += [one[field] for field in ("input", "output", "response") if isinstance(one.get(field), str)]
    return Seed(
        id=str(row.get("id", f"seed:{number}")),
        instruction=instruction.strip(),
        texts=tuple(text for text in texts if text.strip()),
    )
