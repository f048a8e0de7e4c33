"""Results of earlier runs, and what a run would take."""

from collections.abc import Callable

from thresher._types import Progress

__all__ = ["explain", "plan", "verify", "what_if"]

def verify(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Compares a result with its `run.json`; as `runs.dedup`, with `output` and `threads`."""

def explain(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """What became of one document of a result; as `runs.dedup`, with `output` and `id`."""

def what_if(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """What a filter would keep; as `runs.dedup`, with `output`, `step`, `set` and `curve`."""

def plan(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """What a deduplication would take; as `runs.dedup`, with the same parameters. Nothing is written."""
