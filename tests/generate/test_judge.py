"""The judge against the scripted server, and against a slow twin that scores every row by itself."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

import thresher as th
from tests.generate.scripted.answers import Manner, reply_to
from tests.generate.scripts import judge as script
from tests.generate.server import Server
from thresher.errors import DataError, ParameterError
from thresher.generate.endpoint import Endpoint
from thresher.generate.engine import drive
from thresher.generate.judging import agreement, asking, checklist, findings, pairwise, recipe, rubric, scores
from thresher.generate.judging.cases import Case, cases_of
from thresher.generate.judging.checklist import Checklist
from thresher.generate.judging.method import Method
from thresher.generate.judging.pairwise import Pairwise
from thresher.generate.judging.recipe import Judge, Judged
from thresher.generate.judging.review import Opinion, Verdicts
from thresher.generate.judging.rubric import Score
from thresher.generate.request import Answer, Request
from thresher.generate.wire import Dialect, read

PROMPTS = Path(th.generate.__file__).parent / "prompts"
MODEL, OTHER = "m-1", "m-2"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("judge") as server:
        yield server


def endpoint(server: Server, model: str = MODEL, **others: Any) -> Endpoint:
    return Endpoint(server.base_url, model, timeout_s=5.0, **others)


def rows_of(count: int, **others: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"r{place}", "instruction": f"Question {place}?", "response": f"Answer number {place}."}
        | others
        for place in range(count)
    ]


def pairs_of(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"p{place}",
            "prompt": f"Question {place}?",
            "chosen": f"One {place}.",
            "rejected": f"Two {place}.",
        }
        for place in range(count)
    ]


def listed(count: int) -> list[dict[str, Any]]:
    items = [
        {"item": "names the cause", "weight": 3},
        {"item": "is polite"},
        {"item": "is short", "weight": 0.5},
    ]
    return [row | {"rubric": items[: 1 + place % 3]} for place, row in enumerate(rows_of(count))]


# The slow twin: from a row to its score by the text of the prompts and the answers of the script, without
# anything of the judge. It knows one judge and one row at a time.


def prompt(name: str, **values: str) -> str:
    text = (PROMPTS / f"{name}.txt").read_text("utf-8")
    text = "\n".join(line for line in text.split("\n") if not line.startswith("#!")).strip("\n")
    for place in re.findall(r"\{\{(\w+)\}\}", text):
        assert place in values, place
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)


def said(messages: list[dict[str, str]], schema: dict[str, Any], model: str, tops: int) -> Any:
    """The content of the script's answer, and the body that asked."""
    body: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0.0, "max_tokens": 1024}
    if tops:
        body |= {"logprobs": True, "top_logprobs": tops}
    asked = {"name": "answer", "strict": True, "schema": schema}
    body["response_format"] = {"type": "json_schema", "json_schema": asked}
    raw, _ = reply_to(body, "0" * 32, script, Manner())  # type: ignore[arg-type]
    return json.loads(raw)["choices"][0]["message"]["content"], body


