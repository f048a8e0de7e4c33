"""What other thresholds would keep of a result, from the signals that its run has kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thresher import _core, _format, _params
from thresher.filters.texts import thresholds

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from thresher._types import Progress
    from thresher.filters.catalogue import Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTally:
    """What a rule does to the records of a result.

    Attributes:
        failing: Records that fail it.
        first: Records of which it is the first failing rule.
        alone: Records that fail no other rule: without it they would stay.
    """

    failing: int
    first: int
    alone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """What a rule did, and would do.

    Attributes:
        rule: Its name.
        signal: The signal that it looks at.
        bound: `at_least` or `at_most`.
        threshold_before: The threshold of the run; None if the run did not have the rule.
        threshold_after: The threshold that was asked for; None if the rule is left out.
        before: What it did.
        after: What it would do.
    """

    rule: str
    signal: str
    bound: Bound
    threshold_before: float | None
    threshold_after: float | None
    before: RuleTally
    after: RuleTally


@dataclass(frozen=True)
class WhatIf:
    """What other thresholds would keep.

    Attributes:
        report: Everything, as plain values that JSON can hold.
    """

    report: Mapping[str, Any] = field(repr=False)

    @property
    def documents(self) -> int:
        """Records that the filter saw."""
        return int(self.report["documents"])

    @property
    def kept_before(self) -> int:
        """Records that fail no rule as the run had them."""
        return int(self.report["kept_before"])

    @property
    def kept_after(self) -> int:
        """Records that would fail none."""
        return int(self.report["kept_after"])

    @property
    def newly_kept(self) -> int:
        """Records that would stay and did not."""
        return int(self.report["newly_kept"])

    @property
    def newly_removed(self) -> int:
        """Records that would go and did not."""
        return int(self.report["newly_removed"])

    @property
    def rules(self) -> tuple[RuleChange, ...]:
        """What each rule did, and would do."""
        return tuple(
            RuleChange(**{**one, "before": RuleTally(**one["before"]), "after": RuleTally(**one["after"])})
            for one in self.report["rules"]
        )

    @property
    def curve(self) -> list[dict[str, float]]:
        """Of the rule that a curve was asked of, for each `threshold`: records `failing`, and `kept`."""
        return list((self.report["curve"] or {"points": []})["points"])

    def __repr__(self) -> str:
        """One line with the counts."""
        before, after = self.kept_before, self.kept_after
        return f"WhatIf(documents={self.documents}, kept_before={before}, kept_after={after})"

    def __str__(self) -> str:
        """The counts, a table of the rules, and the curve if there is one."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        shares = [_share(kept, self.documents) for kept in (self.kept_before, self.kept_after)]
        count = _format.count
        yield (
            f"{count(self.documents)} records: kept {count(self.kept_before)} ({shares[0]}) -> "
            f"{count(self.kept_after)} ({shares[1]}); {count(self.newly_kept)} more stay, "
            f"{count(self.newly_removed)} more go"
        )
        table: list[tuple[str, ...]] = [("rule", "allowed", "failing", "first", "alone")]
        for one in self.rules:
            if one.before.failing or one.after.failing or one.threshold_before != one.threshold_after:
                table.append(_line(one))
        yield from _aligned(table)
        if self.report["curve"]:
            yield f"{self.report['curve']['rule']} at other thresholds:"
            points = [
                (f"{point['threshold']:.6g}", count(int(point["failing"])), count(int(point["kept"])))
                for point in self.curve
            ]
            yield from _aligned([("threshold", "failing", "kept"), *points])


def what_if(
    output: str | os.PathLike[str],
    *,
    set: Mapping[str, float | None] | None = None,
    step: str | None = None,
    curve: str | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> WhatIf:
    r"""Says what a filter would keep with other thresholds, without reading a text.

    The signals that the run has kept of every record are read again, and the rules are applied to them. What
    the run did is counted again too, so signals of another run are an error. Memory does not depend on the
    number of records. Nothing is changed: to have the other result, filter again with the same `set`.

    Args:
        output: What the run was given as its output: a folder or a data file; or its `run.json`.
        set: Thresholds by rule, as `{"fineweb.line_punct": 0.1}`; None leaves a rule out. A rule that the run
            did not have can be added if the run has kept its signal.
        step: Which step of a pipeline, as `2.filter`, if it has filtered several times.
        curve: A rule of which thresholds are tried that are spread over the values that there are.
        progress: Called about ten times a second with a `Progress`; an exception from it stops the run.

    Returns:
        The counts before and after, by rule.

    Raises:
        ParameterError: There is no such rule or step, or the run has kept no signals.
        DataError: It is not the result of a finished run, or its signals are not those of the run.
        FileError: There is no such output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "A few words"}\n{"text": "A short sentence."}\n')
        >>> _ = th.filter_files(folder / "in.jsonl", folder / "out", preset="fineweb")
        >>> th.what_if(folder / "out", set={"fineweb.short_lines": None})
        WhatIf(documents=2, kept_before=0, kept_after=1)
    """
    config = {
        "output": _params.path("output", output),
        "set": thresholds("set", {} if set is None else set),
        "step": _params.optional_word("step", step, "the name of a step, as `2.filter`"),
        "curve": _params.optional_word("curve", curve, "the name of a rule"),
    }
    found = _core.results.what_if(json.dumps(config), _params.callback("progress", progress))
    return WhatIf(json.loads(found))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"


def _line(one: RuleChange) -> tuple[str, ...]:
    sign = ">=" if one.bound == "at_least" else "<="

    def shown(threshold: float | None) -> str:
        return "anything" if threshold is None else f"{sign} {threshold:g}"

    def change(before: object, after: object) -> str:
        return f"{before}" if before == after else f"{before} -> {after}"

    pairs = [(getattr(one.before, of), getattr(one.after, of)) for of in ("failing", "first", "alone")]
    counts = [change(_format.count(before), _format.count(after)) for before, after in pairs]
    return (one.rule, change(shown(one.threshold_before), shown(one.threshold_after)), *counts)


def _aligned(table: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
