"""Self-Instruct's three questions: new instructions, whether one is a classification, and instances of it.

Of the instructions some repeat what was shown to the last word, some with three words of ten changed (ROUGE-L
around 0.7, and often exactly that), and some break each of the filters. Of the instances some contradict each
other, repeat each other, or lack a part.
"""

from __future__ import annotations

import random
import re
from typing import Any

from tests.generate.scripted.answers import Reply, chance_of, text_of
from tests.generate.scripted.words import ADJECTIVES, NOUNS, REASONS, VERBS, paragraph, pick, sentence

CLASSIFY = re.compile(r"Classification\?\s*\Z")
"""How the question ends whether a task is a classification."""
LABELS_FIRST = "Class label:"
"""Stands in a question for instances of a classification, and before each label."""
TASK = re.compile(r"^Task:[ \t]*(.+)$", re.MULTILINE)
"""The tasks of a question about one; the last is the one in question."""
SHOWN = re.compile(r"^(\d+)\.[ \t]*(\S.*)$", re.MULTILINE)
"""The instructions that a question for more of them shows."""
RANGE = re.compile(r"\b(\d+) (?:to|through|-) (\d+)\b")
"""From which number to which a chat model is to continue the list."""
CONTINUES = re.compile(r"^(\d+)\.[ \t]*\Z", re.MULTILINE)
"""How a text ends that a base model continues: with the number of the next instruction."""
GOES_ON = 12
"""Instructions that a base model writes until it ends by itself."""

# Of the instructions, shares; the rest is fresh.
SHARES = {
    "near": 0.20,
    "same": 0.04,
    "short": 0.04,
    "long": 0.02,
    "picture": 0.05,
    "punctuation": 0.02,
    "foreign": 0.02,
    "program": 0.02,
}
CUT = 0.04
"""Share of the lists, and of the answers with instances, that end by their length."""
PREFACED = 0.1
"""Share of a chat model's lists with words before them, and of those with words behind."""

_OPENINGS = (
    "Explain to a new colleague why the {adjective} {noun} matters more than the {other} when {reason}",
    "Write a short note that asks a {noun} team to {verb} the {adjective} {other} because {reason}",
    "Suggest {number} questions about a {adjective} {noun} that an expert in {other} would ask",
    "Decide whether the sentence is about a {noun} or about a {other}.",
    "Compare a {adjective} {noun} with a {other} in {number} sentences.",
    "Rewrite the paragraph so that a reader who knows no {noun} understands the {adjective} {other}.",
    "Classify the message as {adjective}, {noun} or {other}.",
    "What would happen to the {noun} if nobody could {verb} the {other} any more?",
    "Give an example of a {adjective} {noun}.",
    "Translate the sentence about the {noun} into Spanish, and keep the word {other} as it is.",
    "Make a plan of {number} days to {verb} a {adjective} {noun} although {reason}.",
    "Sort the words by how much they have to do with a {adjective} {noun}.",
    "Find the mistake in this description of a {noun}: it is {adjective} since {reason}.",
)
_SEEN = ("Draw it.", "Use the image.", "Plot the graph.", "Then go to the next file.")
_OPENING_WORDS = ("Sure, here are more tasks:", "Here is the continuation of the list:")


def kind_of(text: str) -> str:
    """What a question wants: `classify`, `labels`, `inputs` or `instructions`."""
    if CLASSIFY.search(text):
        return "classify"
    if not TASK.search(text):
        return "instructions"
    return "labels" if LABELS_FIRST in text else "inputs"


def answer(body: dict[str, Any]) -> Reply:
    text = text_of(body)
    kind = kind_of(text)
    chance = chance_of(body, kind)
    if kind == "instructions":
        return _instructions(text, chance)
    task = TASK.findall(text)[-1].strip()
    if kind == "classify":
        return Reply(content=_classification(task, chance))
    if chance.random() < 0.04:
        return Reply(content=" I am not sure what this task is about.")
    content = _labelled(chance) if kind == "labels" else _generated(chance)
    return _cut(content, chance) if chance.random() < CUT else Reply(content=content)


