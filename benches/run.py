"""Runs engines over corpora and records accuracy, then time.

    python -m benches.run --data FOLDER --out record.json
    python -m benches.run --quick

Every (engine, corpus, threads) is a job in a fresh process; the order of the jobs is drawn by a seed, so that
no engine always has the warm or the busy machine. An engine whose package is missing is skipped and listed.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benches import corpora, machine, report, truth
from benches.engines import Engine, all_engines
from benches.worker import thread_environment

_ROOT = Path(__file__).resolve().parent.parent
# Removals of a file run whose evidence is recomputed from the texts.
_EVIDENCE_SAMPLE = 2_000


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.run", description="Compare thresher with its rivals."
    )
    parser.add_argument("--engines", help="comma list of names (default: all)")
    parser.add_argument(
        "--corpora", default="rfcs,short,big", help="comma list of: " + ", ".join(corpora.NAMES)
    )
    parser.add_argument("--threads", default="1,2", help="comma list of thread counts")
    parser.add_argument("--threshold", type=float, default=0.8, help="Jaccard of a near-duplicate")
    parser.add_argument("--data", type=Path, help="folder of the real sets (default: synthetic text)")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "thresher-benches")
    parser.add_argument("--tools", type=Path, help="virtual environment of text-dedup (see setup.sh)")
    parser.add_argument("--duplodocus", type=Path, help="binary of duplodocus, built from its sources")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of a job")
    parser.add_argument(
        "--budget", type=float, default=12.0, help="start no new round of a job after these seconds"
    )
    parser.add_argument("--timeout", type=float, default=300.0, help="give a job up after these seconds")
    parser.add_argument("--seed", type=int, default=1, help="order of the jobs")
    parser.add_argument("--out", type=Path, help="write the record here (default: print the tables only)")
    parser.add_argument(
        "--record", action="store_true", help="write the record to benches/record/MACHINE/DATE.json"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small corpora, 2 threads, one round: under 2 minutes"
    )
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.threads, arguments.rounds, arguments.budget = "2", 1, 4.0
    return arguments


def plan(arguments: argparse.Namespace) -> list[tuple[Engine, str, int]]:
    """Returns the jobs in the order they are run; an unknown name ends the program."""
    engines = all_engines()
    names = arguments.engines.split(",") if arguments.engines else list(engines)
    wanted = arguments.corpora.split(",")
    for name in names:
        if name not in engines:
            sys.exit(f"unknown engine `{name}`; allowed: {', '.join(engines)}")
    for name in wanted:
        if name.partition("@")[0] not in corpora.NAMES:
            sys.exit(f"unknown corpus `{name}`; allowed: {', '.join(corpora.NAMES)}")
    jobs = []
    for engine in (engines[name] for name in names):
        for corpus in wanted:
            if corpus.partition("@")[0] not in engine.corpora:
                continue
            limit = min(engine.limit_mb or 1_000, 4) if arguments.quick else engine.limit_mb
            sampled = f"{corpus}@{limit}MB" if engine.limit_mb and "@" not in corpus else corpus
            jobs += [(engine, sampled, int(threads)) for threads in arguments.threads.split(",")]
    random.Random(arguments.seed).shuffle(jobs)
    return jobs


def run_job(
    engine: Engine, corpus: corpora.Corpus, threads: int, arguments: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Runs one job in a fresh process and returns its row, with `error` set where it failed."""
    path = folder / "job.json"
    config = {
        "engine": engine.name,
        "path": str(corpus.path),
        "n_docs": corpus.n_docs,
        "threads": threads,
        "threshold": arguments.threshold,
        "rounds": arguments.rounds,
        "budget_s": arguments.budget,
        "scratch": str(folder),
        "tools": str(arguments.tools) if arguments.tools else None,
        "duplodocus": str(arguments.duplodocus.absolute()) if arguments.duplodocus else None,
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    row: dict[str, Any] = {
        "engine": engine.name,
        "corpus": corpus.name,
        "threads": threads,
        "scope": engine.scope,
    }
    row |= {"takes": engine.takes, "words": engine.words, "settings": engine.settings}
    environment = {**os.environ, **thread_environment(threads)}
    argv = [sys.executable, "-m", "benches.worker", str(path)]
    try:
        done = subprocess.run(
            argv,
            cwd=_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=arguments.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return row | {"error": f"gave up after {arguments.timeout:.0f} s"}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return row | {"error": lines[-1] if lines else f"ended with code {done.returncode}"}
    row |= json.loads(path.with_suffix(".result.json").read_text(encoding="utf-8"))
    mask = np.load(path.with_suffix(".npy")) if path.with_suffix(".npy").exists() else None
    evidence = row.pop("evidence")
    judged = truth.Score(None, None, None)
    if mask is not None:
        judged = truth.score(
            row["kind"], mask, corpus.truth(engine.words, arguments.threshold), arguments.threshold
        )
        row["answer"] = hashlib.sha256(mask.tobytes()).hexdigest()[:16]
    row |= {"recall": judged.recall, "precision": judged.precision, "kept": judged.kept}
    if evidence and judged.precision is None:
        row["precision"] = check_evidence(evidence, corpus, arguments.threshold)
        row["precision_of"] = f"named matches of {min(len(evidence), _EVIDENCE_SAMPLE)} removed documents"
    return row


def check_evidence(evidence: list[list[int]], corpus: corpora.Corpus, threshold: float) -> float:
    """Returns the share of a sample of removals whose named match really is a kept near-duplicate."""
    removed = {row for row, _match in evidence}
    sample = random.Random(0).sample(evidence, min(len(evidence), _EVIDENCE_SAMPLE))
    texts = corpus.texts()
    good = 0
    for row, match in sample:
        near = (
            truth.ShingleSets([texts[row], texts[match]], "runs").jaccard(0, 1) >= threshold - truth.TOLERANCE
        )
        good += match not in removed and (near or texts[row] == texts[match])
    return good / len(sample)


def main(argv: list[str] | None = None) -> None:
    """Makes the corpora, runs the jobs, prints each as it ends and writes the record."""
    arguments = parse(argv)
    jobs = plan(arguments)
    began = time.time()
    made: dict[str, corpora.Corpus] = {}
    for name in dict.fromkeys(corpus for _engine, corpus, _threads in jobs):
        made[name] = corpora.load(name, data=arguments.data, cache=arguments.cache, quick=arguments.quick)
        for words in {
            engine.words for engine, corpus, _ in jobs if corpus == name and engine.scope in report.JUDGED
        }:
            made[name].truth(words, arguments.threshold)
    print(f"corpora ready after {time.time() - began:.0f} s; {len(jobs)} jobs", file=sys.stderr)
    description = machine.describe()
    if description["load"] > 0.5:
        print(f"warning: the load is {description['load']:.1f}; times will be too long", file=sys.stderr)
    if arguments.record:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        arguments.out = _ROOT / "benches" / "record" / machine.slug(description) / f"{day}.json"
    record = {
        "format": 1,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command(argv if argv is not None else sys.argv[1:]),
        "machine": description,
        "threshold": arguments.threshold,
        "quick": arguments.quick,
        "corpora": {
            name: {"n_docs": one.n_docs, "text_bytes": one.text_bytes, "origin": one.origin, **one.details}
            for name, one in made.items()
        },
    }
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=arguments.cache) as scratch:
        for number, (engine, name, threads) in enumerate(jobs):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            row = run_job(engine, made[name], threads, arguments, folder)
            rows.append(row)
            print(
                f"[{number + 1}/{len(jobs)}] {report.line(row, made[name].text_bytes)}",
                file=sys.stderr,
                flush=True,
            )
            record |= {"rows": sorted(rows, key=_order), "seconds": round(time.time() - began)}
            record["load_after"] = os.getloadavg()[0]
            # After each job, so that a run that is stopped leaves what it has.
            if arguments.out:
                save(record, arguments.out)
    print(report.tables(record))
    if arguments.out:
        report.publish(record, arguments.out)


def _order(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["corpus"], row["threads"], list(all_engines()).index(row["engine"])


def command(argv: list[str]) -> str:
    """Returns the command as it is recorded: folders of this machine are left out."""
    words, local = ["python -m benches.run"], ("--data", "--cache", "--tools", "--duplodocus", "--out")
    for previous, word in zip(["", *argv], argv, strict=False):
        option, has_value, _value = word.partition("=")
        if previous in local:
            words.append(previous[2:].upper())
        else:
            words.append(f"{option}={option[2:].upper()}" if has_value and option in local else word)
    return " ".join(words)


def save(record: dict[str, Any], path: Path) -> None:
    """Writes a record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
