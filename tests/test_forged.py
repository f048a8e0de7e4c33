"""Texts made to be taken for one another: every kind that public constants allow, in memory and over files.

The scheme of signatures and the checksum of texts are public, so anyone can search for texts that collide
under them. What is removed is decided by bytes, and by hashes that a secret of the run keys.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
import xxhash

import thresher as th
from thresher import _reference

PAIRS = 1_000


def _nothing_is_removed(texts: list[str], folder: Path, **parameters: Any) -> None:
    assert th.dedup(texts, **parameters).summary.removed == 0
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    report = th.dedup_files(source, folder / "out", **parameters)
    assert (report.exact, report.near) == (0, 0)


def _of_one_checksum(draw: random.Random) -> tuple[str, str]:
    """Two texts with the same XXH3-128, of which no words behind the first separator are the same.

    Where the upper half of a lane cancels that of the public secret, the product of the lane is zero, and the
    lane counts by its plain sum: what one stripe adds another takes away.
    """
    text = bytearray(draw.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(1224))
    others = []
    for deltas in ([0] * 21, [draw.randint(1, 20) for _ in range(21)]):
        other = bytearray(text)
        for lane in range(7):
            up, down = 64 * (6 - lane) + 8 * lane, 64 * (15 - lane) + 8 * lane
            own = deltas[3 * lane : 3 * lane + 3]
            other[up - 1 : up + 5] = bytes.fromhex("c2b8084674") + b" "
            other[up + 5 : up + 8] = bytes(97 + delta for delta in own)
            other[down : down + 5] = bytes.fromhex("c89f7ec980")
            other[down + 5 : down + 8] = bytes(122 - delta for delta in own)
        others.append(other.decode())
    return others[0], others[1]


def test_texts_of_one_checksum_are_not_equal(tmp_path: Path) -> None:
    draw = random.Random(5)
    pairs = [_of_one_checksum(draw) for _ in range(PAIRS)]
    for one, other in pairs:
        assert one != other
        assert xxhash.xxh3_128_digest(one.encode()) == xxhash.xxh3_128_digest(other.encode())
    one, other = map(_reference.shingles, pairs[0])
    assert _reference.jaccard(one, other) < 0.5
    _nothing_is_removed(list(itertools.chain(*pairs)), tmp_path)


def test_texts_of_one_signature_are_not_near(tmp_path: Path) -> None:
    # For each lane the word, of many, that lowers it most: who has them all has the same signature.
    strongest: dict[int, tuple[int, str]] = {}
    for index in range(60_000):
        shingle = _reference.shingle_hash([_reference.word_hash(b"%d" % index)])
        lane = ((shingle >> 32) * 128) >> 32
        strongest[lane] = min(strongest.get(lane, (2**32, "")), (shingle & 0xFFFFFFFF, str(index)))
    shared = " ".join(word for _, word in strongest.values())
    draw = random.Random(6)
    texts = [f"{shared} " + " ".join(f"w{draw.getrandbits(60):x}" for _ in range(100)) for _ in range(PAIRS)]
    keys = [
        _reference.band_keys(_reference.signature(_reference.shingles(text, 1)), 21, 6) for text in texts[:2]
    ]
    assert set(keys[0]) & set(keys[1])
    _nothing_is_removed(texts, tmp_path, ngram=1)


def test_shingles_of_one_public_hash_are_not_one(tmp_path: Path) -> None:
    """Words in the order of Thue and Morse, and in the opposite one.

    The public hash of a shingle is a polynomial at K modulo 2^64. The two differ by the difference of both
    words times (K - 1) (K^2 - 1) ... (K^128 - 1), a multiple of 2^43; so words that agree in 21 bits will do.
    """
    by_low_bits: dict[int, list[str]] = {}
    for index in range(80_000):
        word = str(index)
        by_low_bits.setdefault(_reference.word_hash(word.encode()) % 2**21, []).append(word)
    pairs = [words[:2] for words in by_low_bits.values() if len(words) > 1][:PAIRS]
    assert len(pairs) == PAIRS
    order = [index.bit_count() % 2 for index in range(256)]
    texts = [" ".join(pair[at ^ turned] for at in order) for pair in pairs for turned in (0, 1)]
    for one, other in zip(texts[:100:2], texts[1:100:2], strict=True):
        assert one != other
        assert _reference.shingles(one, 256) == _reference.shingles(other, 256)
    _nothing_is_removed(texts, tmp_path, ngram=256)


FORGED_WORDS = {
    "ada": "ev29b3szkxvgvmkcy50gdk0f",
    "lovelace": "d7bxmmo82wge83bra243fdlv",
    "wrote": "jdabumbal5mh8sgitfj3sxpl",
    "the": "4r88u36bfiaf6b4ynkbgnlsq",
    "first": "szd1utd6m1bzi44gnbrom462",
    "program": "njpwwdi0w2d9vmpri6wd7koo",
}
"""Each word and another one with the same hash in scheme 1, found in seconds."""


def test_words_that_once_hashed_alike_are_told_apart(tmp_path: Path) -> None:
    draw = random.Random(7)
    texts = [draw.choices(sorted(FORGED_WORDS), k=20) for _ in range(PAIRS)]
    forged = [[FORGED_WORDS[word] for word in text] for text in texts]
    _nothing_is_removed([" ".join(text) for text in texts + forged], tmp_path, keep="longest")


@pytest.mark.parametrize("prefix_bytes", [16, 24, 32, 48])
def test_long_words_do_not_hash_by_their_beginning(prefix_bytes: int, tmp_path: Path) -> None:
    draw = random.Random(prefix_bytes)

    def letters(count: int) -> str:
        return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=count))

    prefix = letters(prefix_bytes)
    texts = [" ".join(prefix + letters(8) for _ in range(12)) for _ in range(PAIRS)]
    _nothing_is_removed(texts, tmp_path)
