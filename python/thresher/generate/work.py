"""What a session works with: recipe, settings, journal, purse, checks, and where the journal lies."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from thresher.generate.budget import Purse
from thresher.generate.checks import Format, NearDuplicates
from thresher.generate.overlap import SHORTEST_WHOLE, Overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thresher.generate.client import Client
    from thresher.generate.endpoint import Endpoint
    from thresher.generate.engine import Check
    from thresher.generate.journal import Journal
    from thresher.generate.options import Settings
    from thresher.generate.recipe import Recipe

JOURNAL = "answers.journal"
"""Name of the journal beside an output."""


def journal_beside(output: str) -> Path:
    """The journal of an output that was given none."""
    return Path(output).parent / JOURNAL


def journal_of(settings: Settings) -> Path | None:
    """The journal of a run; None for one that ends with the call."""
    if settings.journal is not None:
        return Path(settings.journal)
    return None if settings.output is None else journal_beside(settings.output)


class Work:
    """What a session works with, and what it did."""

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        endpoints: Sequence[Endpoint],
        journal: Journal,
        run: str,
        own_checks: Sequence[Check],
    ) -> None:
        self.recipe, self.settings, self.endpoints = recipe, settings, endpoints
        self._own_checks = own_checks
        self.journal, self.run = journal, run
        self.purse = Purse(settings.budget, journal.spent(run))
        self.client: Client | None = None
        self.began_s = time.monotonic()
        self.changes: set[str] = set()
        self.stop: Callable[[str, str], None] = lambda reason, message: None

    def all_checks(self) -> tuple[list[Check], Overlap | None]:
        """The checks of every row, and that of every prompt."""
        settings = self.settings
        checks: list[Check] = [Format(self.recipe.conversation)] if self.recipe.makes_rows else []
        checks += self._own_checks
        holdout = None
        if settings.holdout:
            holdout = Overlap("holdout_overlap", settings.holdout, shortest_whole=SHORTEST_WHOLE)
            checks.append(holdout)
        if settings.near_duplicates is not None:
            checks.append(NearDuplicates(settings.near_duplicates))
        return [*checks, *settings.checks], holdout
