"""A quality classifier: trained on files, read by fastText too, asked in memory and over files."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import thresher as th
from thresher import cli

GOOD = ["lemma", "proof", "theorem", "integral", "converges", "bounded", "sequence"]
BAD = ["click", "buy", "cheap", "discount", "offer", "subscribe", "winner"]
BOTH = ["the", "of", "and", "a", "to", "in", "is", "we", "you", "with", "for", "on"]


def _text(rng: random.Random, *, good: bool) -> str:
    own = GOOD if good else BAD
    return " ".join(rng.choice(own if rng.random() < 0.2 else BOTH) for _ in range(rng.randint(5, 60)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and bad texts, a mix of both, and a model of the first two."""
    folder = tmp_path_factory.mktemp("quality")
    rng = random.Random(8)
    for name, good in (("good", True), ("bad", False)):
        rows = [{"text": _text(rng, good=good)} for _ in range(600)]
        lines = [json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join([*lines, "broken"]) + "\n", "utf-8")
    mixed = [{"good": number % 4 == 0, "text": _text(rng, good=number % 4 == 0)} for number in range(400)]
    (folder / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mixed), "utf-8")
    _train(folder, "model.bin")
    return folder


def _train(folder: Path, name: str, **options: Any) -> th.filters.TrainedClassifier:
    given: dict[str, Any] = {"bad": folder / "bad.jsonl", "bucket": 5000, **options}
    return th.filters.train_quality(folder / "good.jsonl", folder / name, **given)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_classifier_tells_texts_that_it_has_not_seen(folder: Path) -> None:
    trained = _train(folder, "again.bin")
    assert (trained.good, trained.bad, trained.set_aside) == (600, 600, {"invalid_json": 2})
    assert trained.auc is not None
    assert trained.auc > 0.95
    assert "AUC 0.9" in str(trained) or "AUC 1.0" in str(trained)
    rows = _rows(folder / "mixed.jsonl")
    scores = th.filters.quality([row["text"] for row in rows], model=folder / "model.bin").to_pylist()
    right = [(score > 0.5) == row["good"] for row, score in zip(rows, scores, strict=True)]
    assert sum(right) > 0.9 * len(rows)


def test_the_same_texts_give_the_same_model_with_any_number_of_threads(folder: Path) -> None:
    for name, options in {
        "one.bin": {"threads": 1},
        "three.bin": {"threads": 3, "batch_bytes": 3000},
    }.items():
        _train(folder, name, **options)
    assert (folder / "one.bin").read_bytes() == (folder / "three.bin").read_bytes()


def test_fasttext_reads_the_model_and_says_the_same(folder: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    oracle = fasttext.load_model(str(folder / "model.bin"))
    texts = [row["text"] for row in _rows(folder / "mixed.jsonl")] + ["unheard", ""]
    scores = th.filters.quality(texts, model=folder / "model.bin").to_pylist()
    for text, score in zip(texts, scores, strict=True):
        labels, probabilities = oracle.predict(text, k=2)
        assert set(labels) == {"__label__good", "__label__bad"}
        found = dict(zip(labels, probabilities, strict=True))
        assert score == pytest.approx(min(1.0, found["__label__good"]), abs=1e-5)


def test_texts_with_low_scores_are_removed(folder: Path) -> None:
    model = folder / "model.bin"
    report = th.filters.quality_files(folder / "mixed.jsonl", folder / "out", model=model, min_score=0.5)
    kept = _rows(folder / "out" / "data" / "mixed.jsonl")
    assert report.kept == len(kept) == 400 - report.removed
    assert all(row["quality"] >= 0.5 for row in kept)
    scores = th.filters.quality(pa.array([row["text"] for row in kept]), model=model).to_pylist()
    assert [row["quality"] for row in kept] == pytest.approx(scores)
    removed = pq.read_table(folder / "out" / "removed.parquet").to_pylist()
    assert {row["reason"] for row in removed} == {"quality"}
    assert sum(report.report["scores"]) == 400


def test_a_share_of_the_best_is_kept(folder: Path) -> None:
    model = folder / "model.bin"
    for share in (0.1, 0.25, 1.0):
        output = folder / f"top-{share}.jsonl"
        report = th.filters.quality_files(folder / "mixed.jsonl", output, model=model, keep_top=share)
        kept = [row["quality"] for row in _rows(output)]
        assert 400 * share <= len(kept) <= 400 * share + 8
        assert min(kept) >= report.least_score
        texts = [row["text"] for row in _rows(folder / "mixed.jsonl")]
        best = sorted(th.filters.quality(texts, model=model).to_pylist())
        assert min(kept) == pytest.approx(best[-len(kept)])


def test_what_cannot_be_is_told(folder: Path) -> None:
    model = folder / "model.bin"
    with pytest.raises(
        th.ParameterError, match="label is `god`, which is no label of the model; did you mean `good`"
    ):
        th.filters.quality(["a"], model=model, label="god")
    with pytest.raises(th.ParameterError, match=r"model\.bin` is there already"):
        _train(folder, "model.bin")
    with pytest.raises(th.ParameterError, match="raise memory, or lower max_documents"):
        _train(folder, "small.bin", memory=400_000_000, bucket=200_000_000)
    (folder / "empty.jsonl").write_text("", "utf-8")
    with pytest.raises(th.ParameterError, match="`600` good and `0` bad texts"):
        _train(folder, "none.bin", bad=folder / "empty.jsonl")
    with pytest.raises(th.ParameterError, match=r"keep_top is `0\.1`, but as a step of several"):
        th.Pipeline(
            [{"quality": {"model": str(model), "keep_top": 0.1}}, "language"],
            inputs=folder / "mixed.jsonl",
            output=folder / "steps",
        ).run()
    assert not (folder / "none.bin").exists()


def test_a_step_of_a_pipeline_scores_as_the_verb_does(folder: Path) -> None:
    model = str(folder / "model.bin")
    steps = [{"quality": {"model": model, "min_score": 0.5}}, {"language": {}}]
    th.Pipeline(steps, inputs=folder / "mixed.jsonl", output=folder / "steps.jsonl").run()
    th.filters.quality_files(folder / "mixed.jsonl", folder / "alone.jsonl", model=model, min_score=0.5)
    both, alone = _rows(folder / "steps.jsonl"), _rows(folder / "alone.jsonl")
    assert [{name: row[name] for name in alone[0]} for row in both] == alone
    assert all("language_score" in row for row in both)


def test_the_commands_train_and_score(folder: Path) -> None:
    model, out = str(folder / "cli.bin"), str(folder / "cli.jsonl")
    train = ["quality", "train", "--good", str(folder / "good.jsonl"), "--bad", str(folder / "bad.jsonl")]
    done = CliRunner().invoke(cli.cli, [*train, "-o", model, "--bucket", "5000"])
    assert done.exit_code == 0, done.output
    assert "600 good and 600 bad texts" in done.output
    assert Path(model).read_bytes() == (folder / "model.bin").read_bytes()
    score = [
        "quality",
        "score",
        str(folder / "mixed.jsonl"),
        "-o",
        out,
        "--model",
        model,
        "--keep-top",
        "0.25",
    ]
    done = CliRunner().invoke(cli.cli, score)
    assert done.exit_code == 0, done.output
    assert len(_rows(Path(out))) >= 100
