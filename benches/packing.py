"""Packing: log-normal lengths into bins of 2,048, against TRL's `pack_dataset`.

Run as `python -m benches.packing [SEQUENCES]`. All run in one process and on one thread, each several times;
a figure is the least time of the processor, and of the clock for what takes two threads. TRL packs a data set
of token ids by `bfd`, with the batches of 1,000 rows that it takes by default and with batches of 100,000.

1. *Index only*: where each sequence goes.
2. *With tokens*: packed sequences and the lengths of segments, as TRL makes them; with positions too, which
   TRL leaves to its collator.
3. *100 million lengths*, thresher alone; not with fewer `SEQUENCES` than by default.

Before any clock, a plan has to place every sequence once with no bin over its context, and packed sequences
have to hold the tokens that were given. TRL takes no part where it is not installed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import thresher as th

CONTEXT = 2048
SEQUENCES = 400_000
MANY = 100_000_000
ROUNDS = 5
TWO = "two threads"


def lengths_of(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Lengths of documents: log-normal, from 8 tokens to one context."""
    return np.clip(np.random.default_rng(seed).lognormal(5.5, 1.0, count).astype(np.int64), 8, CONTEXT)


def check_plan(plan: th.PackPlan, lengths: np.ndarray[Any, Any]) -> None:
    """Every sequence has a place of its own."""
    bins, offsets = plan.bin.to_numpy().astype(np.int64), plan.offset.to_numpy().astype(np.int64)
    assert len(bins) == len(lengths)
    order = np.lexsort((offsets, bins))
    bins, offsets, length = bins[order], offsets[order], lengths[order]
    starts = np.concatenate([[True], bins[1:] != bins[:-1]])
    assert (offsets[starts] == 0).all()
    assert (offsets[1:][~starts[1:]] == (offsets + length)[:-1][~starts[1:]]).all()
    assert (offsets + length).max() <= CONTEXT
    assert starts.sum() == plan.num_bins


def check_packed(packed: pa.Table, ids: pa.Array) -> None:
    """The tokens that were given, each as often as there."""
    found = packed["input_ids"].combine_chunks().flatten().to_numpy()
    given = ids.flatten().to_numpy()
    assert len(found) == len(given)
    assert (np.bincount(found, minlength=50_000) == np.bincount(given, minlength=50_000)).all()


def least(works: dict[str, Callable[[], Any]], rounds: dict[str, int]) -> dict[str, float]:
    """The least time of each, taken in turn."""
    times: dict[str, float] = {}
    for round_ in range(max(rounds.values())):
        for name, work in works.items():
            if round_ < rounds[name]:
                clock = time.perf_counter if name.endswith(TWO) else time.process_time
                start = clock()
                work()
                took = clock() - start
                times[name] = min(took, times.get(name, took))
    return times


def rivals(ids: pa.Array) -> dict[str, Callable[[], Any]]:
    """TRL's packing of the same sequences, where it is installed."""
    try:
        import datasets
        import trl
        from trl.data_utils import pack_dataset
    except ImportError:
        print("TRL is not installed: no rival takes part", flush=True)
        return {}
    datasets.disable_progress_bars()
    data = datasets.Dataset(pa.table({"input_ids": ids}))
    name = f"TRL {trl.__version__} bfd"
    # What is packed twice comes from a cache otherwise.
    packed = {"load_from_cache_file": False}
    return {
        name: lambda: pack_dataset(data, CONTEXT, "bfd", packed),
        f"{name}, batches of 100,000": lambda: pack_dataset(
            data, CONTEXT, "bfd", {**packed, "batch_size": 100_000}
        ),
    }


def main(arguments: list[str]) -> None:
    """Prints all figures."""
    count = int(arguments[0]) if arguments else SEQUENCES
    lengths = lengths_of(count)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    drawn = np.random.default_rng(1).integers(0, 50_000, ends[-1], dtype=np.int32)
    ids = pa.ListArray.from_arrays(pa.array(ends), pa.array(drawn))
    column = pa.array(lengths)
    plan = th.pack(column, CONTEXT)
    check_plan(plan, lengths)
    check_plan(th.pack(column, CONTEXT, strategy="first_fit"), lengths)
    check_packed(th.pack(ids, CONTEXT, threads=1), ids)
    print(
        f"{count:,} sequences, {ends[-1]:,} tokens, {plan.num_bins:,} bins, fill {plan.fill:.6f}", flush=True
    )

    ours: dict[str, Callable[[], Any]] = {
        "index, best fit": lambda: th.pack(column, CONTEXT),
        "index, first fit": lambda: th.pack(column, CONTEXT, strategy="first_fit"),
        "index, wrapped": lambda: th.pack(column, CONTEXT, strategy="wrapped"),
        "with tokens, best fit": lambda: th.pack(ids, CONTEXT, threads=1, position_ids=False),
        "with tokens and positions, best fit": lambda: th.pack(ids, CONTEXT, threads=1),
        f"with tokens, {TWO}": lambda: th.pack(ids, CONTEXT, threads=2, position_ids=False),
        f"with tokens and positions, {TWO}": lambda: th.pack(ids, CONTEXT, threads=2),
    }
    theirs = rivals(ids)
    rounds = {**dict.fromkeys(ours, ROUNDS), **dict.fromkeys(theirs, 2)}
    times = least({**ours, **theirs}, rounds)
    best = min((times[name] for name in theirs), default=None)
    for name, took in times.items():
        ratio = f"  {best / took:8.1f} x TRL" if best else ""
        print(f"{name:<36} {took:9.4f} s {count / took:14,.0f} sequences/s{ratio}", flush=True)
    if count >= SEQUENCES:
        del ids, drawn, theirs
        many(MANY)


def many(count: int) -> None:
    """100 million lengths: the time, and the memory beyond the lengths."""
    lengths = pa.array(np.tile(lengths_of(count // 10, 2).astype(np.uint32), 10))
    # The peak of the process begins anew.
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = _peak()
    start, wall = time.process_time(), time.perf_counter()
    plan = th.pack(lengths, CONTEXT)
    took, wall = time.process_time() - start, time.perf_counter() - wall
    grown = _peak() - before
    print(
        f"{count:,} lengths: {took:.2f} s of the processor, {wall:.2f} s in all, {plan.num_bins:,} bins, "
        f"fill {plan.fill:.6f}; memory grew by {grown / count:.2f} bytes a length, of which 12 are the plan",
        flush=True,
    )


def _peak() -> int:
    """The most memory so far, in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(sys.argv[1:])
