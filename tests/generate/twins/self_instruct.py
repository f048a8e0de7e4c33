"""A slow twin of `self-instruct`, after Wang et al. 2023 (arXiv 2212.10560) and its published code.

ROUGE-L is that of the package rouge-score, pair by pair against all that was there before.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from rouge_score import rouge_scorer, tokenizers

from tests.generate.twins.stated import Ask, Asked, Made, Slot, Values, Verdict, chance, prompt

NOT_BY_TEXT = {"draw", "plot", "image", "graph", "picture", "file", "map"}
NOT_BY_TEXT |= {"images", "graphs", "pictures", "files", "maps"}
PARTS = ("instruction", "input", "output", "is_classification")
Instance = tuple[str, str]


@dataclass
class Task:
    """An instruction that was taken, and how it came."""

    name: str
    instruction: str
    keys: tuple[str, ...]
    parents: tuple[str, ...]


@dataclass
class SelfInstruct:
    """What the twin is told of a run: the seeds by their ids, and the settings."""

    seeds: Mapping[str, str]
    is_completion: bool = False
    threshold: float = 0.7
    round_size: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        self.pool: list[Task] = []
        self.similar: dict[str, str] = {}
        """What a repetition was told to repeat, by its name."""
        self._waiting: list[Task] = []
        self._n_lists = 0

    def slots(self, number: int, kept: Sequence[Verdict]) -> list[Slot]:
        """Lists of instructions, all with the pool as it is now; then instances for what came of them."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            return [(f"{task.name}-instances", task) for task in waiting]
        first = self._n_lists
        self._n_lists += self.round_size
        pool = tuple(self.pool)
        return [(f"instructions-{place:06d}", (place, pool)) for place in range(first, self._n_lists)]

    def work(self, slot: Slot, ask: Ask) -> list[Made]:
        """What a list gives, or what a task does."""
        if isinstance(slot[1], Task):
            return self._instances(slot[1], ask)
        return self._list(*slot[1], ask)

    def _list(self, place: int, pool: Sequence[Task], ask: Ask) -> list[Made]:
        """Two tasks of the pool and six of people, shuffled; eight of people while there is no pool."""
        random = chance(self.seed, "self-instruct", place)
        machine = [(task.name, task.instruction) for task in pool]
        shown = random.sample(machine, min(2, len(machine)))
        shown += random.sample(list(self.seeds.items()), 8 - len(shown))
        random.shuffle(shown)
        tasks = "\n".join(f"{at}. {_one_line(text)}" for at, (_, text) in enumerate(shown, start=1))
        sampling: dict[str, object] = {"temperature": 0.7, "top_p": 0.5, "presence_penalty": 2.0}
        if self.is_completion:
            text = prompt("self_instruct_tasks", tasks=tasks, next="9")
            sampling["stop"] = ["\n\n", "\n16", "16.", "16 ."]
        else:
            text = prompt("self_instruct_tasks_chat", tasks=tasks, next="9", last="16")
        answer = ask(Asked(text, sampling, most=1024, cap=1024 if self.is_completion else 4096, sample=place))
        keys, parents = (answer.key,), tuple(name for name, _ in shown)
        if answer.failure is not None:
            return [Made({}, keys, reasons=(answer.failure,))]
        if answer.is_cut:
            return [Made({}, keys, reasons=("cut_off",))]
        found = continued(answer.text) if self.is_completion else listed(answer.text)
        if not found:
            return [Made({}, keys, reasons=("unreadable",))]
        return [Made({"instruction": one}, keys, parents, is_step=True) for one in found]

    def reasons(self, made: Made, name: str) -> Sequence[str]:
        """The filters of a new instruction, then whether it is new; rows have been judged before."""
        if not made.is_step:
            return ()
        instruction = made.row["instruction"]
        if broken := filters(instruction):
            return broken
        known = [*self.seeds.values(), *(task.instruction for task in self.pool)]
        scores = [rouge_l(instruction, one, self.threshold) for one in known]
        if max(scores) > self.threshold:
            nearest = next(one for one in known if rouge_l(instruction, one, self.threshold) == max(scores))
            self.similar[name] = f"ROUGE-L {max(scores):.4f} with: {nearest}"
            return ("not_novel",)
        task = Task(name, instruction, made.keys, made.parents)
        self.pool.append(task)
        self._waiting.append(task)
        return ()

    def _instances(self, task: Task, ask: Ask) -> list[Made]:
        text = prompt("self_instruct_classify", instruction=_one_line(task.instruction))
        sampling: dict[str, object] = {"temperature": 0.0, "stop": ["\n", "Task"]}
        # A chat model may reason before it answers.
        cap = 64 if self.is_completion else 4096
        kind = ask(Asked(text, sampling, most=3, cap=cap))
        if kind.failure is not None:
            return [Made({"instruction": task.instruction}, (kind.key,), reasons=(kind.failure,))]
        if not self.is_completion and not kind.text.strip():
            return [Made({"instruction": task.instruction}, (kind.key,), reasons=("unreadable",))]
        is_label = says_yes(kind.text)
        name = "self_instruct_output_first" if is_label else "self_instruct_input_first"
        text = prompt(name, instruction=_one_line(task.instruction)) + ("\n" if self.is_completion else "")
        sampling = {"temperature": 0.0, "presence_penalty": 1.5, "stop": ["Example 6", "Task:"]}
        most = 300 if is_label else 350
        answer = ask(Asked(text, sampling, most=most, cap=most if self.is_completion else 4096))
        if answer.failure is not None:
            return [Made({"instruction": task.instruction}, (answer.key,), reasons=(answer.failure,))]
        keys = (*task.keys, kind.key, answer.key)
        read = labels_first if is_label else inputs_first
        judged = judge(read(answer.text), answer.text, is_cut=answer.is_cut)
        made = []
        for (given, output), reason in judged:
            row = dict(zip(PARTS, (task.instruction, given, output, is_label), strict=True))
            parents = (task.name,) if reason else (task.name, *task.parents)
            made.append(Made(row, keys, parents, (reason,) if reason else ()))
        return made

    def keep(self, row: Values) -> None:
        """Rows change nothing."""

    def text(self, row: Values) -> str:
        """What checks compare."""
        return "\n".join(row[part] for part in ("instruction", "input", "output"))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(":")


