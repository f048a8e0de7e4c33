"""Self-Instruct: a model continues lists of tasks that people and it wrote, and then does them.

After Wang et al. 2023 (arXiv 2212.10560). A round of instructions shows each request eight tasks, six of
people and two of the pool, in a random order (eight of people while the pool is empty). New ones pass the
filters, and a novelty rule against seeds and pool: ROUGE-L above 0.7 is a repetition. A round of instances
then asks for each new instruction whether it is a classification, and for instances: labels first if it is,
else inputs first. An instruction stays in the pool whether instances come of it or not.

`/v1/completions` is what the method was made for. Chat models are asked in words for the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from thresher import _params
from thresher.generate import prompts
from thresher.generate.novelty import Novelty
from thresher.generate.recipe import Candidate, Idea, Recipe, Rejection, Slot, chat_of, of_failure, shuffled
from thresher.generate.recipes import self_instruct_rules as rules
from thresher.generate.request import Message, Request, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thresher.generate.novelty import Tokens
    from thresher.generate.prompts import Prompt
    from thresher.generate.recipe import Kept, Row, Work
    from thresher.generate.request import Answer
    from thresher.generate.seeds import Seed

SHOWN, SHOWN_OF_POOL, LAST = 8, 2, 16
"""Tasks that a request shows, those of them that the model wrote, and the last one that it is to write."""
ROUND = 5
"""Requests of a round, which all see the same pool."""
THRESHOLD = 0.7
"""ROUGE-L above which an instruction is a repetition."""
MOST_INSTANCES = 5
SAMPLING = Sampling(
    temperature=0.7, top_p=0.5, presence_penalty=2.0, stop=("\n\n", f"\n{LAST}", f"{LAST}.", f"{LAST} .")
)
"""For instructions, with the stop sequences of a text that is continued."""
CLASSIFY = Sampling(temperature=0.0, stop=("\n", "Task"))
INSTANCES = Sampling(temperature=0.0, presence_penalty=1.5, stop=(f"Example {MOST_INSTANCES + 1}", "Task:"))
MAX_TOKENS, CLASSIFY_TOKENS, LABELLED_TOKENS, GENERATED_TOKENS = 1024, 3, 300, 350
REASONING_CAP = 4096
"""How far a bound is raised for a chat model that reasons before it answers."""
LINEAGE = 10
"""The most similar instructions that lineage names."""
PROMPTS = (
    "self_instruct_tasks",
    "self_instruct_tasks_chat",
    "self_instruct_classify",
    "self_instruct_input_first",
    "self_instruct_output_first",
)
FIELDS = ("instruction", "input", "output", "is_classification")


class _Task:
    """An instruction of the pool that has no instances yet."""

    __slots__ = ("instruction", "keys", "name", "notes", "parents")

    def __init__(self, idea: Idea, name: str, notes: dict[str, Any]) -> None:
        self.instruction = str(idea.value)
        self.name, self.keys, self.parents, self.notes = name, idea.keys, idea.parents, notes


class SelfInstruct(Recipe):
    """The recipe.

    Args:
        seeds: The tasks of people.
        is_completion: Whether the endpoints continue texts.
        threshold: ROUGE-L above which an instruction is a repetition.
        tokens: How texts are cut for ROUGE-L: `rouge` as the package rouge-score does, which leaves nothing
            of languages without Latin letters; `word` by words in any script.
        round_size: Requests for instructions that see the same pool.
        held_out: Ids of seeds that are not among these, for the report.
        seed: Of all that is drawn.
        own_prompts: Files that replace prompts, by their names.
    """

    name, version = "self-instruct", 1
    about = "Instructions with inputs and outputs, made from seed tasks by Self-Instruct (Wang et al. 2023)."
    fields: tuple[str, ...] = FIELDS
    a_slot = 2.0

    def __init__(
        self,
        seeds: Sequence[Seed],
        *,
        is_completion: bool = False,
        threshold: float = THRESHOLD,
        tokens: str = "rouge",
        round_size: int = ROUND,
        held_out: Sequence[str] = (),
        seed: int = 0,
        own_prompts: Mapping[str, str] | None = None,
    ) -> None:
        self.seeds, self.held_out = list(seeds), list(held_out)
        self.is_completion = is_completion
        self.threshold = _params.share("threshold", threshold)
        self.tokens = _params.choice("tokens", tokens, ("rouge", "word"))
        self.round_size = _params.whole("round_size", round_size, 1)
        self.seed = _params.whole("seed", seed, 0, 2**64 - 1)
        prompts.check_names(own_prompts, set(PROMPTS))
        self.prompts = {name: prompts.load(name, own_prompts) for name in PROMPTS}
        self.pool: list[tuple[str, str]] = []
        self._waiting: list[_Task] = []
        self._asked = 0
        self._novelty = Novelty(threshold=self.threshold, tokens=cast("Tokens", self.tokens))
        for one in self.seeds:
            self._novelty.add(one.instruction)

    def settings(self) -> Mapping[str, Any]:
        """What was asked for."""
        return {
            "seeds": len(self.seeds),
            "held_out": self.held_out,
            "completion": self.is_completion,
            "threshold": self.threshold,
            "tokens": self.tokens,
            "round_size": self.round_size,
            "seed": self.seed,
            "prompts": {name: prompt.sha256 for name, prompt in self.prompts.items()},
        }

    def deviations(self) -> Sequence[str]:
        """What differs from the paper and its code."""
        found = [
            "The prompts are our own, with as many examples of each kind as the paper's.",
            "An instruction begins with a capital letter and keeps the others; the published code turns all"
            " others into small ones.",
            "The filters for keywords, length and the like hold for the model's instructions, not for seeds.",
            "Of more than five instances of a task the first five stay; the published code draws five.",
            "An answer is a yes if its first word is; the published code takes `Yes`, `yes` and `YES` alone.",
            "Requests ask for tasks up to the sixteenth. Lineage names the ten most similar instructions; the"
            " published code stores the mean similarity too.",
            "With a temperature of 0, `top_p` of 0 is not sent: it changes nothing, and vLLM refuses it.",
        ]
        if not self.is_completion:
            found.append(
                "A chat model was asked in words to continue the list; the paper has a base model continue a"
                " text. Stop sequences of the list are left out."
            )
        if self.tokens == "word":
            found.append("ROUGE-L compares words of any script; the paper's compares runs of a-z and 0-9.")
        if self.round_size != ROUND:
            found.append(f"{self.round_size} requests see the same pool; {ROUND} do in the published code.")
        return found

    def slots(self, number: int, kept: Sequence[Kept]) -> Iterable[Slot]:
        """By turns, requests for instructions, and the new instructions that need instances."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            return [Slot(id=f"{task.name}-instances", task=task) for task in waiting]
        pool = list(self.pool)
        first, self._asked = self._asked, self._asked + self.round_size
        return [Slot(id=f"instructions-{place:06}", task=pool) for place in range(first, self._asked)]

    def work(self, slot: Slot) -> Work:
        """Asks for instructions, or for the instances of one."""
        if isinstance(slot.task, _Task):
            return (yield from self._instances(slot, slot.task))
        return (yield from self._instructions(slot, slot.task))

    def _instructions(self, slot: Slot, pool: Sequence[tuple[str, str]]) -> Work:
        place = int(slot.id.rpartition("-")[2])
        chance = shuffled(self.seed, "self-instruct", place)
        shown = chance.sample(list(pool), min(SHOWN_OF_POOL, len(pool)))
        people = [(one.id, one.instruction) for one in self.seeds]
        shown += chance.sample(people, min(SHOWN - len(shown), len(people)))
        chance.shuffle(shown)
        tasks = "\n".join(f"{at}. {_line(text)}" for at, (_, text) in enumerate(shown, 1))
        following = len(shown) + 1
        if self.is_completion:
            text = self.prompts["self_instruct_tasks"].fill(tasks=tasks, next=str(following))
            request = Request(prompt=text, sampling=SAMPLING, max_tokens=MAX_TOKENS)
        else:
            text = self.prompts["self_instruct_tasks_chat"].fill(
                tasks=tasks, next=str(following), last=str(LAST)
            )
            sampling = Sampling(temperature=0.7, top_p=0.5, presence_penalty=2.0)
            request = Request(
                messages=(Message(role="user", content=text),), sampling=sampling, max_tokens=MAX_TOKENS
            )
        (answer,) = yield [_of(request, slot, "instructions", sample=place)]
        if answer.failure is not None:
            return [of_failure(answer, "instructions")]
        if answer.is_cut:
            # The last one is cut, and the code of the paper trusts none of them.
            return [Rejection(reasons=("cut_off",), detail=answer.text[-200:], keys=(answer.key,))]
        found = rules.instructions(answer.text) if self.is_completion else rules.listed(answer.text)
        if not found:
            return [Rejection(reasons=("unreadable",), detail=answer.text[:200], keys=(answer.key,))]
        parents = tuple(name for name, _ in shown)
        return [
            Idea(value=one, row={"instruction": one}, keys=(answer.key,), parents=parents) for one in found
        ]

    def take(self, idea: Idea, name: str) -> tuple[Sequence[str], str]:
        """Takes an instruction into the pool, if it passes the filters and is new."""
        instruction = str(idea.value)
        if broken := rules.instruction_rules(instruction):
            return broken, ""
        if (found := self._novelty.check(instruction)) is not None:
            at, score = found
            return ["not_novel"], f"ROUGE-L {score:.4f} with: {self._known(at)}"
        nearest = self._novelty.nearest(instruction, LINEAGE)
        notes = {"most_similar": [[self._known(at), round(score, 6)] for at, score in nearest]}
        self._novelty.add(instruction)
        self.pool.append((name, instruction))
        self._waiting.append(_Task(idea, name, notes))
        return (), ""

    def _known(self, place: int) -> str:
        """A task of people or of the pool, by its place in the novelty rule."""
        if place < len(self.seeds):
            return self.seeds[place].instruction
        return self.pool[place - len(self.seeds)][1]

    def _instances(self, slot: Slot, task: _Task) -> Work:
        prompt = self._asking("self_instruct_classify", task.instruction)
        (kind,) = yield [_of(prompt, slot, "classify", sampling=CLASSIFY, max_tokens=CLASSIFY_TOKENS)]
        if kind.failure is not None:
            return [of_failure(kind, "classify", row={"instruction": task.instruction})]
        if not self.is_completion and not kind.text.strip():
            row = {"instruction": task.instruction}
            return [Rejection(reasons=("unreadable",), row=row, keys=(kind.key,), parents=(task.name,))]
        is_label = rules.is_yes(kind.text)
        name = "self_instruct_output_first" if is_label else "self_instruct_input_first"
        bound = LABELLED_TOKENS if is_label else GENERATED_TOKENS
        prompt = self._asking(name, task.instruction, end="\n")
        (answer,) = yield [_of(prompt, slot, "instances", sampling=INSTANCES, max_tokens=bound)]
        if answer.failure is not None:
            return [of_failure(answer, "instances", row={"instruction": task.instruction})]
        return self._rows(task, answer, (*task.keys, kind.key, answer.key), is_label=is_label)

    def _rows(
        self, task: _Task, answer: Answer, keys: tuple[str, ...], *, is_label: bool
    ) -> list[Candidate | Idea | Rejection]:
        read = rules.labelled_instances if is_label else rules.generated_instances
        found = read(answer.text)

        def rejected(reason: str, given: str = "", output: str = "") -> Rejection:
            row = self._row(task, given, output, is_label=is_label)
            return Rejection(reasons=(reason,), row=row, keys=keys, parents=(task.name,))

        if not found:
            return [rejected("no_instances", output=answer.text[:200])]
        made: list[Candidate | Idea | Rejection] = []
        if answer.is_cut:
            made.append(rejected("cut_off", *found.pop()))
        valid = []
        for given, output in found:
            broken = rules.instance_rules(given, output)
            if broken:
                made.append(rejected(broken[0], given, output))
            else:
                valid.append((given, output))
        if rules.contradict(valid):
            return [*made, *(rejected("contradiction", *one) for one in valid)]
        unique = list(dict.fromkeys(valid))
        made += [rejected("same_instance", *one) for one in _repeated(valid)]
        made += [rejected("too_many_instances", *one) for one in unique[MOST_INSTANCES:]]
        for given, output in unique[:MOST_INSTANCES]:
            row = self._row(task, given, output, is_label=is_label)
            made.append(Candidate(row=row, keys=keys, parents=(task.name, *task.parents), notes=task.notes))
        return made

    def _row(self, task: _Task, given: str, output: str, *, is_label: bool) -> Row:
        return {
            "instruction": task.instruction,
            "input": given,
            "output": output,
            "is_classification": is_label,
        }

    def _asking(self, name: str, instruction: str, end: str = "") -> Request:
        """A prompt about an instruction; what is continued begins behind `end`."""
        prompt: Prompt = self.prompts[name]
        text = prompt.fill(instruction=_line(instruction))
        if self.is_completion:
            return Request(prompt=text + end)
        return Request(messages=(Message(role="user", content=text),))

    def conversation(self, row: Row) -> Row:
        """Instruction and input as the question, the output as its answer."""
        question = f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"]
        return chat_of(("user", question), ("assistant", row["output"]))

    def text(self, row: Row) -> str:
        """All of a row, since instances of one instruction differ in the rest."""
        return f"{row['instruction']}\n{row['input']}\n{row['output']}"


def _of(
    request: Request,
    slot: Slot,
    purpose: str,
    *,
    sampling: Sampling | None = None,
    max_tokens: int | None = None,
    sample: int = 0,
) -> Request:
    import msgspec

    bound = request.max_tokens if max_tokens is None else max_tokens
    cap = max(bound, 64) if purpose == "classify" else bound
    if request.prompt is None:
        cap = REASONING_CAP
    return msgspec.structs.replace(
        request,
        sampling=request.sampling if sampling is None else sampling,
        max_tokens=bound,
        max_tokens_cap=cap,
        sample=sample,
        purpose=purpose,
        slot=slot.id,
    )


def _line(text: str) -> str:
    """A task in one line, without a colon at its end."""
    return " ".join(text.split()).rstrip(":")


def _repeated(instances: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    return [one for one in instances if one in seen or seen.add(one)]  # type: ignore[func-returns-value]
