"""A slow twin of `distill`, after Orca 2 (arXiv 2311.11045): strategies that the student does not see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tests.generate.twins.stated import Ask, Asked, Made, Slot, Values, Verdict, chance, prompt

STRATEGIES = (
    "step_by_step",
    "recall_then_generate",
    "recall_reason_generate",
    "extract_then_generate",
    "direct_answer",
)
TELLING = (
    r"\bsystem prompt\b",
    r"\bsystem message\b",
    r"\b(as|since|because) (i was |you )?instructed\b",
    r"\b(as|since|because) (i was |you )?asked to explain\b",
    r"\bmy instructions\b",
    r"\bhelp(ing)? (a|the) student\b",
)
"""What tells of a system prompt."""


@dataclass
class Distill:
    """What the twin is told of a run. A task has `id`, `instruction`, and perhaps more."""

    tasks: Sequence[Mapping[str, str]]
    choose: str = "map"
    strategies: Mapping[str, str] = field(default_factory=dict)
    dev: Sequence[Mapping[str, str]] = ()
    temperature: float = 0.7
    max_tokens: int = 2048
    seed: int = 0
    is_completion = False

    def __post_init__(self) -> None:
        self._tried: list[tuple[str, str, bool]] = []

    def slots(self, number: int, kept: Sequence[Verdict]) -> list[Slot]:
        """Each example with each strategy, where examples choose; then the tasks, 256 a round."""
        if self.choose == "dev" and number == 0:
            pairs = [(task, strategy) for task in self.dev for strategy in STRATEGIES]
            return [(f"dev-{place:06d}", (*pair, True)) for place, pair in enumerate(pairs)]
        first = 256 * (number - (self.choose == "dev"))
        part = enumerate(self.tasks[first : first + 256], start=first)
        return [(f"task-{place:06d}", (task, self._strategy(task), False)) for place, task in part]

    def _strategy(self, task: Mapping[str, str]) -> str:
        kind = task.get("task_type", "")
        if self.choose == "random":
            return chance(self.seed, "distill", task["id"]).choice(STRATEGIES)
        if self.choose == "dev":
            shares = []
            for strategy in STRATEGIES:
                found = [right for one, other, right in self._tried if (one, other) == (kind, strategy)]
                if found:
                    shares.append((Fraction(sum(found), len(found)), strategy))
            if shares:
                best = max(share for share, _ in shares)
                return next(strategy for share, strategy in shares if share == best)
        return self.strategies.get(kind) or self.strategies.get("") or "step_by_step"

    def work(self, slot: Slot, ask: Ask) -> list[Made]:
        """The answer of the teacher under its system prompt; the row has the student's."""
        task, strategy, is_example = slot[1]
        question = task["instruction"]
        if task.get("input"):
            question += "\n\n" + task["input"]
        asked = Asked(
            text=question,
            sampling={"temperature": self.temperature},
            most=self.max_tokens,
            cap=8192,
            system=prompt(f"distill_{strategy}"),
        )
        answer = ask(asked)
        if is_example:
            right = answer.failure is None and gives(answer.text, task["output"])
            return [
                Made({"tried": (task.get("task_type", ""), strategy, right)}, (answer.key,), is_step=True)
            ]
        row = {
            "instruction": task["instruction"],
            "input": task.get("input", ""),
            "output": answer.text.strip(),
            "system": prompt("distill_student"),
            "task_type": task.get("task_type", ""),
            "strategy": strategy,
        }
        reasons = (answer.failure,) if answer.failure else ("cut_off",) if answer.is_cut else ()
        return [Made(row, (answer.key,), (task["id"],), reasons)]

    def reasons(self, made: Made, name: str) -> Sequence[str]:
        """An answer says something, and nothing of what the student will not see."""
        if made.is_step:
            self._tried.append(made.row["tried"])
            return ()
        output = made.row["output"]
        if output == "":
            return ("output_missing",)
        system = prompt(f"distill_{made.row['strategy']}")
        given = f"{made.row['instruction']} {made.row['input']}"
        tells, is_asked = (
            any(re.search(pattern, text, re.IGNORECASE) for pattern in TELLING) for text in (output, given)
        )
        if tells and not is_asked:
            return ("mentions_instructions",)
        padded = [f" {' '.join(text.lower().split())} " for text in (system, given)]
        words = output.lower().split()
        for at in range(len(words) - 6):
            seven = f" {' '.join(words[at : at + 7])} "
            if seven in padded[0] and seven not in padded[1]:
                return ("mentions_instructions",)
        return ()

    def keep(self, row: Values) -> None:
        """Rows change nothing."""

    def text(self, row: Values) -> str:
        """What checks compare."""
        return "\n".join(row[part] for part in ("instruction", "input", "output"))


def gives(text: str, answer: str) -> bool:
    """Whether a text is a known answer, or its last line is it or has it; of numbers the last one counts."""
    lines = [line for line in re.split(r"\r?\n", text.strip()) if line.strip()]
    if not lines or not _bare(answer):
        return False
    if _bare(answer) in (_bare(text), _bare(lines[-1])):
        return True
    numbers = re.findall(r"-?\d[\d,]*(?:\.\d*)?", lines[-1])
    if re.fullmatch(r"-?\d[\d,]*(?:\.\d*)?", answer.strip()):
        return bool(numbers) and _value(numbers[-1]) == _value(answer)
    return f" {_bare(answer)} " in f" {re.sub(r'[.-]', ' ', _bare(lines[-1]))} "


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s.-]", " ", text.lower()).split()).strip(". ")


def _value(text: str) -> float:
    return float(text.strip().replace(",", "").rstrip("."))
