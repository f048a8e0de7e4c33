"""What goes in and out of a judge: rows of every shape, sheets for experts, families of models."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th
from thresher.errors import DataError, FileError, ParameterError
from thresher.generate.judging import cases, families, review
from thresher.generate.judging.cases import Case
from thresher.generate.judging.families import Model
from thresher.generate.judging.method import Verdict


def test_questions_and_answers_are_found_in_rows_of_every_shape() -> None:
    chat = [{"role": "user", "content": "Q1"}, {"role": "assistant", "content": "A1"}]
    rows: list[dict[str, Any]] = [
        {"id": 7, "instruction": "Q", "response": "A", "task_type": "explain"},
        {"instruction": "Q", "input": "I", "output": "A"},
        {"question": "Q", "answer": "A", "quote": "q"},
        {"prompt": "Q", "completion": "A"},
        {"messages": chat},
        {"messages": [*chat, {"role": "user", "content": "Q2"}, {"role": "assistant", "content": "A2"}]},
        {"messages": [{"role": "system", "content": "S"}, *chat]},
    ]
    found = cases.cases_of(rows)
    assert [(one.question, one.answers) for one in found] == [
        ("Q", ("A",)),
        ("Q\n\nI", ("A",)),
        ("Q", ("A",)),
        ("Q", ("A",)),
        ("Q1", ("A1",)),
        ("[user]\nQ1\n\n[assistant]\nA1\n\n[user]\nQ2", ("A2",)),
        ("[system]\nS\n\n[user]\nQ1", ("A1",)),
    ]
    assert [one.id for one in found[:2]] == ["7", "row-000001.0"]
    assert all(one.row is row for one, row in zip(found, rows, strict=True))


def test_chats_of_other_formats_are_converted() -> None:
    turns = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]
    (one,) = cases.cases_of([{"conversations": turns}])
    assert (one.question, one.answers) == ("Q", ("A",))


def test_pairs_are_texts_or_chats() -> None:
    answer = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    rows = [
        {"prompt": "Q", "chosen": "A", "rejected": "B"},
        {"question": "Q", "answer_a": "A", "answer_b": "B"},
        {"prompt": "Q", "chosen": answer, "rejected": [{"role": "assistant", "content": "B"}]},
        {"prompt": "Q", "one": "A", "two": "B"},
    ]
    found = cases.cases_of(rows[:3], is_pair=True)
    assert [one.answers for one in found] == [("A", "B")] * 3
    (one,) = cases.cases_of(rows[3:], is_pair=True, answer=("one", "two"))
    assert one.answers == ("A", "B")
    with pytest.raises(ParameterError, match="answer is `one`, but it is two fields"):
        cases.cases_of(rows[3:], is_pair=True, answer="one")


def test_a_row_that_lacks_something_says_what_and_a_field_that_no_row_has_is_an_error() -> None:
    rows = [{"instruction": "Q"}, {"instruction": "Q", "response": "A"}, {"response": "A"}, {"messages": []}]
    assert [one.problem for one in cases.cases_of(rows)] == ["no_answer", "", "no_question", "no_question"]
    with pytest.raises(ParameterError, match="no row can be judged: the first has no answer as `reply`"):
        cases.cases_of(rows, answer="reply")
    with pytest.raises(ParameterError, match="no question as `instruction`, `question`"):
        cases.cases_of([{"text": "?"}])
    with pytest.raises(ParameterError, match="`items` names the field"):
        cases.cases_of(rows[1:2], items="rubric")


def test_items_have_weights_and_a_bad_one_is_told() -> None:
    assert cases.items_of({"a": 2, "b": 0.5}) == (("a", 2.0), ("b", 0.5))
    assert cases.items_of([{"criterion": "a", "points": 3}, "b"]) == (("a", 3.0), ("b", 1.0))
    assert cases.items_of("a") == cases.items_of(["a", ""]) == ()
    for weight in (-1, 0, "2", True, math.nan):
        with pytest.raises(DataError, match="the weight of the item `a`"):
            cases.items_of([{"item": "a", "weight": weight}])


def test_rows_come_from_files_folders_and_tables(tmp_path: Path) -> None:
    rows = [{"instruction": "a\u2028b", "response": str(place)} for place in range(3)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, "utf-8")
    # Of several members, as a log that was appended to.
    members = [gzip.compress(part.encode()) for part in (lines[:9], lines[9:])]
    (tmp_path / "a.jsonl.gz").write_bytes(b"".join(members))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / "rows.jsonl").write_text(lines, "utf-8")
    (tmp_path / "out" / "run.jsonl").write_text("no row")
    for source in ("a.jsonl", "a.jsonl.gz", "a.parquet", "out"):
        assert cases.read(tmp_path / source) == rows, source
    assert cases.read(pa.Table.from_pylist(rows)) == cases.read(rows) == rows
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{"a":\n')
    with pytest.raises(DataError, match=r"bad\.jsonl:2: no JSON"):
        cases.read(tmp_path / "bad.jsonl")
    with pytest.raises(DataError, match="row 1 is of type `str`"):
        cases.read([{}, "text"])
    with pytest.raises(FileError):
        cases.read(tmp_path / "none.jsonl")


def reviewed() -> list[tuple[Case, Verdict]]:
    rows = [("1", "=1+1", 5.0), ("-2", 'say "hi",\nthen go', 2.0), ("3", "plain", 3.0)]
    return [
        (
            Case(id=name, row={}, question="Why?", answers=(text,)),
            Verdict(score=score, reason="because", asked=1),
        )
        for name, text, score in rows
    ]


def test_a_sheet_comes_back_as_it_went_out_from_a_spreadsheet_of_any_country(tmp_path: Path) -> None:
    text = review.sheet(reviewed(), blind=False)
    assert text.startswith("\ufeffid,question,answer,reference,judge_score,judge_reason,verdict,expert_score")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["answer"] for row in rows] == ["'=1+1", 'say "hi",\nthen go', "plain"]
    assert rows[1]["id"] == "'-2"
    for row, verdict in zip(rows, ("Accept", "no", ""), strict=True):
        row["verdict"] = verdict
    rows[0]["expert_score"] = "4,5"
    path = tmp_path / "s.csv"
    for separator in ",;\t":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
            writer.writeheader()
            writer.writerows(rows)
        found = review.read(path)
        assert found.was_shown
        assert {name: (one.accepted, one.score) for name, one in found.opinions.items()} == {
            "1": (True, 4.5),
            "-2": (False, None),
        }


def test_a_blind_sheet_tells_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(review.sheet(reviewed(), blind=True).replace(",,,", ",accept,,"), "utf-8")
    assert "judge" not in path.read_text("utf-8")
    assert not review.read(path).was_shown
    (first, *_) = review.records(reviewed(), agent="j", blind=True).splitlines()
    assert json.loads(first)["suggestions"] == json.loads(first)["metadata"] == {}


def test_records_have_the_form_of_argilla_and_come_back_with_the_responses_of_several(tmp_path: Path) -> None:
    records = [json.loads(line) for line in review.records(reviewed(), agent="j", blind=False).splitlines()]
    assert records[0] == {
        "id": "1",
        "fields": {"question": "Why?", "answer": "=1+1"},
        "metadata": {"judge_score": 5.0},
        "suggestions": {"expert_score": {"value": 5, "score": None, "agent": "j"}},
        "responses": {},
        "vectors": {},
    }

    def said(*values: Any) -> list[dict[str, Any]]:
        return [{"value": value, "user_id": str(place)} for place, value in enumerate(values)]

    records[0]["responses"] = {
        "verdict": said("accept", "accept", "reject"),
        "expert_score": said(4, 5, 3),
    }
    records[1]["responses"] = {"verdict": said("accept", "reject")}
    for path, text in (
        (tmp_path / "r.jsonl", "\n".join(map(json.dumps, records))),
        (tmp_path / "r.json", json.dumps(records)),
    ):
        path.write_text(text)
        found = review.read_all([path])
        assert {name: (one.accepted, one.score) for name, one in found.opinions.items()} == {
            "1": (True, 4.0),
            "-2": (None, None),
        }


def test_sheets_of_several_experts_are_put_together(tmp_path: Path) -> None:
    for name, verdicts in (("a", "yes,no,yes"), ("b", "yes,yes,yes"), ("c", "no,no,yes")):
        lines = [f"{place},{one}" for place, one in enumerate(verdicts.split(","))]
        (tmp_path / name).write_text("id,verdict\n" + "\n".join(lines))
    found = review.read_all([tmp_path / name for name in "abc"])
    assert [one.accepted for one in found.opinions.values()] == [True, False, True]
    assert found.opinions["1"].says == (False, True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,verdict\n1,maybe\n", r"s:2: the verdict is `maybe`, but it is accept or reject"),
        ("id,verdict,expert_score\n1,yes,much\n", r"s:2: the score is `much`"),
        ("id,answer\n1,a\n", "no column `verdict`"),
        ("id,verdict\n1,\n", "no verdict in"),
        ("id,verdict\n1,yes\n1,no\n", "the id `1` is there twice"),
        ('{"fields": {}}', "record 0 has no `id`"),
        ("{", "holds no records"),
    ],
)
def test_a_sheet_that_is_none_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        review.read_all([path])


def test_rows_for_review_are_spread_over_the_scores_and_in_no_order_of_them() -> None:
    scored = [(f"r{place}", float(1 + (place > 89) * 3 + (place > 94))) for place in range(100)]
    chosen = review.choose(scored, 15, 5.0, seed=1)
    values = dict(scored)
    assert sorted(values[name] for name in chosen) == [1.0] * 5 + [4.0] * 5 + [5.0] * 5
    assert [values[name] for name in chosen] not in (
        sorted(values[name] for name in chosen),
        sorted((values[name] for name in chosen), reverse=True),
    )
    assert chosen == review.choose(scored, 15, 5.0, seed=1) != review.choose(scored, 15, 5.0, seed=2)
    assert sorted(review.choose(scored, 1000, 5.0, seed=1)) == sorted(values)
    shares = [(f"r{place}", place / 10) for place in range(11)]
    assert len(set(review.choose(shares, 11, 1.0, seed=1))) == 11


def test_judge_teacher_and_student_of_one_family_are_noted() -> None:
    judge = Model(identity="m-70b", family="M")
    assert families.notes([judge], [], None) == []
    assert families.notes([judge], [Model(identity="q", family="q")], None) == []
    (note,) = families.notes([judge], [Model(identity="m-8b", family="m")], None)
    assert note.startswith("judge `m-70b` and teacher `m-8b` are of one family (M)")
    (note,) = families.notes([judge], [judge], None)
    assert note.startswith("judge and teacher are the same model `m-70b`")
    (note,) = families.notes([judge], [], "m")
    assert "and student of the family m are of one family" in note
    (note,) = families.notes([Model(identity="j")], [Model(identity="q", family="q")], None)
    assert "the family of the judge `j` is not stated" in note


def test_the_teacher_is_in_the_report_of_the_generation(tmp_path: Path) -> None:
    endpoint = {"identity": "t", "family": "f"}
    made = {"config": {"endpoints": [endpoint], "recipe": {"name": "domain"}}}
    teacher = [Model(identity="t", family="f")]
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "run.json").write_text(json.dumps(made))
    (tmp_path / "rows.jsonl.run.json").write_text(json.dumps(made))
    for path in ("out", "out/data/rows.jsonl", "rows.jsonl"):
        assert families.teachers_of(tmp_path / path) == teacher, path
    assert families.teachers_of(th.generate.Generated([], made)) == teacher
    assert families.teachers_of(tmp_path / "other.jsonl") == families.teachers_of([{}]) == []
    # Rows that were judged say who had made them.
    judged = {
        "config": {"endpoints": [{"identity": "j"}], "recipe": {"name": "judge", "teachers": [endpoint]}}
    }
    assert families.teachers_of(th.generate.Generated([], judged)) == teacher
