"""Mixes over files, from Python and from the command line."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thresher as th
from thresher.cli import main

LANGUAGES = ("de", "en", "fr")


def _rows(name: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{name}-{at}",
            "text": "x" * (at % 7),
            "length": 1 + at * 31 % 97,
            "language": LANGUAGES[at % 3],
            "provenance": "human" if at % 4 == 0 else "model",
        }
        for at in range(count)
    ]


def _write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Two sources with weights, of 400 and 100 rows."""
    web, wiki = (
        _write(tmp_path / "web.jsonl", _rows("web", 400)),
        _write(tmp_path / "wiki.jsonl", _rows("wiki", 100)),
    )
    return {"web": {"inputs": web, "weight": 0.8}, "wiki": {"inputs": [wiki], "weight": 0.2, "max_epochs": 2}}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    target=st.integers(500, 12_000),
    weight=st.floats(0.3, 0.9),
    unit=st.sampled_from(["tokens", "documents"]),
    floor=st.sampled_from([0.0, 0.4, 0.5]),
    order=st.sampled_from(["shuffle", "interleave"]),
)
def test_a_mix_obeys_its_wishes(
    tmp_path: Path, sources: dict[str, Any], target: int, weight: float, unit: str, floor: float, order: str
) -> None:
    target = target if unit == "tokens" else target // 50
    named = {"web": {**sources["web"], "weight": weight}, "wiki": {**sources["wiki"], "weight": 1 - weight}}
    out = tmp_path / "mix.jsonl"
    report = th.mix_files(
        named,
        out,
        target=target,
        unit=unit,
        floors={"language": {"de": floor}},
        order=order,
        short="fill",
        overwrite=True,
    )
    rows = _read(out)

    def size(of: list[dict[str, Any]]) -> int:
        return len(of) if unit == "documents" else sum(row["length"] for row in of)

    document = 1 if unit == "documents" else 97
    assert abs(size(rows) - target) <= 6 * document
    assert size([row for row in rows if row["language"] == "de"]) >= floor * size(rows) - 1e-9
    assert report.mix["size"] == size(rows)
    for line in report.mix["phases"][0]["sources"]:
        taken = [row for row in rows if row["source"] == line["source"]]
        assert (line["size"], line["documents"]) == (size(taken), len(taken))
        assert abs(line["size"] - line["planned"] * target) <= 3 * document
    counts = Counter(row["id"] for row in rows)
    assert max(count for name, count in counts.items() if name.startswith("web")) == 1
    assert max(counts.values()) <= 2
    books = report.report["accounting"]
    assert books["in"]["docs"] + books.get("made", 0) == books["kept"]["docs"] + report._removed("not_taken")


def test_the_share_is_within_a_thousandth_of_what_was_asked(tmp_path: Path) -> None:
    named = {
        name: {"inputs": _write(tmp_path / f"{name}.jsonl", _rows(name, rows)), "weight": weight}
        for name, rows, weight in (("a", 9000, 0.5), ("b", 6000, 0.3), ("c", 5000, 0.2))
    }
    report = th.mix_files(named, tmp_path / "mix.jsonl", target=400_000, seed=5)
    for line in report.mix["phases"][0]["sources"]:
        assert abs(line["achieved"] - line["asked"]) < 0.001 * line["asked"]


def test_parquet_keeps_its_columns_and_gets_where_each_row_comes_from(tmp_path: Path) -> None:
    for name in ("a", "b"):
        table = pa.Table.from_pylist([{**row, "ids": list(range(row["length"]))} for row in _rows(name, 50)])
        pq.write_table(table, tmp_path / f"{name}.parquet")
    named = {name: str(tmp_path / f"{name}.parquet") for name in ("a", "b")}
    report = th.mix_files(named, tmp_path / "out", length="ids", epochs=True, shards=2)
    table = pa.concat_tables(pq.read_table(path) for path in report.outputs)
    assert table.column_names == ["id", "text", "length", "language", "provenance", "ids", "source", "epoch"]
    rows = table.to_pylist()
    assert Counter(row["source"] for row in rows) == {"a": 50, "b": 50}
    assert all(
        row["id"].startswith(row["source"]) and row["ids"] == list(range(row["length"])) for row in rows
    )
    assert report.mix["size"] == sum(row["length"] for row in rows)
    assert [row["id"] for row in rows] != sorted(row["id"] for row in rows)


