"""Ctrl-C stops a long call soon, and other Python threads run meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import thresher as th

# The child interrupts itself after a moment, and prints how long the call took to return from then on.
_CHILD = """
import os, signal, threading, time
import pyarrow as pa
import thresher as th

words = [" ".join(str((i * 7919 + j * 104729) % 1000003) for j in range(300)) for i in range(4000)]
texts = pa.array(words)
interrupted = 0.0

def interrupt():
    global interrupted
    interrupted = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)

threading.Timer(0.5, interrupt).start()
try:
    th.dedup(texts, num_hashes=65536, threads=1)
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - interrupted)
else:
    print("finished")
# The process is whole afterwards.
assert th.dedup(["a", "a"]).summary.kept == 1
"""


def test_an_interrupt_stops_a_long_call_and_leaves_the_process_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], capture_output=True, text=True, timeout=50, check=True
    )
    word, _, seconds = done.stdout.strip().partition(" ")
    assert word == "interrupted", done.stdout + done.stderr
    # Promised is a second; a loaded machine gets more, and the whole call takes far longer still.
    assert float(seconds) < 5


def test_other_threads_run_while_a_call_computes() -> None:
    texts = [f"{i} " + " ".join(str(i * j) for j in range(200)) for i in range(5000)]
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0.0005)

    counter = threading.Thread(target=count)
    th.minhash(texts[:1])
    counter.start()
    try:
        before = counted
        th.minhash(texts, num_hashes=2048, threads=1)
        during = counted - before
    finally:
        stop.set()
        counter.join()
    assert during > 3


def test_calls_from_many_threads_do_not_disturb_each_other(texts: list[str | None]) -> None:
    expected = th.dedup(texts)
    found: list[bool] = []

    def call() -> None:
        for _ in range(5):
            found.append(th.dedup(texts, threads=2).duplicate_of.equals(expected.duplicate_of))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20
