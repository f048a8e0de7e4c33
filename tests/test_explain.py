"""`thresher explain`: what became of each document, as the tables and the texts have it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th
from thresher import _reference

WORDS = [f"word{n}" for n in range(120)]


def _rows() -> list[dict[str, Any]]:
    near = list(WORDS)
    near[30] = "changed\x1b[31m\u202e"
    return [
        {"id": "a", "text": " ".join(WORDS), "score": 1},
        {"id": "b", "text": " ".join(near) + " and more", "score": 7},
        {"id": "c", "text": " ".join(WORDS), "score": 3},
        {"id": "d", "text": "something else altogether, kept for itself", "score": None},
    ]


def _text(marked: dict[str, Any]) -> str:
    return "".join(segment["text"] for segment in marked["segments"])


def _differing(marked: dict[str, Any]) -> list[str]:
    return [segment["text"].strip() for segment in marked["segments"] if segment["differs"]]


SUFFIXES = [".jsonl", ".jsonl.gz", ".json", ".parquet"]


@pytest.fixture(params=SUFFIXES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Four documents in a file of each format, one of them a near-duplicate and one an exact one."""
    path = tmp_path / f"in{request.param}"
    lines = "".join(json.dumps(row) + "\n" for row in _rows())
    if request.param == ".parquet":
        pq.write_table(pa.Table.from_pylist(_rows()), path, row_group_size=2)
    elif request.param == ".json":
        path.write_text(json.dumps(_rows()), "utf-8")
    else:
        data = ("broken\n" + lines).encode()
        path.write_bytes(gzip.compress(data) if request.param == ".jsonl.gz" else data)
    return path


@pytest.mark.parametrize("id", [None, "id"])
def test_a_removed_document_is_explained_by_both_texts(source: Path, tmp_path: Path, id: str | None) -> None:
    out = tmp_path / "out"
    th.dedup_files(source, out, id=id)
    first = 1 if ".jsonl" in source.name else 0
    name = "b" if id else f"{source.name}:{first + 1}"
    found = th.explain(out, name)
    assert (found.fate, found.reason) == ("removed", "near")
    assert found.kept == ("a" if id else f"{source.name}:{first}")
    report = found.report
    assert report["document"] == {"id": name, "source": source.name, "row": first + 1}
    assert report["kept"]["row"] == first
    texts = [row["text"] for row in _rows()]
    assert (_text(report["text"]), _text(report["kept_text"])) == (texts[1], texts[0])
    assert _differing(report["text"]) == ["changed\x1b[31m\u202e", "and more"]
    assert _differing(report["kept_text"]) == ["word30"]
    # Against the plain twin.
    one, other = (set(_reference.shingles(text)) for text in (texts[1], texts[0]))
    share = report["comparison"]
    assert (
        share["similarity"]
        == len(one & other) / len(one | other)
        == pytest.approx(found.similarity, abs=1e-6)
    )
    assert (share["shingles"], share["kept_shingles"], share["shared_shingles"]) == (
        len(one), len(other), len(one & other),
    )  # fmt: skip
    lanes = [_reference.signature(_reference.shingles(text)) for text in (texts[1], texts[0])]
    assert share["agreeing_lanes"] == sum(a == b for a, b in zip(*lanes, strict=True))
    assert share["shared_bands"]
    assert len(share["shared_bands"]) <= share["bands"] == 21
    assert found.notes == []
    assert "keep is first" in report["policy"]


