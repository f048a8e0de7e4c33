"""Items of benchmarks leaked into real documents: how many are found, and how fast, against decon.

Run as `python -m benches.contamination DATA [--decon PATH]`; `DATA` is the folder with `psdocs.jsonl.zst`,
`rfcs.jsonl.zst`, `gsm8k_test.jsonl`, `humaneval.jsonl.gz` and `mt_bench_questions.jsonl`.

1. *Recall.* Each item of the three benchmarks, all its fields one behind the other, stands between two
   paragraphs of a document of `psdocs`, one item in each document. Once as it is; once with a word in each
   ten inserted, deleted or changed, at a place drawn at random; and once with each word edited with a
   probability of a tenth, where runs of edits occur. An item is found if it is a match of its document.
2. *Precision.* No document of `psdocs` as it stands holds an item, so each that is found is a false drop.
   Any other item that is found in a document with a leak is counted as well. `ngram:8` is there to show
   what eight words in a row are worth: it may drop clean documents.
3. *Speed*, on one thread: `rfcs` against the three benchmarks and generated items of two million n-grams, in
   a process for each engine, in turn, by the seconds of the processor. The time of an index alone is that of
   the same call on one short text, and is taken off. decon gets the same items in its own form, with the
   settings that it ships, and its one-thread option; both read JSONL from a file system in memory if there
   is one.

decon (https://github.com/allenai/decon) is built with `cargo build --release`, and `PATH` is its binary.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zstandard

import thresher as th

BENCHMARKS = ("gsm8k_test.jsonl", "humaneval.jsonl.gz", "mt_bench_questions.jsonl")
FIELDS = ("question", "prompt", "turns", "answer", "canonical_solution")
RULES = ("gpt3-13", "palm-70", "llama3-8", "ngram:8")
GENERATED_NGRAMS = 2_000_000
WORDS_OF_AN_ITEM = 60
ROUNDS = 3
SEED = 14


def _lines(path: Path) -> Iterator[str]:
    if path.suffix == ".zst":
        decoder = zstandard.ZstdDecompressor(max_window_size=2**31)
        with path.open("rb") as file, decoder.stream_reader(file) as stream:
            yield from io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
    elif path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as text:
            yield from text
    else:
        yield from path.read_text("utf-8").splitlines()


def _items(data: Path) -> list[tuple[str, int, list[str]]]:
    """Every item of the benchmarks: its benchmark, its row and its texts."""
    found = []
    for name in BENCHMARKS:
        for row, line in enumerate(_lines(data / name)):
            values = json.loads(line)
            texts: list[str] = []
            for field in FIELDS:
                value = values.get(field, [])
                texts += [value] if isinstance(value, str) else value
            found.append((name.partition(".")[0], row, texts))
    return found


def _edited(text: str, draw: random.Random, *, in_each_ten: bool) -> str:
    """The text with words inserted, deleted or changed; what lies between words stays."""
    parts = re.split(r"(\w+)", text)
    words = parts[1::2]
    chosen = set()
    if in_each_ten:
        for start in range(0, len(words) - 9, 10):
            chosen.add(start + draw.randrange(10))
    else:
        chosen = {at for at in range(len(words)) if draw.random() < 0.1}
    for at in chosen:
        other = draw.choice(words)
        word = parts[2 * at + 1]
        parts[2 * at + 1] = draw.choice((f"{word} {other}x", "", f"{other}y"))
    return "".join(parts)


def _leaked(
    documents: Sequence[str], items: Sequence[tuple[str, int, list[str]]], change: Callable[[str], str]
) -> list[str]:
    """One document an item, each with the item between two of its paragraphs."""
    draw = random.Random(SEED)
    texts = []
    for number, (_, _, fields) in enumerate(items):
        paragraphs = documents[number % len(documents)].split("\n\n")
        at = draw.randrange(len(paragraphs) + 1)
        leak = "\n".join(map(change, fields))
        texts.append("\n\n".join([*paragraphs[:at], leak, *paragraphs[at:]]))
    return texts


def _report(
    title: str,
    texts: Sequence[str],
    items: Sequence[tuple[str, int, list[str]]],
    against: list[Path],
    **options: Any,
) -> float:
    """Prints which of the items are found in their documents, and gives their share."""
    found = th.decontaminate(texts, against=against, **options)
    matches = zip(
        *(found.matches[name].to_pylist() for name in ("document", "benchmark", "item")), strict=True
    )
    pairs = set(matches)
    wanted = {(document, name, row) for document, (name, row, _) in enumerate(items)}
    by_name = {}
    for name in dict.fromkeys(name for name, _, _ in items):
        of_name = {pair for pair in wanted if pair[1] == name}
        by_name[name] = f"{len(of_name & pairs)}/{len(of_name)}"
    recall = len(wanted & pairs) / len(wanted)
    others = len(pairs - wanted)
    parts = "  ".join(f"{name} {share}" for name, share in by_name.items())
    print(f"{title:<44} recall {recall:.4f}  {parts}  other items found: {others}")
    return recall


def recall(data: Path) -> bool:
    """Prints what is found of what was leaked, and says whether it is as much as it has to be."""
    documents = [json.loads(line)["text"] for line in _lines(data / "psdocs.jsonl.zst")]
    items = _items(data)
    against = [data / name for name in BENCHMARKS]
    print(f"{len(items)} items in {len(documents)} documents of psdocs")
    verbatim = _leaked(documents, items, lambda text: text)
    good = True
    for rule in RULES:
        good &= _report(f"{rule}, verbatim", verbatim, items, against, rule=rule) == 1.0
    for title, in_each_ten, bar in (("a word in each ten", True, 0.95), ("a tenth of the words", False, 0.0)):
        draw = random.Random(SEED)
        edited = _leaked(
            documents, items, lambda text, draw=draw, each=in_each_ten: _edited(text, draw, in_each_ten=each)
        )
        for rule in RULES:
            for fuzzy in (False, True):
                options = {"rule": rule, "fuzzy": fuzzy}
                name = f"{rule}{' --fuzzy' if fuzzy else ''}, {title} edited"
                good &= _report(name, edited, items, against, **options) >= (bar if fuzzy else 0.0)
    for rule in RULES:
        for fuzzy in (False, True):
            clean = th.decontaminate(documents, against=against, rule=rule, fuzzy=fuzzy)
            name = f"{rule}{' --fuzzy' if fuzzy else ''}, clean documents"
            print(f"{name:<44} false drops: {clean.contaminated}")
            good &= clean.contaminated == 0 or rule == "ngram:8"
    return good


def _generated(documents: Sequence[str]) -> Iterator[dict[str, str]]:
    """Items of words of the documents: single ones, and a phrase of six now and then."""
    draw = random.Random(SEED)
    words = re.findall(r"\w+", " ".join(documents[:300]))
    for _ in range(GENERATED_NGRAMS // (WORDS_OF_AN_ITEM - 12)):
        some: list[str] = []
        while len(some) < WORDS_OF_AN_ITEM:
            at = draw.randrange(len(words) - 6)
            some += words[at : at + (6 if draw.random() < 1 / 7 else 1)]
        yield {"question": " ".join(some), "answer": " ".join(some[:1])}


def _timed(command: list[str]) -> tuple[float, float]:
    """Seconds of the processor and of the clock that a command took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, end - start


