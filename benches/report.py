"""Turns a record into Markdown tables and bar charts.

    python -m benches.report record.json --write

Accuracy stands left of speed in every table: a time without its answer means nothing. Figures are rounded to
two digits, the spread is given as the range of all rounds, and no average is taken over different corpora.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from benches import chart, machine

JUDGED = ("search", "whole")
_SCOPES = {
    "sketch": "signatures only",
    "search": "text to answer",
    "whole": "file to file",
    "copy": "copy only",
}
_COLUMNS = (
    *("engine", "version", "work", "recall", "precision", "kept", "MB/s", "docs/s"),
    *("seconds (range; rounds)", "CPU s", "MB/CPU s", "peak MiB"),
)


def two_digits(value: float) -> str:
    """Rounds to two significant digits: 1234 -> 1,200; 0.0567 -> 0.057."""
    if value == 0:
        return "0"
    if value >= 10:
        digits = len(str(int(value))) - 2
        return f"{round(value, -digits):,.0f}"
    return f"{value:.2g}"


def _share(value: float | None) -> str:
    # Four digits, cut and not rounded: 0.99996 must not be shown as 1.
    return "-" if value is None else "1" if value == 1.0 else f"{int(value * 10_000) / 10_000:.4f}"


def speed(row: dict[str, Any], text_bytes: int) -> float:
    """Returns megabytes of text a second, by the median round."""
    median: float = statistics.median(row["wall_s"])
    return text_bytes / 1e6 / median


def line(row: dict[str, Any], text_bytes: int) -> str:
    """Returns one job as a line of text, accuracy first."""
    head = f"{row['engine']} on {row['corpus']}, {row['threads']} threads:"
    if "error" in row:
        return f"{head} not run: {row['error']}"
    accuracy = f"recall {_share(row['recall'])}, precision {_share(row['precision'])}, kept {row['kept']}"
    time = f"{statistics.median(row['wall_s']):.2f} s (median of {len(row['wall_s'])})"
    rate = f"{two_digits(speed(row, text_bytes))} MB/s"
    return f"{head} {accuracy}; {time}, {rate}, peak {row['peak_mib']:.0f} MiB"


def _table(record: dict[str, Any], corpus: str, threads: int) -> list[str]:
    about = record["corpora"][corpus]
    rows = [row for row in record["rows"] if row["corpus"] == corpus and row["threads"] == threads]
    good = sorted(
        (row for row in rows if "error" not in row), key=lambda row: -speed(row, about["text_bytes"])
    )
    out = ["| " + " | ".join(_COLUMNS) + " |", "|---" * len(_COLUMNS) + "|"]
    for row in good:
        walls = row["wall_s"]
        spread = f"{min(walls):.2f}" if len(walls) == 1 else f"{min(walls):.2f}-{max(walls):.2f}"
        kept = "-" if row["kept"] is None else f"{row['kept']:,}"
        if row["kind"] == "flags":
            kept += " unflagged"
        cpu_s = statistics.median(row["cpu_s"])
        cells = [
            row["engine"],
            row["version"],
            _SCOPES[row["scope"]],
            _share(row["recall"]),
            _share(row["precision"]),
            kept,
            two_digits(speed(row, about["text_bytes"])),
            two_digits(about["n_docs"] / statistics.median(walls)),
            f"{statistics.median(walls):.2f} ({spread}; {len(walls)})",
            f"{cpu_s:.1f}",
            two_digits(about["text_bytes"] / 1e6 / max(cpu_s, 1e-9)),
            f"{row['peak_mib']:,.0f}",
        ]
        out.append("| " + " | ".join(cells) + " |")
    blanks = " |" * (len(_COLUMNS) - 2)
    out += [f"| {row['engine']} | not run: {row['error']} |{blanks}" for row in rows if "error" in row]
    return out


def _unstable(record: dict[str, Any]) -> list[str]:
    """Names the engines whose answer depends on the number of threads."""
    answers: dict[tuple[str, str], set[str]] = {}
    for row in record["rows"]:
        if row.get("answer"):
            answers.setdefault((row["engine"], row["corpus"]), set()).add(row["answer"])
    return [f"{engine} on {corpus}" for (engine, corpus), seen in answers.items() if len(seen) > 1]


def tables(record: dict[str, Any]) -> str:
    """Returns the whole record as Markdown."""
    out = [machine.sentence(record["machine"]), "", f"`{record['command']}`, {record['date'][:10]}, "]
    load = f"load before {record['machine']['load']:.1f} and after {record['load_after']:.1f}"
    out[-1] += f"{record['seconds']} s, {load}."
    for corpus, about in sorted(record["corpora"].items()):
        size = f"{about['n_docs']:,} documents, {about['text_bytes'] / 1e6:.0f} MB"
        for threads in sorted({row["threads"] for row in record["rows"] if row["corpus"] == corpus}):
            noun = "thread" if threads == 1 else "threads"
            title = f"{corpus} ({about['origin']}), {size}, threshold {record['threshold']}, {threads} {noun}"
            out += ["", f"### {title}", "", *_table(record, corpus, threads)]
    unstable = _unstable(record)
    if unstable:
        out += ["", "The answer depends on the number of threads: " + ", ".join(unstable) + "."]
    return "\n".join(out) + "\n"


def settings(record: dict[str, Any]) -> str:
    """Returns the version and the settings of every engine, as Markdown."""
    found = {row["engine"]: (row.get("version", "-"), row["settings"]) for row in record["rows"]}
    return "".join(f"- {name} {version}: {text}\n" for name, (version, text) in sorted(found.items()))


def publish(record: dict[str, Any], path: Path) -> None:
    """Writes tables and settings (.md) beside a record, and a chart of each corpus (.svg)."""
    about = f"{tables(record)}\n### Settings\n\n{record['machine']['system']}\n\n{settings(record)}"
    path.with_suffix(".md").write_text(about, encoding="utf-8")
    searches = [row for row in record["rows"] if row["scope"] == "search" and "@" not in row["corpus"]]
    threads = max((row["threads"] for row in searches), default=0)
    for corpus in sorted({row["corpus"] for row in searches}):
        path.with_suffix(f".{corpus}.svg").write_text(bars(record, corpus, threads), encoding="utf-8")


def bars(record: dict[str, Any], corpus: str, threads: int) -> str:
    """Returns the bar chart of one corpus: every engine that goes from text to an answer."""
    found = []
    for row in record["rows"]:
        sampled = row["corpus"].partition("@")[0] == corpus
        if "error" in row or not sampled or row["threads"] != threads or row["scope"] not in JUDGED:
            continue
        value = speed(row, record["corpora"][row["corpus"]]["text_bytes"])
        if row["kind"] == "flags":
            note = f"flags only, precision {_share(row['precision'])}, recall {_share(row['recall'])}"
        else:
            note = f"precision {_share(row['precision'])}, recall {_share(row['recall'])}"
        if row["corpus"] != corpus:
            note += f", {row['corpus'].partition('@')[2].replace('MB', ' MB')} sample"
        found.append(
            chart.Bar(row["engine"], value, two_digits(value), note, row["engine"].startswith("thresher"))
        )
    about = record["corpora"][corpus]
    noun = "thread" if threads == 1 else "threads"
    title = (
        f"Text in, duplicates out: MB/s on {about['text_bytes'] / 1e6:.0f} MB ({corpus}), {threads} {noun}"
    )
    caption = [machine.sentence(record["machine"]), f"{record['command']}  ({record['date'][:10]})"]
    return chart.render(title, sorted(found, key=lambda bar: -bar.value), caption)


def main(argv: list[str] | None = None) -> None:
    """Prints the tables of a record, or writes them and the charts beside it."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.report", description="Tables and charts of a record."
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--write", action="store_true", help="write tables (.md) and charts (.svg) beside it")
    arguments = parser.parse_args(argv)
    record = json.loads(arguments.record.read_text(encoding="utf-8"))
    print(tables(record))
    if arguments.write:
        publish(record, arguments.record)


if __name__ == "__main__":
    main()
