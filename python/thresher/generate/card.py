"""The dataset card: what the rows are, how they were made, under which terms, and what was left out.

Its head is the metadata of the Hugging Face Hub in YAML, so the folder can be published as it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thresher.generate.endpoint import Endpoint

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(
    *,
    recipe: str,
    about: str,
    notes: Sequence[str],
    settings: Mapping[str, Any],
    endpoints: Sequence[Endpoint],
    books: Mapping[str, Any],
    data: str,
    version: str,
) -> str:
    """The card as Markdown."""
    kept = books["kept"]["docs"]
    licences = sorted({endpoint.licence for endpoint in endpoints if endpoint.licence})
    lines = [
        "---",
        f"license: {_yaml(licences[0] if len(licences) == 1 else 'unknown')}",
        "tags:",
        "- synthetic",
        "- thresher",
        f"- {recipe}",
        "size_categories:",
        f"- {_yaml(next((name for bound, name in _SIZES if kept < bound), '1M<n'))}",
        "configs:",
        "- config_name: default",
        f"  data_files: {_yaml(data)}",
        "---",
        "",
        f"# Synthetic data: {recipe}",
        "",
        f"{about} Made with thresher {version}.",
        "",
        "## Models",
        "",
        "| model | address | family | licence | terms of its answers |",
        "|---|---|---|---|---|",
    ]
    unknown = "not stated"
    for endpoint in endpoints:
        host = "in this process" if endpoint.is_local else endpoint.name.rpartition("@")[2]
        cells = [endpoint.identity, host, endpoint.family, endpoint.licence, endpoint.terms]
        lines.append("| " + " | ".join(_cell(cell or unknown) for cell in cells) + " |")
    lines += ["", "## Rows", "", "| | rows |", "|---|---|", f"| candidates | {books['in']['docs']:,} |"]
    lines.append(f"| kept | {kept:,} |")
    lines += [
        f"| rejected: {_cell(reason)} | {tally['docs']:,} |" for reason, tally in books["removed"].items()
    ]
    if notes:
        lines += ["", "## What differs from the published method", ""]
        lines += [f"- {note}" for note in notes]
    lines += [
        "",
        "## Settings",
        "",
        "```json",
        json.dumps(settings, ensure_ascii=False, indent=2).replace("```", "` ` `"),
        "```",
        "",
        "`lineage.parquet` says for each row which answers it was made of, `rejected.parquet` what was left"
        " out and why, `run.json` everything else.",
        "",
    ]
    return "\n".join(lines)


def _yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
