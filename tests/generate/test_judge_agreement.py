"""Agreement of judges and experts against known values and slow twins: kappa, Spearman, thresholds."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.generate.judging import agreement


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
