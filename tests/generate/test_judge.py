"""Whole runs of the judge against the scripted server: rows, thresholds, juries, experts, what cannot be."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import thresher as th
from tests.generate.server import Server
from tests.generate.twins.judge import (
    MODEL,
    OTHER,
    listed,
    pairs_of,
    rows_of,
    twin_pair,
    twin_score,
)
from thresher.errors import DataError, ParameterError
from thresher.generate.endpoint import Endpoint
from thresher.generate.judging import findings
from thresher.generate.judging.pairwise import Pairwise
from thresher.generate.judging.rubric import Score


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("judge") as server:
        yield server


def endpoint(server: Server, model: str = MODEL, **others: Any) -> Endpoint:
    return Endpoint(server.base_url, model, timeout_s=5.0, **others)


def test_rows_are_judged_by_a_server_as_the_twin_judges_them_whatever_goes_wrong(tmp_path: Path) -> None:
    rows = rows_of(80)
    with Server("judge", faults=0.2) as shaky:
        one = Endpoint(shaky.base_url, MODEL, timeout_s=0.5)
        result = th.generate.judge(rows, endpoint=one, output=tmp_path / "out", seed=3)
        first = (tmp_path / "out" / "data" / "rows.jsonl").read_bytes()
        asked = sum(shaky.answered().values())
        again = th.generate.judge(
            rows, endpoint=one, output=tmp_path / "out", seed=3, overwrite=True, threads=None
        )
        assert (tmp_path / "out" / "data" / "rows.jsonl").read_bytes() == first
        assert again.report["requests"]["sent"] == 0
        assert sum(shaky.answered().values()) == asked
        assert max(shaky.answered().values()) == 1
    assert [row["id"] for row in result] == [row["id"] for row in rows]
    for row, found in zip(rows, result, strict=True):
        score, expected, _ = twin_score(row, 5)
        assert {name: found[name] for name in row} == row
        assert found["judge_score"] == score
        assert expected is None or found["judge_expected"] == pytest.approx(expected, abs=1e-12)
    found = result.report["config"]["recipe"]["found"]
    assert found["histogram"] == {
        f"{score}": count for score, count in sorted(Counter(row["judge_score"] for row in result).items())
    }


def test_the_order_of_the_input_is_the_order_of_the_output_and_changes_no_score(server: Server) -> None:
    rows = rows_of(30)
    forward = th.generate.judge(rows, endpoint=endpoint(server))
    backward = th.generate.judge(rows[::-1], endpoint=endpoint(server))
    assert [row["id"] for row in forward] == [row["id"] for row in rows]
    assert list(backward) == list(forward)[::-1]


def test_a_threshold_rejects_by_name_and_without_one_nothing_is_left_out(
    server: Server, tmp_path: Path
) -> None:
    # The same answer, again and again: near-duplicates are not the judge's matter.
    rows = [
        *rows_of(40),
        {"id": "none", "instruction": "No answer?"},
        *[row | {"id": "x" + row["id"]} for row in rows_of(5)],
    ]
    whole = th.generate.judge(rows, endpoint=endpoint(server))
    assert len(whole) == len(rows)
    assert whole[40]["judge_problem"] == "no_answer"
    assert whole[40]["judge_score"] is None
    assert whole.report["config"]["recipe"]["found"]["not_scored"] == {"no_answer": 1}
    assert whole.report["accounting"]["removed"] == {}
    kept = th.generate.judge(rows, endpoint=endpoint(server), threshold=3, output=tmp_path / "o.parquet")
    assert [row["id"] for row in kept] == [
        row["id"] for row in whole if row["judge_score"] is not None and row["judge_score"] >= 3
    ]
    below = sum(row["judge_score"] is not None and row["judge_score"] < 3 for row in whole)
    assert kept.rejected == {"judge_below_threshold": below, "judge_no_answer": 1}
    rejected = pq.read_table(tmp_path / "o.parquet.rejected.parquet").to_pylist()
    assert {row["reason"] for row in rejected} == {"judge_below_threshold", "judge_no_answer"}
    assert "judge_score" in json.loads(rejected[0]["row"])
    by_expected = th.generate.judge(rows, endpoint=endpoint(server), threshold=3, by="expected")
    assert {row["id"] for row in by_expected} == {
        row["id"] for row in whole if (row["judge_expected"] or row["judge_score"] or 0) >= 3
    }


UNREADABLE = """
from tests.generate.scripted.answers import Reply, text_of
from tests.generate.scripts import judge


def answer(body):
    if "number 3." in text_of(body) or "number 7." in text_of(body):
        return Reply(content="It is good, I would say.")
    if "number 5." in text_of(body):
        return Reply(refusal="I will not.")
    return Reply(content=str(judge.score(body)))


