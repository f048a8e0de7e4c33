"""Writes `rouge.jsonl`: tokens and F of ROUGE-L of some pairs of texts, as rouge-score 0.1.2 gives them.

`python tests/golden/make_rouge.py` writes the file anew; see `README.md` here.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path

from rouge_score import rouge_scorer, tokenize

GOLDEN = Path(__file__).parent / "rouge.jsonl"
WORDS = ["write", "a", "the", "poem", "about", "sea", "in", "three", "lines", "of", "each", "42"]

BY_HAND = [
    ("", ""),
    ("", "something"),
    ("?! ...", "Γράψε ένα ποίημα"),
    ("Write a poem.", "write A poem"),
    ("Write a poem.", "Write a short poem!"),
    ("isn't it snake_case?", "Isn t it snake case"),
    ("CO\u212aE in \u0130stanbul", "coke in i stanbul"),
    ("ΟΔΥΣΣΕΥΣ saw ΣΑΣ", "odysseus saw it"),
    ("naïve café", "na ve caf"),
    ("ﬁve ﬂoors, ２ rooms, x²", "ve oors rooms x"),
    ("数据 3 数据", "3"),
    ("a\0b\u00a0c\u2028d\x1ce", "a b c d e"),
    ("ha " * 70, "ha " * 50),
    ("ha " * 130, "ho " * 130),
    ("one two three four", "four three two one"),
    (" ".join(f"w{at}" for at in range(200)), " ".join(f"w{at}" for at in range(0, 300, 2))),
]


def at_the_threshold() -> Iterator[tuple[str, str]]:
    """Pairs whose F is exactly 0.7 in real numbers: 7 of 20 tokens of both are common, and in one order."""
    draw = random.Random(7)
    for total in (20, 40, 60, 80, 120, 200):
        common = 7 * total // 20
        for length in sorted({common, total // 2, *draw.choices(range(common, total - common + 1), k=5)}):
            sides = []
            for side, size in (("t", length), ("p", total - length)):
                own = iter(range(size))
                mine = set(draw.sample(range(size), size - common))
                shared = iter(range(common))
                sides.append(
                    " ".join(f"{side}{next(own)}" if at in mine else f"c{next(shared)}" for at in range(size))
                )
            yield sides[0], sides[1]


def at_random() -> Iterator[tuple[str, str]]:
    """Pairs of few words, in any order."""
    draw = random.Random(12)
    for _ in range(30):
        target = draw.choices(WORDS, k=draw.randint(1, 90))
        prediction = [draw.choice(WORDS) if draw.random() < 0.2 else word for word in target]
        yield " ".join(target), " ".join(prediction[draw.randrange(3) :])


def main() -> None:
    """Writes the file."""
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    lines = []
    for target, prediction in [*BY_HAND, *at_the_threshold(), *at_random()]:
        f = float(scorer.score(target, prediction)["rougeL"].fmeasure)
        row = {
            "target": target,
            "prediction": prediction,
            "target_tokens": tokenize.tokenize(target, None),
            "prediction_tokens": tokenize.tokenize(prediction, None),
            "f": struct.pack(">d", f).hex(),
        }
        lines.append(json.dumps(row) + "\n")
    GOLDEN.write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
