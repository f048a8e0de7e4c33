"""The benches judge others, so they are judged first: truth by brute force, scores by hand counts."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benches import chart, corpora, languages, mixture, report, run, synthetic, truth, worker
from benches.engines import _shingles, all_engines

_SMALL = synthetic.Shape(n_docs=250, median_words=60, sigma=0.7, copies=0.1, edits=0.5)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """A small synthetic corpus with the edges of a real one at its end."""
    edges = [
        "",
        "   ",
        "one",
        "one two",
        "One, two!",
        "one two three four five",
        "é è ê ë ē",
        "\u4e2d\u6587 text",
    ]
    return [*synthetic.documents(_SMALL, seed=3), *edges]


def _brute_force(texts: list[str], floor: float, words: truth.Words) -> dict[tuple[int, int], float]:
    sets = []
    for text in texts:
        found = truth.words_of(text, words)
        width = min(truth.NGRAM, len(found))
        sets.append(
            {tuple(found[at : at + width]) for at in range(len(found) - width + 1)} if found else set()
        )
    pairs = {}
    for left, right in itertools.combinations(range(len(texts)), 2):
        union = len(sets[left] | sets[right])
        jaccard = len(sets[left] & sets[right]) / union if union else float(texts[left] == texts[right])
        if jaccard >= floor:
            pairs[left, right] = jaccard
    return pairs


@pytest.mark.parametrize("words", ["runs", "split"])
@pytest.mark.parametrize("floor", [0.05, 0.5, 0.78, 1.0])
def test_exact_pairs_are_those_of_brute_force(texts: list[str], floor: float, words: truth.Words) -> None:
    pairs = truth.exact_pairs(texts, floor=floor, words=words)
    found = dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.jaccard, strict=True))
    expected = _brute_force(texts, floor, words)
    assert len(expected) > 10
    assert found == pytest.approx(expected)


def test_without_a_word_only_equal_texts_are_pairs() -> None:
    pairs = truth.exact_pairs(["", " ", "...", "", ""], floor=0.5)
    found = sorted(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.jaccard.tolist(), strict=True))
    assert found == [(0, 3, 1.0), (0, 4, 1.0), (3, 4, 1.0)]
    assert len(truth.exact_pairs([], floor=0.5).left) == 0


def _pairs(*rows: tuple[int, int, float]) -> truth.Pairs:
    left, right, jaccard = zip(*rows, strict=True)
    return truth.Pairs(np.array(left), np.array(right), np.array(jaccard), 0.5)


def test_a_pair_is_found_when_at_most_one_of_it_is_kept() -> None:
    pairs = _pairs((0, 1, 0.95), (2, 3, 0.9), (4, 5, 0.81))
    keep = np.array([True, False, True, True, True, True])
    judged = truth.score("keep", keep, pairs, 0.8)
    # The pair at 0.81 is too near the threshold to be held against anyone.
    assert (judged.recall, judged.precision, judged.kept) == (0.5, 1.0, 5)


def test_a_removal_through_a_chain_of_removed_neighbours_is_not_justified() -> None:
    pairs = _pairs((0, 1, 0.9), (1, 2, 0.9))
    judged = truth.score("keep", np.array([True, False, False]), pairs, 0.8)
    assert judged.precision == 0.5
    flagged = truth.score("flags", np.array([True, True, True]), pairs, 0.8)
    assert (flagged.recall, flagged.precision, flagged.kept) == (1.0, 1.0, 0)


def test_a_pair_below_the_tolerance_justifies_no_removal() -> None:
    judged = truth.score("keep", np.array([True, False, False]), _pairs((0, 1, 0.779), (0, 2, 0.781)), 0.8)
    assert judged.precision == 0.5


def test_incomplete_truth_claims_no_precision() -> None:
    known = _pairs((0, 1, 0.9))
    part = truth.Pairs(known.left, known.right, known.jaccard, 0.0, complete=False)
    assert truth.score("keep", np.array([True, False]), part, 0.8).precision is None


def test_restricted_pairs_are_renumbered() -> None:
    part = _pairs((0, 1, 0.9), (1, 3, 0.8)).restricted(np.array([1, 3]), 4)
    assert (part.left.tolist(), part.right.tolist(), part.jaccard.tolist()) == ([0], [1], [0.8])


def test_the_same_seed_writes_the_same_text() -> None:
    first, again = (list(synthetic.documents(_SMALL, seed=5)) for _ in range(2))
    assert first == again
    assert first != list(synthetic.documents(_SMALL, seed=6))


def test_synthetic_pairs_fall_on_both_sides_of_a_threshold(texts: list[str]) -> None:
    jaccard = truth.exact_pairs(texts, floor=0.3).jaccard
    assert (jaccard < 0.8).sum() > 20
    assert ((jaccard >= 0.8) & (jaccard < 1)).sum() > 20


def test_a_mix_holds_its_sources_and_states_true_jaccards(texts: list[str]) -> None:
    size = sum(len(text.encode()) for text in texts)
    made = mixture.mix([texts], target_bytes=3 * size, seed=1)
    assert set(texts) <= set(made.texts)
    assert sum(len(text.encode()) for text in made.texts) >= 3 * size
    assert min(made.recipe["copies"], made.recipe["edits"]) > 0
    planted = zip(made.planted.left.tolist(), made.planted.right.tolist(), made.planted.jaccard, strict=True)
    for left, right, jaccard in itertools.islice(planted, 50):
        sets = truth.ShingleSets([made.texts[left], made.texts[right]], "runs")
        assert sets.jaccard(0, 1) == pytest.approx(jaccard) or made.texts[left] == made.texts[right]


def test_python_shingles_agree_with_the_truth_by_split(texts: list[str]) -> None:
    for text in texts:
        found = text.lower().split()
        assert len(_shingles.word_shingles(text)) == max(1, len(found) - 4)
    assert _shingles.word_shingles("A b c d e f") == ["a b c d e", "b c d e f"]


def test_keep_first_follows_no_chain() -> None:
    # 1 is like 0 and 2 is like 1, but 2 is not like 0: 1 goes, and 2 stays as 1 is not kept.
    sketches = np.array([[1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 2, 2], [9, 9, 9, 9]])
    flat, offsets = np.array([0, 1, 0, 1, 2, 1, 2]), np.array([0, 2, 5, 7])
    keep = _shingles.keep_first(np.array([0, 1, 2]), flat, offsets, sketches, 0.75)
    assert keep.tolist() == [True, False, True, True]


def test_every_engine_has_its_own_name_and_known_corpora() -> None:
    engines = all_engines()
    assert len(engines) >= 11
    for engine in engines.values():
        assert set(engine.corpora) <= set(corpora.NAMES)


def test_parts_have_the_lines_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    for lines in (["a" * size for size in (1, 900, 3, 70, 2, 800, 1)], ["x"], ["a", "b"]):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        folder = worker._parts(path)
        parts = sorted(folder.iterdir())
        assert len(parts) == 4
        assert "".join(part.read_text(encoding="utf-8") for part in parts) == path.read_text(encoding="utf-8")
        shutil.rmtree(folder)


def test_lookalikes_are_no_near_duplicates() -> None:
    pages = list(synthetic.lookalikes(20, seed=1))
    sets = truth.ShingleSets(pages, "runs")
    pairs = itertools.combinations(range(20), 2)
    assert all(0.58 < sets.jaccard(left, right) < 0.64 for left, right in pairs)


def test_the_order_of_the_jobs_is_drawn_by_the_seed() -> None:
    first, again, other = (run.plan(run.parse(["--seed", seed])) for seed in ("1", "1", "2"))
    assert first == again != other
    assert {job[0].name for job in first} == {job[0].name for job in other}


def test_a_recorded_command_names_no_folder_of_the_machine() -> None:
    recorded = run.command(["--data", "/home/me/data", "--threads", "1,2", "--cache=/var/me", "--quick"])
    assert recorded == "python -m benches.run --data DATA --threads 1,2 --cache=CACHE --quick"


def test_an_unknown_engine_or_corpus_is_refused_by_name() -> None:
    with pytest.raises(SystemExit, match="`nosuch`"):
        run.plan(run.parse(["--engines", "nosuch"]))
    with pytest.raises(SystemExit, match="`nosuch`"):
        run.plan(run.parse(["--corpora", "nosuch"]))


def test_a_corpus_is_made_once_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "_QUICK_SHORT_DOCS", 40)
    made = corpora.load("short", data=None, cache=tmp_path, quick=True)
    again = corpora.load("short", data=None, cache=tmp_path, quick=True)
    assert made == again
    assert made.origin == "synthetic"
    assert len(made.texts()) == made.n_docs == 40
    assert sum(len(text.encode()) for text in made.texts()) == made.text_bytes
    pairs = made.truth("runs", 0.8)
    assert pairs.left.tolist() == made.truth("runs", 0.8).left.tolist()


def test_thirty_languages_are_the_same_documents_in_their_own_letters() -> None:
    shape = synthetic.Shape(n_docs=120, median_words=60)
    found = list(languages.documents(shape, seed=3))
    assert found == list(languages.documents(shape, seed=3))
    of = {language: "".join(found[4 * n : 4 * n + 4]) for n, language in enumerate(languages.ALPHABETS)}
    assert any("а" <= letter <= "я" for letter in of["ru"])
    assert any("一" <= letter <= "鿿" for letter in of["zh"])
    assert " " in of["ru"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (0.0567, "0.057"), (9.94, "9.9"), (12.4, "12"), (1234.0, "1,200"), (987_654.0, "990,000")],
)
def test_figures_are_rounded_to_two_digits(value: float, expected: str) -> None:
    assert report.two_digits(value) == expected


def _record() -> dict[str, Any]:
    row = {"corpus": "rfcs", "threads": 2, "scope": "search", "settings": "s", "kind": "keep", "version": "1"}
    row |= {"recall": 0.99996, "precision": 1.0, "kept": 7, "cpu_s": [2.0], "peak_mib": 10.0}
    rows = [
        {**row, "engine": "fast", "wall_s": [1.0, 1.2, 1.1], "answer": "a"},
        {**row, "engine": "fast", "wall_s": [2.0], "answer": "b", "threads": 1},
        {
            "engine": "gone",
            "corpus": "rfcs",
            "threads": 2,
            "scope": "search",
            "settings": "s",
            "error": "no <pkg>",
        },
    ]
    about = {"n_docs": 10, "text_bytes": 110_000_000, "origin": "real"}
    kind = {
        "cpu": "C<PU",
        "cores": 2,
        "vector": ["avx2"],
        "memory_gib": 1,
        "python": "p",
        "load": 0.0,
        "system": "x",
    }
    fields = {"command": "c", "date": "2026-01-01T", "seconds": 1, "load_after": 0.0, "threshold": 0.8}
    return {**fields, "machine": kind, "corpora": {"rfcs": about}, "rows": rows}


def test_a_table_shows_accuracy_before_speed_and_names_what_failed() -> None:
    table = report.tables(_record())
    assert table.index("recall") < table.index("MB/s")
    # 0.99996 is cut, not rounded up to a perfect score.
    assert "| 0.9999 | 1 | 7 | 100 |" in table
    assert "not run: no <pkg>" in table
    assert "depends on the number of threads: fast on rfcs" in table


def test_a_chart_is_well_formed_whatever_the_labels_hold() -> None:
    drawn = ElementTree.fromstring(report.bars(_record(), "rfcs", 2))
    widths = [float(bar.attrib["width"]) for bar in drawn.iter() if bar.get("class") in ("own", "bar")]
    assert len(widths) == 1
    assert "C<PU" in "".join(drawn.itertext())
    ElementTree.fromstring(chart.render("a < b & c", [], []))


def test_records_in_the_folder_can_be_read() -> None:
    for path in (Path(__file__).parent / "record").glob("*/*.json"):
        assert "| engine |" in report.tables(json.loads(path.read_text(encoding="utf-8")))
