"""Instruction-response pairs for a domain: the generator of the document that thresher implements.

The document's listing asks once for `num_examples` pairs as a JSON object and takes the list under one of
four names. Here the number is that of rows kept; a request asks for a few; its answer is read whether it is a
bare array, a list under any name, a single pair, an error, empty or cut off; a short one is topped up; and
every pair passes rules and checks. Requests name instructions that were kept in earlier rounds, to be
avoided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thresher import _params
from thresher.errors import ParameterError
from thresher.generate import prompts
from thresher.generate.answers import ask_for, objects
from thresher.generate.recipe import Candidate, Recipe, Rejection, Slot, chat_of, of_failure, shuffled
from thresher.generate.request import Message, Request, Sampling, temperature_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thresher.generate.recipe import Kept, Row, Work

TASK_TYPES = ("explain", "summarize", "compare", "give example", "list steps for")
"""The task types of the document's listing."""
TEMPERATURE, MAX_TOKENS = 0.9, 3000
"""Those of the document's listing."""
ROUND, DOUBLINGS = 16, 6
"""Slots of the first round, all of which avoid the same instructions, and how many rounds behind it are each
twice as large as the one before: else a large run would wait for the slowest answer of each few."""
AVOIDED = 12
"""Instructions to be avoided that a request names."""
TOP_UPS = 2
"""How often a short answer is topped up."""
PROMPTS = ("domain", "domain_avoid", "domain_completion")
END = "####"
"""What ends a pair in a text that a base model continues."""
FIELDS = ("instruction", "response", "task_type")


