"""Texts with personal data at known places, and with what looks like it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from benches.personal.lookalikes import lookalike
from benches.personal.values import TYPES, word

Label = tuple[int, int, str]
"""Start and end in bytes, and type."""

_FRAMES = [
    "The {} of the {} was late.",
    "We {} the {} every {}.",
    "No {} without a {}.",
    "{}, {} and {} are on the list.",
    "Der {} ist {} und {}.",
    "Le {} de la {} est {}.",
    "El {} tiene {}.",
    "如果{}就{}。",
    "Это {} и {}.",
    "- {}: {}",
]
_SEPARATORS = [" ", " ", " ", "\n", "\n\n", " — "]


@dataclass(frozen=True, slots=True)
class Document:
    """A text, and what is to be found in it."""

    text: str
    labels: list[Label]


def _sentence(draw: random.Random) -> str:
    frame = draw.choice(_FRAMES)
    return frame.format(*(word(draw) for _ in range(frame.count("{}"))))


def documents(count: int, seed: int = 1) -> Iterator[Document]:
    """Documents of a few sentences, with up to four values and up to four things that look like one.

    Every type is in about the same number of documents; one in six has no value.
    """
    draw = random.Random(seed)
    types = list(TYPES)
    for number in range(count):
        wanted = [] if number % 6 == 5 else [types[number % len(types)]]
        wanted += draw.choices(types, k=draw.choice((0, 0, 1, 3))) if wanted else []
        parts: list[tuple[str, str | None, str]] = [
            (_sentence(draw), None, "") for _ in range(draw.randint(2, 8))
        ]
        parts += [(lookalike(draw), None, "") for _ in range(draw.randint(0, 4))]
        parts += [(template, type_, value) for type_ in wanted for value, template in [TYPES[type_](draw)]]
        draw.shuffle(parts)
        text, labels = bytearray(), []
        for template, type_, value in parts:
            if type_ is None:
                text += template.encode()
            else:
                before, _, behind = template.partition("{}")
                text += before.encode()
                labels.append((len(text), len(text) + len(value.encode()), type_))
                text += f"{value}{behind}".encode()
            # What follows may not read as a word for the next one, as in `call me at X. Y`.
            text += draw.choice(_SEPARATORS).encode() if type_ is None else b". \n"
        yield Document(text.decode(), labels)
