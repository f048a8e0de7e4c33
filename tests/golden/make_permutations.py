"""Writes `permutations.jsonl`: places of rows in some orders, computed by the slow twin in this file.

`python tests/golden/make_permutations.py` writes the file anew. A difference means another order, which
breaks whoever stored a length, a seed and an epoch instead of an order: see `README.md` here. The twin states
the scheme that `rust/thresher-tokens/src/permute.rs` computes; the tests of Python check it too.
"""

from __future__ import annotations

import json
from math import isqrt
from pathlib import Path

GOLDEN = Path(__file__).parent / "permutations.jsonl"
ROUNDS = 12
STEP = 0x9E3779B97F4A7C15
MASK = 2**64 - 1


def finalise(z: int) -> int:
    """The output step of SplitMix64."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def part(number: int, bound: int) -> int:
    """A number below `bound` made of all bits of another."""
    return finalise(number) * bound >> 64


def place(row: int, n: int, seed: int = 0, epoch: int = 0) -> int:
    """The place of a row in the order of `n` rows: a Feistel network over two ranges, with cycle walking."""
    height = isqrt(n - 1) + 1
    width = max(2, -(-n // height))
    width += width % 2
    start = finalise(finalise(finalise(seed) ^ epoch) ^ n)
    keys = [finalise((start + (index + 1) * STEP) & MASK) for index in range(ROUNDS)]
    while True:
        high, low = divmod(row, width)
        for first, second in zip(keys[::2], keys[1::2], strict=True):
            high = (high + part(low ^ first, height)) % height
            low = (low + part(high ^ second, width)) % width
        row = high * width + low
        if row < n:
            return row


def main() -> None:
    """Writes the file."""
    lengths = [1, 2, 3, 4, 5, 10, 16, 17, 100, 1000, 65_536, 10**6, 2**32 - 1, 2**32, 10**12, 2**63, MASK]
    cases = [(n, seed, epoch) for n in lengths for seed, epoch in [(0, 0), (0, 1), (12345, 0), (MASK, MASK)]]
    with GOLDEN.open("w", encoding="ascii", newline="\n") as file:
        for n, seed, epoch in cases:
            rows = sorted({*range(min(n, 10)), n // 2, n - 1})
            places = [place(row, n, seed, epoch) for row in rows]
            case = {"n": n, "seed": seed, "epoch": epoch, "rows": rows, "places": places}
            file.write(json.dumps(case) + "\n")


if __name__ == "__main__":
    main()
