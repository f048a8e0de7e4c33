"""Inputs that break a search which is quadratic somewhere: each at two sizes, with time, memory and books.

Run as `python -m benches.limits`. Near-linear means that twice the input takes about twice the time. Each
size is a fresh process, so the memory is its own.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable


def _words(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(count)]


def equal(count: int) -> list[str]:
    """Copies of one document of 1,000 words."""
    words = _words(1_000, 1)
    return [" ".join(words) for _ in range(count)]


def template(count: int) -> list[str]:
    """Documents of 1,000 words of which one, at a place of its own, differs."""
    words = _words(1_000, 2)
    draw = random.Random(3)
    documents = []
    for number in range(count):
        at = draw.randrange(len(words))
        documents.append(" ".join([*words[:at], f"name{number}", *words[at + 1 :]]))
    return documents


def form(count: int) -> list[str]:
    """Documents of 60 words of which the first 20 are their own: alike in part, never near-duplicates."""
    tail = " ".join(_words(40, 4))
    return [f"{' '.join(_words(20, 1_000 + number))} {tail}" for number in range(count)]


def empty(count: int) -> list[str]:
    """Empty documents among as many that are not."""
    return [text for number in range(count) for text in ("", f"document {number} is not empty")]


def long(megabytes: int) -> list[str]:
    """One document of so many megabytes, and the same with a word more."""
    words = _words(10_000, 5)
    draw = random.Random(6)
    size, pieces = 0, []
    while size < megabytes * 1_000_000:
        pieces.append(" ".join(draw.choices(words, k=1_000)))
        size += len(pieces[-1]) + 1
    text = " ".join(pieces)
    return [text, f"{text} indeed"]


CASES: dict[str, tuple[Callable[[int], list[str]], tuple[int, int], str]] = {
    "equal documents": (equal, (50_000, 100_000), "documents"),
    "one template, one word differs": (template, (50_000, 100_000), "documents"),
    "one form, a third differs": (form, (50_000, 100_000), "documents"),
    "empty documents": (empty, (1_000, 2_000), "empty"),
    "one long document, twice": (long, (100, 200), "MB each"),
}


def measure(name: str, size: int) -> None:
    """Runs one case and prints its row."""
    import thresher

    texts = CASES[name][0](size)
    thresher.dedup(["warm", "up"])
    start = time.perf_counter()
    result = thresher.dedup(texts)
    seconds = time.perf_counter() - start
    books = result.summary
    if books.documents != len(texts) or books.kept + books.exact + books.near != len(texts):
        message = f"the books do not balance: {books}"
        raise AssertionError(message)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size_text = f"{size:,} {CASES[name][2]}"
    print(
        f"{name:31} {size_text:>18} {books.bytes / 1e6:8,.0f} MB {seconds:8.2f} s {peak:8,.0f} MiB  "
        f"kept {books.kept:,}, exact {books.exact:,}, near {books.near:,}, capped {books.capped:,}"
    )


def main() -> None:
    """Measures all cases, or the one named with its size."""
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    for name, (_make, sizes, _unit) in CASES.items():
        for size in sizes:
            subprocess.run([sys.executable, "-m", "benches.limits", name, str(size)], check=True)


if __name__ == "__main__":
    main()
