"""The judge as a recipe: each row is a slot, verdicts are columns, and only a threshold leaves rows out.

Where verdicts of experts are to set the threshold, the rows that they are about are judged first, as steps on
the way; then all rows, for which those answers are found in the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from thresher.errors import DataError, ParameterError
from thresher.generate.judging import agreement, findings, pairwise, scores
from thresher.generate.judging.asking import ask, together
from thresher.generate.judging.cases import cases_of
from thresher.generate.judging.method import Reading, Verdict
from thresher.generate.recipe import Candidate, Idea, Recipe, Slot, chat_of
from thresher.generate.request import Request, Sampling

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from thresher.generate.judging.asking import Asking
    from thresher.generate.judging.cases import Case
    from thresher.generate.judging.method import Method
    from thresher.generate.judging.review import Verdicts
    from thresher.generate.recipe import Kept, Row, Work
    from thresher.generate.request import Answer


class Judged(Candidate, frozen=True, kw_only=True):
    """A row with its verdicts.

    Attributes:
        case: The row as it was shown.
        verdict: The verdict of all judges together.
        each: That of each judge.
    """

    case: Case
    verdict: Verdict
    each: tuple[Verdict, ...] = ()


class Judge(Recipe):
    """The recipe.

    Args:
        cases: The rows.
        method: How they are judged.
        judges: The names of the endpoints; each judges every row.
        threshold: The score below which a row is left out; None for none.
        by: `score` or `expected`: what is compared with the threshold.
        verdicts: What experts say; without a threshold, they set it.
        prefix: What the names of the columns begin with.
        temperature: Of the sampling.
        max_tokens: Tokens of an answer at most, at first.
        logprobs: Whether probabilities are asked for.
        tries: How often a judge is asked that cannot be read.
        seed: Of all that is drawn.
        more: Further settings for the report.
        warnings: Notes that are known before the first row.
    """

    name, version = "judge", 1
    about = "Rows with the scores of judge models."
    a_slot = 1.0
    is_finite = True
    makes_rows = False

    def __init__(
        self,
        cases: Sequence[Case],
        method: Method,
        judges: Sequence[str],
        *,
        threshold: float | None = None,
        by: str = "score",
        verdicts: Verdicts | None = None,
        prefix: str = "judge",
        temperature: float = 0.0,
        max_tokens: int = 1024,
        logprobs: bool = True,
        tries: int = 3,
        seed: int = 0,
        more: Mapping[str, Any] | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        self.cases, self.method, self.judges = list(cases), method, list(judges)
        self.threshold, self.by, self.verdicts = threshold, by, verdicts
        self.is_calibrating = verdicts is not None and threshold is None
        self.chosen: agreement.Threshold | None = None
        self.prefix, self.seed = prefix, seed
        self.sampling, self.max_tokens, self.tries = Sampling(temperature=temperature), max_tokens, tries
        # One judge is asked where its slot says; of a jury, each endpoint is named.
        self._places: list[int | None] = list(range(len(self.judges))) if len(self.judges) > 1 else [None]
        self.top_logprobs = method.tops if logprobs and method.tops else None
        self.fields: tuple[str, ...] = tuple(f"{prefix}_{name}" for name in self._columns())
        for case in self.cases:
            if taken := case.row.keys() & set(self.fields):
                message = (
                    f"row `{case.id}` has a field `{min(taken)}` already; `prefix` gives the new columns"
                    " other names"
                )
                raise ParameterError(message)
        self._more, self._warnings = dict(more or {}), list(warnings)
        self._seen: dict[str, Judged] = {}
        self._done: list[Judged] = []
        self._found: tuple[int, dict[str, Any]] = (-1, {})

    def _columns(self) -> list[str]:
        names = ["score", "expected", "reason"]
        if self.method.name == "pairwise":
            names += ["winner", "orders"]
        if self.method.name == "checklist":
            names += ["items"]
        if len(self.judges) > 1:
            names += ["median", "spread", "scores"]
        return [*names, "problem"]

    def settings(self) -> Mapping[str, Any]:
        """What was asked for, and what was found."""
        return {
            "method": self.method.name,
            "best": self.method.best,
            "rubric": self.method.rubric,
            "threshold": self.threshold,
            "by": self.by,
            "prefix": self.prefix,
            "temperature": self.sampling.temperature,
            "max_tokens": self.max_tokens,
            "top_logprobs": self.top_logprobs,
            "tries": self.tries,
            "seed": self.seed,
            **self._more,
            "prompts": {name: prompt.sha256 for name, prompt in self.method.prompts.items()},
            "found": self.found(),
        }

    def found(self) -> dict[str, Any]:
        """What was found so far."""
        count = len(self._done) + len(self._seen)
        if self._found[0] != count:
            self._found = (count, self._find())
        return self._found[1]

    def _find(self) -> dict[str, Any]:
        judged = [(one.case, one.verdict, one.each) for one in self._done]
        found = findings.of_rows(judged, self.method, self.judges, self.seed)
        if self.verdicts is not None:
            values = {one.case.id: self._value(one.verdict) for one in self._all()}
            found["experts"] = findings.with_experts(
                values, self.verdicts, self.threshold, self.method, self.seed
            )
        if self.chosen is not None:
            found["threshold"] = {
                "value": self.chosen.value,
                "kappa": self.chosen.kappa,
                "agreement": self.chosen.agreement,
                "left_out": self.chosen.left_out,
            }
        return found

    def scored(self) -> list[Judged]:
        """The rows that have a score, in order."""
        return [one for one in self._done if one.verdict.score is not None]

    def _all(self) -> list[Judged]:
        """Every row with a verdict, those included that were judged for the threshold alone so far."""
        return list({**self._seen, **{one.case.id: one for one in self._done}}.values())

    def notes(self) -> list[str]:
        """What there is to warn of."""
        return [*self._warnings, *findings.notes(self.found())]

    def deviations(self) -> Sequence[str]:
        """The prompts are our own; the rest is what there is to warn of."""
        return ["The prompts of the judge are our own.", *self.notes()]

    def slots(self, number: int, kept: Sequence[Kept]) -> Iterable[Slot] | None:
        """First the rows with verdicts, if these set the threshold; then all rows."""
        if self.is_calibrating:
            if number == 0:
                return self._reviewed()
            number -= 1
            if number == 0:
                self._calibrate()
        if number > 0:
            return None
        return (Slot(id=f"row-{place:06}", task=(case, False)) for place, case in enumerate(self.cases))

    def _reviewed(self) -> list[Slot]:
        known = self.verdicts.opinions if self.verdicts is not None else {}
        return [
            Slot(id=f"review-{place:06}", task=(case, True))
            for place, case in enumerate(self.cases)
            if case.id in known
        ]

    def _calibrate(self) -> None:
        """Sets the threshold from the verdicts.

        Raises:
            DataError: They cannot set one.
        """
        opinions = self.verdicts.opinions if self.verdicts is not None else {}
        values, accepted = [], []
        for one in self._seen.values():
            value, says = self._value(one.verdict), opinions[one.case.id].accepted
            if value is not None and says is not None:
                values.append(value)
                accepted.append(says)
        self.chosen = agreement.threshold_of(values, accepted) if values else None
        if self.chosen is None:
            yes = sum(accepted)
            message = (
                f"the verdicts cannot set a threshold: {yes:,} rows with a score are accepted,"
                f" {len(values) - yes:,} rejected, and no score divides them better than chance; review more"
                " rows, or give `threshold` (0 leaves out nothing that has a score)"
            )
            raise DataError(message)
        self.threshold = self.chosen.value

    def work(self, slot: Slot) -> Work:
        """Asks every judge about a row, in both orders if it is a pair."""
        case, is_step = slot.task
        if case.problem:
            each: list[Verdict] = []
            answers: list[Answer] = []
            whole = Verdict(problem=case.problem)
        else:
            each, answers = yield from self._judge(slot, case)
            whole = combined(each)
        judged = Judged(
            row={**case.row, **self._row(case, whole, each)},
            keys=tuple(dict.fromkeys(answer.key for answer in answers)),
            parents=(case.id,),
            case=case,
            verdict=whole,
            each=tuple(each),
        )
        return [Idea(value=judged, keys=judged.keys, parents=judged.parents)] if is_step else [judged]

    def _judge(
        self, slot: Slot, case: Case
    ) -> Generator[Sequence[Request], Sequence[Answer], tuple[list[Verdict], list[Answer]]]:
        questions = self.method.questions(case)
        schema = self.method.schema(case)
        again = self.method.again.replace("{{form}}", self.method.form(case))

        def read(text: str) -> Reading | None:
            return self.method.read(case, text)

        askings: list[Asking[Reading]] = []
        for place in self._places:
            for messages in questions:
                request = Request(
                    messages=messages,
                    sampling=self.sampling,
                    max_tokens=self.max_tokens,
                    schema=schema,
                    top_logprobs=self.top_logprobs,
                    purpose="verdict",
                    slot=slot.id,
                    endpoint=place,
                )
                askings.append(ask(request, read, again, self.tries))
        heard = yield from together(askings)
        count = len(questions)
        each = [
            self.method.verdict(case, heard[place * count : (place + 1) * count])
            for place in range(len(self.judges))
        ]
        return each, [answer for one in heard for answer in one.answers]

    def _row(self, case: Case, whole: Verdict, each: Sequence[Verdict]) -> Row:
        """The columns of a row."""
        values: dict[str, Any] = {
            "score": _number(whole.score),
            "expected": whole.expected,
            "reason": whole.reason or None,
            "problem": whole.problem or None,
        }
        if self.method.name == "pairwise":
            values["winner"] = None if whole.score is None else _winner(whole.score)
            values["orders"] = [list(one.orders) for one in each]
        if self.method.name == "checklist":
            values["items"] = [
                {"item": text, "weight": weight, "met": [bool(one.items[place]) for one in each if one.items]}
                for place, (text, weight) in enumerate(case.items)
            ]
        if len(self.judges) > 1:
            given = [one.score for one in each if one.score is not None]
            _, median, spread = scores.jury(given) if given else (None, None, None)
            values |= {"median": median, "spread": spread}
            values["scores"] = [
                {
                    "judge": name,
                    "score": _number(one.score),
                    "expected": one.expected,
                    "reason": one.reason or None,
                    "problem": one.problem or None,
                }
                for name, one in zip(self.judges, each, strict=False)
            ]
        return {f"{self.prefix}_{name}": values[name] for name in self._columns()}

    def _value(self, verdict: Verdict) -> float | None:
        """What is compared with the threshold: the expected score where it is wanted and there is one."""
        return verdict.expected if self.by == "expected" and verdict.expected is not None else verdict.score

    def take(self, idea: Idea, name: str) -> tuple[Sequence[str], str]:
        """Notes the verdicts on a row that an expert has judged."""
        judged: Judged = idea.value
        self._seen[judged.case.id] = judged
        return (), ""

    def rules(self, candidate: Candidate) -> tuple[Sequence[str], str]:
        """With a threshold, a row has to reach it."""
        judged = cast("Judged", candidate)
        self._done.append(judged)
        if self.threshold is None:
            return (), ""
        value = self._value(judged.verdict)
        if value is None:
            reason = "judge_unreadable" if not judged.case.problem else f"judge_{judged.case.problem}"
            return [reason], judged.verdict.problem
        if value < self.threshold:
            return ["judge_below_threshold"], f"{value:g} is below {self.threshold:g}"
        return (), ""

    def conversation(self, row: Row) -> Row:
        """Question and answer; scores have no place in a chat."""
        (case,) = cases_of([row])
        return chat_of(("user", case.question), ("assistant", case.answers[0]))

    def text(self, row: Row) -> str:
        """All texts of a row."""
        own = set(self.fields)
        return "\n".join(value for name, value in row.items() if isinstance(value, str) and name not in own)


def combined(each: Sequence[Verdict]) -> Verdict:
    """The verdict of all judges together: means over those that can be read, and the reason nearest to it."""
    asked = sum(one.asked for one in each)
    given = [one for one in each if one.score is not None]
    if not given:
        return Verdict(problem=each[0].problem, asked=asked)
    if len(each) == 1:
        return each[0]
    values = [float(one.score or 0.0) for one in given]
    score = scores.mean(values)
    expected = [one.expected for one in given if one.expected is not None]
    nearest = min(given, key=lambda one: abs(float(one.score or 0.0) - score))
    return Verdict(
        score=score,
        expected=scores.mean(expected) if len(expected) == len(given) else None,
        reason=nearest.reason,
        asked=asked,
    )


def _winner(score: float) -> str:
    """The winner of a pair by the mean of its scores."""
    by_score = {value: name for name, value in pairwise.VALUES.items()}
    return by_score[1.0 if score > 0.5 else 0.0 if score < 0.5 else 0.5]


def _number(score: float | None) -> int | float | None:
    """A whole score as a whole number."""
    return int(score) if score is not None and score.is_integer() else score
