"""A mix as a document: every mistake at once, each with its place.

The document has the parameters of `thresher.mix_files` under their names, `output` among them, and `options`,
those of every run::

    sources:
      web:  {inputs: web/*.jsonl.zst, weight: 0.7}
      wiki: {inputs: wiki.jsonl.zst, weight: 0.3, max_epochs: 4}
    target: 10000000000
    output: mix/
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from thresher._parameters import parameters
from thresher._pipeline.check import Checker
from thresher._pipeline.document import Document, Node, read
from thresher.errors import FileError, ParameterError

if TYPE_CHECKING:
    import os


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[str]]:
    """The arguments of `thresher.mix_files` in a file, and what its author should know.

    Raises:
        ParameterError: Something is wrong; the message has a line for each mistake.
        FileError: The file cannot be read.
    """
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise FileError(*error.args) from error
    except UnicodeDecodeError as error:
        message = f"{path}: the document is not UTF-8: {error.reason} at byte {error.start}"
        raise ParameterError(message) from error
    document: Document = read(text, str(path))
    checker = _MixChecker()
    found = checker.mix(document.root)
    if checker.wrong:
        raise ParameterError("\n".join(checker.wrong))
    return found, document.notes


class _MixChecker(Checker):
    def mix(self, root: Node) -> dict[str, Any]:
        known = {**parameters("mix"), "output": None, "options": None}
        members = self.members(root, "", known, "a mix has")
        if "sources" not in members:
            self.say(root, "sources", "it is missing; a mix has sources by name, each with its inputs")
        found: dict[str, Any] = {}
        nested = ("sources", "phases", "output", "options")
        plain = Node({name: node for name, node in members.items() if name not in nested}, root.place)
        found |= self.values(plain, "", "mix", without=("sources", "phases"))
        if "output" in members:
            found["output"] = self.text(members["output"], "output", "a folder or a data file")
        if "options" in members:
            found |= self.values(members["options"], "options", "options")
        if "sources" in members:
            found["sources"] = self._sources(members["sources"])
        if "phases" in members:
            found["phases"] = self._phases(members["phases"])
        return found

    def _sources(self, node: Node) -> dict[str, Any]:
        if not isinstance(node.value, dict) or not node.value:
            self.say(node, "sources", "it is a mapping of names to inputs")
            return {}
        found = {}
        for name, source in node.value.items():
            bare = source if isinstance(source.value, dict) else Node({"inputs": source}, source.place)
            found[name] = self.values(bare, f"sources.{name}", "mix.source")
        return found

    def _phases(self, node: Node) -> list[dict[str, Any]]:
        if not isinstance(node.value, list):
            self.say(
                node, "phases", "it is a list of mappings, each with name, share and, if it likes, weights"
            )
            return []
        return [self.values(phase, f"phases.{at}", "mix.phase") for at, phase in enumerate(node.value)]
