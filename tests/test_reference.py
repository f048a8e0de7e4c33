"""The reference twin by itself: values worked out by hand, the golden file, and the laws of the sketch.

Everything else is tested against the reference, so this file must not need the compiled core.
"""

import doctest
import itertools
import json
import math
import random
import re
import statistics
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent / "golden"))
import make

reference = make.load_reference()

shingle_sets = st.sets(st.integers(0, 2**64 - 1), max_size=60)
lane_counts = st.integers(1, 200)


def random_pair(rng: random.Random, shared: int, alone: int) -> tuple[set[int], set[int]]:
    """Two sets of equal size with `shared` members in common and `alone` more each."""
    drawn = [rng.getrandbits(64) for _ in range(shared + 2 * alone)]
    return set(drawn[: shared + alone]), set(drawn[:shared] + drawn[shared + alone :])


def agreement(a: list[int], b: list[int]) -> float:
    """The share of equal lanes: the estimate of the Jaccard similarity."""
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a)


def test_doctests_run_and_pass() -> None:
    failed, attempted = doctest.testmod(reference)
    assert failed == 0
    assert attempted >= 20


def test_golden_file_equals_a_fresh_computation() -> None:
    fresh = make.render(make.build()).splitlines()
    committed = make.GOLDEN.read_text(encoding="ascii").splitlines()
    for new, old in zip(fresh, committed, strict=True):
        assert new == old, f"hash scheme 2 changed, first in {old[:60]}: see tests/golden/README.md"


def test_golden_documents_have_distinct_names() -> None:
    names = [entry["name"] for entry in json.loads(make.GOLDEN.read_text(encoding="ascii"))["documents"]]
    assert len(set(names)) == len(names) >= 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n", []),
        ("snake_case", ["snake", "case"]),
        ("isn't", ["isn", "t"]),
        ("ΟΔΥΣΣΕΥΣ ΣΑΣ", ["οδυσσευσ", "σασ"]),
        ("\u0130x", ["i\u0307x"]),
        ("Straße", ["straße"]),
        ("e\u0301a", ["e\u0301a"]),
        ("a\u200db", ["a", "b"]),
        ("x漢字y", ["x", "漢", "字", "y"]),
        ("カー", ["カ", "ー"]),
        ("ก\u0e34", ["ก", "\u0e34"]),
        ("½ⅷ²", ["½ⅷ²"]),
        ("a\0b", ["a", "b"]),
        ("\ufeffa\u00a0b", ["a", "b"]),
    ],
)
def test_words_known_by_heart(text: str, expected: list[str]) -> None:
    assert reference.words(text) == expected


def test_solo_characters_are_those_whose_names_say_so() -> None:
    named = re.compile(
        "(CJK (UNIFIED|COMPATIBILITY) IDEOGRAPH-|HANGZHOU NUMERAL |HENTAIGANA LETTER "
        "|HALFWIDTH KATAKANA LETTER |(HIRAGANA|KATAKANA) (LETTER|ITERATION|VOICED ITERATION|DIGRAPH)"
        "|(THAI|LAO|KHMER|MYANMAR) )"
    )
    han_by_other_names = {0x3005, 0x3007, 0x303B, 0x16FE3, 0x16FF0, 0x16FF1}
    for code_point in range(0x110000):
        character = chr(code_point)
        kind = reference.character_class(character)
        if kind != "separator":
            is_named = named.match(unicodedata.name(character, "")) is not None
            assert (kind == "solo") == (is_named or code_point in han_by_other_names), hex(code_point)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" ?! ", ""),
        ("..Ab,  c..", "ab c"),
        ("漢字", "漢字"),
        ("漢 字", "漢 字"),
        ("a漢b", "a漢b"),
        ("\u0130!", "i\u0307"),
    ],
)
def test_character_items_have_one_blank_between_words(text: str, expected: str) -> None:
    assert "".join(reference.items(text, "char")) == expected


