"""How far two judges of the same rows agree: Cohen's kappa, Spearman's correlation, intervals, a threshold.

Cohen, "A coefficient of agreement for nominal scales" (1960), and with weights (1968); Spearman (1904) with
the mean rank for equal values. Intervals are percentiles of bootstrap draws over rows (Efron 1979), from a
seed, so they are the same each time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Statistic: TypeAlias = Callable[..., float | None]

DRAWS = 2000
"""Draws of a bootstrap."""
LEVEL = 0.95
"""Share of the draws inside of an interval."""


def kappa(
    first: Sequence[Any] | NDArray[Any],
    second: Sequence[Any] | NDArray[Any],
    *,
    weights: str | None = None,
    categories: Sequence[Any] | None = None,
) -> float | None:
    """Cohen's kappa: agreement beyond what the shares of the categories give by chance.

    Args:
        first: The categories that one judge gave.
        second: Those of the other, row by row.
        weights: None if every disagreement counts the same; `linear` or `quadratic` if one counts by how far
            apart the categories are.
        categories: All categories, in their order. Default: those that occur.

    Returns:
        From -1 to 1; None if chance alone leaves nothing to disagree about, as when both say the same always.

    Example:
        >>> kappa(["yes"] * 25 + ["no"] * 25, ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15)
        0.4
    """
    names = sorted({*first, *second}) if categories is None else list(categories)
    place = {name: number for number, name in enumerate(names)}
    rows = np.array([place[one] for one in first], dtype=np.int64)
    columns = np.array([place[one] for one in second], dtype=np.int64)
    # Counts are whole numbers, so sums are exact, and the quotient is rounded once.
    seen = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(seen, (rows, columns), 1)
    chance = np.outer(seen.sum(axis=1), seen.sum(axis=0))
    distance = np.abs(np.subtract.outer(np.arange(len(names)), np.arange(len(names))))
    if weights is None:
        cost = (distance > 0).astype(np.int64)
    else:
        cost = distance if weights == "linear" else distance**2
    by_chance = int((cost * chance).sum())
    if by_chance == 0:
        return None
    return (by_chance - int((cost * seen).sum()) * len(rows)) / by_chance


def ranks(values: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """The rank of each value, from 1; equal values share the mean of their ranks.

    >>> ranks([10, 30, 20, 30]).tolist()
    [1.0, 3.5, 2.0, 3.5]
    """
    _, inverse, counts = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def spearman(first: Sequence[float] | NDArray[Any], second: Sequence[float] | NDArray[Any]) -> float | None:
    """Spearman's correlation of ranks; None with fewer than two rows, or if all values of one are the same.

    >>> round(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]), 10)
    0.8207826817
    """
    if len(first) < 2:
        return None
    left, right = ranks(first), ranks(second)
    left, right = left - left.mean(), right - right.mean()
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return None if scale == 0 else max(-1.0, min(1.0, float(left @ right) / scale))


def interval(
    statistic: Statistic, *columns: Sequence[Any] | NDArray[Any], seed: int = 0, draws: int | None = None
) -> tuple[float, float] | None:
    """A bootstrap interval of a statistic of rows.

    Args:
        statistic: Of columns of the same length; None where it has no value.
        columns: The columns.
        seed: Of the draws.
        draws: How often rows are drawn. Default: `DRAWS`.

    Returns:
        The bounds that hold 95 % of the draws; None if half of the draws or more have no value.
    """
    arrays = [np.asarray(column) for column in columns]
    count = len(arrays[0])
    if count < 2:
        return None
    draws = DRAWS if draws is None else draws
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        drawn = chance.integers(count, size=count)
        value = statistic(*(array[drawn] for array in arrays))
        if value is not None:
            found.append(value)
    if 2 * len(found) <= draws:
        return None
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that verdicts have set.

    Attributes:
        value: The score from which on a row is kept.
        kappa: Cohen's kappa of keeping by it and the verdicts, on the rows that chose it.
        agreement: Share of these rows on which both say the same.
        left_out: That share where each row is decided by the threshold that the others choose.
    """

    value: float
    kappa: float
    agreement: float
    left_out: float


def threshold_of(scores: Sequence[float], accepted: Sequence[bool]) -> Threshold | None:
    """The score that agrees best with verdicts, by Cohen's kappa.

    Scores that occur are tried. Of several with the same kappa, the one with the larger share of agreement is
    taken; then the lowest, which keeps most.

    Args:
        scores: The score of each row.
        accepted: Whether an expert accepts it.

    Returns:
        None if no score divides the rows better than chance, or all verdicts are the same.
    """
    values, says = np.asarray(scores, dtype=float), np.asarray(accepted, dtype=bool)
    tried = np.unique(values)
    # [t, row]: whether the row is kept from the t-th score on.
    keeps = values[None, :] >= tried[:, None]
    same = keeps == says[None, :]
    best = _best(keeps.sum(axis=1), same.sum(axis=1), int(says.sum()), len(says))
    if best is None:
        return None
    place, found = best
    right = 0
    for out in range(len(says)):
        rest = _best(
            keeps.sum(axis=1) - keeps[:, out],
            same.sum(axis=1) - same[:, out],
            int(says.sum()) - int(says[out]),
            len(says) - 1,
        )
        right += bool(same[place if rest is None else rest[0], out])
    return Threshold(
        value=float(tried[place]),
        kappa=found,
        agreement=int(same[place].sum()) / len(says),
        left_out=right / len(says),
    )


def _best(kept: NDArray[Any], same: NDArray[Any], accepted: int, count: int) -> tuple[int, float] | None:
    """The threshold with the largest kappa, and that; from how many rows each keeps and agrees on."""
    found: list[tuple[float, int, int]] = []
    for place, (n_kept, n_same) in enumerate(zip(kept.tolist(), same.tolist(), strict=True)):
        by_chance = n_kept * accepted + (count - n_kept) * (count - accepted)
        if count * count != by_chance:
            found.append(((count * n_same - by_chance) / (count * count - by_chance), n_same, -place))
    best = max(found, default=None)
    return None if best is None or best[0] <= 0 else (-best[2], best[0])