def schema_of(**members: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def twin_ask(
    text: str, schema: dict[str, Any], form: str, parse: Callable[[str], Any], model: str, tops: int
) -> Any:
    """What was read, how often it was asked, and the last body; three times at most."""
    messages = [{"role": "user", "content": text}]
    for turn in range(1, 4):
        content, body = said(messages, schema, model, tops)
        found = parse(content)
        if found is not None:
            return found, turn, body
        again = {"role": "user", "content": prompt("judge_again", form=form)}
        messages = [*messages, {"role": "assistant", "content": content[:2000]}, again]
    return None, 3, body


def mark_of(*texts: str) -> str:
    # No text of these tests holds eight digits of a hash.
    return hashlib.sha256(b"0\0" + "\0".join([*texts, ""]).encode()).hexdigest()[:8]


def twin_score(row: dict[str, Any], scale: int, model: str = MODEL) -> tuple[Any, Any, int]:
    """Score, expected score and how often it was asked."""
    text = prompt(
        "judge_score",
        scale=str(scale),
        rubric=prompt(f"judge_rubric_{scale}"),
        mark=mark_of(row["instruction"], row["response"]),
        question=row["instruction"],
        reference="",
        answer=row["response"],
    )

    def parse(content: str) -> int | None:
        try:
            value = json.loads(content)["score"]
        except (ValueError, TypeError, KeyError):
            found = re.fullmatch(rf"(?:Score: |Rating: \[\[)?(\d+)(?:\]\]|/{scale})?", content)
            value = int(found[1]) if found else None
        return value if value in range(1, scale + 1) else None

    schema = schema_of(
        reason={"type": "string"}, score={"type": "integer", "enum": list(range(1, scale + 1))}
    )
    form = f'{{"reason": "...", "score": N}}, where N is a whole number from 1 to {scale}.'
    found, turns, body = twin_ask(text, schema, form, parse, model, 2 * scale)
    if found is None:
        return None, None, turns
    shares = script._shares(body)
    return found, sum(int(name) * share for name, share in shares.items()) / sum(shares.values()), turns


def twin_pair(row: dict[str, Any], model: str = MODEL) -> tuple[Any, list[str]]:
    """What the first answer is worth, and the winners of both orders by their place in the row."""
    one, two = row["chosen"], row["rejected"]
    orders = []
    for first, second in ((one, two), (two, one)):
        text = prompt(
            "judge_pairwise",
            rubric=prompt("judge_criteria"),
            mark=mark_of(row["prompt"], one, two),
            question=row["prompt"],
            reference="",
            first=first,
            second=second,
        )

        def parse(content: str) -> str | None:
            name = json.loads(content)["winner"] if content.startswith("{") else content.strip("[].")
            return {"A": "A", "B": "B", "tie": "tie", "TIE": "tie"}.get(name)

        schema = schema_of(reason={"type": "string"}, winner={"type": "string", "enum": ["A", "B", "tie"]})
        form = '{"reason": "...", "winner": W}, where W is "A", "B" or "tie".'
        found, _, _ = twin_ask(text, schema, form, parse, model, 10)
        if found is None:
            return None, []
        orders.append(found)
    orders[1] = {"A": "B", "B": "A", "tie": "tie"}[orders[1]]
    if orders[0] != orders[1] or orders[0] == "tie":
        return 0.5, orders
    return (1 if orders[0] == "A" else 0), orders


def twin_list(row: dict[str, Any], model: str = MODEL) -> float | None:
    items = [(one["item"], one.get("weight", 1)) for one in row["rubric"]]
    names = [f"item_{place}" for place in range(1, len(items) + 1)]
    text = prompt(
        "judge_checklist",
        items="\n".join(f"{name}: {item}" for name, (item, _) in zip(names, items, strict=True)),
        mark=mark_of(row["instruction"], row["response"]),
        question=row["instruction"],
        reference="",
        answer=row["response"],
    )

    def parse(content: str) -> dict[str, str] | None:
        try:
            found = json.loads(content)
            return found if all(found[name] in ("yes", "no") for name in names) else None
        except (ValueError, TypeError, KeyError):
            return None

    choice = {"type": "string", "enum": ["yes", "no"]}
    form = '{"reason": "...", ' + ", ".join(f'"{name}": "yes" or "no"' for name in names) + "}."
    schema = schema_of(reason={"type": "string"}, **dict.fromkeys(names, choice))
    found, _, _ = twin_ask(text, schema, form, parse, model, 0)
    if found is None:
        return None
    met = sum(weight for name, (_, weight) in zip(names, items, strict=True) if found[name] == "yes")
    return met / sum(weight for _, weight in items)


# The recipe with the script's answers, without a server in between.


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


# Whole runs.


def test_rows_are_judged_by_a_server_as_the_twin_judges_them_whatever_goes_wrong(tmp_path: Path) -> None:
    rows = rows_of(80)
    with Server("judge", faults=0.2) as shaky:
        one = Endpoint(shaky.base_url, MODEL, timeout_s=0.5)
        result = th.generate.judge(rows, endpoint=one, output=tmp_path / "out", seed=3)
        first = (tmp_path / "out" / "data" / "rows.jsonl").read_bytes()
        asked = sum(shaky.answered().values())
        again = th.generate.judge(
            rows, endpoint=one, output=tmp_path / "out", seed=3, overwrite=True, threads=None
        )
        assert (tmp_path / "out" / "data" / "rows.jsonl").read_bytes() == first
        assert again.report["requests"]["sent"] == 0
        assert sum(shaky.answered().values()) == asked
        assert max(shaky.answered().values()) == 1
    assert [row["id"] for row in result] == [row["id"] for row in rows]
    for row, found in zip(rows, result, strict=True):
        score, expected, _ = twin_score(row, 5)
        assert {name: found[name] for name in row} == row
        assert found["judge_score"] == score
        assert expected is None or found["judge_expected"] == pytest.approx(expected, abs=1e-12)
    found = result.report["config"]["recipe"]["found"]
    assert found["histogram"] == {
        f"{score}": count for score, count in sorted(Counter(row["judge_score"] for row in result).items())
    }


def test_the_order_of_the_input_is_the_order_of_the_output_and_changes_no_score(server: Server) -> None:
    rows = rows_of(30)
    forward = th.generate.judge(rows, endpoint=endpoint(server))
    backward = th.generate.judge(rows[::-1], endpoint=endpoint(server))
    assert [row["id"] for row in forward] == [row["id"] for row in rows]
    assert list(backward) == list(forward)[::-1]


def test_a_threshold_rejects_by_name_and_without_one_nothing_is_left_out(
    server: Server, tmp_path: Path
) -> None:
    # The same answer, again and again: near-duplicates are not the judge's matter.
    rows = [
        *rows_of(40),
        {"id": "none", "instruction": "No answer?"},
        *[row | {"id": "x" + row["id"]} for row in rows_of(5)],
    ]
    whole = th.generate.judge(rows, endpoint=endpoint(server))
    assert len(whole) == len(rows)
    assert whole[40]["judge_problem"] == "no_answer"
    assert whole[40]["judge_score"] is None
    assert whole.report["config"]["recipe"]["found"]["not_scored"] == {"no_answer": 1}
    assert whole.report["accounting"]["removed"] == {}
    kept = th.generate.judge(rows, endpoint=endpoint(server), threshold=3, output=tmp_path / "o.parquet")
    assert [row["id"] for row in kept] == [
        row["id"] for row in whole if row["judge_score"] is not None and row["judge_score"] >= 3
    ]
    below = sum(row["judge_score"] is not None and row["judge_score"] < 3 for row in whole)
    assert kept.rejected == {"judge_below_threshold": below, "judge_no_answer": 1}
    rejected = pq.read_table(tmp_path / "o.parquet.rejected.parquet").to_pylist()
    assert {row["reason"] for row in rejected} == {"judge_below_threshold", "judge_no_answer"}
    assert "judge_score" in json.loads(rejected[0]["row"])
    by_expected = th.generate.judge(rows, endpoint=endpoint(server), threshold=3, by="expected")
    assert {row["id"] for row in by_expected} == {
        row["id"] for row in whole if (row["judge_expected"] or row["judge_score"] or 0) >= 3
    }


UNREADABLE = """
from tests.generate.scripted.answers import Reply, text_of
from tests.generate.scripts import judge


def answer(body):
    if "number 3." in text_of(body) or "number 7." in text_of(body):
        return Reply(content="It is good, I would say.")
    if "number 5." in text_of(body):
        return Reply(refusal="I will not.")
    return Reply(content=str(judge.score(body)))


IGNORES_SCHEMA = 1.0
"""


def test_a_score_that_cannot_be_read_is_asked_again_within_the_limit_and_then_counted(tmp_path: Path) -> None:
    (tmp_path / "mute.py").write_text(UNREADABLE)
    rows = rows_of(10)
    with Server(str(tmp_path / "mute.py")) as mute:
        result = th.generate.judge(rows, endpoint=endpoint(mute), tries=4, output=tmp_path / "out")
        assert sum(mute.answered().values()) == 7 + 2 * 4 + 1
        kept = th.generate.judge(rows, endpoint=endpoint(mute), tries=4, threshold=1)
    assert len(result) == 10
    missing = {row["id"]: row["judge_problem"] for row in result if row["judge_score"] is None}
    assert missing == {"r3": "unreadable", "r5": "refusal", "r7": "unreadable"}
    found = result.report["config"]["recipe"]["found"]
    assert found["not_scored"] == {"refusal": 1, "unreadable": 2}
    assert found["scored"] == 7
    assert kept.rejected == {"judge_unreadable": 3}
    assert len(kept) == 7
    card = (tmp_path / "out" / "README.md").read_text()
    assert "3 of 10 rows have no score (refusal 1, unreadable 2)" in card


def test_a_bias_for_the_first_is_found_and_both_orders_are_asked(tmp_path: Path) -> None:
    rows = pairs_of(60)
    with Server("judge", log_bodies=True) as server:
        result = th.generate.judge(
            rows, endpoint=endpoint(server), method="pairwise", output=tmp_path / "out"
        )
        texts = [
            line["body"]["messages"][0]["content"] for line in server.settled() if line["event"] == "request"
        ]
    for row in rows:
        for first, second in ((row["chosen"], row["rejected"]), (row["rejected"], row["chosen"])):
            assert any(0 < text.find(f"\n{first}\n") < text.find(f"\n{second}\n") for text in texts)
    (one,) = result.report["config"]["recipe"]["found"]["judges"]
    assert one["first_share"] > 0.55
    assert one["first_interval"][0] > 0.5
    assert 0 < one["flip_rate"] < 1
    assert [row["judge_score"] for row in result] == [twin_pair(row)[0] for row in rows]
    assert "prefers the answer shown first" in (tmp_path / "out" / "README.md").read_text()


def test_without_a_bias_none_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "FIRST", 0.0)
    _, judge = judged(pairs_of(80), Pairwise())
    (one,) = judge.found()["judges"]
    assert one["first_interval"][0] <= 0.5 <= one["first_interval"][1]
    assert not any("prefers" in note for note in judge.notes())
    monkeypatch.setattr(script, "FIRST", -0.3)
    _, judge = judged(pairs_of(80), Pairwise())
    assert any("prefers the answer shown second" in note for note in judge.notes())