def test_what_cannot_be_met_is_an_error_with_a_way_out(tmp_path: Path, sources: dict[str, Any]) -> None:
    for wish, words in (
        ({"target": 10**6}, "lower `target`"),
        ({"target": 12_000}, "`short: fill`"),
        ({"target": 9000, "real_share": 0.6, "floors": {"language": {"de": 0.8}}}, "together"),
        ({"target": 1000, "floors": {"language": {"xx": 0.1}}}, "`language: xx`"),
        ({"target": 1000, "floors": {"languag": {"de": 0.1}}}, "`languag`"),
        ({"target": 1000, "length": "tokens"}, "`tokens`"),
        ({"weighting": "unimax"}, "`target`"),
    ):
        named = {name: dict(source) for name, source in sources.items()}
        if "weighting" in wish:
            for source in named.values():
                del source["weight"]
        if wish.get("target") == 12_000:
            named["wiki"]["weight"] = 5
        with pytest.raises(th.ParameterError, match=words):
            th.mix_files(named, tmp_path / "out.jsonl", **wish)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_setting_that_is_not_there_is_told(tmp_path: Path, sources: dict[str, Any]) -> None:
    sources["web"]["wieght"] = 1
    with pytest.raises(th.ParameterError, match="did you mean `weight`"):
        th.mix_files(sources, tmp_path / "out.jsonl")
    with pytest.raises(th.ParameterError, match=r"sources\.web.*inputs"):
        th.mix_files({"web": {"weight": 1}}, tmp_path / "out.jsonl")
    with pytest.raises(th.ParameterError, match=r"phases\.0 has no `share`"):
        th.mix_files({"web": "web.jsonl"}, tmp_path / "out.jsonl", phases=[{"name": "a"}])
    with pytest.raises(th.ParameterError, match=r"floors\.language\.de is"):
        th.mix_files({"web": "web.jsonl"}, tmp_path / "out.jsonl", floors={"language": {"de": "much"}})


def _command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["mix", *arguments])
    return int(ended.value.code or 0)


def test_a_document_is_a_mix(
    tmp_path: Path, sources: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "mix.yaml"
    document.write_text(
        f"""
sources:
  web: {{inputs: {sources["web"]["inputs"]}, weight: 0.8}}
  wiki: {{inputs: {sources["wiki"]["inputs"][0]}, weight: 0.2, max_epochs: 2}}
target: 5000
phases:
  - {{name: first, share: 0.75}}
  - {{name: last, share: 0.25, weights: {{wiki: 1}}}}
output: {tmp_path / "mixed"}
options: {{threads: 1}}
""",
        "utf-8",
    )
    assert _command(str(document), "--seed", "3", "--shards", "1") == 0
    said = capsys.readouterr().err
    assert "first: 3,7" in said
    assert "achieved" in said
    assert "epochs" in said
    run = json.loads((tmp_path / "mixed" / "run.json").read_text("utf-8"))
    assert run["config"]["seed"] == 3
    rows = [row for path in sorted((tmp_path / "mixed" / "data").iterdir()) for row in _read(path)]
    assert [row["phase"] for row in rows] == sorted(row["phase"] for row in rows)
    assert {row["source"] for row in rows if row["phase"] == "last"} == {"wiki"}


def test_every_mistake_of_a_document_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "mix.yaml"
    document.write_text(
        "sources:\n  web: {inputs: a.jsonl, wieght: 1}\n  wiki: {weight: 1}\ntarget: much\nunit: token\n"
        "phases:\n  - {name: first}\ntemprature: 2\noutput: out\n",
        "utf-8",
    )
    assert _command(str(document)) == 2
    said = capsys.readouterr().err
    for words in (
        "mix.yaml:2: sources.web.wieght: there is no such name; did you mean `weight`?",
        "mix.yaml:3: sources.wiki.inputs: it is missing",
        "mix.yaml:4: target: target is `much`",
        "mix.yaml:5: unit: unit is `token`",
        "mix.yaml:7: phases.0.share: it is missing",
        "mix.yaml:8: temprature: there is no such name; did you mean `temperature`?",
    ):
        assert words in said


def test_options_can_stand_for_a_document(tmp_path: Path, sources: dict[str, Any]) -> None:
    web, wiki = sources["web"]["inputs"], json.dumps({"inputs": sources["wiki"]["inputs"], "upsample": 2})
    out = tmp_path / "mix.jsonl"
    assert _command("--sources", f"web={web}", "--sources", f"wiki={wiki}", "-o", str(out), "--quiet") == 0
    assert Counter(row["source"] for row in _read(out)) == {"web": 400, "wiki": 200}
    assert _command("--sources", f"web={web}") == 2
    assert _command("-o", str(out)) == 2


def test_a_killed_mix_goes_on_to_the_same_bytes(tmp_path: Path, sources: dict[str, Any]) -> None:
    rows = [{**row, "text": "word " * 300} for row in _rows("big", 20_000)]
    big, web = _write(tmp_path / "big.jsonl", rows), sources["web"]["inputs"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    command = [sys.executable, "-m", "thresher", "mix", "--sources", f"big={big}", "--sources", f"web={web}"]
    command += [
        "--max-epochs",
        "1.5",
        "--target",
        "1400000",
        "--threads",
        "2",
        "--quiet",
        "--shards",
        "2",
        "-o",
    ]
    began = time.monotonic()
    subprocess.run([*command, str(whole)], check=True)
    lasted = time.monotonic() - began
    codes = []
    for part in (0.5, 0.6, 0.7, 0.8, 0.9, None):
        process = subprocess.Popen([*command, str(out)])
        if part is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(part * lasted)
            process.kill()
        codes.append(process.wait())
        # A kill may come when the result is there and the process is about to end.
        if (out / "run.json").exists():
            break
    assert codes[0] == -signal.SIGKILL
    assert (out / "run.json").exists()
    files = sorted(path.name for path in (whole / "data").iterdir())
    assert files == sorted(path.name for path in (out / "data").iterdir())
    assert all((whole / "data" / name).read_bytes() == (out / "data" / name).read_bytes() for name in files)