class Domain(Recipe):
    """The recipe.

    Args:
        domain: The domain, in words.
        task_types: The task types; those of the document's listing by default.
        per_request: Pairs that a request asks for.
        temperature: Of the sampling.
        max_tokens: Tokens of an answer at most.
        seed: Of all that is drawn.
        is_completion: Whether the endpoints continue texts; then a request asks for one pair, by examples.
        own_prompts: Files that replace prompts, by their names.
    """

    name, version = "domain", 1
    about = "Instruction-response pairs for one domain, written by a teacher model."
    fields: tuple[str, ...] = FIELDS

    def __init__(
        self,
        domain: str,
        task_types: Sequence[str] | None = None,
        *,
        per_request: int = 5,
        temperature: float = TEMPERATURE,
        max_tokens: int = MAX_TOKENS,
        seed: int = 0,
        is_completion: bool = False,
        own_prompts: Mapping[str, str] | None = None,
    ) -> None:
        self.domain = _params.word("domain", domain, "a domain in words")
        if not self.domain.strip():
            message = (
                "domain is ``, but it is a domain in words, for instance `retrieval for enterprise software`"
            )
            raise ParameterError(message)
        types = (
            TASK_TYPES if task_types is None else _params.several("task_types", task_types, "a list of words")
        )
        self.task_types = [_params.word("task_types", one, "a list of words") for one in types]
        if not self.task_types:
            message = "task_types is empty, but there is at least one; leave it out for the usual ones"
            raise ParameterError(message)
        self.per_request = _params.whole("per_request", per_request, 1, 50)
        self.sampling = Sampling(temperature=temperature_of(temperature))
        self.max_tokens = _params.whole("max_tokens", max_tokens, 1)
        self.seed = _params.whole("seed", seed, 0, 2**64 - 1)
        prompts.check_names(own_prompts, set(PROMPTS))
        self.prompts = {name: prompts.load(name, own_prompts) for name in PROMPTS}
        self.is_completion = is_completion
        self.a_slot = 0.8 * self.per_request
        self._seen: set[str] = set()

    def settings(self) -> Mapping[str, Any]:
        """What was asked for."""
        return {
            "domain": self.domain,
            "task_types": self.task_types,
            "per_request": self.per_request,
            "temperature": self.sampling.temperature,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "completion": self.is_completion,
            "prompts": {name: prompt.sha256 for name, prompt in self.prompts.items()},
        }

    def deviations(self) -> Sequence[str]:
        """What differs from the listing of the document."""
        return (
            "The listing asks once for all pairs. Here a request asks for a few, with a JSON Schema where the"
            " endpoint takes one, and names pairs that are there already. Short answers are topped up, and"
            " pairs that break a rule are left out.",
        )

    def slots(self, number: int, kept: Sequence[Kept]) -> Iterable[Slot]:
        """The slots of a round, each with an order of the task types and instructions to avoid of its own."""
        first = sum(ROUND << min(before, DOUBLINGS) for before in range(number))
        for place in range(first, first + (ROUND << min(number, DOUBLINGS))):
            chance = shuffled(self.seed, "domain", place)
            types = chance.sample(self.task_types, len(self.task_types))
            avoided = chance.sample(kept, min(AVOIDED, len(kept)))
            yield Slot(id=f"domain-{place:06}", task=(types, [one.row["instruction"] for one in avoided]))

    def work(self, slot: Slot) -> Work:
        """Asks for pairs until there are enough, or a top-up brings none."""
        if self.is_completion:
            return (yield from self._continue(slot))
        types, avoided = slot.task
        made: list[Candidate | Rejection] = []
        missing = self.per_request
        for turn in range(1 + TOP_UPS):
            request = self._request(slot, types, avoided, missing, turn)
            found, answers = yield from ask_for(request, _pairs)
            keys = tuple(answer.key for answer in answers)
            if found is None:
                failed = answers[-1]
                if failed.failure is not None:
                    made.append(of_failure(failed, "pairs"))
                else:
                    made.append(Rejection(reasons=("unreadable",), detail=failed.text[:200], keys=keys))
                break
            made += [self._candidate(pair, keys) for pair in found[:missing]]
            missing -= len(found[:missing])
            if missing <= 0 or not found:
                break
        return made

    def _continue(self, slot: Slot) -> Work:
        """Has a base model write pairs behind examples, one a request, each of another task type."""
        place = int(slot.id.rpartition("-")[2])
        requests, types = [], slot.task[0]
        for turn in range(self.per_request):
            kind = types[turn % len(types)]
            requests.append(
                Request(
                    prompt=self.prompts["domain_completion"].fill(domain=self.domain, task_type=kind),
                    sampling=Sampling(temperature=self.sampling.temperature, stop=(END,)),
                    max_tokens=self.max_tokens,
                    sample=place * self.per_request + turn,
                    purpose="pair",
                    slot=slot.id,
                )
            )
        answers = yield requests
        made: list[Candidate | Rejection] = []
        for turn, answer in enumerate(answers):
            if answer.failure is not None:
                made.append(of_failure(answer, "pair"))
                continue
            instruction, colon, response = answer.text.partition("\nResponse:")
            if not colon or answer.is_cut:
                reason = "cut_off" if answer.is_cut else "unreadable"
                made.append(Rejection(reasons=(reason,), detail=answer.text[:200], keys=(answer.key,)))
                continue
            pair = {
                "instruction": instruction,
                "response": response,
                "task_type": types[turn % len(types)],
            }
            made.append(self._candidate(pair, (answer.key,)))
        return made

    def _request(
        self, slot: Slot, types: Sequence[str], avoided: Sequence[str], count: int, turn: int
    ) -> Request:
        listed = "\n".join(f"- {one}" for one in avoided)
        avoid = self.prompts["domain_avoid"].fill(instructions=listed) if avoided else ""
        text = self.prompts["domain"].fill(
            domain=self.domain, count=str(count), task_types=", ".join(types), avoid=avoid
        )
        # The same question again is another sample.
        place = int(slot.id.rpartition("-")[2])
        return Request(
            messages=(Message(role="user", content=text),),
            sampling=self.sampling,
            max_tokens=self.max_tokens,
            schema=self._schema(count),
            sample=place * (1 + TOP_UPS) + turn,
            purpose="pairs",
            slot=slot.id,
        )

    def _schema(self, count: int) -> dict[str, Any]:
        text = {"type": "string"}
        pair = {
            "type": "object",
            "properties": {
                "task_type": {"type": "string", "enum": self.task_types},
                "instruction": text,
                "response": text,
            },
            "required": ["task_type", "instruction", "response"],
            "additionalProperties": False,
        }
        pairs = {"type": "array", "items": pair, "minItems": count, "maxItems": count}
        return {
            "type": "object",
            "properties": {"pairs": pairs},
            "required": ["pairs"],
            "additionalProperties": False,
        }

    def _candidate(self, pair: Mapping[str, Any], keys: tuple[str, ...]) -> Candidate | Rejection:
        row: Row = {}
        for field in FIELDS:
            value = pair.get(field)
            if not isinstance(value, str) or not value.strip():
                what = "missing" if field not in pair else "no text"
                return Rejection(
                    reasons=(f"{field}_missing",), detail=f"`{field}` is {what}", row=dict(pair), keys=keys
                )
            row[field] = value.strip()
        return Candidate(row=row, keys=keys)

    def rules(self, candidate: Candidate) -> tuple[Sequence[str], str]:
        """The rules of a pair, given those that were kept."""
        row = candidate.row
        reasons = []
        if row["task_type"] not in self.task_types:
            reasons.append("unknown_task_type")
        if _plain(row["instruction"]) == _plain(row["response"]):
            reasons.append("response_is_instruction")
        if "..." in (row["instruction"].strip(), row["response"].strip()):
            reasons.append("placeholder")
        if _plain(row["instruction"]) in self._seen:
            reasons.append("same_instruction")
        return reasons, row["instruction"][:200] if reasons else ""

    def keep(self, kept: Kept) -> None:
        """Notes the instruction of a pair that was kept."""
        self._seen.add(_plain(kept.row["instruction"]))

    def conversation(self, row: Row) -> Row:
        """A question and its answer."""
        return chat_of(("user", row["instruction"]), ("assistant", row["response"]))

    def text(self, row: Row) -> str:
        """Instruction and response."""
        return f"{row['instruction']}\n{row['response']}"


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _pairs(text: str) -> list[dict[str, Any]] | None:
    """The pairs in an answer; empty if the model gave none, None if it cannot be read."""
    found = objects(text)
    pairs = [one for one in found if one.keys() & {"instruction", "response"}]
    if pairs:
        return pairs
    # An error, or an object that has nothing: asked for again.
    return None
