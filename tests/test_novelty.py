"""Novelty by ROUGE-L: the decisions of rouge-score itself, one by one and all at once, of any texts."""

from __future__ import annotations

import json
import random
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer, tokenize

from thresher.errors import ColumnError, ParameterError
from thresher.generate.novelty import Novelty, Similar, rouge_l

Flavour = Callable[[list[str | None]], Any]

GOLDEN = Path(__file__).parent / "golden" / "rouge.jsonl"
SEEDS = Path(__file__).resolve().parents[2] / "shared" / "data" / "seed_tasks.jsonl"
SCORER = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)

# Few words, so that many texts are alike; some of their characters have ASCII in their lower case.
WORDS = st.sampled_from(["write", "a", "poem", "Sea", "é", "\u212a", "\u0130x", "Σ", "数据", "42", "to_do"])
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=12)
THRESHOLDS = st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.7, 0.7, 0.9, 1.0])


def f_of(target: str, prediction: str) -> float:
    return float(SCORER.score(target, prediction)["rougeL"].fmeasure)


class Kept:
    """The tokenizer of rouge-score, which remembers what it cut: most of the time would go there."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}

    def tokenize(self, text: str) -> list[str]:
        if text not in self.known:
            self.known[text] = tokenize.tokenize(text, None)
        return self.known[text]


class Reference:
    """The pool of Self-Instruct's code: every F, and the greatest of them decides."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.pool: list[str] = []
        self.scorer = rouge_scorer.RougeScorer(["rougeL"], tokenizer=Kept())

    def scores(self, text: str) -> list[float]:
        return [self.f(text, index) for index in range(len(self.pool))]

    def f(self, text: str, index: int) -> float:
        return float(self.scorer.score(text, self.pool[index])["rougeL"].fmeasure)

    def check(self, text: str) -> Similar | None:
        scores = self.scores(text)
        best = max(scores, default=0.0)
        return Similar(scores.index(best), best) if best > self.threshold else None

    def nearest(self, text: str, count: int) -> list[Similar]:
        found = [Similar(index, f) for index, f in enumerate(self.scores(text))]
        return sorted(found, key=lambda similar: -similar.f)[:count]


def test_pairs_are_scored_as_written_down() -> None:
    rows = [json.loads(line) for line in GOLDEN.read_text("ascii").splitlines()]
    assert len(rows) > 50
    for row in rows:
        assert struct.pack(">d", rouge_l(row["target"], row["prediction"])).hex() == row["f"]
        assert struct.pack(">d", f_of(row["target"], row["prediction"])).hex() == row["f"]


def test_every_character_is_cut_as_rouge_score_cuts_it() -> None:
    # Between letters, so that what is part of a token, what is none, and what becomes two characters differ.
    with_ascii = [c for c in map(chr, range(sys.maxunicode + 1)) if any(d.isascii() for d in c.lower())]
    for c in [*with_ascii, *map(chr, range(0x80, 0x2200)), "ﬁ", "Ａ", "𝐀", "\u1e9e"]:
        if c != "\n" and not "\ud800" <= c <= "\udfff":
            text = f"b{c}d {c} {c}e f{c}"
            joined = " ".join(tokenize.tokenize(text, None))
            assert rouge_l(text, joined) == 1.0, ascii(c)
            assert f_of(text, joined) == 1.0


@given(a=st.text(max_size=30), b=st.text(max_size=30))
def test_any_pair_is_scored_as_rouge_score_scores_it(a: str, b: str) -> None:
    expected = f_of(a, b)
    assert rouge_l(a, b).hex() == rouge_l(b, a).hex() == expected.hex()


@given(texts=TEXTS, seeds=st.integers(0, 3), threshold=THRESHOLDS)
def test_decisions_are_those_of_the_reference(texts: list[str], seeds: int, threshold: float) -> None:
    pool, reference = Novelty(threshold), Reference(threshold)
    for at, text in enumerate(texts):
        if at >= seeds:
            found = pool.check(text)
            assert found == reference.check(text)
            for count in (1, 3, 100):
                assert pool.nearest(text, count) == reference.nearest(text, count)
            if found is not None:
                continue
        pool.add(text)
        reference.pool.append(text)
        assert len(pool) == len(reference.pool)


@given(texts=TEXTS, threshold=THRESHOLDS, tokens=st.sampled_from(["rouge", "word"]), at=st.integers(0, 12))
def test_texts_at_once_are_decided_as_one_by_one(
    texts: list[str], threshold: float, tokens: Any, at: int
) -> None:
    one_by_one, several = Novelty(threshold, tokens), Novelty(threshold, tokens)
    expected = []
    for text in texts:
        found = one_by_one.check(text)
        expected.append((found is None, *(found or (None, None))))
        if found is None:
            one_by_one.add(text)
    found = []
    for part in (texts[:at], texts[at:]):
        decisions = several.offer(part)
        found += zip(
            decisions.novel.to_pylist(), decisions.member.to_pylist(), decisions.f.to_pylist(), strict=True
        )
    assert found == expected
    assert len(several) == len(one_by_one)