def test_word_hash_equals_its_formula_written_out() -> None:
    def product(a: int, b: int) -> int:
        return (a * b) % 2**64 ^ (a * b) // 2**64

    k0, k1, chain = 0x46093CF9861EC2FF, 0xE7FF814E1D99A4FF, 0x99EDB3EBB4A21A15
    assert reference.word_hash(b"ab") == product(0x6261 ^ k0, k1)
    assert reference.word_hash(b"12345678a") == product(0x3837363534333231 ^ k0, 0x61 ^ k1)
    first = product(0x3837363534333231 ^ k0, 0x6665646362613039 ^ k1)
    turned = first * 2**29 % 2**64 + first // 2**35
    assert reference.word_hash(b"1234567890abcdefgh") == (turned * chain + product(0x6867 ^ k0, k1)) % 2**64


def test_word_hashes_near_the_block_edge_differ() -> None:
    hashes = {reference.word_hash(b"a" * n_bytes) for n_bytes in range(1, 70)}
    assert len(hashes) == 69


def test_words_in_another_order_are_another_shingle() -> None:
    orders = itertools.permutations(["one", "two", "three", "four", "five"])
    assert len({frozenset(reference.shingles(" ".join(order))) for order in orders}) == 120


@pytest.mark.parametrize(("n_words", "n_shingles"), [(0, 0), (1, 1), (4, 1), (5, 1), (6, 2), (50, 46)])
def test_short_documents_have_one_shingle(n_words: int, n_shingles: int) -> None:
    assert len(reference.shingles(" ".join(f"w{i}" for i in range(n_words)))) == n_shingles


def test_lane_is_the_least_value_of_its_slot() -> None:
    values = [0x00000000_00000009, 0x3FFFFFFF_00000004, 0x40000000_00000007, 0xFFFFFFFF_00000002]
    lanes = reference.signature(values, 4)
    assert (lanes[0], lanes[1], lanes[3]) == (4, 7, 2)
    factor, summand = reference.lane_permutation(2)
    assert lanes[2] == min((factor * value + summand) % 2**32 for value in (9, 4, 7, 2))


