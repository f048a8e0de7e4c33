"""What a pipeline of several steps reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from thresher._dedup import DedupReport
from thresher._runs import RunReport
from thresher.chat.convert import ConvertReport
from thresher.chat.render import RenderReport
from thresher.chat.validate import ValidateReport

REPORTS: dict[str, type[RunReport]] = {
    "dedup": DedupReport,
    "convert": ConvertReport,
    "validate": ValidateReport,
    "render": RenderReport,
}
"""The report of each verb."""


@dataclass(frozen=True)
class PipelineReport(RunReport):
    """The result of a pipeline of several steps: the books of each, and what was written.

    Attributes:
        report: Everything, as it stands in `run.json`: `version`, `config`, `inputs`, `outputs`, `files`,
            `steps` (the report of each, with its name as `step`), `timings` (seconds), `peak_rss_bytes`,
            `threads`.
    """

    @cached_property
    def steps(self) -> dict[str, RunReport]:
        """The report of each step by its name, which is its number, from 1, and its verb: `1.validate`."""
        found = {str(step["step"]): step for step in self.report["steps"]}
        return {name: REPORTS[name.partition(".")[2]](step) for name, step in found.items()}

    @property
    def documents(self) -> int:
        """Records read by the first step, bad ones included."""
        return next(iter(self.steps.values())).documents

    @property
    def kept(self) -> int:
        """Records in the output."""
        return list(self.steps.values())[-1].kept

    @property
    def quarantined(self) -> int:
        """Records that a step has set aside."""
        return sum(step.quarantined for step in self.steps.values())

    @property
    def set_aside(self) -> dict[str, int]:
        """Records set aside, by reason."""
        counts: Counter[str] = Counter()
        for step in self.steps.values():
            counts.update(step.set_aside)
        return dict(counts)

    @property
    def set_aside_written(self) -> int:
        """Records set aside that are in the quarantine."""
        return sum(step.set_aside_written for step in self.steps.values())

    @property
    def only_counted(self) -> int:
        """Records set aside that are only counted."""
        return sum(step.only_counted for step in self.steps.values())

    @property
    def notes(self) -> list[str]:
        """What was left out of the inputs, and why."""
        return [note for step in self.steps.values() for note in step.notes]

    def __str__(self) -> str:
        """The accounting lines, one a step."""
        return "\n".join(f"{name}: {step}" for name, step in self.steps.items())

    def __repr__(self) -> str:
        """One line with the counts."""
        return (
            f"PipelineReport(steps={list(self.steps)}, documents={self.documents}, kept={self.kept}, "
            f"quarantined={self.quarantined})"
        )
