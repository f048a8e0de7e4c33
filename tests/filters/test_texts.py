"""Signals and rules over texts in memory: against golden values, a plain twin, and every kind of column."""

from __future__ import annotations

import json
import math
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import thresher as th
from tests.conftest import Flavour
from tests.filters import twin
from tests.filters.pages import pages

GOLDEN = Path(__file__).parent.parent / "golden" / "filters.jsonl"


def _bits(value: float | None) -> str | None:
    return None if value is None else struct.pack(">d", value).hex()


def _golden() -> list[dict[str, Any]]:
    return [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]


def test_signals_are_those_of_other_tools_to_the_last_bit() -> None:
    rows = _golden()
    table = th.filters.signals([row["text"] for row in rows])
    assert table.column_names == [signal.signal for signal in th.filters.signal_list()]
    for name in {*rows[0]["signals"], *rows[0]["redpajama"]}:
        expected = [{**row["signals"], **row["redpajama"]}[name] for row in rows]
        assert [_bits(value) for value in table[name].to_pylist()] == expected, name


def test_each_kind_of_column_gives_the_same(texts: list[str | None], flavour: Flavour) -> None:
    given = flavour(texts)
    assert th.filters.signals(given, groups="fineweb").equals(th.filters.signals(texts, groups="fineweb"))
    result = th.filters.apply(flavour(texts), preset=["gopher", "fineweb"])
    assert result.failing.equals(th.filters.apply(texts, preset=["gopher", "fineweb"]).failing)


def test_rules_are_those_of_a_plain_twin() -> None:
    texts = pages(600)
    result = th.filters.apply(texts, preset="fineweb")
    expected = [twin.fineweb(text) for text in texts]
    assert result.failing.to_pylist() == expected
    assert result.keep.to_pylist() == [not failing for failing in expected]
    assert 50 < result.kept < 550
    for rule in result.rules:
        assert rule.failing == sum(rule.rule in failing for failing in expected)
        assert rule.first == sum(failing[:1] == [rule.rule] for failing in expected)
        assert rule.alone == sum(failing == [rule.rule] for failing in expected)
    assert sum(result.removed.values()) + result.kept == len(result) == 600
    changed = th.filters.apply(texts, preset="fineweb", set={"fineweb.line_punct": 0.9})
    assert changed.failing.to_pylist() == [twin.fineweb(text, 0.9) for text in texts]


def test_a_missing_text_is_neither_kept_nor_removed() -> None:
    rows = [
        {"t": "One sentence is on this page, and it ends.", "n": 1},
        {"t": None, "n": 2},
        {"t": "a", "n": 3},
    ]
    result = th.filters.apply(rows, text="t", preset="fineweb")
    assert result.keep.to_pylist() == [True, None, False]
    assert result.failing.to_pylist()[:2] == [[], None]
    assert (result.kept, result.missing, repr(result)) == (
        1,
        1,
        "FilterResult(texts=3, kept=1, removed=1, missing=1)",
    )
    assert str(result) == "in 3 = kept 1 + fineweb.line_punct 1 + missing 1"
    assert pa.Table.from_pylist(rows).filter(result.keep)["n"].to_pylist() == [1]
    assert th.filters.signals(rows, text="t", groups="lengths")["words"].to_pylist() == [9, None, 1]
    assert len(th.filters.apply([], preset="c4")) == 0


def test_the_number_of_threads_changes_nothing() -> None:
    texts = pages(2000, seed=5)
    one, two = (th.filters.signals(texts, preset=["gopher", "c4"], threads=threads) for threads in (1, 2))
    assert one.equals(two)
    assert "fineweb.lines" not in one.column_names
    assert "chars" in one.column_names


def test_rules_are_left_out_added_and_misspelt() -> None:
    lengths = th.filters.apply(["a b", "a b c"], preset="lengths", set={"lengths.min_words": 3})
    assert lengths.failing.to_pylist() == [["lengths.min_words"], []]
    assert [rule.rule for rule in lengths.rules] == ["lengths.min_words"]
    short = th.filters.apply(["a"], preset=["c4"], set={"c4.sentences": None})
    assert short.keep.to_pylist() == [True]
    for given, said in (
        ({"preset": "gofer"}, "did you mean `gopher`"),
        ({"preset": []}, "preset is ``, but it is one of"),
        ({"preset": "lengths"}, "set one at least"),
        ({"preset": "c4", "set": {"c4.sentence": 1}}, "did you mean `c4.sentences`"),
        (
            {"preset": "c4", "set": {"fineweb.newlines": 1}},
            "of preset `fineweb`, which is not among those asked for",
        ),
        ({"preset": "c4", "set": {"c4.sentences": "many"}}, "set `c4.sentences` is `many`"),
        ({"preset": "c4", "set": {"c4.sentences": math.nan}}, "set `c4.sentences` is `nan`"),
    ):
        with pytest.raises(th.ParameterError, match=said):
            th.filters.apply(["a"], **given)
    with pytest.raises(th.ParameterError, match="did you mean `redpajama`"):
        th.filters.signals(["a"], groups="redpyjama")


def test_c4_takes_lines_without_an_end_if_asked() -> None:
    text = (
        "One line of words\n" * 3 + "Another line of words that ends. And one more. And more. And one. Last."
    )
    kept = th.filters.signals([text], groups="c4")["c4.kept_lines"].to_pylist()
    assert kept == [1]
    assert th.filters.signals([text], groups="c4", unended_lines=True)["c4.kept_lines"].to_pylist() == [4]


def test_other_threads_go_on_meanwhile() -> None:
    texts = pages(300) * 30
    ticks = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.001):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    th.filters.signals(texts, threads=1)
    done.set()
    ticker.join()
    assert len(ticks) > 5


def test_the_catalogue_says_what_there_is() -> None:
    names = [rule.rule for rule in th.filters.rules()]
    assert len(names) == len(set(names)) > 60
    assert all(rule.threshold is None for rule in th.filters.rules("lengths"))
    assert {signal.group for signal in th.filters.signal_list()} >= {"lengths", "redpajama"}
    signals = {signal.signal for signal in th.filters.signal_list()}
    assert {rule.signal for rule in th.filters.rules()} <= signals
    with pytest.raises(th.ParameterError, match="did you mean `fineweb`"):
        th.filters.rules("finewebb")