def test_texts_without_a_shingle_have_no_signature() -> None:
    assert reference.signature(reference.shingles("?!"), 7) == [2**32 - 1] * 7


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), lane_counts, st.randoms())
def test_order_and_repetition_of_shingles_do_not_matter(
    values: list[int], num_hashes: int, rng: random.Random
) -> None:
    shuffled = values + values[: len(values) // 2]
    rng.shuffle(shuffled)
    assert reference.signature(shuffled, num_hashes) == reference.signature(values, num_hashes)


@settings(deadline=None)
@given(shingle_sets, shingle_sets, lane_counts)
def test_lanes_of_a_union_are_the_lesser_ones_where_both_sets_reach_the_lane(
    a: set[int], b: set[int], num_hashes: int
) -> None:
    def reached(values: set[int]) -> set[int]:
        return {((x >> 32) * num_hashes) >> 32 for x in values if x & 0xFFFFFFFF != 0xFFFFFFFF}

    both, either = reached(a) & reached(b), reached(a) | reached(b)
    ours, theirs, union = (reference.signature(s, num_hashes) for s in (a, b, a | b))
    for lane in range(num_hashes):
        if lane in both or (a and b and lane not in either):
            assert union[lane] == min(ours[lane], theirs[lane])
        elif lane in either:
            assert union[lane] == (ours if lane in reached(a) else theirs)[lane]


@settings(deadline=None)
@given(st.integers(1, 9), st.randoms(use_true_random=False), st.data())
def test_band_key_depends_on_its_own_lanes_only(rows: int, rng: random.Random, data: st.DataObject) -> None:
    lanes = [rng.getrandbits(32) for _ in range(128)]
    bands = 128 // rows
    changed = data.draw(st.integers(0, 127))
    before = reference.band_keys(lanes, bands, rows)
    lanes[changed] ^= 1
    after = reference.band_keys(lanes, bands, rows)
    expected = [changed // rows] if changed < bands * rows else []
    assert [i for i in range(bands) if before[i] != after[i]] == expected


def test_equal_lanes_in_other_bands_have_other_keys() -> None:
    assert len(set(reference.band_keys([5] * 128, 18, 7))) == 18


@pytest.mark.parametrize(
    ("threshold", "num_hashes", "recall", "expected"),
    [
        (0.8, 128, 0.995, (21, 6)),
        (0.8, 128, 0.98, (18, 7)),
        (1.0, 128, 0.995, (1, 128)),
        (0.8, 1, 0.995, (1, 1)),
        (0.01, 16, 0.995, (16, 1)),
        # Exact in binary, 1 - (1 - 0.5**1)**4 and 1 - (1 - 0.5**2)**2: to reach the recall is enough.
        (0.5, 4, 0.9375, (4, 1)),
        (0.5, 4, 0.4375, (2, 2)),
    ],
)
def test_banding_chosen(threshold: float, num_hashes: int, recall: float, expected: tuple[int, int]) -> None:
    assert reference.choose_banding(threshold, num_hashes, recall) == expected


@settings(deadline=None)
@given(st.floats(0.05, 1.0), st.integers(1, 256), st.floats(0.5, 0.999))
def test_banding_has_the_most_rows_that_reach_the_recall(
    threshold: float, num_hashes: int, recall: float
) -> None:
    bands, rows = reference.choose_banding(threshold, num_hashes, recall)
    enough = [
        r
        for r in range(1, num_hashes + 1)
        if 1 - math.pow(1 - math.pow(threshold, r), num_hashes // r) >= recall
    ]
    assert rows == max(enough, default=1)
    assert bands == num_hashes // rows


@pytest.mark.parametrize("size", [10, 40, 128, 400])
def test_estimate_is_unbiased_and_no_wider_than_minhash(size: int) -> None:
    rng = random.Random(size)
    shared = round(size * 2 / 3)
    errors = []
    for _ in range(400):
        a, b = random_pair(rng, shared, size - shared)
        errors.append(
            agreement(reference.signature(a, 64), reference.signature(b, 64)) - reference.jaccard(a, b)
        )
    exact = shared / (2 * size - shared)
    classic = math.sqrt(exact * (1 - exact) / 64)
    # Five standard errors of a mean of 400; the seed is fixed, so the outcome is too.
    assert abs(statistics.fmean(errors)) < 5 * classic / math.sqrt(400)
    assert statistics.pstdev(errors) < 1.15 * classic
    assert max(map(abs, errors)) < 5 * classic


def test_pairs_at_the_threshold_share_a_band() -> None:
    rng = random.Random(11)
    found = 0
    for _ in range(500):
        a, _ = random_pair(rng, 60, 0)
        b = set(sorted(a)[::5])
        keys = (reference.band_keys(reference.signature(s), 21, 6) for s in (a, a - b))
        found += bool(set.intersection(*map(set, keys)))
    assert found >= 490


def sentence(first: int, n_words: int = 40) -> str:
    """A text whose shingles overlap with those of a neighbour by what the windows of numbers share."""
    return " ".join(f"w{i}" for i in range(first, first + n_words))


def test_chain_of_neighbours_removes_only_what_is_near_a_kept_one() -> None:
    # 36 shingles each; one step shares 34 of 38, two steps 32 of 40, three steps 30 of 42.
    texts = [sentence(2 * step) for step in range(4)]
    keep, duplicate_of, similarity = reference.dedup(texts, threshold=0.85)
    assert keep == [True, False, True, False]
    assert duplicate_of == [None, 0, None, 2]
    assert similarity == [None, 34 / 38, None, 34 / 38]


def test_similarity_equal_to_the_threshold_is_enough() -> None:
    # 32 of 40 shingles in common: the quotient is the double nearest to 0.8, as the literal is.
    texts = [sentence(0), sentence(4)]
    assert reference.dedup(texts, threshold=0.8) == ([True, False], [None, 0], [None, 0.8])
    assert reference.dedup(texts, threshold=math.nextafter(0.8, 1))[0] == [True, True]


def test_removed_document_names_the_most_similar_kept_one_and_of_equals_the_earliest() -> None:
    texts = [sentence(0), sentence(12), sentence(7), sentence(6)]
    assert reference.dedup(texts, threshold=0.6)[1] == [None, None, 1, 0]


def test_copies_of_a_removed_text_name_what_it_names() -> None:
    texts = [sentence(2), sentence(0), sentence(2), "alone", "alone"]
    keep, duplicate_of, similarity = reference.dedup(texts, keep="max:score", ranks=[1, 5, None, 0, 0])
    assert keep == [False, True, False, True, False]
    assert duplicate_of == [1, None, 1, None, 3]
    assert similarity == [34 / 38, None, 34 / 38, None, 1.0]


def test_null_is_kept_and_wordless_texts_are_duplicates_only_if_equal() -> None:
    texts = [None, "?!", "!?", None, "?!", "", ""]
    keep, duplicate_of, _ = reference.dedup(texts)
    assert keep == [True, True, True, True, False, True, False]
    assert duplicate_of == [None, None, None, None, 1, None, 5]


@pytest.mark.parametrize(
    ("keep", "ranks", "expected"),
    [
        ("first", None, [0, 1, 2, 3]),
        ("longest", None, [1, 2, 0, 3]),
        ("shortest", None, [3, 0, 1, 2]),
        ("max:date", ["2024-01", None, "2025-01", "2024-01"], [2, 0, 3, 1]),
        ("min:date", ["2024-01", None, "2025-01", "2024-01"], [0, 3, 2, 1]),
        ("max:score", [math.nan, 2, "x", 2.5], [2, 3, 1, 0]),
        ("min:score", [math.nan, 2, "x", 2.5], [1, 3, 2, 0]),
        ("max:score", [None, 1, math.nan, None], [1, 0, 2, 3]),
    ],
)
def test_keep_order(keep: str, ranks: list[float | str | None] | None, expected: list[int]) -> None:
    assert reference.keep_order(["ab", "\u00e9a", "abc", ""], keep, ranks) == expected


@settings(deadline=None)
@given(
    st.lists(st.none() | st.builds(sentence, st.integers(0, 30), st.integers(0, 40)), max_size=12),
    st.sampled_from(["first", "longest", "shortest"]),
    st.floats(0.3, 1.0),
)
def test_resolution_is_sound_and_leaves_no_kept_pair_that_met(
    texts: list[str | None], policy: str, threshold: float
) -> None:
    keep, duplicate_of, similarity = reference.dedup(texts, keep=policy, threshold=threshold)
    order = reference.keep_order(texts, policy)
    bands, rows = reference.choose_banding(threshold)
    sets = [reference.shingles(text or "") for text in texts]
    keys = [set(reference.band_keys(reference.signature(s), bands, rows)) if s else set() for s in sets]
    for doc, target in enumerate(duplicate_of):
        assert keep[doc] == (target is None) == (similarity[doc] is None)
        if target is not None:
            assert keep[target]
            equal = texts[doc] == texts[target]
            assert similarity[doc] == (1.0 if equal else reference.jaccard(sets[doc], sets[target]))
            assert similarity[doc] >= threshold
            assert equal or keys[doc] & keys[target]
    kept = [doc for doc in order if keep[doc] and texts[doc] is not None]
    for a, b in itertools.combinations(kept, 2):
        assert texts[a] != texts[b]
        assert not keys[a] & keys[b] or reference.jaccard(sets[a], sets[b]) < threshold


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: reference.items("a", "line"), "unit is `line`"),
        (lambda: reference.shingles("a", ngram=0), "ngram is `0`"),
        (lambda: reference.signature([1], 0), "num_hashes is `0`"),
        (lambda: reference.signature([1], 65_537), "num_hashes is `65537`"),
        (lambda: reference.band_keys([1] * 16, 4, 5), "`4` bands of `5` rows"),
        (lambda: reference.choose_banding(0.0), "threshold is `0.0`"),
        (lambda: reference.choose_banding(math.nan), "threshold is `nan`"),
        (lambda: reference.choose_banding(0.8, 128, 1.0), "recall is `1.0`"),
        (lambda: reference.dedup(["a"], keep="best"), "keep is `best`"),
        (lambda: reference.dedup(["a"], keep="max:score"), "one rank for each"),
    ],
)
def test_bad_parameters_are_named(call: Callable[[], object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()