def test_a_jury_asks_every_endpoint_about_every_row(server: Server) -> None:
    rows = rows_of(20)
    result = th.generate.judge(rows, endpoint=[endpoint(server), endpoint(server, OTHER)])
    for row, found in zip(rows, result, strict=True):
        each = [twin_score(row, 5, model)[0] for model in (MODEL, OTHER)]
        assert [one["score"] for one in found["judge_scores"]] == each
    jury = result.report["config"]["recipe"]["found"]["jury"]
    assert jury["pairs"][0]["rows"] == 20
    assert jury["pairs"][0]["kappa"] > 0.5
    with pytest.raises(ParameterError, match="2 endpoints serve `m-1`"):
        th.generate.judge(rows, endpoint=[endpoint(server), endpoint(server)])


def test_experts_get_a_sheet_and_their_verdicts_set_the_threshold(server: Server, tmp_path: Path) -> None:
    rows = rows_of(60)
    out = tmp_path / "out"
    result = th.generate.judge(rows, endpoint=endpoint(server), output=out, review=40)
    assert len(result) == 60
    by_id = {row["id"]: row["judge_score"] for row in result}
    sheet = tmp_path / "out.review.csv"
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 40
    counts = Counter(by_id[line["id"]] for line in lines)
    assert set(counts) == set(by_id.values())
    assert max(counts.values()) - min(counts.values()) <= 40 - 5 * min(counts.values())
    records = [json.loads(line) for line in (tmp_path / "out.review.jsonl").read_text("utf-8").splitlines()]
    assert [record["id"] for record in records] == [line["id"] for line in lines]
    # An untouched sheet may be made anew, one with verdicts may not.
    th.generate.judge(rows, endpoint=endpoint(server), output=out, review=40, overwrite=True)
    for line in lines:
        line["verdict"] = "accept" if by_id[line["id"]] >= 4 else "reject"
        line["expert_score"] = str(max(1, by_id[line["id"]] - 1))
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    with pytest.raises(ParameterError, match="may hold verdicts of experts"):
        th.generate.judge(rows, endpoint=endpoint(server), output=out, review=40, overwrite=True)
    sieved = th.generate.judge(rows, endpoint=endpoint(server), output=out, verdicts=sheet, overwrite=True)
    assert sheet.exists()
    assert sieved.report["requests"]["sent"] == 0
    assert [row["id"] for row in sieved] == [name for name, score in by_id.items() if score >= 4]
    recipe_ = sieved.report["config"]["recipe"]
    assert recipe_["threshold"] == 4.0
    experts = recipe_["found"]["experts"]
    assert experts["kappa"] == experts["agreement"] == 1.0
    assert experts["scores"]["spearman"] > 0.9
    assert experts["scores"]["spearman_interval"][0] <= experts["scores"]["spearman"]
    assert experts["scores"]["kappa_quadratic"] < 1.0
    card = (out / "README.md").read_text()
    assert "the threshold 4 was chosen among the scores of 40 rows with verdicts" in card
    assert "the experts saw the judge's scores" in card
    # A threshold of one's own stays, and the verdicts only tell how good it is.
    own = th.generate.judge(rows, endpoint=endpoint(server), verdicts=sheet, threshold=0)
    assert len(own) == 60
    assert own.report["config"]["recipe"]["found"]["experts"]["kappa"] in (None, 0.0)


