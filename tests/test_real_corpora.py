"""Real text with exact truth, where the checkout has it beside it (../shared/data).

Truth is every pair of documents with an exact Jaccard similarity of at least 0.5 over word 5-grams. Its words
are runs of letters and digits; ours hold marks too and split scripts without blanks, which moves a similarity
a little: so recall counts from 0.02 above the threshold, and similarities may differ by 0.02.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

import thresher as th

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
TOLERANCE = 0.02

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real corpora are not beside this checkout")


def lines(name: str) -> list[str]:
    decoder = zstandard.ZstdDecompressor(max_window_size=2**31)
    with (DATA / name).open("rb") as file, decoder.stream_reader(file) as stream:
        return io.TextIOWrapper(stream, encoding="utf-8", newline="\n").read().splitlines()


@pytest.fixture(scope="module", params=["psdocs", "rfcs"])
def corpus(request: pytest.FixtureRequest) -> tuple[list[str], dict[tuple[int, int], float]]:
    texts = [json.loads(line)["text"] for line in lines(f"{request.param}.jsonl.zst")]
    truth = {}
    for line in lines(f"{request.param}.pairs.tsv.zst"):
        first, second, similarity = line.split("\t")
        truth[int(first), int(second)] = float(similarity)
    return texts, truth


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.9])
def test_every_removal_is_true_and_hardly_a_pair_is_missed(
    corpus: tuple[list[str], dict[tuple[int, int], float]], threshold: float
) -> None:
    texts, truth = corpus
    result = th.dedup(texts, threshold=threshold)
    keep, of, similarity = (
        column.to_pylist() for column in (result.keep, result.duplicate_of, result.similarity)
    )
    removed = [doc for doc, kept in enumerate(keep) if not kept]
    assert removed
    for doc in removed:
        assert keep[of[doc]]
        assert similarity[doc] >= threshold
        if texts[doc] != texts[of[doc]]:
            exact = truth[min(doc, of[doc]), max(doc, of[doc])]
            assert abs(similarity[doc] - exact) <= TOLERANCE
    near = [pair for pair, exact in truth.items() if exact >= threshold + TOLERANCE]
    missed = [pair for pair in near if keep[pair[0]] and keep[pair[1]]]
    # Shown by `pytest -rP`.
    print(f"at {threshold}: {len(removed)} removed; {len(missed)} of {len(near)} pairs missed")
    assert len(missed) <= 0.001 * len(near)


def test_what_is_like_a_reference_is_removed_and_nothing_else_names_one(tmp_path: Path) -> None:
    rows = lines("psdocs.jsonl.zst")
    # Every fifth page is a reference.
    references = [row for row in range(len(rows)) if row % 5 == 0]
    inputs = [row for row in range(len(rows)) if row % 5 > 0]
    for name, part in (("ref", references), ("in", inputs)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{rows[row]}\n" for row in part))
    th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", against=tmp_path / "ref.jsonl", threshold=0.8)
    removed = pq.read_table(tmp_path / "out" / "removed.parquet").to_pylist()
    gone = {inputs[row["row"]] for row in removed}
    name = {inputs[row["row"]]: row for row in removed if row["duplicate_of_source"] == "ref.jsonl"}
    best: dict[int, float] = dict.fromkeys(inputs, 0.0)
    for line in lines("psdocs.pairs.tsv.zst"):
        first, second = (int(row) for row in line.split("\t")[:2])
        similarity = float(line.split("\t")[2])
        for one, other in ((first, second), (second, first)):
            if one % 5 > 0 and other % 5 == 0:
                best[one] = max(best[one], similarity)
    sure = {row for row, similarity in best.items() if similarity >= 0.8 + TOLERANCE}
    assert len(sure) > 100
    assert sure <= gone
    assert all(best[row] >= 0.8 - TOLERANCE for row in name)
    assert all(abs(best[row] - name[row]["similarity"]) <= TOLERANCE for row in name)
    print(f"{len(name)} removed for a reference, {len(sure)} by brute force from 0.02 above the threshold")
