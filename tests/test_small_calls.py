"""Calls with little text work on the calling thread: the same results, from any thread, after a fork."""

from __future__ import annotations

import os
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher as th

LITTLE = ["to be or not to be, that", "To be or not to be - that!", None, "else", "else"]
FILLER = [f"{i} " * 50 for i in range(3000)]
KEPT = [True, False, True, True, False]


@given(st.lists(st.one_of(st.none(), st.text(max_size=30), st.sampled_from(LITTLE)), max_size=40))
def test_little_text_gives_what_it_gives_among_much(texts: list[str | None]) -> None:
    alone, among = th.dedup(texts, ngram=2), th.dedup(texts + FILLER, ngram=2, threads=3)
    assert alone.keep.equals(among.keep[: len(texts)])
    assert alone.duplicate_of.equals(among.duplicate_of[: len(texts)])
    signed = th.minhash(texts + FILLER, threads=3)[: len(texts)]
    assert th.minhash(texts).equals(signed)
    assert th.minhash(pa.array(texts, pa.string())).equals(signed)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the switches of one thread")
def test_a_small_call_waits_for_no_other_thread() -> None:
    texts, ranks = pa.array(LITTLE), pa.array(range(len(LITTLE)))
    th.dedup(texts)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    for _ in range(200):
        th.dedup(LITTLE)
        th.dedup(texts, keep="max", ranks=ranks)
        th.minhash(LITTLE)
    # With threads of its own each of the 600 calls waits at least once.
    assert resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before < 100


def test_many_threads_call_at_once() -> None:
    def call(_: int) -> list[bool]:
        return th.dedup(LITTLE).keep.to_pylist()  # type: ignore[no-any-return]

    with ThreadPoolExecutor(8) as pool:
        assert all(kept == KEPT for kept in pool.map(call, range(400)))


def test_a_thread_with_a_small_stack_calls() -> None:
    found: list[list[bool]] = []
    before = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=lambda: found.append(th.dedup(LITTLE).keep.to_pylist()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert found == [KEPT]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_calls_after_a_fork() -> None:
    th.dedup(LITTLE)
    th.dedup(FILLER, threads=2)
    child = os.fork()
    if child == 0:
        small, large = th.dedup(LITTLE).keep.to_pylist(), th.dedup(LITTLE + FILLER, threads=2)
        os._exit(0 if small == KEPT and large.keep.to_pylist()[:5] == KEPT else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
