"""Results of earlier runs."""

from collections.abc import Callable

from thresher._types import Progress

__all__ = ["explain", "verify"]

def verify(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Compares a result with its `run.json`; as `runs.dedup`, with `output` and `threads`."""

def explain(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """What became of one document of a result; as `runs.dedup`, with `output` and `id`."""
