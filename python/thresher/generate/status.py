"""What a running generation has done so far, for whoever shows its progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from thresher.generate.client import Client
    from thresher.generate.engine import Progress


class Status(TypedDict):
    """One moment of a generation.

    `kept` and `target` are rows (target None: all there are), `candidates` what was made, `acceptance` the
    share of it that was kept, `rejected` counts by the first reason. `requests` were sent, `found` came from
    the journal, `in_flight` are on their way, `failed` had no answer, `retried` are tries that failed by
    kind. `input_tokens` and `output_tokens` are of this session, `tokens_per_s` those of answers; `money` is
    spent in all sessions. `elapsed_s` and `eta_s` are seconds; the latter is None while nothing is known.
    """

    recipe: str
    kept: int
    target: int | None
    candidates: int
    acceptance: float | None
    rejected: dict[str, int]
    requests: int
    found: int
    in_flight: int
    failed: dict[str, int]
    retried: dict[str, int]
    input_tokens: int
    output_tokens: int
    tokens_per_s: float
    money: float
    elapsed_s: float
    eta_s: float | None


def status_of(recipe: str, progress: Progress, client: Client, began_s: float) -> Status:
    """The status at this moment."""
    elapsed_s = time.monotonic() - began_s
    kept, target = len(progress.kept), progress.target
    eta_s = None
    if target is not None and kept:
        eta_s = max(0.0, (target - kept) * elapsed_s / kept)
    tally = client.tally
    return Status(
        recipe=recipe,
        kept=kept,
        target=target,
        candidates=kept + len(progress.rejected),
        acceptance=progress.acceptance,
        rejected=dict(progress.by_reason),
        requests=tally.sent,
        found=tally.found,
        in_flight=client.in_flight,
        failed=dict(tally.failed),
        retried=dict(tally.tried_again),
        input_tokens=tally.tokens.input,
        output_tokens=tally.tokens.output,
        tokens_per_s=tally.tokens.output / max(elapsed_s, 1e-3),
        money=client.purse.spent.money,
        elapsed_s=elapsed_s,
        eta_s=eta_s,
    )