def speed(data: Path, decon: Path | None) -> None:
    """Prints MB/s of each engine on one thread, and the seconds of its index."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        for part in ("texts", "one", "evals", "decon"):
            (folder / part).mkdir()
        documents = [json.loads(line)["text"] for line in _lines(data / "rfcs.jsonl.zst")]
        n_bytes = sum(len(text.encode()) for text in documents)
        with (folder / "texts" / "rfcs.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in documents)
        (folder / "one" / "one.jsonl").write_text('{"text": "one short text"}\n', "utf-8")
        generated = list(_generated(documents))
        rows = [("\n".join(texts[:-1]) or texts[0], texts[-1]) for _, _, texts in _items(data)]
        rows += [(row["question"], row["answer"]) for row in generated]
        with (folder / "evals" / "evals.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"question": q, "answer": a}) + "\n" for q, a in rows)
        with (folder / "decon" / "evals.jsonl").open("w", encoding="utf-8") as file:
            for number, (question, answer) in enumerate(rows):
                row = {
                    "eval_key": "evals",
                    "eval_instance_index": number,
                    "split": "test",
                    "doc_id": number + 1,
                    "fingerprint": f"{number:016x}",
                    "question": question,
                    "answer": answer,
                }
                file.write(json.dumps(row) + "\n")

        def ours(texts: str, *options: str) -> list[str]:
            command = [sys.executable, "-m", "thresher", "decontaminate", str(folder / texts)]
            output = ["-o", str(folder / "out"), "--overwrite", "--quiet", "--threads", "1"]
            return [*command, "--against", str(folder / "evals"), *output, *options]

        def theirs(texts: str) -> list[str]:
            command = [str(decon), "detect", "--training-dir", str(folder / texts), "--worker-threads", "1"]
            output = ["--report-output-dir", str(folder / "report")]
            return [*command, "--evals-dir", str(folder / "decon"), "--content-key", "text", *output]

        engines: dict[str, Callable[[str], list[str]]] = {
            "thresher gpt3-13": ours,
            "thresher gpt3-13 --fuzzy": lambda texts: ours(texts, "--fuzzy"),
        }
        if decon:
            engines["decon"] = theirs
        best: dict[tuple[str, str], float] = {}
        for _ in range(ROUNDS):
            for engine, command in engines.items():
                for texts in ("one", "texts"):
                    took, _ = _timed(command(texts))
                    best[engine, texts] = min(took, best.get((engine, texts), took))
        print(f"rfcs, {n_bytes / 1e6:.1f} MB, against {len(rows)} items; reading and writing included")
        for engine in engines:
            index, whole = best[engine, "one"], best[engine, "texts"]
            rate = n_bytes / 1e6 / (whole - index)
            print(f"{engine:<26} {rate:8.1f} MB/s a core, index {index:6.2f} s, whole {whole:7.2f} s")


def main() -> None:
    """Prints everything, and ends with 1 if less was found than has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--decon", type=Path)
    parser.add_argument("--only", choices=("recall", "speed"))
    given = parser.parse_args()
    good = True
    if given.only != "speed":
        good = recall(given.data)
    if given.only != "recall":
        speed(given.data, given.decon)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
