"""What a run of a judge has found: how rows were scored, who disagrees with whom, and what experts say."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

from thresher.generate.judging import agreement, pairwise, scores
from thresher.generate.judging.pairwise import Pairwise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thresher.generate.judging.cases import Case
    from thresher.generate.judging.method import Method, Verdict
    from thresher.generate.judging.review import Verdicts

BIAS_PAIRS = 20
"""Decided pairs from which on a bias for a position is noted."""
FEW_VERDICTS = 30
"""Verdicts below which a threshold from them is noted as uncertain."""


def of_rows(
    judged: Sequence[tuple[Case, Verdict, Sequence[Verdict]]],
    method: Method,
    judges: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """What was found.

    Args:
        judged: Each row with the verdict of all judges together, and those of each.
        method: How it was judged.
        judges: The names of the judges.
        seed: Of the intervals.
    """
    scored = [(case, verdict) for case, verdict, _ in judged if verdict.score is not None]
    values = [float(verdict.score or 0.0) for _, verdict in scored]
    lengths = [sum(len(answer) for answer in case.answers) for case, _ in scored]
    found: dict[str, Any] = {
        "rows": len(judged),
        "scored": len(scored),
        "not_scored": _counted(verdict.problem for _, verdict, _ in judged if verdict.score is None),
        "asked": sum(verdict.asked for _, verdict, _ in judged),
        "mean": scores.mean(values) if values else None,
        "histogram": {f"{value:g}": count for value, count in sorted(Counter(values).items())},
        "expected": sum(verdict.expected is not None for _, verdict in scored),
    }
    if not isinstance(method, Pairwise):
        # Near 1: longer answers have better scores, whether they are better or not.
        found["spearman_with_length"] = agreement.spearman(values, lengths) if values else None
    found["judges"] = [
        _of_judge(name, [each[place] for _, _, each in judged if each], method, seed)
        for place, name in enumerate(judges)
    ]
    if len(judges) > 1:
        found["jury"] = _of_jury(judged, method, judges)
    return found


def _of_judge(name: str, verdicts: Sequence[Verdict], method: Method, seed: int) -> dict[str, Any]:
    values = [one.score for one in verdicts if one.score is not None]
    found: dict[str, Any] = {
        "judge": name,
        "scored": len(values),
        "not_scored": _counted(one.problem for one in verdicts if one.score is None),
        "mean": scores.mean(values) if values else None,
    }
    if isinstance(method, Pairwise):
        found |= pairwise.bias([one.orders for one in verdicts if one.orders], seed)
    return found


def _of_jury(
    judged: Sequence[tuple[Case, Verdict, Sequence[Verdict]]], method: Method, judges: Sequence[str]
) -> dict[str, Any]:
    """How far the judges are apart, and how well each two agree."""
    apart = []
    for _, _, each in judged:
        values = [one.score for one in each if one.score is not None]
        if len(values) > 1:
            apart.append(max(values) - min(values))
    pairs = []
    for left, right in itertools.combinations(range(len(judges)), 2):
        both = [
            (each[left].score, each[right].score)
            for _, _, each in judged
            if each and each[left].score is not None and each[right].score is not None
        ]
        first, second = [one for one, _ in both], [other for _, other in both]
        pairs.append(
            {
                "judges": [judges[left], judges[right]],
                "rows": len(both),
                "kappa": _kappa(first, second, method) if both else None,
                "spearman": agreement.spearman(first, second) if both else None,  # type: ignore[arg-type]
            }
        )
    return {"spread": scores.mean(apart) if apart else None, "pairs": pairs}


def _kappa(first: Sequence[Any], second: Sequence[Any], method: Method) -> float | None:
    """Kappa with quadratic weights over the scores that there are; of a checklist, there are too many."""
    categories = sorted(set(method.labels.values()))
    if not categories:
        return None
    return agreement.kappa(first, second, weights="quadratic", categories=categories)


def with_experts(
    values: Mapping[str, float | None],
    verdicts: Verdicts,
    threshold: float | None,
    method: Method,
    seed: int,
) -> dict[str, Any]:
    """How well scores agree with experts, with intervals of 95 %.

    Args:
        values: The score of each row that was judged, by its id.
        verdicts: What the experts say.
        threshold: From which score on a row is kept.
        method: How it was judged.
        seed: Of the intervals.
    """
    opinions = [one for name, one in verdicts.opinions.items() if values.get(name) is not None]
    says = [(values[one.id], one.accepted) for one in opinions if one.accepted is not None]
    rated = [(values[one.id], one.score) for one in opinions if one.score is not None]
    found: dict[str, Any] = {
        "verdicts": len(verdicts.opinions),
        "unknown_ids": sum(name not in values for name in verdicts.opinions),
        "without_a_score": sum(name in values and values[name] is None for name in verdicts.opinions),
        "undecided": sum(one.accepted is None and bool(one.says) for one in opinions),
        "accepted": sum(bool(accepted) for _, accepted in says),
        "rejected": sum(not accepted for _, accepted in says),
        "experts_saw_scores": verdicts.was_shown,
    }
    if says:
        scored = [float(value or 0.0) for value, _ in says]
        accepted = [bool(one) for _, one in says]
        found["spearman"] = agreement.spearman(scored, accepted)
        found["spearman_interval"] = agreement.interval(agreement.spearman, scored, accepted, seed=seed)
        if threshold is not None:
            kept = [value >= threshold for value in scored]
            found["agreement"] = sum(one == other for one, other in zip(kept, accepted, strict=True)) / len(
                kept
            )
            found["kappa"] = agreement.kappa(kept, accepted)
            found["kappa_interval"] = agreement.interval(agreement.kappa, kept, accepted, seed=seed)
    if rated:
        found["scores"] = _of_scores(rated, method, seed)
    if experts := _among(opinions):
        found["experts_kappa"] = experts
    return found


def _of_scores(rated: Sequence[tuple[Any, Any]], method: Method, seed: int) -> dict[str, Any]:
    """How well scores agree with those of experts."""
    first, second = [float(one) for one, _ in rated], [float(other) for _, other in rated]
    found: dict[str, Any] = {
        "rows": len(rated),
        "spearman": agreement.spearman(first, second),
        "spearman_interval": agreement.interval(agreement.spearman, first, second, seed=seed),
    }
    categories = sorted(set(method.labels.values()))
    if len(categories) > 2 and all(round(one) in categories for one in (*first, *second)):

        def weighted(left: Any, right: Any) -> float | None:  # noqa: ANN401 - a list or an array
            return agreement.kappa(left, right, weights="quadratic", categories=categories)

        first, second = [float(round(one)) for one in first], [float(round(one)) for one in second]
        found["kappa_quadratic"] = weighted(first, second)
        found["kappa_interval"] = agreement.interval(weighted, first, second, seed=seed)
    return found


def _among(opinions: Sequence[Any]) -> float | None:
    """Kappa of the first two experts, on the rows that both judged; None if there are none."""
    both = [one.says[:2] for one in opinions if len(one.says) > 1]
    if not both:
        return None
    return agreement.kappa([one for one, _ in both], [other for _, other in both])


def notes(found: Mapping[str, Any]) -> list[str]:
    """What there is to warn of."""
    said = []
    if missing := found["rows"] - found["scored"]:
        reasons = ", ".join(f"{name} {count:,}" for name, count in found["not_scored"].items())
        said.append(f"{missing:,} of {found['rows']:,} rows have no score ({reasons})")
    for one in found["judges"]:
        bounds = one.get("first_interval")
        if bounds and one["pairs"] >= BIAS_PAIRS and not bounds[0] <= 0.5 <= bounds[1]:
            which = "first" if one["first_share"] > 0.5 else "second"
            said.append(
                f"judge `{one['judge']}` prefers the answer shown {which}: {one['first_share']:.1%} of"
                f" the decided verdicts name the first (95 %: {bounds[0]:.1%} to {bounds[1]:.1%}), and"
                f" {one['flip_rate']:.1%} of the winners change with the order and count as ties"
            )
    experts = found.get("experts")
    if experts and experts["experts_saw_scores"]:
        said.append("the experts saw the judge's scores, so their agreement is likely too high")
    if experts and experts["unknown_ids"]:
        said.append(f"{experts['unknown_ids']:,} verdicts are of rows that are not here")
    chosen = found.get("threshold")
    if experts and chosen:
        count = experts["accepted"] + experts["rejected"]
        said.append(
            f"the threshold {chosen['value']:g} was chosen among the scores of {count:,} rows with verdicts,"
            f" since keeping from there on agrees best with them (kappa {chosen['kappa']:.2f}, the same"
            f" verdict on {chosen['agreement']:.1%}); decided by the other verdicts, {chosen['left_out']:.1%}"
            " of the rows agree"
        )
        if count < FEW_VERDICTS:
            said.append(f"{count:,} verdicts are few for a threshold; {FEW_VERDICTS} or more are better")
    return said


def _counted(names: Any) -> dict[str, int]:  # noqa: ANN401 - an iterable of names
    return dict(sorted(Counter(names).items()))