def test_controls_of_a_text_are_shown_as_escapes(source: Path, tmp_path: Path) -> None:
    th.dedup_files(source, tmp_path / "out", id="id")
    shown = str(th.explain(tmp_path / "out", "b"))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[[changed\\x1b[31m\\u202e]]" in shown
    assert "[[word30]]" in shown


@pytest.mark.parametrize(
    ("keep", "removed", "kept", "why"),
    [
        ("longest", "a", "b", "keep is longest: the kept document has"),
        ("shortest", "b", "a", "keep is shortest: the kept document has"),
        ("max:score", "a", "b", "keep is max: the kept document has 7, this one 1"),
        ("min:score", "b", "a", "keep is min: the kept document has 1, this one 7"),
        ("first", "c", "a", "keep is first: row 1 of in.jsonl comes before row 3 of in.jsonl"),
        ("shortest", "c", "a", "and row 1 of in.jsonl comes before row 3 of in.jsonl"),
    ],
)
def test_what_the_policy_saw_is_told(tmp_path: Path, keep: str, removed: str, kept: str, why: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("{}\n" + "".join(json.dumps(row) + "\n" for row in _rows()), "utf-8")
    th.dedup_files(source, tmp_path / "out", id="id", keep=keep)
    found = th.explain(tmp_path / "out", removed)
    assert found.kept == kept
    assert why in found.report["policy"]


def test_a_kept_document_is_explained_by_what_it_stands_for(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    th.dedup_files(source, out, id="id")
    found = th.explain(out, "a")
    assert (found.fate, found.kept, found.reason) == ("kept", None, None)
    assert found.report["stands_for"]["documents"] == 2
    assert [row["id"] for row in found.report["stands_for"]["first"]] == ["b", "c"]
    assert _text(found.report["text"]) == _rows()[0]["text"]
    alone = th.explain(out, "d")
    assert (alone.fate, alone.report["stands_for"]["documents"]) == ("kept", 0)
    assert _text(alone.report["text"]) == _rows()[3]["text"]
    assert "no other document" in str(alone)
    exact = th.explain(out, "c")
    assert (exact.reason, exact.similarity, exact.report["comparison"]["equal"]) == ("exact", 1.0, True)
    with pytest.raises(th.ParameterError, match="no such document"):
        th.explain(out, "nowhere")


def test_a_record_that_was_set_aside_is_explained_by_its_place(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"text": "a"}\n{"text": "b"}\nbro\x1b[2Jken\n')
    th.dedup_files(source, tmp_path / "out.jsonl")
    found = th.explain(tmp_path / "out.jsonl", "in.jsonl:2")
    assert (found.fate, found.reason) == ("quarantined", "invalid_json")
    assert found.report["quarantined"]["offset"] == 28
    assert "bro\\x1b[2Jken" in str(found)
    kept = th.explain(tmp_path / "out.jsonl", "in.jsonl:1")
    assert (kept.fate, _text(kept.report["text"])) == ("kept", "b")
    with pytest.raises(th.ParameterError, match="no such document"):
        th.explain(tmp_path / "out.jsonl", "in.jsonl:3")


def test_without_the_inputs_the_tables_still_tell(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    th.dedup_files(source, out, id="id")
    source.rename(tmp_path / "away")
    found = th.explain(out, "b")
    assert (found.fate, found.kept, found.report["text"]) == ("removed", "a", None)
    (note,) = found.notes
    assert "not where the run has read it" in note
    assert note in str(found)
    assert th.explain(out, "a").report["stands_for"]["documents"] == 2
    assert "cannot be told without the inputs" in th.explain(out, "d").notes[1]


def test_an_input_that_was_changed_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows = _rows()
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    th.dedup_files(source, tmp_path / "out", id="id")
    rows[1]["text"] = rows[1]["text"].replace("word5 ", "other ")
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert "changed since" in th.explain(tmp_path / "out", "b").notes[0]
    source.write_text("", "utf-8")
    assert "no readable row 1 any more" in th.explain(tmp_path / "out", "b").notes[0]


def test_documents_of_a_folder_are_called_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name, row in zip("abcd", _rows(), strict=True):
        (tmp_path / "docs" / f"{name}.txt").write_text(row["text"], "utf-8")
    th.dedup_files(tmp_path / "docs", tmp_path / "out")
    removed = pq.read_table(tmp_path / "out" / "removed.parquet").to_pylist()
    found = th.explain(tmp_path / "out", removed[0]["id"])
    assert (found.fate, found.kept) == ("removed", removed[0]["duplicate_of"])
    assert _text(found.report["kept_text"]) == _rows()[0]["text"]
    kept = th.explain(tmp_path / "out", removed[0]["id"].replace("b.txt", "d.txt"))
    assert (kept.fate, kept.report["stands_for"]["documents"]) == ("kept", 0)


def test_the_command_prints_text_or_json(source: Path, tmp_path: Path) -> None:
    th.dedup_files(source, tmp_path / "out", id="id")

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "thresher", "explain", str(tmp_path / "out"), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    done = run("b")
    assert (done.returncode, done.stderr) == (0, "")
    assert "removed (near)" in done.stdout
    assert "bands that both share" in done.stdout
    assert json.loads(run("b", "--json").stdout)["kept"]["id"] == "a"
    assert (run("nowhere").returncode, run("nowhere").stdout) == (2, "")


def test_a_reference_is_named_as_such_and_stands_for_what_was_removed(tmp_path: Path) -> None:
    rows = _rows()
    references, source = tmp_path / "references.jsonl", tmp_path / "in.jsonl"
    references.write_text(json.dumps(rows[0]) + "\n", "utf-8")
    source.write_text("".join(json.dumps(row) + "\n" for row in rows[1:]), "utf-8")
    th.dedup_files(source, tmp_path / "out", id="id", against=references)
    near, exact, own, reference = (th.explain(tmp_path / "out", name) for name in "bcda")
    assert [found.fate for found in (near, exact, own, reference)] == [
        "removed", "removed", "kept", "reference",
    ]  # fmt: skip
    assert (near.reason, near.kept, exact.reason, exact.kept) == ("near", "a", "exact", "a")
    assert "references always stay" in near.report["policy"]
    assert reference.report["document"] == {"id": "a", "source": references.name, "row": 0}
    assert [row["id"] for row in reference.report["stands_for"]["first"]] == ["b", "c"]
