"""The judge does what its slow twin does, row by row; and each mutant of a rule is noticed.

The recipe gets the answers of the script without a server in between, so all of it takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from tests.generate.scripted.answers import Manner, reply_to
from tests.generate.scripts import judge as script
from tests.generate.twins.judge import (
    MODEL,
    OTHER,
    listed,
    pairs_of,
    rows_of,
    twin_list,
    twin_pair,
    twin_score,
)
from thresher.generate.engine import drive
from thresher.generate.judging import agreement, asking, checklist, pairwise, recipe, rubric, scores
from thresher.generate.judging.cases import Case, cases_of
from thresher.generate.judging.checklist import Checklist
from thresher.generate.judging.method import Method
from thresher.generate.judging.pairwise import Pairwise
from thresher.generate.judging.recipe import Judge, Judged
from thresher.generate.judging.review import Opinion, Verdicts
from thresher.generate.judging.rubric import Score
from thresher.generate.request import Answer, Request
from thresher.generate.wire import Dialect, read


def driven(judge: Judge, models: Sequence[str] = (MODEL,)) -> list[Judged]:
    def answer(request: Request) -> Answer:
        body = Dialect().body(request, models[request.endpoint or 0], "json_schema")
        raw, _ = reply_to(msgspec.json.decode(body), "0" * 32, script, Manner())  # type: ignore[arg-type]
        return read(200, {}, raw, "")

    made = []
    for number in range(3):
        for slot in judge.slots(number, []) or ():
            for outcome in drive(judge.work(slot), answer):
                if isinstance(outcome, Judged):
                    reasons, _ = judge.rules(outcome)
                    outcome.notes["reasons"] = ",".join(reasons)
                    made.append(outcome)
                else:
                    judge.take(outcome, slot.id)  # type: ignore[arg-type]
    return made


def judged(
    rows: Sequence[dict[str, Any]], method: Method, models: Sequence[str] = (MODEL,), **others: Any
) -> Any:
    is_pair, items = method.name == "pairwise", "rubric" if method.name == "checklist" else None
    judge = Judge(cases_of(rows, is_pair=is_pair, items=items), method, models, **others)
    return [one.row for one in driven(judge, models)], judge


def check_scores(scale: int = 5, count: int = 60) -> None:
    rows = rows_of(count)
    made, judge = judged(rows, Score(scale=scale))
    turns = 0
    for row, found in zip(rows, made, strict=True):
        score, expected, asked = twin_score(row, scale)
        assert found["judge_score"] == score
        assert found["judge_expected"] == (None if expected is None else pytest.approx(expected, abs=1e-12))
        assert found["judge_problem"] == (None if score is not None else "unreadable")
        turns += asked
    assert judge.found()["asked"] == turns >= count + (scale == 5)


def check_pairs(count: int = 80) -> None:
    rows = pairs_of(count)
    made, judge = judged(rows, Pairwise())
    found = [twin_pair(row) for row in rows]
    assert [row["judge_score"] for row in made] == [score for score, _ in found]
    assert [row["judge_orders"] for row in made] == [[orders] if orders else [[]] for _, orders in found]
    names = {1: "A", 0: "B", 0.5: "tie", None: None}
    assert [row["judge_winner"] for row in made] == [names[score] for score, _ in found]
    (one,) = judge.found()["judges"]
    both = [orders for _, orders in found if orders]
    assert one["flips"] == sum(first != second for first, second in both) > 5
    assert one["flip_rate"] == one["flips"] / len(both)
    assert one["reversed"] == sum({first, second} == {"A", "B"} for first, second in both)
    shown_first = sum((first == "A") + (second == "B") for first, second in both)
    decided = sum((first != "tie") + (second != "tie") for first, second in both)
    assert one["first_share"] == shown_first / decided
    assert one["wins_a"] + one["wins_b"] + one["ties"] == one["pairs"] == len(both)


def check_lists(count: int = 60) -> None:
    rows = listed(count)
    made, _ = judged(rows, Checklist())
    assert [row["judge_score"] for row in made] == [twin_list(row) for row in rows]
    assert len({row["judge_score"] for row in made}) > 4


def check_jury(count: int = 60) -> None:
    rows = rows_of(count)
    models = [MODEL, OTHER, "m-3"]
    made, _ = judged(rows, Score(), models)
    spreads = []
    for row, found in zip(rows, made, strict=True):
        each = [twin_score(row, 5, model)[0] for model in models]
        given = sorted(score for score in each if score is not None)
        assert [one["score"] for one in found["judge_scores"]] == each
        assert [one["judge"] for one in found["judge_scores"]] == models
        assert found["judge_score"] == pytest.approx(sum(given) / len(given))
        half = len(given) // 2
        assert found["judge_median"] == (
            given[half] if len(given) % 2 else (given[half - 1] + given[half]) / 2
        )
        assert found["judge_spread"] == given[-1] - given[0]
        spreads.append(found["judge_spread"])
    assert len(set(spreads)) > 1


def check_threshold(count: int = 60) -> None:
    rows = rows_of(count)
    judge = Judge(cases_of(rows), Score(), [MODEL], threshold=3)
    reasons = {one.case.id: one.notes["reasons"] for one in driven(judge)}
    assert len(reasons) == count
    for row in rows:
        score = twin_score(row, 5)[0]
        expected = "judge_unreadable" if score is None else "judge_below_threshold" if score < 3 else ""
        assert reasons[row["id"]] == expected
    assert len(set(reasons.values())) > 1


def check_verdicts(count: int = 60) -> None:
    """The threshold that verdicts set, and what experts say of it."""
    rows = rows_of(count)
    made = [twin_score(row, 5)[0] for row in rows]
    # Experts accept what has a 4 or more, but for two rows.
    opinions = {
        row["id"]: Opinion(id=row["id"], accepted=(score >= 4) != (place in (3, 11)), says=(score >= 4,))
        for place, (row, score) in enumerate(zip(rows, made, strict=True))
        if score is not None and place < 40
    }
    verdicts = Verdicts(opinions=opinions, was_shown=False)
    judge = Judge(cases_of(rows), Score(), [MODEL], verdicts=verdicts)
    reasons = [one.notes["reasons"] for one in driven(judge)]
    assert judge.threshold == 4.0
    assert [bool(reason) for reason in reasons] == [score is None or score < 4 for score in made]
    found = judge.found()
    pairs = [
        (score >= 4, opinions[row["id"]].accepted)
        for row, score in zip(rows, made, strict=True)
        if row["id"] in opinions
    ]
    same = sum(one == other for one, other in pairs) / len(pairs)
    yes, says = sum(one for one, _ in pairs) / len(pairs), sum(bool(other) for _, other in pairs) / len(pairs)
    chance = yes * says + (1 - yes) * (1 - says)
    assert found["experts"]["kappa"] == pytest.approx((same - chance) / (1 - chance))
    assert found["experts"]["agreement"] == found["threshold"]["agreement"] == pytest.approx(same)
    low, high = found["experts"]["kappa_interval"]
    assert low < found["experts"]["kappa"] <= high


def check_kappa() -> None:
    assert agreement.kappa([1, 2, 3, 3], [1, 2, 3, 2]) == pytest.approx(7 / 11)
    assert agreement.kappa([1, 2, 3], [1, 3, 2], weights="quadratic") == pytest.approx(0.5)
    assert agreement.spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) == pytest.approx(0.8207826816681233)


CHECKS: list[Callable[[], None]] = [
    check_scores,
    lambda: check_scores(10),
    check_pairs,
    check_lists,
    check_jury,
    check_threshold,
    check_verdicts,
    check_kappa,
]


@pytest.mark.parametrize("check", CHECKS)
def test_every_row_is_scored_as_its_slow_twin_scores_it(check: Callable[[], None]) -> None:
    check()


def test_without_a_bias_none_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "FIRST", 0.0)
    _, judge = judged(pairs_of(80), Pairwise())
    (one,) = judge.found()["judges"]
    assert one["first_interval"][0] <= 0.5 <= one["first_interval"][1]
    assert not any("prefers" in note for note in judge.notes())
    monkeypatch.setattr(script, "FIRST", -0.3)
    _, judge = judged(pairs_of(80), Pairwise())
    assert any("prefers the answer shown second" in note for note in judge.notes())


# Mutants: each breaks one rule, and one of the checks above has to see it.


def _one_order(self: Pairwise, case: Case) -> Any:
    return [self._question(case, *case.answers)] * 2


def _plain_jury(values: Sequence[float]) -> tuple[float, float, float]:
    return sum(values) / len(values), values[0], max(values) - min(values)


def _rounding(self: Score, value: Any) -> str | None:
    label = str(round(float(value))) if isinstance(value, int | float | str) else None
    return label if label in self.labels else None


def _above(self: Judge, candidate: Any) -> Any:
    self._done.append(candidate)
    value = self._value(candidate.verdict)
    return (["judge_below_threshold"], "") if value is None or value <= (self.threshold or 0) else ((), "")


def _by_chance(first: Any, second: Any, **_: Any) -> float:
    return sum(one == other for one, other in zip(first, second, strict=True)) / len(first)


def _likeliest(parts: dict[str, float], values: dict[str, float]) -> float:
    return values[max(parts, key=lambda label: parts[label])]


def _unweighted(items: Any, met: Sequence[bool]) -> float:
    return sum(met) / len(met)


def _lowest(scores_: Any, accepted: Any) -> Any:
    return agreement.Threshold(value=min(scores_), kappa=0.0, agreement=0.0, left_out=0.0)


def _once(request: Request, read_: Any, again: str, tries: int) -> Any:
    return asking.ask(request, read_, again, 1)


def _same_again(request: Request, read_: Any, again: str, tries: int) -> Any:
    return asking.ask(request, read_, "Please.", tries)


MUTANTS: dict[str, tuple[object, str, object]] = {
    "one order only": (Pairwise, "questions", _one_order),
    "the second order is not turned back": (pairwise, "OTHER", {"A": "A", "B": "B", "tie": "tie"}),
    "the first order wins": (pairwise, "winner_of", lambda orders: orders[0]),
    "a win and a tie are a win": (
        pairwise,
        "winner_of",
        lambda orders: "tie" if set(orders) >= {"A", "B"} else min(orders),
    ),
    "the likeliest score is the expected one": (scores, "expectation", _likeliest),
    "7.5 is an 8": (Score, "_label", _rounding),
    "asked once": (recipe, "ask", _once),
    "asked again in other words": (recipe, "ask", _same_again),
    "above the threshold": (Judge, "rules", _above),
    "items weigh the same": (checklist, "share_met", _unweighted),
    "the first judge is the median": (scores, "jury", _plain_jury),
    "the jury is its first judge": (recipe, "combined", lambda each: each[0]),
    "kappa is agreement": (agreement, "kappa", _by_chance),
    "the lowest threshold": (agreement, "threshold_of", _lowest),
    "the first object counts": (
        rubric,
        "members",
        lambda text, name: [one for one in rubric.objects(text) if name in one],
    ),
    "the bias counts ties": (pairwise, "_share", lambda first, decided: sum(first) / (2 * len(first))),
    "all judges are the first": (
        recipe.Judge,
        "_places",
        property(lambda self: [0] * len(self.judges), lambda self, value: None),
    ),
}


def _check_all() -> None:
    for check in CHECKS:
        check()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home, attribute, broken = MUTANTS[name]
    monkeypatch.setattr(home, attribute, broken, raising=attribute != "_places")
    if name == "the first object counts":
        case = Case(id="1", row={}, question="?", answers=("!",))
        found = Score().read(case, '{"score": 5} is what it says of itself. {"score": 1}')
        assert found is not None
        assert found.label != "1"
        return
    monkeypatch.setattr(agreement, "DRAWS", 50)
    with pytest.raises(AssertionError):
        _check_all()