def test_verdicts_that_cannot_set_a_threshold_are_refused(server: Server, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text("id,verdict\n" + "".join(f"r{place},accept\n" for place in range(10)))
    with pytest.raises(
        DataError, match="the verdicts cannot set a threshold: 10 rows with a score are accepted, 0"
    ):
        th.generate.judge(rows_of(10), endpoint=endpoint(server), verdicts=sheet)
    sheet.write_text("id,verdict\nother,accept\n")
    with pytest.raises(DataError, match="none of the 1 verdicts is of a row that is here"):
        th.generate.judge(rows_of(10), endpoint=endpoint(server), verdicts=sheet)
    with pytest.raises(DataError, match="2 rows have the id `r0`"):
        th.generate.judge(rows_of(2) + rows_of(1), endpoint=endpoint(server), verdicts=sheet)


def test_a_judge_of_the_teachers_family_is_told_of(server: Server) -> None:
    made = th.generate.Generated(
        rows_of(3),
        {"config": {"endpoints": [{"identity": "t", "family": "owl"}], "recipe": {"name": "domain"}}},
    )
    result = th.generate.judge(made, endpoint=endpoint(server, family="owl"), student="owl")
    assert result.report["config"]["recipe"]["teachers"] == [{"identity": "t", "family": "owl"}]
    notes = "\n".join(result.report["notes"])
    assert "judge `m-1` and teacher `t` are of one family (owl)" in notes
    assert "judge `m-1` and student of the family owl are of one family (owl)" in notes


def test_what_cannot_be_is_refused_before_anything_is_asked(server: Server, tmp_path: Path) -> None:
    before = len(server.log())

    def refused(message: str, rows: Any = None, **options: Any) -> None:
        with pytest.raises(ParameterError, match=message):
            th.generate.judge(
                rows or rows_of(2), endpoint=options.pop("endpoint", endpoint(server)), **options
            )

    refused("method is `rank`", method="rank")
    refused("scale is `3`", scale=3)
    refused("by is `mean`", by="mean")
    refused("to is `openai`", to="openai")
    refused("a judge is asked in chats", endpoint=endpoint(server, api="completion"))
    refused("review needs an `output`", review=3)
    refused("rubric is given, but method is `checklist`", listed(2), method="checklist", rubric="x")
    refused("there is no prompt `judge_pairwise`", prompts={"judge_pairwise": "x"})
    refused("has a field `judge_score` already", [rows_of(1)[0] | {"judge_score": 1}])
    refused("tries is `0`", tries=0)
    with pytest.raises(TypeError, match="there is no option `treshold`"):
        th.generate.judge(rows_of(1), endpoint=endpoint(server), treshold=3)
    assert len(server.log()) == before


def test_a_second_judge_has_columns_of_its_own(server: Server) -> None:
    first = th.generate.judge(rows_of(3), endpoint=endpoint(server))
    second = th.generate.judge(list(first), endpoint=endpoint(server, OTHER), prefix="other")
    assert all(row["judge_score"] is not None and row["other_score"] is not None for row in second)


def test_a_threshold_that_refuses_nearly_all_goes_through_all_rows(server: Server) -> None:
    result = th.generate.judge(rows_of(700), endpoint=endpoint(server), threshold=6)
    assert len(result) == 0
    assert result.is_complete
    assert sum(result.rejected.values()) == 700


def test_an_own_rubric_and_own_prompts_are_asked_and_named_in_the_report(
    server: Server, tmp_path: Path
) -> None:
    own = tmp_path / "own.txt"
    own.write_text("From 1 to {{scale}} by {{rubric}}: {{question}} {{mark}}\nAnswer:\n{{answer}}\n")
    result = th.generate.judge(
        rows_of(2), endpoint=endpoint(server), rubric="5: short", prompts={"judge_score": str(own)}
    )
    config = result.report["config"]["recipe"]
    assert config["rubric"] == "5: short"
    plain = th.generate.judge(rows_of(2), endpoint=endpoint(server)).report["config"]["recipe"]
    assert config["prompts"]["judge_score"] != plain["prompts"]["judge_score"]


def test_findings_have_no_value_where_there_is_nothing() -> None:
    found = findings.of_rows([], Score(), [MODEL], 0)
    assert (found["rows"], found["mean"], found["histogram"]) == (0, None, {})
    assert findings.of_rows([], Pairwise(), [MODEL], 0)["judges"][0]["flip_rate"] is None