def _cut(content: str, chance: random.Random) -> Reply:
    return Reply(content=content[: len(content) * chance.randint(50, 95) // 100], finish_reason="length")


def _instructions(text: str, chance: random.Random) -> Reply:
    shown = [found for _, found in SHOWN.findall(text)]
    if (continued := CONTINUES.search(text)) is not None:
        first = int(continued[1])
        last = first + GOES_ON
    else:
        ranges = RANGE.findall(text)
        first, last = (int(number) for number in ranges[-1]) if ranges else (len(shown) + 1, len(shown) + 8)
    made = [instruction(chance, shown) for _ in range(first, last + 1)]
    point = " ." if chance.random() < 0.1 else "."
    lines = [f"{number}{point} {one}" for number, one in enumerate(made, first)]
    content = "\n".join(lines)
    if continued is not None:
        content = content.removeprefix(f"{first}{point}")
    elif chance.random() < PREFACED:
        content = f"{pick(chance, _OPENING_WORDS)}\n{content}"
        if chance.random() < PREFACED:
            content += "\n\nI hope these are of use."
    return _cut(content, chance) if chance.random() < CUT else Reply(content=content)


def instruction(chance: random.Random, shown: list[str]) -> str:
    """One instruction, in one line."""
    kind = chance.choices([*SHARES, "fresh"], [*SHARES.values(), 1 - sum(SHARES.values())])[0]
    if kind in ("near", "same") and shown:
        words = pick(chance, shown).split()
        if kind == "near":
            for place in chance.sample(range(len(words)), round(len(words) * 0.3)):
                words[place] = pick(chance, NOUNS)
        return " ".join(words)
    fresh = pick(chance, _OPENINGS).format(
        adjective=pick(chance, ADJECTIVES),
        noun=pick(chance, NOUNS),
        other=pick(chance, NOUNS),
        verb=pick(chance, VERBS),
        reason=pick(chance, REASONS),
        number=pick(chance, ("two", "three", "four", "five", "six")),
    )
    if kind == "short":
        return f"{pick(chance, VERBS).capitalize()} it{pick(chance, ('', ' now', ' once more'))}"
    if kind == "long":
        return f"{fresh} {' '.join(sentence(chance, 10) for _ in range(16))}"
    if kind == "picture":
        return f"{fresh} {pick(chance, _SEEN)}"
    if kind == "punctuation":
        return f"{pick(chance, ('-', '(a)', '...', '#'))} {fresh}"
    if kind == "foreign":
        return f"{pick(chance, ('Écrivez', 'Übersetze', '¿Cómo', '写'))} {fresh}"
    if kind == "program":
        return f"Write a program that prints the {pick(chance, NOUNS)} of a {pick(chance, NOUNS)}."
    return fresh


def _classification(task: str, chance: random.Random) -> str:
    is_label = re.match(r"(?i)(classify|decide whether|sort)", task) is not None
    if chance.random() < 0.05:
        is_label = not is_label
    if is_label:
        return pick(chance, (" Yes", "Yes", " yes", "Yes.", " Yes, it is."))
    return pick(chance, (" No", "No", " no", "No.", "No, since the answer is a text."))


def _labelled(chance: random.Random) -> str:
    labels = chance.sample(NOUNS, 3)
    parts = []
    fault = pick(chance, ("", "", "", "", "contradiction", "repeated", "same", "colon", "no label"))
    for place in range(chance.randint(1, 7)):
        label, given = pick(chance, labels), f"Text: {paragraph(chance, 1)}"
        if fault == "contradiction":
            label, given = labels[place % 3], "Text: It could be any of them."
        elif fault == "repeated" and place:
            parts.append(parts[0])
            continue
        elif fault == "same":
            label = given
        elif fault == "colon" and place == 1:
            label += ":"
        elif fault == "no label" and place == 0:
            label = ""
        parts.append(f"{LABELS_FIRST} {label}\n{given}")
    return "\n" + "\n".join(parts) + _next_task(chance)


def _generated(chance: random.Random) -> str:
    if chance.random() < 0.4:
        output = "" if chance.random() < 0.1 else paragraph(chance, chance.randint(1, 3))
        return f"\nOutput: {output}{_next_task(chance)}"
    name = pick(chance, ("Sentence", "Input", "List", "Question"))
    parts: list[str] = []
    fault = pick(chance, ("", "", "", "", "empty", "same", "colon", "contradiction", "repeated", "no input"))
    for place in range(1, chance.randint(1, 7) + 1):
        given, output = sentence(chance, chance.randint(4, 10)), paragraph(chance, 1)
        if fault == "empty" and place == 2:
            output = ""
        elif fault == "same":
            output = f"{name}: {given}" if name != "Input" else given
        elif fault == "colon" and place == 1:
            output = "Here it is:"
        elif fault == "contradiction":
            given = "One and the same."
        elif fault == "repeated":
            given, output = "Twice.", "Two times."
        shown = "" if fault == "no input" else f"{name}: {given}\n"
        parts.append(f"Example {place}\n{shown}Output: {output}")
    return "\n" + "\n".join(parts) + _next_task(chance)


def _next_task(chance: random.Random) -> str:
    """What a base model goes on with, if no stop sequence ends it."""
    return f"\n\nTask: {sentence(chance, 6)}\nOutput: {sentence(chance, 4)}" if chance.random() < 0.5 else ""
