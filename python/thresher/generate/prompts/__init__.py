"""Prompts as files: versioned, told in reports by their hash, replaced by files of the user's own.

A prompt is text with places such as `{{domain}}`. Its first line says what it is for and which version it is;
lines that begin with `#!` are no part of it. What fills a place is put there as it is: a value that looks
like a place stays a text.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from thresher.errors import FileError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE = re.compile(r"\{\{([a-z_]+)\}\}")


@dataclass(frozen=True)
class Prompt:
    """A prompt.

    Attributes:
        name: Its name, as `domain`.
        text: The text with its places.
        source: `built in`, or the file that replaces it.
    """

    name: str
    text: str
    source: str

    @property
    def sha256(self) -> str:
        """What tells this text from another, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def places(self) -> set[str]:
        """The names of its places."""
        return set(_PLACE.findall(self.text))

    def fill(self, **values: str) -> str:
        """The text with every place filled.

        >>> Prompt("greet", "Hello {{name}}!", "").fill(name="{{name}}")
        'Hello {{name}}!'
        """
        return _PLACE.sub(lambda found: values[found[1]], self.text)


def load(name: str, own: Mapping[str, str] | None = None) -> Prompt:
    """A prompt by its name, or the user's file that replaces it.

    Raises:
        ParameterError: The user's prompt has a place that nothing fills.
        FileError: It cannot be read.
    """
    builtin = _without_notes(resources.files(__package__).joinpath(f"{name}.txt").read_text("utf-8"))
    prompt = Prompt(name, builtin, "built in")
    if not own or name not in own:
        return prompt
    path = Path(own[name])
    try:
        text = _without_notes(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        code = getattr(error, "errno", None) or 5
        raise FileError(code, f"cannot read the prompt `{path}`: {error}", str(path)) from error
    found = Prompt(name, text, str(path))
    if unknown := found.places - prompt.places:
        message = (
            f"the prompt `{path}` has the place `{{{{{min(unknown)}}}}}`, but `{name}` has the places"
            f" {', '.join(f'`{{{{{place}}}}}`' for place in sorted(prompt.places)) or 'none'}"
        )
        raise ParameterError(message)
    return found


def check_names(own: Mapping[str, str] | None, names: set[str]) -> None:
    """Refuses prompts that a recipe does not have."""
    for name in own or ():
        if name not in names:
            known = ", ".join(f"`{one}`" for one in sorted(names))
            message = f"there is no prompt `{name}`; this recipe has {known}"
            raise ParameterError(message)


def _without_notes(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#!")).strip("\n")
