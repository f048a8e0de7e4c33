"""What a pipeline says, checked as a whole: every mistake at once, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from thresher._parameters import check, nearest, parameters
from thresher.chat.render import origin
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from thresher._pipeline.document import Node

VERBS: Final = (
    "dedup",
    "filter",
    "decontaminate",
    "convert",
    "validate",
    "render",
    "language",
    "quality",
    "pii",
    "tokenize",
    "shuffle",
    "pack",
)
"""The steps that there are."""

_KEYS: Final = ("inputs", "output", "options", "steps")
_NEEDED: Final = ("inputs", "output", "steps")


def checked(root: Node) -> dict[str, Any]:
    """The configuration of the native run in a document.

    Raises:
        ParameterError: Something is wrong; the message has a line for each mistake.
    """
    checker = Checker()
    found = checker.pipeline(root)
    if checker.wrong:
        raise ParameterError("\n".join(checker.wrong))
    return found


class Checker:
    """Looks at a document and collects what is wrong."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def pipeline(self, root: Node) -> dict[str, Any]:
        members = self.members(root, "", dict.fromkeys(_KEYS), "a pipeline has")
        for name in _NEEDED:
            if name not in members:
                self.say(
                    root,
                    name,
                    f"it is missing; a pipeline has {', '.join(_NEEDED)} and, if you like, options",
                )
        inputs = self.texts(members["inputs"]) if "inputs" in members else []
        output = (
            self.text(members["output"], "output", "a folder, a data file, or `-`")
            if "output" in members
            else ""
        )
        options = self.values(members["options"], "options", "options") if "options" in members else {}
        steps = self._steps(members["steps"]) if "steps" in members else []
        return {"inputs": inputs, "output": output, "steps": steps, **options}

    def _steps(self, node: Node) -> list[dict[str, Any]]:
        if not isinstance(node.value, list) or not node.value:
            self.say(node, "steps", f"it is a list of one or more steps: {', '.join(VERBS)}")
            return []
        found = []
        for at, step in enumerate(node.value):
            key = f"steps.{at}"
            members = {step.value: None} if isinstance(step.value, str) else step.value
            if not isinstance(members, dict) or len(members) != 1:
                self.say(step, key, f"a step is one of {', '.join(VERBS)} with its parameters")
                continue
            ((verb, given),) = members.items()
            if verb not in VERBS:
                near = nearest(verb, dict.fromkeys(VERBS)) or f"; the steps are {', '.join(VERBS)}"
                self.say(
                    given or step,
                    f"{key}.{verb}",
                    f"there is no such step{near}",
                )
                continue
            found.append({verb: self.values(given or step, f"{key}.{verb}", verb, is_bare=given is None)})
        return found

    def values(
        self, node: Node, key: str, verb: str, *, is_bare: bool = False, without: Collection[str] = ()
    ) -> dict[str, Any]:
        """The parameters of a verb, but for some of them."""
        known = {name: one for name, one in parameters(verb).items() if name not in without}
        has = "an option of every run is" if verb == "options" else f"{verb} has"
        members = {} if is_bare or node.value is None else self.members(node, key, known, has)
        for name, parameter in known.items():
            if parameter.required and name not in members:
                self.say(node, _below(key, name), f"it is missing: {parameter.about}")
        found = {}
        for name, value in members.items():
            plain = value.plain
            try:
                found[name] = (
                    _template(plain, members) if known[name].kind == "template" else check(known[name], plain)
                )
            except ParameterError as error:
                self.say(value, _below(key, name), str(error))
        return found

    def members(self, node: Node, key: str, known: Mapping[str, Any], has: str) -> dict[str, Node]:
        """The members of a mapping that are known."""
        if not isinstance(node.value, dict):
            self.say(node, key or "pipeline", f"it is a mapping; {has} {', '.join(known)}")
            return {}
        for name, value in node.value.items():
            if name in known:
                continue
            where = f"{key}.{name}" if key else name
            if key.startswith("steps") and name in parameters("options"):
                self.say(
                    value, where, f"it is an option of the whole run; write it as `options: {{{name}: ...}}`"
                )
            else:
                near = nearest(name, known) or f"; {has} {', '.join(known)}"
                self.say(value, where, f"there is no such name{near}")
        return {name: value for name, value in node.value.items() if name in known}

    def texts(self, node: Node) -> list[str]:
        several = node.value if isinstance(node.value, list) else [node]
        if not several:
            self.say(
                node, "inputs", "it is a file, a pattern or a folder, or a list of them, but it is empty"
            )
        return [
            self.text(one, "inputs", "a file, a pattern or a folder, or a list of them") for one in several
        ]

    def text(self, node: Node, key: str, allowed: str) -> str:
        """A text that is not empty."""
        if isinstance(node.value, str) and node.value:
            return node.value
        self.say(node, key, f"it is `{node.plain}`, but it has to be {allowed}")
        return ""

    def say(self, node: Node, key: str, message: str) -> None:
        """Notes a mistake."""
        self.wrong.append(f"{node.place}: {key}: {message}")


def _template(value: Any, members: Mapping[str, Node]) -> dict[str, str | None]:  # noqa: ANN401
    name = members["name"].plain if "name" in members else None
    if not isinstance(value, str):
        message = f"template is `{value}`, but it is a template, or the path of one"
        raise ParameterError(message)
    return origin(value, name if isinstance(name, str) else None)


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