def continued(text: str) -> list[str]:
    """The instructions of a text that goes on behind a number; the others begin at lines with a number."""
    pieces: list[str] = [""]
    for at, line in enumerate(text.split("\n")):
        numbered = re.match(r"\d+\s?\.(\s|$)", line)
        if numbered and at:
            pieces.append(line[numbered.end() :])
        else:
            pieces[-1] += "\n" + line
    return _tidy(pieces)


def listed(text: str) -> list[str]:
    """The instructions of a chat model's list: from a line with a number to the next, or to a blank line."""
    pieces: list[list[str]] = []
    is_open = False
    for line in text.split("\n"):
        numbered = re.match(r"[ \t]*\**\d+\s?[.)]\**(?=\s|$)", line)
        if numbered:
            pieces.append([line[numbered.end() :]])
        elif is_open and line:
            pieces[-1].append(line)
        is_open = bool(pieces) and (bool(line) or not "".join(pieces[-1]).strip())
    return _tidy("\n".join(piece) for piece in pieces)


def _tidy(pieces: Iterable[str]) -> list[str]:
    found = [" ".join(piece.split()) for piece in pieces]
    return [one[0].upper() + one[1:] for one in found if one]


def filters(instruction: str) -> list[str]:
    """The filters that an instruction breaks."""
    broken = []
    n_words = len(re.findall(r"\S+", instruction))
    if n_words <= 3:
        broken.append("too_short")
    if n_words > 150:
        broken.append("too_long_instruction")
    words = re.findall(r"\w+", instruction.lower())
    if NOT_BY_TEXT & set(words) or re.search(r"\bgo to\b", instruction.lower()):
        broken.append("keyword")
    if re.match("write a program", instruction, re.IGNORECASE):
        broken.append("write_a_program")
    if instruction[0] in string.punctuation:
        broken.append("punctuation")
    if ord(instruction[0]) > 127:
        broken.append("not_ascii")
    return broken


_scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)


@cache
def rouge_l(left: str, right: str, least: float = 0.0) -> float:
    """The F of ROUGE-L, by rouge-score; 0 if both texts have too few words in common to be above `least`."""
    one, other = Counter(_tokens(left)), Counter(_tokens(right))
    if 2 * (one & other).total() < 0.999 * least * (one.total() + other.total()):
        return 0.0
    return float(_scorer.score(left, right)["rougeL"].fmeasure)


@cache
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(tokenizers.DefaultTokenizer(use_stemmer=False).tokenize(text))


def says_yes(text: str) -> bool:
    """Whether the first word is a yes, with or without signs around it."""
    return (
        re.match(
            rf"\s*[{re.escape(string.punctuation)}]*yes[{re.escape(string.punctuation)}]*(\s|$)", text, re.I
        )
        is not None
    )


def inputs_first(text: str) -> list[Instance]:
    """Inputs and outputs: one an `Example`, or one in all if there is none but an `Output:`."""
    pieces = re.split(r"Example\s?\d*\.?", text.strip())
    if len(pieces) == 1 and not re.search(r"Output\s*\d*\s*:", text):
        return []
    return [_instance(piece.strip()) for piece in pieces if piece.strip()]


def _instance(text: str) -> Instance:
    given, *outputs = re.split(r"Output\s*\d*\s*:", text)
    if not outputs:
        given, outputs = "", [text]
    output = re.split(r"Input\s*\d*\s*:", outputs[0].strip())[0]
    return re.sub(r"^Input\s*\d*\s*:", "", given.strip()).strip(), output.strip()


def labels_first(text: str) -> list[Instance]:
    """Inputs and labels: a label in the line of `Class label:`, its input below."""
    found = []
    for piece in text.split("Class label:")[1:]:
        lines = piece.strip().split("\n")
        found.append(("\n".join(lines[1:]).strip(), lines[0].strip()))
    return found


def judge(found: list[Instance], text: str, *, is_cut: bool) -> list[tuple[Instance, str]]:
    """The instances of a task, each with why it is none; rows come last.

    What was cut is not trusted. Then what is invalid goes, then all of a task that contradicts itself, then
    what was there already, and what is more than five.
    """
    if not found:
        return [(("", text[:200]), "no_instances")]
    judged: list[tuple[Instance, str]] = []
    if is_cut:
        judged.append((found[-1], "cut_off"))
        found = found[:-1]
    valid = []
    for given, output in found:
        if output == "":
            judged.append(((given, output), "output_missing"))
        elif given == output:
            judged.append(((given, output), "output_is_input"))
        elif given.endswith(":") or output.endswith(":"):
            judged.append(((given, output), "ends_with_colon"))
        else:
            valid.append((given, output))
    for given, output in valid:
        if any(given == other and output != answer for other, answer in valid if given):
            return [*judged, *((one, "contradiction") for one in valid)]
    unique = [one for at, one in enumerate(valid) if one not in valid[:at]]
    judged += [(one, "same_instance") for at, one in enumerate(valid) if one in valid[:at]]
    judged += [(one, "too_many_instances") for one in unique[5:]]
    return judged + [(one, "") for one in unique[:5]]
