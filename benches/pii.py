"""How often the search for personal data is right: precision and recall, and what it finds in real texts.

Run as `python -m benches.pii [--documents N] [--data FOLDER] [--show N]`. The set is generated
(`benches/personal`), and a span counts only if it is the value from its first byte to its last: what covers a
part of an address leaves the rest in the text. Types below the bars are marked with `!`, and some of what was
missed or wrong is shown.

With `--data`, the texts of `psdocs.jsonl.zst` and `rfcs.jsonl.zst` are searched too. Nobody has labelled
them, so every different value that is found there is listed with its type and the words around it, to be
judged by whoever reads it. A value that is in many revisions of a document is listed once, with how often it
is there.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import thresher as th
from benches.personal.documents import documents
from benches.personal.values import TYPES

PRECISION, RECALL = 0.98, 0.95
CORPORA = ("psdocs", "rfcs")


def measure(count: int, show: int) -> bool:
    """Prints precision and recall by type on the generated set; says whether all bars were met."""
    made = list(documents(count))
    began = time.perf_counter()
    found = th.filters.find_pii([document.text for document in made]).to_pylist()
    seconds = time.perf_counter() - began
    right: Counter[str] = Counter()
    wrong: dict[str, list[str]] = defaultdict(list)
    missed: dict[str, list[str]] = defaultdict(list)
    for document, spans in zip(made, found, strict=True):
        text = document.text.encode()
        said = {(span["start"], span["end"], span["type"]) for span in spans}
        labels = set(document.labels)
        right.update(type_ for _, _, type_ in said & labels)
        for places, lists in ((said - labels, wrong), (labels - said, missed)):
            for start, end, type_ in sorted(places):
                lists[type_].append(_around(text, start, end))
    size = sum(len(document.text.encode()) for document in made)
    values = sum(len(document.labels) for document in made)
    print(f"{count:,} documents, {size / 1e6:.1f} MB, {values:,} values, in {seconds:.2f} s")
    print(f"{'type':<12} {'values':>7} {'precision':>10} {'recall':>8}")
    all_good = True
    for type_ in TYPES:
        good = right[type_]
        precision = good / max(good + len(wrong[type_]), 1)
        recall = good / max(good + len(missed[type_]), 1)
        is_good = precision >= PRECISION and recall >= RECALL
        all_good &= is_good
        mark = "" if is_good else "!"
        values = good + len(missed[type_])
        print(f"{type_:<12} {values:>7} {precision:>10.4f} {recall:>8.4f} {mark}")
    for name, lists in (("wrong", wrong), ("missed", missed)):
        for type_, texts in sorted(lists.items()):
            for text in texts[:show]:
                print(f"{name:<7} {type_:<12} {text}")
    return all_good


def search(name: str, path: Path) -> None:
    """Prints every different value that is found in the texts of a file."""
    texts = list(_texts(path))
    encoded = [text.encode() for text in texts]
    size = sum(map(len, encoded)) / 1e6
    began = time.perf_counter()
    lists = th.filters.find_pii(texts, threads=1)
    seconds = time.perf_counter() - began
    found = lists.to_pylist()
    seen: Counter[tuple[str, str]] = Counter()
    shown: dict[tuple[str, str], str] = {}
    for text, spans in zip(encoded, found, strict=True):
        for span in spans:
            start, end = span["start"], span["end"]
            key = span["type"], text[start:end].decode()
            seen[key] += 1
            shown.setdefault(key, _around(text, start, end))
    total = sum(seen.values())
    print(f"{name}: {len(texts):,} texts, {size:.1f} MB, {size / seconds:.0f} MB/s on one thread; ", end="")
    print(f"{total:,} spans ({total / size:.2f} a MB), {len(seen):,} different values")
    for type_, value in sorted(seen):
        print(f"{seen[type_, value]:>6} {type_:<12} {shown[type_, value]}")


def _around(text: bytes, start: int, end: int) -> str:
    before = text[max(0, start - 40) : start].decode("utf-8", "ignore")
    value = text[start:end].decode("utf-8", "replace")
    value = value if len(value) <= 90 else f"{value[:80]}..."
    behind = text[end : end + 20].decode("utf-8", "ignore")
    return repr(f"{before}⟦{value}⟧{behind}")


def _texts(path: Path) -> Iterator[str]:
    import zstandard

    # The window of the sets is larger than what is allowed by default.
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    with path.open("rb") as file, reader.stream_reader(file) as stream:
        for line in io.TextIOWrapper(stream, "utf-8"):
            yield json.loads(line)["text"]


def main() -> int:
    """Runs the command; 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--documents", type=int, default=12_000)
    parser.add_argument("--data", type=Path, help="folder of psdocs.jsonl.zst and rfcs.jsonl.zst")
    parser.add_argument("--show", type=int, default=5, help="how many mistakes of each type are shown")
    arguments = parser.parse_args()
    good = measure(arguments.documents, arguments.show)
    for name in CORPORA if arguments.data else ():
        path = arguments.data / f"{name}.jsonl.zst"
        if path.exists():
            search(name, path)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
