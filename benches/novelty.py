"""Novelty by ROUGE-L: 52,000 instructions into a growing pool, against what computes every F.

Run as `python -m benches.novelty [SEEDS]`; `SEEDS` is the file of the 175 seed tasks of Self-Instruct
(`seed_tasks.jsonl`), whose instructions then are the seeds of the pool. The rivals are rouge-score, which the
code of Self-Instruct calls for each pair, and rouge-score-rs, the same in Rust. All run on one thread; times
are those of the processor.

1. *A whole run*, small enough for all: each decides on the same instructions, and all decisions have to be
   the same.
2. *The large run*, thresher alone. A rival decides on some of the instructions, spread evenly, with the pool
   as it was then; what it finds has to be what thresher found, F included. Its time for all is the time of
   these pairs, times all pairs.

The instructions are generated: half are new, from frames with words by Zipf's law; half are an earlier one of
which 5 to 50 % of the words were replaced, dropped or added. Generating them is not in the clock.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"

THRESHOLD = 0.7
LARGE = 52_000
SMALL = 400
# Instructions that each rival decides on in the large run.
SAMPLES = {"rouge-score": 6, "rouge-score-rs": 60}

FRAMES = [
    "Write a short story about {} in which {} meets a {}.",
    "Given a sentence about {}, replace the {} with a {} and explain why.",
    "What is the difference between {} and {}?",
    "Suggest three ways to {} the {} without using {}.",
    "Classify the following {} as {} or {}.",
    "Explain to a child how {} works, in not more than five sentences.",
    "You are given a list of {}. Sort it by {} and return the first {}.",
    "Is it true that {} is {}? Answer with yes or no.",
    "Translate the sentence about the {} into {}.",
    "Write a polite email to your {} and ask for {}.",
    "Generate a recipe for {} with {}, {} and {}.",
    "Find the error in the following {} and correct it.",
    "Summarize the text below in one sentence that mentions {} and {}.",
    "Name the capital of {} and the year in which {} became {}.",
    "Write a function that takes a {} and returns the {} of its {}.",
    "Based on the {} of the {}, predict what will happen to the {} in the next {}.",
]
SEED_COUNT = 175


def generated(count: int, seeds: Sequence[str], draw: random.Random) -> list[str]:
    """Instructions: new ones, and variants of earlier ones and of the seeds."""
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = list(
        dict.fromkeys(
            "".join(draw.choices(syllables, k=draw.choice((1, 2, 2, 3, 3, 4)))) for _ in range(30_000)
        )
    )
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))

    def some() -> str:
        return " ".join(draw.choices(words, cum_weights=weights, k=draw.choice((1, 1, 1, 2, 2, 3))))

    def new() -> str:
        frame = draw.choice(FRAMES)
        text = frame.format(*(some() for _ in range(frame.count("{}"))))
        return text if draw.random() < 0.5 else f"{text} {draw.choice(FRAMES).replace('{}', some())}"

    def variant(of: str) -> str:
        share, found = draw.uniform(0.05, 0.5), []
        for word in of.split():
            kind = draw.random()
            if kind >= share:
                found.append(word)
            elif kind < share * 0.7:
                found.append(some())
            elif kind < share * 0.85:
                found += [word, some()]
        return " ".join(found)

    texts = list(seeds)
    while len(texts) < len(seeds) + count:
        texts.append(new() if draw.random() < 0.5 else variant(draw.choice(texts)))
    return texts[len(seeds) :]


def rouge_score() -> Callable[[str, list[str]], tuple[float, int | None]]:
    """The greatest F, and the first of the texts that has it, pair by pair as Self-Instruct's code does."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=False)

    def most_similar(text: str, pool: list[str]) -> tuple[float, int | None]:
        scores = [float(scorer.score(text, member)["rougeL"].fmeasure) for member in pool]
        best = max(scores)
        return best, scores.index(best)

    return most_similar


