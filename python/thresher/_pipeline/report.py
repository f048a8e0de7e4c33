"""What a pipeline of several steps reports."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from thresher._decontaminate import DecontaminateReport
from thresher._dedup import DedupReport
from thresher._pack import PackReport
from thresher._runs import RunReport
from thresher.chat.convert import ConvertReport
from thresher.chat.render import RenderReport
from thresher.chat.validate import ValidateReport
from thresher.filters import PiiReport
from thresher.filters.files import FilterReport
from thresher.filters.language import LanguageReport
from thresher.filters.quality import QualityReport
from thresher.tokens.files import TokenizeReport

REPORTS: dict[str, type[RunReport]] = {
    "dedup": DedupReport,
    "decontaminate": DecontaminateReport,
    "filter": FilterReport,
    "convert": ConvertReport,
    "validate": ValidateReport,
    "render": RenderReport,
    "language": LanguageReport,
    "quality": QualityReport,
    "pii": PiiReport,
    "tokenize": TokenizeReport,
    "shuffle": RunReport,
    "pack": PackReport,
}
"""The report of each verb."""


@dataclass(frozen=True)
class PipelineReport(RunReport):
    """The result of a pipeline of several steps: the books of each, and what was written.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `steps`, the report of
            each with its name as `step`. In `accounting` reasons begin with the step (`2.dedup near`), and
            `packed` says how many documents a packing has put into the bins that the next step reads.
    """

    @cached_property
    def steps(self) -> dict[str, RunReport]:
        """The report of each step by its name, which is its number, from 1, and its verb: `1.validate`."""
        found = {str(step["step"]): step for step in self.report["steps"]}
        return {name: REPORTS[name.partition(".")[2]](step) for name, step in found.items()}

    def __str__(self) -> str:
        """The accounting lines, one a step."""
        return "\n".join(f"{name}: {step}" for name, step in self.steps.items())

    def __repr__(self) -> str:
        """One line with the counts."""
        return (
            f"PipelineReport(steps={list(self.steps)}, documents={self.documents}, kept={self.kept}, "
            f"quarantined={self.quarantined})"
        )
