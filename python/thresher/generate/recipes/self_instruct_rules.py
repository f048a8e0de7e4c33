"""The rules of Self-Instruct as functions: how answers are cut into instructions and instances, and filtered.

Facts and constants after Wang et al. 2023 (arXiv 2212.10560) and its published code.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYWORDS = (
    "image",
    "images",
    "graph",
    "graphs",
    "picture",
    "pictures",
    "file",
    "files",
    "map",
    "maps",
    "draw",
    "plot",
    "go to",
)
"""What a language model cannot see or do by text alone."""
LEAST_WORDS, MOST_WORDS = 4, 150
"""Words of an instruction, by blanks."""

_KEYWORD = re.compile(rf"\b(?:{'|'.join(KEYWORDS)})\b", re.IGNORECASE)
_NUMBER = re.compile(r"\n\d+\s?\.(?:\s|\Z)")
_NUMBER_OF_CHAT = re.compile(r"(?:\A|\n)[ \t]*\**\d+\s?[.)]\**(?=\s)")
_BLANKS = re.compile(r"\s+")
_EXAMPLE = re.compile(r"Example\s?\d*\.?")
_OUTPUT = re.compile(r"Output\s*\d*\s*:")
_INPUT = re.compile(r"Input\s*\d*\s*:")
_LABEL = "Class label:"


def instructions(text: str) -> list[str]:
    r"""The instructions of a numbered list that continues behind a number.

    >>> instructions(" name a colour of the sea.\n10. write  a poem\n11.")
    ['Name a colour of the sea.', 'Write a poem']
    """
    return _capitalised(_BLANKS.sub(" ", part).strip() for part in _NUMBER.split(text))


def _capitalised(found: Iterable[str]) -> list[str]:
    return [part[0].upper() + part[1:] for part in found if part]


def listed(text: str) -> list[str]:
    r"""The instructions of a chat model's list: each behind its number, up to the next one or a blank line.

    >>> listed("Sure:\n9. name a  tree.\n\n10. Count.\n\nI hope these help."), listed("I cannot do that.")
    (['Name a tree.', 'Count.'], [])
    """
    found = (part.strip().split("\n\n")[0] for part in _NUMBER_OF_CHAT.split(text)[1:])
    return _capitalised(_BLANKS.sub(" ", part) for part in found)


def instruction_rules(instruction: str) -> list[str]:
    """The rules that a new instruction breaks; they are not for seeds.

    >>> instruction_rules("Draw it")
    ['too_short', 'keyword']
    """
    reasons = []
    n_words = len(instruction.split())
    if n_words < LEAST_WORDS:
        reasons.append("too_short")
    if n_words > MOST_WORDS:
        reasons.append("too_long_instruction")
    if _KEYWORD.search(instruction):
        reasons.append("keyword")
    if instruction.lower().startswith("write a program"):
        reasons.append("write_a_program")
    if instruction[:1] in string.punctuation:
        reasons.append("punctuation")
    if not instruction[:1].isascii():
        reasons.append("not_ascii")
    return reasons


def is_yes(text: str) -> bool:
    """Whether an answer says that a task is a classification.

    >>> is_yes(" Yes"), is_yes("No, it is not."), is_yes("yes.")
    (True, False, True)
    """
    word = text.strip().split(maxsplit=1)[:1]
    return bool(word) and word[0].strip(string.punctuation).lower() == "yes"


def generated_instances(text: str) -> list[tuple[str, str]]:
    r"""Inputs and outputs of a task that is no classification.

    >>> generated_instances("Example 1\nWord: sea\nOutput: mer\nExample 2\nWord: sun\nOutput: soleil")
    [('Word: sea', 'mer'), ('Word: sun', 'soleil')]
    """
    text = text.strip()
    if _EXAMPLE.search(text):
        parts = (part.strip() for part in _EXAMPLE.split(text))
        return [_input_and_output(part) for part in parts if part]
    return [_input_and_output(text)] if _OUTPUT.search(text) else []


def _input_and_output(text: str) -> tuple[str, str]:
    parts = _OUTPUT.split(text)
    given, output = (parts[0].strip(), parts[1].strip()) if len(parts) > 1 else ("", text.strip())
    # Another input behind the output belongs to another instance.
    output = _INPUT.split(output)[0].strip()
    if given_name := _INPUT.match(given):
        given = given[given_name.end() :].strip()
    return given, output


def labelled_instances(text: str) -> list[tuple[str, str]]:
    r"""Inputs and labels of a classification.

    >>> labelled_instances("Class label: odd\nNumber: 7\nClass label: even\nNumber: 8")
    [('Number: 7', 'odd'), ('Number: 8', 'even')]
    """
    found = []
    for part in text.split(_LABEL)[1:]:
        label, _, given = part.strip().partition("\n")
        found.append((given.strip(), label.strip()))
    return found


def instance_rules(given: str, output: str) -> list[str]:
    """The rules that an instance breaks.

    >>> instance_rules("a", "a"), instance_rules("Words:", "x"), instance_rules("", "fine")
    (['output_is_input'], ['ends_with_colon'], [])
    """
    if not output:
        return ["output_missing"]
    if given == output:
        return ["output_is_input"]
    if given.endswith(":") or output.endswith(":"):
        return ["ends_with_colon"]
    return []


def contradict(instances: list[tuple[str, str]]) -> bool:
    """Whether one input, that is not empty, has two outputs: then no instance of the task can be trusted.

    >>> contradict([("a", "1"), ("a", "2")]), contradict([("", "1"), ("", "2")])
    (True, False)
    """
    first: dict[str, str] = {}
    return any(first.setdefault(given, output) != output for given, output in instances if given)
