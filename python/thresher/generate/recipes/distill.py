"""Distillation: a teacher answers by a strategy that fits the task; the row does not tell the strategy.

After Orca (arXiv 2306.02707) and Orca 2 (arXiv 2311.11045). The teacher is told in a system prompt how to
explain; the row gets the student's system prompt instead (prompt erasing), so that a student learns to choose
by itself. A strategy is chosen by the kind of task: from a map, or by the teacher's accuracy on examples with
known answers. Choosing at random is the older method, and is named so.
"""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING, Any

import msgspec

from thresher import _params
from thresher.errors import ParameterError
from thresher.generate import prompts
from thresher.generate.recipe import Candidate, Idea, Recipe, Rejection, Slot, chat_of, of_failure, shuffled
from thresher.generate.request import Message, Request, Sampling, temperature_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thresher.generate.recipe import Kept, Row, Work

STRATEGIES = (
    "step_by_step",
    "recall_then_generate",
    "recall_reason_generate",
    "extract_then_generate",
    "direct_answer",
)
"""The strategies that Orca 2 names."""
CHOICES = ("map", "dev", "random")
ROUND = 256
"""Tasks of a round; nothing that is asked depends on it."""
COPIED_WORDS = 7
"""Words of the teacher's system prompt in a row that tell of it."""
FIELDS = ("instruction", "input", "output", "system", "task_type", "strategy")
_MENTIONS = re.compile(
    r"\b(system (prompt|message)|(as|since|because) (i was |you )?(instructed|asked to explain)"
    r"|my instructions|help(ing)? (a|the) student)\b",
    re.IGNORECASE,
)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task for the teacher.

    Attributes:
        id: Its id.
        instruction: What is to be done.
        input: What it is to be done with.
        task_type: What kind of task it is; empty if unknown.
        answer: The known answer, of an example for the choice of strategies.
    """

    id: str
    instruction: str
    input: str = ""
    task_type: str = ""
    answer: str = ""

    @property
    def question(self) -> str:
        """What the teacher is asked."""
        return f"{self.instruction}\n\n{self.input}" if self.input else self.instruction


class Distill(Recipe):
    """The recipe.

    Args:
        tasks: The tasks to be answered.
        choose: How a strategy is chosen: `map` by `strategies`, `dev` by accuracy on `dev`, `random`.
        strategies: The strategy of each kind of task; that of the empty name is for all others.
        dev: Examples with known answers.
        temperature: Of the sampling.
        max_tokens: Tokens of an answer at most.
        seed: Of all that is drawn.
        own_prompts: Files that replace prompts, by their names.
    """

    name, version = "distill", 1
    about = "Answers of a teacher by explanation strategies, without the teacher's system prompt (Orca 2)."
    fields: tuple[str, ...] = FIELDS
    is_finite = True
    a_slot = 0.9

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        choose: str = "map",
        strategies: Mapping[str, str] | None = None,
        dev: Sequence[Task] = (),
        temperature: float = 0.7,
        max_tokens: int = 2048,
        seed: int = 0,
        own_prompts: Mapping[str, str] | None = None,
    ) -> None:
        self.tasks, self.dev = list(tasks), list(dev)
        self.choose = _params.choice("choose", choose, CHOICES)
        self.strategies = {"": STRATEGIES[0], **(strategies or {})}
        for kind, strategy in self.strategies.items():
            _params.choice(f"strategies: {kind}", strategy, STRATEGIES)
        if self.choose == "dev" and not self.dev:
            message = "choose is `dev`, which needs examples with known answers; give them as `dev`"
            raise ParameterError(message)
        self.sampling = Sampling(temperature=temperature_of(temperature))
        self.max_tokens = _params.whole("max_tokens", max_tokens, 1)
        self.seed = _params.whole("seed", seed, 0, 2**64 - 1)
        names = {f"distill_{strategy}" for strategy in STRATEGIES} | {"distill_student"}
        prompts.check_names(own_prompts, names)
        self.prompts = {name: prompts.load(name, own_prompts) for name in sorted(names)}
        self.student = self.prompts["distill_student"].text
        self.correct: collections.Counter[tuple[str, str]] = collections.Counter()
        self.tried: collections.Counter[tuple[str, str]] = collections.Counter()

    def settings(self) -> Mapping[str, Any]:
        """What was asked for."""
        return {
            "tasks": len(self.tasks),
            "choose": self.choose,
            "strategies": self.strategies,
            "dev": len(self.dev),
            "temperature": self.sampling.temperature,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "accuracy": {
                f"{kind or 'other'}: {strategy}": round(self.correct[kind, strategy] / count, 4)
                for (kind, strategy), count in sorted(self.tried.items())
            },
            "prompts": {name: prompt.sha256 for name, prompt in self.prompts.items()},
        }

    def deviations(self) -> Sequence[str]:
        """What differs from the papers."""
        found = ["The strategies are those that Orca 2 names; their wording is our own."]
        if self.choose == "random":
            found.append("Strategies are chosen at random, as in Orca; Orca 2 chooses by the kind of task.")
        return found

    def slots(self, number: int, kept: Sequence[Kept]) -> Iterable[Slot] | None:
        """First the examples with every strategy, if these choose; then the tasks."""
        if self.choose == "dev":
            if number == 0:
                pairs = [(task, strategy) for task in self.dev for strategy in STRATEGIES]
                return [Slot(id=f"dev-{place:06}", task=pair) for place, pair in enumerate(pairs)]
            number -= 1
        part = self.tasks[number * ROUND : (number + 1) * ROUND]
        if not part:
            return None
        first = number * ROUND
        return [
            Slot(id=f"task-{first + place:06}", task=(task, self.strategy_of(task)))
            for place, task in enumerate(part)
        ]

    def strategy_of(self, task: Task) -> str:
        """The strategy for a task."""
        if self.choose == "random":
            return shuffled(self.seed, "distill", task.id).choice(STRATEGIES)
        if self.choose == "dev":
            tried = [one for one in STRATEGIES if self.tried[task.task_type, one]]
            if tried:
                return max(tried, key=lambda one: self._accuracy(task.task_type, one))
        return self.strategies.get(task.task_type, self.strategies[""])

    def _accuracy(self, kind: str, strategy: str) -> float:
        return self.correct[kind, strategy] / self.tried[kind, strategy]

    def work(self, slot: Slot) -> Work:
        """Asks the teacher."""
        task, strategy = slot.task
        system = self.prompts[f"distill_{strategy}"].text
        request = Request(
            messages=(Message(role="system", content=system), Message(role="user", content=task.question)),
            sampling=self.sampling,
            max_tokens=self.max_tokens,
            purpose="dev" if task.answer and slot.id.startswith("dev") else "answer",
            slot=slot.id,
        )
        (answer,) = yield [request]
        if slot.id.startswith("dev"):
            is_right = answer.failure is None and is_correct(answer.text, task.answer)
            return [Idea(value=(task.task_type, strategy, is_right), keys=(answer.key,))]
        row = {
            "instruction": task.instruction,
            "input": task.input,
            "output": answer.text.strip(),
            "system": self.student,
            "task_type": task.task_type,
            "strategy": strategy,
        }
        if answer.failure is not None:
            return [of_failure(answer, "answer", row=row, parents=(task.id,))]
        if answer.is_cut:
            return [Rejection(reasons=("cut_off",), row=row, keys=(answer.key,), parents=(task.id,))]
        notes = {"teacher_system": system, "student_system": self.student}
        if answer.reasoning:
            notes["reasoning"] = answer.reasoning
        return [Candidate(row=row, keys=(answer.key,), parents=(task.id,), notes=notes)]

    def take(self, idea: Idea, name: str) -> tuple[Sequence[str], str]:
        """Counts an example."""
        kind, strategy, is_right = idea.value
        self.tried[kind, strategy] += 1
        self.correct[kind, strategy] += is_right
        return (), ""

    def rules(self, candidate: Candidate) -> tuple[Sequence[str], str]:
        """An answer must not tell of the system prompt that the student will not see."""
        row = candidate.row
        if not row["output"]:
            return ["output_missing"], ""
        task = f"{row['instruction']}\n{row['input']}"
        # A task about prompts or instructions may be answered.
        if (found := _MENTIONS.search(row["output"])) and not _MENTIONS.search(task):
            return ["mentions_instructions"], found[0]
        if found_words := copied(candidate.notes["teacher_system"], row["output"], task):
            return ["mentions_instructions"], found_words
        return (), ""

    def conversation(self, row: Row) -> Row:
        """The student's system prompt, the task, and the teacher's answer."""
        question = f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"]
        return chat_of(("system", row["system"]), ("user", question), ("assistant", row["output"]))

    def text(self, row: Row) -> str:
        """Task and answer."""
        return f"{row['instruction']}\n{row['input']}\n{row['output']}"


def copied(system: str, text: str, known: str) -> str:
    """A run of words of a system prompt in a text, unless the task has it too; empty if there is none.

    >>> copied("Think in small steps and check the result twice", "I check the result twice.", "")
    ''
    """
    source, found, given = (part.lower().split() for part in (system, text, known))
    runs = {tuple(source[at : at + COPIED_WORDS]) for at in range(len(source) - COPIED_WORDS + 1)}
    allowed = {tuple(given[at : at + COPIED_WORDS]) for at in range(len(given) - COPIED_WORDS + 1)}
    for at in range(len(found) - COPIED_WORDS + 1):
        run = tuple(found[at : at + COPIED_WORDS])
        if run in runs and run not in allowed:
            return " ".join(run)
    return ""


def is_correct(text: str, answer: str) -> bool:
    r"""Whether a text gives a known answer: as a whole, as its last line, or as the last number.

    >>> is_correct("3 + 4 is 7.\nSo the answer is 7.", "7"), is_correct("It is Rome", "Paris")
    (True, False)
    """
    wanted = _plain(answer)
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if not lines or not wanted:
        return False
    if wanted in (_plain(text), _plain(lines[-1])):
        return True
    numbers = re.findall(r"-?\d[\d,]*\.?\d*", lines[-1])
    if re.fullmatch(r"-?\d[\d,]*\.?\d*", answer.strip()):
        return bool(numbers) and _number(numbers[-1]) == _number(answer)
    return re.search(rf"\b{re.escape(wanted)}\b", _plain(lines[-1])) is not None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s.-]", " ", text.lower()).split()).strip(". ")


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "").rstrip("."))
    except ValueError:
        return None