def rouge_score_rs() -> Callable[[str, list[str]], tuple[float, int | None]]:
    """The greatest F; its fastest call does not say of which text."""
    from rouge_score_rs.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    return lambda text, pool: (float(scorer.score_multi(pool, text)["rougeL"].fmeasure), None)


RIVALS = {"rouge-score": rouge_score, "rouge-score-rs": rouge_score_rs}


def rival_run(
    rival: Callable[[str, list[str]], tuple[float, int | None]], seeds: Sequence[str], texts: Sequence[str]
) -> list[float | None]:
    """Decides on all texts: the F for which one is refused, or None."""
    pool, found = list(seeds), []
    for text in texts:
        f, _ = rival(text, pool)
        found.append(f if f > THRESHOLD else None)
        if f <= THRESHOLD:
            pool.append(text)
    return found


def run(
    seeds: Sequence[str], texts: Sequence[str]
) -> tuple[float, list[bool], list[int | None], list[float | None]]:
    """Seconds, and of each text whether it is new, what it is like and with which F."""
    from thresher.generate.novelty import Novelty

    start = time.process_time()
    pool = Novelty(THRESHOLD)
    for seed in seeds:
        pool.add(seed)
    decisions = pool.offer(texts)
    seconds = time.process_time() - start
    return seconds, decisions.novel.to_pylist(), decisions.member.to_pylist(), decisions.f.to_pylist()


def check(agrees: bool, what: str) -> None:
    """Ends the bench where answers differ: a time for a wrong answer is none."""
    if not agrees:
        sys.exit(f"{what}: the answers differ")


def main() -> None:
    """Measures both runs."""
    draw = random.Random(12)
    if sys.argv[1:]:
        lines = Path(sys.argv[1]).read_text("utf-8").splitlines()
        seeds = [json.loads(line)["instruction"] for line in lines]
    else:
        seeds = generated(SEED_COUNT, [], draw)
    texts = generated(LARGE, seeds, draw)
    run(seeds, texts[:SMALL])

    small = texts[:SMALL]
    seconds, novel, _, f = min(run(seeds, small) for _ in range(5))
    print(f"{len(seeds)} seeds and {SMALL:,} instructions, decided by each; {novel.count(True)} are new")
    print(f"  {'thresher':15} {seconds:10.4f} s")
    for name, rival in RIVALS.items():
        most_similar = rival()
        start = time.process_time()
        found = rival_run(most_similar, seeds, small)
        rival_seconds = time.process_time() - start
        check(found == f, name)
        print(
            f"  {name:15} {rival_seconds:10.4f} s  {rival_seconds / seconds:12,.0f} times as long, "
            "same decisions"
        )

    seconds, novel, index, f = min((run(seeds, texts) for _ in range(3)), key=lambda result: result[0])
    kept = novel.count(True)
    before = list(accumulate(novel, initial=len(seeds)))[:-1]
    pairs = sum(before)
    print(
        f"{LARGE:,} instructions; {kept:,} are new ({kept / LARGE:.1%}), so {pairs / 1e6:,.0f} million pairs"
    )
    print(f"  {'thresher':15} {seconds:10.2f} s")
    pool = [*seeds, *(text for text, is_novel in zip(texts, novel, strict=True) if is_novel)]
    for name, rival in RIVALS.items():
        most_similar, taken, seen = rival(), 0.0, 0
        sample = [LARGE * (place + 1) // SAMPLES[name] - 1 for place in range(SAMPLES[name])]
        for at in sample:
            known = pool[: before[at]]
            start = time.process_time()
            best, first = most_similar(texts[at], known)
            taken += time.process_time() - start
            seen += len(known)
            check((best if best > THRESHOLD else None) == f[at], name)
            check(first is None or best <= THRESHOLD or first == index[at], name)
        whole = taken / seen * pairs
        print(
            f"  {name:15} {whole:10,.0f} s  {whole / seconds:12,.0f} times as long, "
            f"from {len(sample)} of them, {taken / seen * 1e6:.2f} us a pair, same answers"
        )


if __name__ == "__main__":
    main()
