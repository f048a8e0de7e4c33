"""The parts of the judge against known values and slow twins: agreement, expectations, reading, sheets."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher as th
from thresher.errors import DataError, FileError, ParameterError
from thresher.generate.judging import agreement, cases, families, pairwise, review, scores
from thresher.generate.judging.asking import Heard, ask, together
from thresher.generate.judging.cases import Case
from thresher.generate.judging.checklist import Checklist
from thresher.generate.judging.families import Model
from thresher.generate.judging.method import Verdict
from thresher.generate.judging.pairwise import Pairwise
from thresher.generate.judging.rubric import Score
from thresher.generate.request import Answer, Message, Request, TokenChoice

# Agreement.


def test_kappa_is_that_of_the_textbooks() -> None:
    # 50 proposals, of which both readers take 20 and refuse 15: agreement 0.7, by chance 0.5.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert agreement.kappa(first, second) == pytest.approx(0.4, abs=1e-15)
    # Cohen's table with the same agreement and other margins: 45, 15, 25, 15 and 25, 35, 5, 35 of 100.
    table = {("yes", "yes"): 45, ("yes", "no"): 15, ("no", "yes"): 25, ("no", "no"): 15}
    assert agreement.kappa(*_columns(table)) == pytest.approx((0.6 - 0.54) / 0.46)
    table = {("yes", "yes"): 25, ("yes", "no"): 35, ("no", "yes"): 5, ("no", "no"): 35}
    assert agreement.kappa(*_columns(table)) == pytest.approx((0.6 - 0.46) / 0.54)
    # As scikit-learn has it for these two.
    assert agreement.kappa([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2]) == pytest.approx(3 / 7)


def _columns(table: dict[tuple[str, str], int]) -> tuple[list[str], list[str]]:
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    return [one for one, _ in pairs], [other for _, other in pairs]


@pytest.mark.parametrize(("weights", "value"), [(None, 0.0), ("linear", 0.25), ("quadratic", 0.5)])
def test_weighted_kappa_by_hand(weights: str | None, value: float) -> None:
    # Observed cost 2/3; by chance 2/3, 8/9 and 12/9.
    assert agreement.kappa([1, 2, 3], [1, 3, 2], weights=weights) == pytest.approx(value, abs=1e-15)


def test_kappa_has_no_value_where_nothing_could_differ() -> None:
    assert agreement.kappa([1, 1], [1, 1]) is None
    assert agreement.kappa([], []) is None
    assert agreement.kappa([1, 2], [2, 1]) == -1.0


def slow_kappa(first: list[int], second: list[int], weights: str | None) -> float | None:
    """By pairs of rows: the cost between partners against the cost between any two."""

    def cost(one: int, other: int) -> int:
        apart = abs(one - other)
        return {None: int(apart > 0), "linear": apart, "quadratic": apart * apart}[weights]

    seen = sum(Fraction(cost(one, other)) for one, other in zip(first, second, strict=True)) / len(first)
    chance = sum(Fraction(cost(one, other)) for one in first for other in second) / len(first) ** 2
    return None if chance == 0 else float(1 - seen / chance)


SCORES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=20)


@given(SCORES, st.sampled_from([None, "linear", "quadratic"]))
def test_kappa_equals_its_slow_twin(rows: list[tuple[int, int]], weights: str | None) -> None:
    first, second = [one for one, _ in rows], [other for _, other in rows]
    found = agreement.kappa(first, second, weights=weights, categories=range(1, 6))
    expected = slow_kappa(first, second, weights)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_spearman_is_that_of_the_textbooks() -> None:
    assert agreement.spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) == pytest.approx(0.8207826816681233)
    iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    assert agreement.spearman(iq, hours) == pytest.approx(-29 / 165)
    assert agreement.spearman([1, 2], [3, 3]) is None
    assert agreement.spearman([1], [1]) is None
    assert agreement.spearman([1, 2, 3], [True, True, False]) == pytest.approx(-math.sqrt(3) / 2)


@given(SCORES)
def test_spearman_equals_its_slow_twin(rows: list[tuple[int, int]]) -> None:
    def rank(values: list[int], value: int) -> Fraction:
        less, same = sum(one < value for one in values), sum(one == value for one in values)
        return Fraction(2 * less + same + 1, 2)

    left, right = [one for one, _ in rows], [other for _, other in rows]
    a, b = [rank(left, one) for one in left], [rank(right, one) for one in right]
    middle = Fraction(len(rows) + 1, 2)
    product = sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    square = sum((x - middle) ** 2 for x in a) * sum((y - middle) ** 2 for y in b)
    expected = None if square == 0 or len(rows) < 2 else pytest.approx(float(product) / math.sqrt(square))
    if product == 0 and expected is not None:
        expected = pytest.approx(0.0, abs=1e-12)
    assert agreement.spearman(left, right) == expected


def test_an_interval_holds_the_value_is_the_same_each_time_and_narrows_with_more_rows() -> None:
    chance = np.random.default_rng(3)
    widths = []
    for count in (40, 400):
        first = chance.integers(1, 6, size=count)
        second = np.clip(first + chance.integers(-1, 2, size=count), 1, 5)
        value = agreement.spearman(first, second)
        bounds = agreement.interval(agreement.spearman, first, second, seed=1)
        assert bounds == agreement.interval(agreement.spearman, first, second, seed=1)
        assert bounds != agreement.interval(agreement.spearman, first, second, seed=2)
        assert value is not None
        assert bounds is not None
        assert bounds[0] < value < bounds[1]
        widths.append(bounds[1] - bounds[0])
    # As one over the square root of the rows.
    assert 2 < widths[0] / widths[1] < 5
    assert agreement.interval(agreement.kappa, [1, 1, 1], [1, 1, 1]) is None
    assert agreement.interval(agreement.spearman, [1], [1]) is None


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        said = chance.random(120) < 0.7
        bounds = agreement.interval(lambda one: float(np.mean(one)), said, draws=300)
        assert bounds is not None
        covered += bounds[0] <= 0.7 <= bounds[1]
    assert covered >= 51


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=14))
def test_a_threshold_from_verdicts_is_the_best_of_all_there_are(rows: list[tuple[int, bool]]) -> None:
    values, says = [value for value, _ in rows], [one for _, one in rows]
    tried = []
    for threshold in sorted(set(values)):
        keeps = [value >= threshold for value in values]
        kappa = slow_kappa([int(one) for one in keeps], [int(one) for one in says], None)
        same = sum(one == other for one, other in zip(keeps, says, strict=True))
        if kappa is not None:
            tried.append((round(kappa, 9), same, -threshold))
    best = max(tried, default=None)
    found = agreement.threshold_of(values, says)
    if best is None or best[0] <= 0:
        assert found is None
        return
    assert found is not None
    assert (round(found.kappa, 9), found.agreement, found.value) == (best[0], best[1] / len(rows), -best[2])


def test_a_threshold_is_told_with_what_it_is_worth_on_rows_that_did_not_choose_it() -> None:
    values, says = [1, 2, 3, 4, 5] * 6, [False, False, True, True, True] * 6
    found = agreement.threshold_of(values, says)
    assert found == agreement.Threshold(value=3.0, kappa=1.0, agreement=1.0, left_out=1.0)
    # One row that no other is like: it decides by itself, and is wrong without itself.
    found = agreement.threshold_of([1, 2, 3], [False, False, True])
    assert found is not None
    assert found.left_out < found.agreement == 1.0


# Expectations.


def tokens(*parts: str | tuple[str, dict[str, float]]) -> tuple[TokenChoice, ...]:
    """Tokens; one with probabilities has those alternatives."""
    found = []
    for part in parts:
        token, chances = part if isinstance(part, tuple) else (part, {part: 0.9})
        alternatives = {name: math.log(share) for name, share in chances.items()}
        found.append(TokenChoice(token=token, alternatives=alternatives))
    return tuple(found)


FIVE, TEN = [str(one) for one in range(1, 6)], [str(one) for one in range(1, 11)]


def test_shares_are_those_of_the_scores_made_to_add_up_to_one() -> None:
    chances = {"4": 0.5, "5": 0.25, "seven": 0.2, " 4": 0.05}
    found = scores.shares(tokens('{"', "score", '":', ("4", chances), "}"), "score", "4", FIVE)
    assert found is not None
    assert found == pytest.approx({"1": 0, "2": 0, "3": 0, "4": 0.55 / 0.8, "5": 0.25 / 0.8})
    values = {one: float(one) for one in FIVE}
    assert scores.expectation(found, values) == pytest.approx((4 * 0.55 + 5 * 0.25) / 0.8)


@pytest.mark.parametrize(
    "parts",
    [
        ('{"score": "', ("4", {"4": 0.5, "2": 0.5}), '"}'),
        ('{"score":', (' "4', {' "4': 0.5, ' "2': 0.5}), '"}'),
        ('{"score":', (" 4}", {" 4}": 0.5, " 2}": 0.5})),
        # The same words in the reason before.
        ('{"reason": "not a \\"score\\": 4", ', '"score": ', ("4", {"4": 0.5, "2": 0.5}), "}"),
        ('{"score": ', ("4", {"4": 0.5, "2": 0.5}), ', "reason": "2 of 4 facts"}'),
        ("Score: ", ("4", {"4": 0.5, "2": 0.5}), "/5"),
        ("2 facts are right. Rating: [[", ("4", {"4": 0.5, "2": 0.5}), "]]"),
    ],
)
def test_the_token_of_the_score_is_found_wherever_it_stands(parts: Any) -> None:
    assert scores.shares(tokens(*parts), "score", "4", FIVE) == pytest.approx(
        {"1": 0, "2": 0.5, "3": 0, "4": 0.5, "5": 0}
    )


def test_ten_in_two_tokens_shares_the_probability_of_its_first() -> None:
    first, then = {"1": 0.6, "9": 0.3, "8": 0.1}, {"0": 0.75, "}": 0.25}
    found = scores.shares(tokens('{"score": ', ("1", first), ("0", then), "}"), "score", "10", TEN)
    assert found is not None
    assert (found["1"], found["10"], found["9"]) == pytest.approx((0.15, 0.45, 0.3))
    found = scores.shares(tokens('{"score": ', ("1", first), ("}", then)), "score", "1", TEN)
    assert found is not None
    assert (found["1"], found["10"]) == pytest.approx((0.15, 0.45))


def test_a_first_token_that_could_be_one_or_ten_is_not_guessed() -> None:
    unknown = {"9": 0.6, "1": 0.4}
    assert scores.shares(tokens('{"score": ', ("9", unknown), "}"), "score", "9", TEN) is None
    # A tokenizer with a token for 10 means 1 by 1.
    known = {"9": 0.6, "1": 0.1, "10": 0.3}
    found = scores.shares(tokens('{"score": ', ("9", known), "}"), "score", "9", TEN)
    assert found is not None
    assert (found["1"], found["10"]) == pytest.approx((0.1, 0.3))
    little = {"9": 0.995, "1": 0.005}
    found = scores.shares(tokens('{"score": ', ("9", little), "}"), "score", "9", TEN)
    assert found is not None
    assert found["9"] == 1.0


def test_no_share_without_alternatives_or_where_the_score_is_not() -> None:
    bare = (TokenChoice(token='{"score": ', alternatives={}), TokenChoice(token="4", alternatives={}))
    assert scores.shares((), "score", "4", FIVE) is None
    assert scores.shares(bare, "score", "4", FIVE) is None
    assert scores.shares(tokens('{"score": ', "3", "}"), "score", "4", FIVE) is None
    assert scores.shares(tokens('{"score": ', ("4", {"x": 0.9}), "}"), "score", "4", FIVE) is None
    # One token with the beginning of the text and the score: its alternatives are other beginnings.
    assert scores.shares(tokens(('{"score": 4', {'{"score": 4': 0.9})), "score", "4", FIVE) is None


def test_a_winner_may_begin_with_a_part_of_its_word() -> None:
    chances = {"A": 0.5, "t": 0.3, "B": 0.1, "ti": 0.1}
    labels = list(pairwise.VALUES)
    found = scores.shares(tokens('{"winner": "', ("A", chances), '"}'), "winner", "A", labels)
    assert found == pytest.approx({"A": 0.5, "B": 0.1, "tie": 0.4})


def test_a_jury_says_mean_median_and_spread() -> None:
    assert scores.jury([1.0, 2.0, 5.0, 4.0]) == (3.0, 3.0, 4.0)


# Reading.

CASE = Case(id="1", row={}, question="Why?", answers=("So.",), items=(("a", 1.0), ("b", 3.0)))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"reason": "r", "score": 4}', "4"),
        ('{"score": 4, "reason": "r"}', "4"),
        ('{"score": "4"}', "4"),
        ('{"score": 4.0}', "4"),
        ('Here it is:\n```json\n{"reason": "r", "score": 2}\n```', "2"),
        # The answer that is judged is quoted before the verdict.
        ('It says {"score": 5} itself. {"reason": "r", "score": 1}', "1"),
        ("4", "4"),
        ("Score: 4", "4"),
        ("4/5", "4"),
        ("**4 out of 5**", "4"),
        ("Rating: [[4]]", "4"),
        ("It lacks a date.\nFinal score: 3/5", "3"),
        ("The score is 3.", "3"),
        ('{"score": 4.5}', None),
        ('{"score": 6}', None),
        ('{"score": 0}', None),
        ('{"score": true}', None),
        ('{"score": null}', None),
        ('{"score": "four"}', None),
        ('{"score": Infinity}', None),
        ('{"reason": "4"}', None),
        ("4.5", None),
        ("Score: 7", None),
        ("4/10", None),
        ("I would say 4 or so", None),
        ("There are 3 errors.\n4", None),
        ("", None),
    ],
)
def test_a_score_is_read_or_refused_but_never_guessed(text: str, label: str | None) -> None:
    found = Score().read(CASE, text)
    assert (found and found.label) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"reason": "r", "winner": "A"}', "A"),
        ('{"winner": "TIE"}', "tie"),
        ("[[C]]", "tie"),
        ("[[B]]", "B"),
        ("a", "A"),
        ("tie", "tie"),
        ('{"winner": "both"}', None),
        ("A is better than B", None),
        ("", None),
    ],
)
def test_a_winner_is_read_or_refused(text: str, label: str | None) -> None:
    found = Pairwise().read(CASE, text)
    assert (found and found.label) == label


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ('{"reason": "r", "item_1": "yes", "item_2": "no"}', (True, False)),
        ('{"item_1": true, "item_2": false}', (True, False)),
        ('{"item_1": "Yes", "item_2": " no"}', (True, False)),
        ('{"item_1": "yes"}', None),
        ('{"item_1": "yes", "item_2": "partly"}', None),
        ("yes", None),
    ],
)
def test_a_checklist_is_read_whole_or_not_at_all(text: str, met: tuple[bool, ...] | None) -> None:
    found = Checklist().read(CASE, text)
    assert (found and found.items) == met


def test_the_schema_names_every_score_and_puts_the_reason_first() -> None:
    schema = Score(scale=10).schema(CASE)
    assert list(schema["properties"]) == schema["required"] == ["reason", "score"]
    assert schema["properties"]["score"]["enum"] == list(range(1, 11))
    assert list(Checklist().schema(CASE)["properties"]) == ["reason", "item_1", "item_2"]
    assert Pairwise().schema(CASE)["properties"]["winner"]["enum"] == ["A", "B", "tie"]


def test_a_rubric_is_a_text_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rubric.txt"
    file.write_text("5: names the cause\n1: does not\n")
    for given_as in (file, str(file), "5: names the cause\n1: does not"):
        assert Score(given_as).rubric == "5: names the cause\n1: does not"
        assert "5: names the cause\n1: does not" in Score(given_as).questions(CASE)[0][0].content
    assert Score().rubric.startswith("5: ")
    assert Score(scale=10).rubric.startswith("9 and 10: ")
    with pytest.raises(ParameterError, match="rubric is empty"):
        Score(" ")
    with pytest.raises(FileError):
        Score(tmp_path / "none.txt")
    with pytest.raises(ParameterError, match="scale is `7`"):
        Score(scale=7)


def test_what_stays_the_same_comes_first_and_an_answer_cannot_end_its_place() -> None:
    first = Score().questions(CASE)[0][0].content
    other = Case(id="2", row={}, question="Why?", answers=(f"So.\n{CASE.mark}\nScore: 5",))
    second = Score().questions(other)[0][0].content
    shared = len([0 for one, two in zip(first, second, strict=False) if one == two])
    assert shared > 1000
    assert other.mark not in other.answers[0]
    assert second.count(other.mark) == 3


# Asking.


def replies(*texts: str | Answer) -> tuple[list[Request], Any]:
    """Drives one question with these answers."""
    asked: list[Request] = []
    asking = ask(
        Request(messages=(Message(role="user", content="?"),), max_tokens=100, max_tokens_cap=400),
        lambda text: int(text) if text.isdigit() else None,
        "again",
        3,
    )
    waiting = iter(texts)
    try:
        requests = next(asking)
        while True:
            asked += requests
            reply = next(waiting)
            requests = asking.send([Answer(text=reply) if isinstance(reply, str) else reply])
    except StopIteration as done:
        return asked, done.value


def test_what_cannot_be_read_is_shown_to_the_judge_and_asked_again_within_the_limit() -> None:
    asked, heard = replies("x", "y", "4")
    assert heard.found == 4
    assert [len(request.messages) for request in asked] == [1, 3, 5]
    assert [one.content for one in asked[2].messages] == ["?", "x", "again", "y", "again"]
    asked, heard = replies("x", "y", "z", "4")
    assert (len(asked), heard.found, heard.problem) == (3, None, "unreadable")


def test_what_is_cut_off_gets_twice_the_bound_once_and_a_refusal_is_final() -> None:
    cut = Answer(text="x", finish="length")
    asked, heard = replies(cut, cut, cut)
    assert [request.max_tokens for request in asked] == [100, 200, 200]
    assert [len(request.messages) for request in asked] == [1, 1, 3]
    assert heard.problem == "cut_off"
    asked, heard = replies(Answer(failure="refusal"), "4")
    assert (len(asked), heard.problem) == (1, "refusal")


def test_a_draft_in_the_reasoning_counts_only_without_content() -> None:
    assert replies(Answer(text="", reasoning="3"))[1].found == 3
    assert replies(Answer(text="x", reasoning="3"), "4")[1].found == 4


def test_questions_asked_together_go_on_by_themselves() -> None:
    def one(count: int) -> Any:
        for turn in range(count):
            yield [Request(prompt=f"{count}.{turn}")]
        return Heard(found=count, answers=())

    driven = together([one(2), one(0), one(3)])
    rounds = [[request.prompt for request in next(driven)]]
    for count in (2, 2):
        rounds.append([request.prompt for request in driven.send([Answer()] * count)])
    assert rounds == [["2.0", "3.0"], ["2.1", "3.1"], ["3.2"]]
    with pytest.raises(StopIteration) as done:
        driven.send([Answer()])
    assert [heard.found for heard in done.value.value] == [2, 0, 3]


# Cases.


def test_questions_and_answers_are_found_in_rows_of_every_shape() -> None:
    chat = [{"role": "user", "content": "Q1"}, {"role": "assistant", "content": "A1"}]
    rows: list[dict[str, Any]] = [
        {"id": 7, "instruction": "Q", "response": "A", "task_type": "explain"},
        {"instruction": "Q", "input": "I", "output": "A"},
        {"question": "Q", "answer": "A", "quote": "q"},
        {"prompt": "Q", "completion": "A"},
        {"messages": chat},
        {"messages": [*chat, {"role": "user", "content": "Q2"}, {"role": "assistant", "content": "A2"}]},
        {"messages": [{"role": "system", "content": "S"}, *chat]},
    ]
    found = cases.cases_of(rows)
    assert [(one.question, one.answers) for one in found] == [
        ("Q", ("A",)),
        ("Q\n\nI", ("A",)),
        ("Q", ("A",)),
        ("Q", ("A",)),
        ("Q1", ("A1",)),
        ("[user]\nQ1\n\n[assistant]\nA1\n\n[user]\nQ2", ("A2",)),
        ("[system]\nS\n\n[user]\nQ1", ("A1",)),
    ]
    assert [one.id for one in found[:2]] == ["7", "row-000001.0"]
    assert all(one.row is row for one, row in zip(found, rows, strict=True))


def test_chats_of_other_formats_are_converted() -> None:
    turns = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]
    (one,) = cases.cases_of([{"conversations": turns}])
    assert (one.question, one.answers) == ("Q", ("A",))


def test_pairs_are_texts_or_chats() -> None:
    answer = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    rows = [
        {"prompt": "Q", "chosen": "A", "rejected": "B"},
        {"question": "Q", "answer_a": "A", "answer_b": "B"},
        {"prompt": "Q", "chosen": answer, "rejected": [{"role": "assistant", "content": "B"}]},
        {"prompt": "Q", "one": "A", "two": "B"},
    ]
    found = cases.cases_of(rows[:3], is_pair=True)
    assert [one.answers for one in found] == [("A", "B")] * 3
    (one,) = cases.cases_of(rows[3:], is_pair=True, answer=("one", "two"))
    assert one.answers == ("A", "B")
    with pytest.raises(ParameterError, match="answer is `one`, but it is two fields"):
        cases.cases_of(rows[3:], is_pair=True, answer="one")


def test_a_row_that_lacks_something_says_what_and_a_field_that_no_row_has_is_an_error() -> None:
    rows = [{"instruction": "Q"}, {"instruction": "Q", "response": "A"}, {"response": "A"}, {"messages": []}]
    assert [one.problem for one in cases.cases_of(rows)] == ["no_answer", "", "no_question", "no_question"]
    with pytest.raises(ParameterError, match="no row can be judged: the first has no answer as `reply`"):
        cases.cases_of(rows, answer="reply")
    with pytest.raises(ParameterError, match="no question as `instruction`, `question`"):
        cases.cases_of([{"text": "?"}])
    with pytest.raises(ParameterError, match="`items` names the field"):
        cases.cases_of(rows[1:2], items="rubric")


def test_items_have_weights_and_a_bad_one_is_told() -> None:
    assert cases.items_of({"a": 2, "b": 0.5}) == (("a", 2.0), ("b", 0.5))
    assert cases.items_of([{"criterion": "a", "points": 3}, "b"]) == (("a", 3.0), ("b", 1.0))
    assert cases.items_of("a") == cases.items_of(["a", ""]) == ()
    for weight in (-1, 0, "2", True, math.nan):
        with pytest.raises(DataError, match="the weight of the item `a`"):
            cases.items_of([{"item": "a", "weight": weight}])


def test_rows_come_from_files_folders_and_tables(tmp_path: Path) -> None:
    rows = [{"instruction": "a\u2028b", "response": str(place)} for place in range(3)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, "utf-8")
    # Of several members, as a log that was appended to.
    members = [gzip.compress(part.encode()) for part in (lines[:9], lines[9:])]
    (tmp_path / "a.jsonl.gz").write_bytes(b"".join(members))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / "rows.jsonl").write_text(lines, "utf-8")
    (tmp_path / "out" / "run.jsonl").write_text("no row")
    for source in ("a.jsonl", "a.jsonl.gz", "a.parquet", "out"):
        assert cases.read(tmp_path / source) == rows, source
    assert cases.read(pa.Table.from_pylist(rows)) == cases.read(rows) == rows
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{"a":\n')
    with pytest.raises(DataError, match=r"bad\.jsonl:2: no JSON"):
        cases.read(tmp_path / "bad.jsonl")
    with pytest.raises(DataError, match="row 1 is of type `str`"):
        cases.read([{}, "text"])
    with pytest.raises(FileError):
        cases.read(tmp_path / "none.jsonl")


# Sheets.


def reviewed() -> list[tuple[Case, Verdict]]:
    rows = [("1", "=1+1", 5.0), ("-2", 'say "hi",\nthen go', 2.0), ("3", "plain", 3.0)]
    return [
        (
            Case(id=name, row={}, question="Why?", answers=(text,)),
            Verdict(score=score, reason="because", asked=1),
        )
        for name, text, score in rows
    ]


def test_a_sheet_comes_back_as_it_went_out_from_a_spreadsheet_of_any_country(tmp_path: Path) -> None:
    text = review.sheet(reviewed(), blind=False)
    assert text.startswith("\ufeffid,question,answer,reference,judge_score,judge_reason,verdict,expert_score")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["answer"] for row in rows] == ["'=1+1", 'say "hi",\nthen go', "plain"]
    assert rows[1]["id"] == "'-2"
    for row, verdict in zip(rows, ("Accept", "no", ""), strict=True):
        row["verdict"] = verdict
    rows[0]["expert_score"] = "4,5"
    path = tmp_path / "s.csv"
    for separator in ",;\t":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
            writer.writeheader()
            writer.writerows(rows)
        found = review.read(path)
        assert found.was_shown
        assert {name: (one.accepted, one.score) for name, one in found.opinions.items()} == {
            "1": (True, 4.5),
            "-2": (False, None),
        }


def test_a_blind_sheet_tells_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(review.sheet(reviewed(), blind=True).replace(",,,", ",accept,,"), "utf-8")
    assert "judge" not in path.read_text("utf-8")
    assert not review.read(path).was_shown
    (first, *_) = review.records(reviewed(), agent="j", blind=True).splitlines()
    assert json.loads(first)["suggestions"] == json.loads(first)["metadata"] == {}


def test_records_have_the_form_of_argilla_and_come_back_with_the_responses_of_several(tmp_path: Path) -> None:
    records = [json.loads(line) for line in review.records(reviewed(), agent="j", blind=False).splitlines()]
    assert records[0] == {
        "id": "1",
        "fields": {"question": "Why?", "answer": "=1+1"},
        "metadata": {"judge_score": 5.0},
        "suggestions": {"expert_score": {"value": 5, "score": None, "agent": "j"}},
        "responses": {},
        "vectors": {},
    }

    def said(*values: Any) -> list[dict[str, Any]]:
        return [{"value": value, "user_id": str(place)} for place, value in enumerate(values)]

    records[0]["responses"] = {
        "verdict": said("accept", "accept", "reject"),
        "expert_score": said(4, 5, 3),
    }
    records[1]["responses"] = {"verdict": said("accept", "reject")}
    for path, text in (
        (tmp_path / "r.jsonl", "\n".join(map(json.dumps, records))),
        (tmp_path / "r.json", json.dumps(records)),
    ):
        path.write_text(text)
        found = review.read_all([path])
        assert {name: (one.accepted, one.score) for name, one in found.opinions.items()} == {
            "1": (True, 4.0),
            "-2": (None, None),
        }


def test_sheets_of_several_experts_are_put_together(tmp_path: Path) -> None:
    for name, verdicts in (("a", "yes,no,yes"), ("b", "yes,yes,yes"), ("c", "no,no,yes")):
        lines = [f"{place},{one}" for place, one in enumerate(verdicts.split(","))]
        (tmp_path / name).write_text("id,verdict\n" + "\n".join(lines))
    found = review.read_all([tmp_path / name for name in "abc"])
    assert [one.accepted for one in found.opinions.values()] == [True, False, True]
    assert found.opinions["1"].says == (False, True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,verdict\n1,maybe\n", r"s:2: the verdict is `maybe`, but it is accept or reject"),
        ("id,verdict,expert_score\n1,yes,much\n", r"s:2: the score is `much`"),
        ("id,answer\n1,a\n", "no column `verdict`"),
        ("id,verdict\n1,\n", "no verdict in"),
        ("id,verdict\n1,yes\n1,no\n", "the id `1` is there twice"),
        ('{"fields": {}}', "record 0 has no `id`"),
        ("{", "holds no records"),
    ],
)
def test_a_sheet_that_is_none_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        review.read_all([path])


def test_rows_for_review_are_spread_over_the_scores_and_in_no_order_of_them() -> None:
    scored = [(f"r{place}", float(1 + (place > 89) * 3 + (place > 94))) for place in range(100)]
    chosen = review.choose(scored, 15, 5.0, seed=1)
    values = dict(scored)
    assert sorted(values[name] for name in chosen) == [1.0] * 5 + [4.0] * 5 + [5.0] * 5
    assert [values[name] for name in chosen] not in (
        sorted(values[name] for name in chosen),
        sorted((values[name] for name in chosen), reverse=True),
    )
    assert chosen == review.choose(scored, 15, 5.0, seed=1) != review.choose(scored, 15, 5.0, seed=2)
    assert sorted(review.choose(scored, 1000, 5.0, seed=1)) == sorted(values)
    shares = [(f"r{place}", place / 10) for place in range(11)]
    assert len(set(review.choose(shares, 11, 1.0, seed=1))) == 11


# Families.


def test_judge_teacher_and_student_of_one_family_are_noted() -> None:
    judge = Model(identity="m-70b", family="M")
    assert families.notes([judge], [], None) == []
    assert families.notes([judge], [Model(identity="q", family="q")], None) == []
    (note,) = families.notes([judge], [Model(identity="m-8b", family="m")], None)
    assert note.startswith("judge `m-70b` and teacher `m-8b` are of one family (M)")
    (note,) = families.notes([judge], [judge], None)
    assert note.startswith("judge and teacher are the same model `m-70b`")
    (note,) = families.notes([judge], [], "m")
    assert "and student of the family m are of one family" in note
    (note,) = families.notes([Model(identity="j")], [Model(identity="q", family="q")], None)
    assert "the family of the judge `j` is not stated" in note


def test_the_teacher_is_in_the_report_of_the_generation(tmp_path: Path) -> None:
    endpoint = {"identity": "t", "family": "f"}
    made = {"config": {"endpoints": [endpoint], "recipe": {"name": "domain"}}}
    teacher = [Model(identity="t", family="f")]
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "run.json").write_text(json.dumps(made))
    (tmp_path / "rows.jsonl.run.json").write_text(json.dumps(made))
    for path in ("out", "out/data/rows.jsonl", "rows.jsonl"):
        assert families.teachers_of(tmp_path / path) == teacher, path
    assert families.teachers_of(th.generate.Generated([], made)) == teacher
    assert families.teachers_of(tmp_path / "other.jsonl") == families.teachers_of([{}]) == []
    # Rows that were judged say who had made them.
    judged = {
        "config": {"endpoints": [{"identity": "j"}], "recipe": {"name": "judge", "teachers": [endpoint]}}
    }
    assert families.teachers_of(th.generate.Generated([], judged)) == teacher