@given(texts=TEXTS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_pool_changes_names_and_nothing_else(texts: list[str], order: random.Random) -> None:
    *members, text = [*texts, "write a poem to the Sea"]
    shuffled = order.sample(members, len(members))
    first, second = Novelty(), Novelty()
    for one, other in zip(members, shuffled, strict=True):
        first.add(one)
        second.add(other)
    found, again = first.check(text), second.check(text)
    assert (found is None) == (again is None)
    if found is not None and again is not None:
        assert found.f == again.f == rouge_l(text, members[found.member])
        assert shuffled[again.member] in [member for member in members if rouge_l(text, member) == found.f]
    assert [one.f for one in first.nearest(text, 5)] == [one.f for one in second.nearest(text, 5)]


def mutated(draw: random.Random, text: str, vocabulary: Sequence[str]) -> str:
    """A variant whose F with `text` lies near 0.7: three in ten words are replaced, dropped or added."""
    words = text.split()
    size = len(words)
    changes = max(1, round(size * 0.3) + draw.choice((-1, 0, 0, 0, 1)))
    for _ in range(changes):
        place = draw.randrange(len(words)) if words else 0
        kind = draw.random()
        if kind < 0.7 and words:
            words[place] = draw.choice(vocabulary)
        elif kind < 0.85 and words:
            del words[place]
        else:
            words.insert(place, draw.choice(vocabulary))
    return " ".join(words)


def rows_near_the_threshold(seeds: Sequence[str], count: int) -> list[str]:
    """Instructions, most of which are a variant of a seed, or of an earlier one."""
    draw = random.Random(2022)
    vocabulary = sorted({word for seed in seeds for word in seed.split()})
    texts = list(seeds)
    while len(texts) < len(seeds) + count:
        if draw.random() < 0.1:
            texts.append(" ".join(draw.choices(vocabulary, k=draw.randint(0, 30))))
        else:
            texts.append(mutated(draw, draw.choice(texts[: len(seeds) + len(texts) // 4]), vocabulary))
    return texts[len(seeds) :]


MADE_UP = [
    "Write a short poem about the sea in three lines, each of which rhymes with the one before.",
    "Given a list of numbers, return the largest one and explain how you found it.",
    "What is the difference between a river and a canal?",
    "Translate the following sentence into French and say which words have no equivalent.",
    "Name ten countries of Africa, sorted by the number of their inhabitants, in a table.",
    "You are a teacher; explain to a child of eight years why the sky is blue.",
]


def sharing(counts: np.ndarray, tokens: list[int]) -> np.ndarray:
    """How many tokens each row of counts has in common with a text."""
    found, own = np.unique(np.array(tokens, np.intp), return_counts=True)
    return np.minimum(counts[:, found], own).sum(axis=1)


def compare(seeds: Sequence[str], texts: Sequence[str], *, every_pair: bool) -> None:
    """Decides on all texts with rouge-score, and holds the decisions of a pool against that.

    Unless `every_pair` is asked for, F is computed where it may be above 0.69: it is at most twice the number
    of common tokens, over the tokens of both.
    """
    decisions = Novelty()
    for seed in seeds:
        decisions.add(seed)
    found = decisions.offer(texts)
    reference = Reference(0.7)
    numbers: dict[str, int] = {}
    cut = [
        [numbers.setdefault(t, len(numbers)) for t in tokenize.tokenize(text, None)]
        for text in [*seeds, *texts]
    ]
    counts = np.zeros((len(cut), len(numbers)), np.uint8)
    sizes = np.zeros(len(cut), np.intp)
    above = 0
    for at, text in enumerate([*seeds, *texts]):
        size = len(reference.pool)
        if at >= len(seeds):
            likely = np.arange(size)
            if not every_pair:
                bound = 2 * sharing(counts[:size], cut[at]) / np.maximum(sizes[:size] + len(cut[at]), 1)
                likely = np.flatnonzero(bound > 0.69)
            scores = {index: reference.f(text, index) for index in likely.tolist()}
            best = max(scores.values(), default=0.0)
            row = at - len(seeds)
            expected = (True, None, None)
            if best > 0.7:
                expected = (False, next(index for index, f in scores.items() if f == best), best)
            got = (found.novel[row].as_py(), found.member[row].as_py(), found.f[row].as_py())
            assert got == expected, text
            above += 0.65 < best < 0.75
            if best > 0.7:
                continue
        np.add.at(counts[size], cut[at], 1)
        sizes[size] = len(cut[at])
        reference.pool.append(text)
    assert len(decisions) == len(reference.pool)
    # Shown by `pytest -rP`.
    print(f"{len(texts)} rows, {found.novel.true_count} new, best F of {above} between 0.65 and 0.75")
    assert above > len(texts) / 10


def test_generated_rows_are_decided_as_rouge_score_decides_them() -> None:
    compare(MADE_UP, rows_near_the_threshold(MADE_UP, 250), every_pair=True)


@pytest.fixture(scope="module")
def seed_tasks() -> list[str]:
    if not SEEDS.is_file():
        pytest.skip("the seeds of Self-Instruct are not beside this checkout")
    seeds = [json.loads(line)["instruction"] for line in SEEDS.read_text("utf-8").splitlines()]
    assert len(seeds) == 175
    return seeds


def test_the_seeds_of_self_instruct_are_decided_as_rouge_score_decides_them(seed_tasks: list[str]) -> None:
    pool, reference = Novelty(), Reference(0.7)
    for seed in seed_tasks:
        assert pool.check(seed) == reference.check(seed)
        assert pool.nearest(seed) == reference.nearest(seed, 10)
        pool.add(seed)
        reference.pool.append(seed)


@pytest.mark.timeout(300)
def test_10000_rows_are_decided_as_rouge_score_decides_them(seed_tasks: list[str]) -> None:
    compare(seed_tasks, rows_near_the_threshold(seed_tasks, 10_000), every_pair=False)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_2000_rows_are_decided_as_rouge_score_decides_them_pair_by_pair(seed_tasks: list[str]) -> None:
    compare(seed_tasks, rows_near_the_threshold(seed_tasks, 10_000)[:2_000], every_pair=True)


def test_a_column_of_any_kind_is_decided_as_a_list(flavour: Flavour, texts: list[str | None]) -> None:
    expected = Novelty(tokens="word").offer(texts)
    pool = Novelty(tokens="word")
    found = pool.offer(flavour(texts))
    assert found == expected
    assert found.novel.type == pa.bool_()
    assert found.member.type == pa.int64()
    assert found.f.type == pa.float64()
    assert found.novel.null_count == texts.count(None) > 0
    assert len(pool) == found.novel.true_count
    assert 0 < found.novel.true_count < len(found) == len(texts)


def test_a_column_of_a_table_can_be_chosen() -> None:
    table = pa.table({"instruction": ["Name a river.", "Name a big river."]})
    assert Novelty().offer(table, text="instruction").novel.to_pylist() == [True, False]
    with pytest.raises(ColumnError, match="`instruction`"):
        Novelty().offer(table)


def test_texts_that_are_hard_on_a_pool() -> None:
    pool = Novelty()
    for _ in range(2_000):
        pool.add("write a poem about the sea")
        pool.add("")
    assert pool.check("write a poem about the old sea") == (0, f_of("a b c d e f g", "a b c d e f"))
    assert pool.check("") is None
    assert pool.check("数据") is None
    words = [f"w{at % 5_003}" for at in range(1_500_000)]
    pool.add(" ".join(words))
    assert pool.check("na " * 3_000_000) is None
    found = pool.check(" ".join([*words[:700_000], *words[700_100:]]))
    assert found is not None
    assert found.member == 4_000
    assert found.f == 2 * 1.0 * (1_499_900 / 1_500_000) / (1.0 + 1_499_900 / 1_500_000)


def test_words_of_all_languages_count_where_they_are_asked_for() -> None:
    russian = ["Напиши короткое стихотворение о море", "Напиши короткое стихотворение о старом море"]
    assert rouge_l(*russian) == 0.0
    assert rouge_l(*russian, tokens="word") == f_of("a b c d e", "a b c d f e")
    pool = Novelty(tokens="word")
    assert pool.offer([*russian, "写一首关于大海的诗", "写一首关于海的诗"]).novel.to_pylist() == [
        True,
        False,
        True,
        False,
    ]


def test_a_pool_is_used_by_one_thread_at_a_time() -> None:
    pool = Novelty(1.0)
    batches = [[f"{batch} text {at}" for at in range(2_000)] for batch in range(4)]
    threads = [threading.Thread(target=pool.offer, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pool) == 8_000


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan"), "0.7", True, None])
def test_a_threshold_out_of_range_is_refused(threshold: Any) -> None:
    with pytest.raises(ParameterError, match=r"threshold is `.*`, but it is a .*number"):
        Novelty(threshold)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(
        ParameterError, match="tokens is `words`, but it is one of `rouge`, `word`; did you mean `word`"
    ):
        Novelty(tokens="words")  # type: ignore[arg-type]
    pool = Novelty()
    for call in (pool.add, pool.check, pool.nearest):
        with pytest.raises(ColumnError, match="text is of type `NoneType`, but it is a str"):
            call(None)  # type: ignore[arg-type]
        with pytest.raises(ColumnError, match="surrogate"):
            call("\ud800")
    with pytest.raises(ColumnError, match="b is of type `int`, but it is a str"):
        rouge_l("a", 1)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="count is `0`"):
        pool.nearest("a", 0)
    with pytest.raises(ColumnError, match="text `1` is of type `int`"):
        pool.offer(["a", 1])
    assert len(pool) == 0
    assert pool.nearest("a") == []
