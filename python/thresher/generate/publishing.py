"""The end of a session: rows, evidence, card and report are put together and published."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thresher import _core
from thresher.generate import local, tables
from thresher.generate.batching.store import under_way
from thresher.generate.card import card
from thresher.generate.generated import Generated
from thresher.generate.work import journal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher.generate.endpoint import Endpoint
    from thresher.generate.engine import Progress
    from thresher.generate.recipe import Row
    from thresher.generate.work import Work

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def published(work: Work, progress: Progress, output: _core.runs.Output | None) -> Generated:
    """Puts together what came of it, and publishes it."""
    rows = tables.rows_of(work.recipe, progress.kept, work.settings.to)
    report = _report(work, progress)
    if output is None:
        return Generated(rows, report)
    data = "data" if output.form != "folder" else "data/rows.jsonl"
    form = "parquet" if output.form == "parquet" else "jsonl"
    _write(rows, output, data, form)
    tables.write_table(
        tables.lineage_of(work.recipe, progress.kept, work.journal), output.path("lineage.parquet")
    )
    tables.write_table(tables.rejected_of(progress.rejected), output.path("rejected.parquet"))
    text = card(
        recipe=work.recipe.name,
        about=work.recipe.about,
        notes=[*work.recipe.deviations(), *report["notes"]],
        settings=report["config"]["recipe"],
        endpoints=work.endpoints,
        books=report["accounting"],
        data="data/*" if output.form == "folder" else Path(str(work.settings.output)).name,
        version=_core.version(),
    )
    Path(output.path("README.md")).write_text(text, "utf-8")
    counts = {data: len(rows), "lineage.parquet": len(rows), "rejected.parquet": len(progress.rejected)}
    published = json.loads(output.publish(json.dumps(report, ensure_ascii=False), counts))
    if report["complete"]:
        asyncio.run(work.journal.end(work.run))
    return Generated(rows, published, work.settings.output)


def _write(rows: Sequence[Row], output: _core.runs.Output, data: str, form: str) -> None:
    path = output.path(data)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    tables.write_rows(rows, path, form, output.codec)


def _report(work: Work, progress: Progress) -> dict[str, Any]:
    settings, client = work.settings, work.client
    stopped = progress.stopped
    tally = client.tally if client else None
    spent = work.purse.spent
    return {
        "verb": f"generate {work.recipe.name}",
        "config": {
            "inputs": [],
            "output": settings.output,
            "recipe": {"name": work.recipe.name, "version": work.recipe.version, **work.recipe.settings()},
            "endpoints": [_shown(endpoint) for endpoint in work.endpoints],
            "journal": None if settings.output is None else str(journal_of(settings)),
            "target": settings.target,
            "to": settings.to,
            "near_duplicates": settings.near_duplicates,
            "strict_recipe": settings.strict_recipe,
            "batch": settings.batch,
        },
        "complete": stopped is None,
        "stopped": None if stopped is None else {"reason": stopped.reason, "message": str(stopped)},
        "accounting": tables.books(progress.kept, progress.rejected),
        "rounds": progress.rounds,
        "slots": progress.slots,
        "requests": {
            "sent": tally.sent if tally else 0,
            "answered": tally.answered if tally else 0,
            "from_journal": tally.found if tally else 0,
            "failed": dict(sorted(tally.failed.items())) if tally else {},
            "tried_again": dict(sorted(tally.tried_again.items())) if tally else {},
            "batches_under_way": under_way(work.journal),
        },
        "spent": {
            "requests": spent.requests,
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "money": spent.money
            if all(endpoint.price.input is not None for endpoint in work.endpoints)
            else None,
        },
        "notes": [
            *work.recipe.notes(),
            *(f"an endpoint refused a parameter: {change}" for change in sorted(work.changes)),
        ],
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT,
        "timings": {"total": time.monotonic() - work.began_s},
        "threads": settings.threads or 1,
    }


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "base_url": endpoint.base_url
        if not endpoint.is_local
        else local.PREFIX + Path(endpoint.base_url).name,
        "model": endpoint.model,
        "identity": endpoint.identity,
        "api": endpoint.api,
        "weight": endpoint.weight,
        "family": endpoint.family,
        "licence": endpoint.licence,
        "terms": endpoint.terms,
    }