IGNORES_SCHEMA = 1.0
"""


def test_a_score_that_cannot_be_read_is_asked_again_within_the_limit_and_then_counted(tmp_path: Path) -> None:
    (tmp_path / "mute.py").write_text(UNREADABLE)
    rows = rows_of(10)
    with Server(str(tmp_path / "mute.py")) as mute:
        result = th.generate.judge(rows, endpoint=endpoint(mute), tries=4, output=tmp_path / "out")
        assert sum(mute.answered().values()) == 7 + 2 * 4 + 1
        kept = th.generate.judge(rows, endpoint=endpoint(mute), tries=4, threshold=1)
    assert len(result) == 10
    missing = {row["id"]: row["judge_problem"] for row in result if row["judge_score"] is None}
    assert missing == {"r3": "unreadable", "r5": "refusal", "r7": "unreadable"}
    found = result.report["config"]["recipe"]["found"]
    assert found["not_scored"] == {"refusal": 1, "unreadable": 2}
    assert found["scored"] == 7
    assert kept.rejected == {"judge_unreadable": 3}
    assert len(kept) == 7
    card = (tmp_path / "out" / "README.md").read_text()
    assert "3 of 10 rows have no score (refusal 1, unreadable 2)" in card


def test_a_bias_for_the_first_is_found_and_both_orders_are_asked(tmp_path: Path) -> None:
    rows = pairs_of(60)
    with Server("judge", log_bodies=True) as server:
        result = th.generate.judge(
            rows, endpoint=endpoint(server), method="pairwise", output=tmp_path / "out"
        )
        texts = [
            line["body"]["messages"][0]["content"] for line in server.settled() if line["event"] == "request"
        ]
    for row in rows:
        for first, second in ((row["chosen"], row["rejected"]), (row["rejected"], row["chosen"])):
            assert any(0 < text.find(f"\n{first}\n") < text.find(f"\n{second}\n") for text in texts)
    (one,) = result.report["config"]["recipe"]["found"]["judges"]
    assert one["first_share"] > 0.55
    assert one["first_interval"][0] > 0.5
    assert 0 < one["flip_rate"] < 1
    assert [row["judge_score"] for row in result] == [twin_pair(row)[0] for row in rows]
    assert "prefers the answer shown first" in (tmp_path / "out" / "README.md").read_text()


def test_a_jury_asks_every_endpoint_about_every_row(server: Server) -> None:
    rows = rows_of(20)
    result = th.generate.judge(rows, endpoint=[endpoint(server), endpoint(server, OTHER)])
    for row, found in zip(rows, result, strict=True):
        each = [twin_score(row, 5, model)[0] for model in (MODEL, OTHER)]
        assert [one["score"] for one in found["judge_scores"]] == each
    jury = result.report["config"]["recipe"]["found"]["jury"]
    assert jury["pairs"][0]["rows"] == 20
    assert jury["pairs"][0]["kappa"] > 0.5
    with pytest.raises(ParameterError, match="2 endpoints serve `m-1`"):
        th.generate.judge(rows, endpoint=[endpoint(server), endpoint(server)])


def test_experts_get_a_sheet_and_their_verdicts_set_the_threshold(server: Server, tmp_path: Path) -> None:
    rows = rows_of(60)
    out = tmp_path / "out"
    result = th.generate.judge(rows, endpoint=endpoint(server), output=out, review=40)
    assert len(result) == 60
    by_id = {row["id"]: row["judge_score"] for row in result}
    sheet = tmp_path / "out.review.csv"
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 40
    counts = Counter(by_id[line["id"]] for line in lines)
    assert set(counts) == set(by_id.values())
    assert max(counts.values()) - min(counts.values()) <= 40 - 5 * min(counts.values())
    records = [json.loads(line) for line in (tmp_path / "out.review.jsonl").read_text("utf-8").splitlines()]
    assert [record["id"] for record in records] == [line["id"] for line in lines]
    # An untouched sheet may be made anew, one with verdicts may not.
    th.generate.judge(rows, endpoint=endpoint(server), output=out, review=40, overwrite=True)
    for line in lines:
        line["verdict"] = "accept" if by_id[line["id"]] >= 4 else "reject"
        line["expert_score"] = str(max(1, by_id[line["id"]] - 1))
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    with pytest.raises(ParameterError, match="may hold verdicts of experts"):
        th.generate.judge(rows, endpoint=endpoint(server), output=out, review=40, overwrite=True)
    sieved = th.generate.judge(rows, endpoint=endpoint(server), output=out, verdicts=sheet, overwrite=True)
    assert sheet.exists()
    assert sieved.report["requests"]["sent"] == 0
    assert [row["id"] for row in sieved] == [name for name, score in by_id.items() if score >= 4]
    recipe_ = sieved.report["config"]["recipe"]
    assert recipe_["threshold"] == 4.0
    experts = recipe_["found"]["experts"]
    assert experts["kappa"] == experts["agreement"] == 1.0
    assert experts["scores"]["spearman"] > 0.9
    assert experts["scores"]["spearman_interval"][0] <= experts["scores"]["spearman"]
    assert experts["scores"]["kappa_quadratic"] < 1.0
    card = (out / "README.md").read_text()
    assert "the threshold 4 was chosen among the scores of 40 rows with verdicts" in card
    assert "the experts saw the judge's scores" in card
    # A threshold of one's own stays, and the verdicts only tell how good it is.
    own = th.generate.judge(rows, endpoint=endpoint(server), verdicts=sheet, threshold=0)
    assert len(own) == 60
    assert own.report["config"]["recipe"]["found"]["experts"]["kappa"] in (None, 0.0)


def test_verdicts_that_cannot_set_a_threshold_are_refused(server: Server, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text("id,verdict\n" + "".join(f"r{place},accept\n" for place in range(10)))
    with pytest.raises(
        DataError, match="the verdicts cannot set a threshold: 10 rows with a score are accepted, 0"
    ):
        th.generate.judge(rows_of(10), endpoint=endpoint(server), verdicts=sheet)
    sheet.write_text("id,verdict\nother,accept\n")
    with pytest.raises(DataError, match="none of the 1 verdicts is of a row that is here"):
        th.generate.judge(rows_of(10), endpoint=endpoint(server), verdicts=sheet)
    with pytest.raises(DataError, match="2 rows have the id `r0`"):
        th.generate.judge(rows_of(2) + rows_of(1), endpoint=endpoint(server), verdicts=sheet)


def test_a_judge_of_the_teachers_family_is_told_of(server: Server) -> None:
    made = th.generate.Generated(
        rows_of(3),
        {"config": {"endpoints": [{"identity": "t", "family": "owl"}], "recipe": {"name": "domain"}}},
    )
    result = th.generate.judge(made, endpoint=endpoint(server, family="owl"), student="owl")
    assert result.report["config"]["recipe"]["teachers"] == [{"identity": "t", "family": "owl"}]
    notes = "\n".join(result.report["notes"])
    assert "judge `m-1` and teacher `t` are of one family (owl)" in notes
    assert "judge `m-1` and student of the family owl are of one family (owl)" in notes


def test_what_cannot_be_is_refused_before_anything_is_asked(server: Server, tmp_path: Path) -> None:
    before = len(server.log())

    def refused(message: str, rows: Any = None, **options: Any) -> None:
        with pytest.raises(ParameterError, match=message):
            th.generate.judge(
                rows or rows_of(2), endpoint=options.pop("endpoint", endpoint(server)), **options
            )

    refused("method is `rank`", method="rank")
    refused("scale is `3`", scale=3)
    refused("by is `mean`", by="mean")
    refused("to is `openai`", to="openai")
    refused("a judge is asked in chats", endpoint=endpoint(server, api="completion"))
    refused("review needs an `output`", review=3)
    refused("rubric is given, but method is `checklist`", listed(2), method="checklist", rubric="x")
    refused("there is no prompt `judge_pairwise`", prompts={"judge_pairwise": "x"})
    refused("has a field `judge_score` already", [rows_of(1)[0] | {"judge_score": 1}])
    refused("tries is `0`", tries=0)
    with pytest.raises(TypeError, match="there is no option `treshold`"):
        th.generate.judge(rows_of(1), endpoint=endpoint(server), treshold=3)
    assert len(server.log()) == before


def test_a_second_judge_has_columns_of_its_own(server: Server) -> None:
    first = th.generate.judge(rows_of(3), endpoint=endpoint(server))
    second = th.generate.judge(list(first), endpoint=endpoint(server, OTHER), prefix="other")
    assert all(row["judge_score"] is not None and row["other_score"] is not None for row in second)


def test_a_threshold_that_refuses_nearly_all_goes_through_all_rows(server: Server) -> None:
    result = th.generate.judge(rows_of(700), endpoint=endpoint(server), threshold=6)
    assert len(result) == 0
    assert result.is_complete
    assert sum(result.rejected.values()) == 700


def test_an_own_rubric_and_own_prompts_are_asked_and_named_in_the_report(
    server: Server, tmp_path: Path
) -> None:
    own = tmp_path / "own.txt"
    own.write_text("From 1 to {{scale}} by {{rubric}}: {{question}} {{mark}}\nAnswer:\n{{answer}}\n")
    result = th.generate.judge(
        rows_of(2), endpoint=endpoint(server), rubric="5: short", prompts={"judge_score": str(own)}
    )
    config = result.report["config"]["recipe"]
    assert config["rubric"] == "5: short"
    plain = th.generate.judge(rows_of(2), endpoint=endpoint(server)).report["config"]["recipe"]
    assert config["prompts"]["judge_score"] != plain["prompts"]["judge_score"]


def test_findings_have_no_value_where_there_is_nothing() -> None:
    found = findings.of_rows([], Score(), [MODEL], 0)
    assert (found["rows"], found["mean"], found["histogram"]) == (0, None, {})
    assert findings.of_rows([], Pairwise(), [MODEL], 0)["judges"][0]["flip_rate"] is None
