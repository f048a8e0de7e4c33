"""Checks of every row: near-duplicates against brute force, copied words, sound chats, what is held out."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import thresher as th
from tests.generate.helpers import endpoint, question
from tests.generate.server import Server
from thresher._reference import shingles
from thresher._reference_resolution import jaccard
from thresher.errors import DataError, ParameterError
from thresher.generate.checks import Format, NearDuplicates
from thresher.generate.journal import entries
from thresher.generate.overlap import Overlap, held_texts, split
from thresher.generate.recipe import chat_of


def _texts(count: int, seed: int) -> list[str]:
    """Texts of which many are others with a few words changed."""
    chance = random.Random(seed)
    words = [f"w{at}" for at in range(400)]
    texts = [" ".join(chance.choices(words, k=chance.randint(3, 60))) for _ in range(count // 2)]
    while len(texts) < count:
        changed = chance.choice(texts).split()
        for _ in range(chance.randint(0, 4)):
            changed[chance.randrange(len(changed))] = chance.choice(words)
        texts.append(" ".join(changed))
    return texts


@pytest.mark.parametrize("threshold", [0.6, 0.8, 1.0])
def test_a_row_is_refused_if_and_only_if_a_kept_one_is_that_similar(threshold: float) -> None:
    check, kept, missed, refused = NearDuplicates(threshold), list[set[int]](), 0, 0
    for text in _texts(200, 5):
        own = shingles(text)
        found = any(jaccard(own, other) >= threshold for other in kept)
        reasons, detail = check.reasons({}, text)
        assert not reasons or found, "nothing is refused on an estimate"
        missed += found and not reasons
        refused += bool(reasons)
        if not reasons:
            check.keep({}, text)
            kept.append(own)
        else:
            assert "Jaccard similarity" in detail
    assert refused > (20 if threshold < 1 else 3)
    assert missed <= 1, "banding finds 0.995 of the pairs at the threshold"


@pytest.mark.parametrize("threshold", [0.0, 1.5, -1.0])
def test_a_similarity_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(ParameterError, match="near_duplicates is"):
        NearDuplicates(threshold)


def test_a_run_of_words_is_found_whatever_stands_between_them() -> None:
    check = Overlap(
        "seed_overlap", ["one two three four five", "too short", "漢字仮名交じり文の例です"], count=4
    )
    assert check.reasons({}, "so ONE, two; three\nfour!")[0] == ["seed_overlap"]
    assert check.reasons({}, "one two three, five four")[0] == []
    assert check.reasons({}, "too short too short too short")[0] == []
    assert check.reasons({}, "これは仮名交じりです")[0] == ["seed_overlap"]
    assert check.refuse(question("please continue: One, two three. FOUR five six")) is not None
    assert check.refuse(question("it is too short.")) is not None
    assert check.refuse(question("two three four five six")) is None, "a part is not the row"


def test_a_short_text_held_out_is_found_as_a_whole_and_what_anybody_says_is_not() -> None:
    check = Overlap("holdout_overlap", ["Who wrote the oldest play?", "Yes, it is"], shortest_whole=5)
    assert check.reasons({}, "Tell me: who wrote the OLDEST play, and when?")[0] == ["holdout_overlap"]
    assert check.reasons({}, "Who wrote the oldest book?")[0] == []
    assert check.reasons({}, "Yes, it is. Yes, it is. Yes, it is.")[0] == []
    assert (
        Overlap("seed_overlap", ["Who wrote the oldest play?"]).reasons({}, "Who wrote the oldest play")[0]
        == []
    )


def test_all_texts_of_a_row_held_out_count_but_not_its_labels() -> None:
    rows = [
        "A text alone",
        {"question": "Why?", "answer": "no", "subject": "history", "id": 7},
        {"messages": [{"role": "user", "content": "Which river is the longest one?"}]},
    ]
    assert held_texts("holdout", rows) == ["A text alone", "Why?", "Which river is the longest one?"]
    deep = {"text": "so", "more": None}
    for _ in range(5000):
        deep = {"text": "so", "more": deep}
    assert held_texts("holdout", [deep]) == ["so"]
    with pytest.raises(DataError, match=r"holdout\[0\] has no text"):
        held_texts("holdout", [{"label": "yes", "score": 1}])


def test_a_row_that_is_no_sound_chat_is_refused() -> None:
    check = Format(lambda row: chat_of(("user", row["q"]), ("assistant", row["a"])))
    assert check.reasons({"q": "Why?", "a": "So."}, "")[0] == []
    reasons, detail = check.reasons({"q": "Why?", "a": ""}, "")
    assert reasons
    assert all(reason.startswith("format_") for reason in reasons)
    assert detail


def test_what_is_held_out_is_whole_clusters() -> None:
    chance = random.Random(3)
    texts = [" ".join(chance.choices("abcdefghijklmnop", k=40)) for _ in range(40)]
    texts += [f"{text} z" for text in texts[:20]]
    held = split(texts, 0.3)
    assert 18 <= sum(held) <= 19
    assert held[:20] == held[40:], "a text and its near-duplicate are on one side"
    assert held == split(texts, 0.3) != split(texts, 0.3, seed=1)
    assert sum(split(texts, 0.0)) == 0
    assert all(split(texts, 1.0))


def test_seeds_that_are_held_out_are_in_no_prompt_and_in_no_row(tmp_path: Path) -> None:
    seeds = [f"Describe thing {at} of kind {at * 7919} in words." for at in range(40)]
    with Server("self_instruct") as server:
        found = th.generate.self_instruct(
            [{"id": f"s{at}", "instruction": seed} for at, seed in enumerate(seeds)],
            endpoint=endpoint(server.base_url),
            target=30,
            holdout_share=0.25,
            near_duplicates=None,
            journal=tmp_path / "j",
        )
    held = found.report["config"]["recipe"]["held_out"]
    assert len(held) == 10
    texts = [seeds[int(one[1:])] for one in held]
    asked = "\n".join(entry.request["messages"][0]["content"] for entry in entries(tmp_path / "j"))
    assert not [text for text in texts if text.rstrip(":") in asked]
    assert [seed for seed in seeds if seed in asked], "the others are shown"
    with pytest.raises(ParameterError, match="leaves no seed"):
        th.generate.self_instruct(seeds, endpoint=endpoint("http://127.0.0.1:1/v1"), holdout_share=1.0)
