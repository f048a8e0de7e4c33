"""Results whose files are made in Python: taken, staged, published, locked and verified like all others."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import html5lib
import pytest

import thresher as th
from tests import making
from thresher._core.runs import Output

if TYPE_CHECKING:
    pass

HOSTILE = "<script>alert(1)</script></td><img src=x onerror='a'>\u202e\x1b[31m"


# What is published


def test_a_folder_is_published_like_any_other_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    output = Output(str(out), False, "generate")
    assert (output.form, output.codec) == ("folder", "plain")
    rows = making.stage(output, "made", ("rejected.parquet", "lineage.parquet", "README.md"))
    making.write(output.path("data/more/rows.parquet"), making.rows("more", 0), "parquet")
    assert not (out / "data").exists()
    report = json.loads(output.publish(making.report(seed=7), rows))
    assert list(report)[:3] == ["tool", "format", "version"]
    assert report["seed"] == 7
    assert {name: entry.get("rows") for name, entry in report["files"].items()} == {
        "README.md": None,
        "data/more/rows.parquet": 0,
        "data/rows.jsonl": 3,
        "lineage.parquet": 2,
        "rejected.parquet": 2,
        "report.html": None,
    }
    assert [Path(file["path"]).relative_to(out).as_posix() for file in report["outputs"]] == [
        "data/more/rows.parquet",
        "data/rows.jsonl",
    ]
    written = json.loads((out / "run.json").read_bytes())
    assert len(written.pop("xxh3_128")) == 32
    assert written == report
    output.close(keep=False)
    assert making.names(out) == sorted([*report["files"], "run.json"])
    assert making.text(out) == "made"


@pytest.mark.parametrize("name", making.SINGLE)
@pytest.mark.parametrize("count", [0, 3])
def test_a_single_file_has_its_evidence_beside_it(tmp_path: Path, name: str, count: int) -> None:
    out = tmp_path / name
    output = Output(str(out), False, "generate")
    codec = {"gz": "gzip", "zst": "zstd"}.get(name.rpartition(".")[2], "plain")
    assert (output.form, output.codec) == ("parquet" if "parquet" in name else "jsonl", codec)
    making.stage(output, "made")
    making.write(output.path("data"), making.rows("made", count), output.form, output.codec)
    report = json.loads(output.publish(making.report(accounting=making.books(count)), {"data": count}))
    output.close(keep=False)
    assert report["files"]["data"]["rows"] == count
    assert making.names(tmp_path) == sorted(
        [name, *(f"{name}.{part}" for part in ("README.md", "rejected.parquet", "report.html", "run.json"))]
    )
    assert making.text(out) == "made"
    # It is as good an input as any, and what lies beside it is none.
    if count:
        assert th.dedup_files(tmp_path, tmp_path / "again").documents == count


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_changed_byte_is_found_in_every_part(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    report = making.make(out, "made")
    for part in report["files"]:
        path = out if part == "data" else making.part(out, part)
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        wrong = [file.name for file in th.verify(out).files if file.verdict != "ok"]
        assert wrong == [part]
        path.unlink()
        assert not th.verify(out).ok
        path.write_bytes(whole)
    assert making.text(out) == "made"


# Who has it, and what may be replaced


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_one_run_at_a_time_has_an_output_whatever_its_verb(tmp_path: Path, name: str) -> None:
    out, source = tmp_path / name, tmp_path / "in.jsonl"
    source.write_text('{"text": "a rose"}\n', "utf-8")
    output = Output(str(out), False, "generate")
    with pytest.raises(th.BusyError, match="in use by another run"):
        Output(str(out), False, "generate")
    dedup = [sys.executable, "-m", "thresher", "dedup", str(source), "-o", str(out), "--quiet"]
    assert subprocess.run(dedup, capture_output=True, check=False, timeout=50).returncode == 75
    output.close(keep=False)
    with pytest.raises(th.ParameterError, match="closed"):
        output.path("README.md")
    assert making.names(tmp_path) == ["in.jsonl"]
    with making.child("hold", out) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "staged\n"
        with pytest.raises(th.BusyError):
            Output(str(out), True, "generate")
        process.kill()
    Output(str(out), False, "generate").close(keep=False)
    assert subprocess.run(dedup, capture_output=True, check=False, timeout=50).returncode == 0
    # An output that is dropped is let go of.
    output = Output(str(out), True, "generate")
    del output
    gc.collect()
    assert making.make(out, "made", overwrite=True)


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_finished_result_is_replaced_on_request_and_nothing_of_it_stays(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    making.make(out, "old", parts=("rejected.parquet", "lineage.parquet", "README.md"))
    with pytest.raises(th.ParameterError, match="--overwrite"):
        Output(str(out), False, "generate")
    assert making.text(out) == "old"
    output = Output(str(out), True, "generate")
    rows = making.stage(output, "new")
    assert making.text(out) == "old"
    output.publish(making.report(), rows)
    with pytest.raises(th.ParameterError, match="to its place already"):
        output.publish(making.report(), rows)
    output.close(keep=False)
    assert making.text(out) == "new"
    assert not making.part(out, "lineage.parquet").exists()


def test_what_somebody_else_has_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("x", "utf-8")
    (tmp_path / "out.jsonl.README.md").write_text("x", "utf-8")
    for name, stranger in (("out", "precious.txt"), ("out.jsonl", "out.jsonl.README.md")):
        for overwrite in (False, True):
            with pytest.raises(th.ParameterError, match=stranger):
                Output(str(tmp_path / name), overwrite, "generate")
    # Also what comes into the way during the run, and the rest of it is whole.
    out = tmp_path / "new"
    making.make(out, "old")
    output = Output(str(out), True, "generate")
    rows = making.stage(output, "new")
    (out / "lineage.parquet").write_text("mine", "utf-8")
    with pytest.raises(th.ParameterError, match=r"lineage\.parquet"):
        output.publish(making.report(), rows)
    (out / "lineage.parquet").unlink()
    assert making.text(out) == "old"
    output.publish(making.report(), rows)
    assert making.text(out) == "new"


@pytest.mark.parametrize("name", ["seeds.jsonl", "."])
def test_an_input_is_not_overwritten(tmp_path: Path, name: str) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("{}\n", "utf-8")
    with pytest.raises(th.ParameterError, match="would overwrite or hold the input"):
        Output(str(tmp_path / name), True, "generate", [seeds])
    assert making.names(tmp_path) == ["seeds.jsonl"]


@pytest.mark.parametrize("name", ["-", "", "out.json", "out.json.gz", "out.arrow"])
def test_what_is_neither_a_folder_nor_lines_nor_parquet_is_refused(name: str) -> None:
    with pytest.raises(th.ParameterError, match="output "):
        Output(name, False, "generate")


# What is not believed


@pytest.mark.parametrize(
    ("part", "single"),
    [
        ("data", False), ("data/rows.jsonl", True), ("data/", False), ("data/../x", False),
        ("data//x", False), ("data/.hidden", False), ("data/a\\b", False), ("/etc/x", False),
        ("run.json", False), ("", False), ("report.html", True), ("removed.parquet", False),
        ("rejected.parquet/x", False), ("../x", True),
    ],
)  # fmt: skip
def test_there_are_no_other_parts(tmp_path: Path, part: str, single: bool) -> None:
    output = Output(str(tmp_path / ("out.jsonl" if single else "out")), False, "generate")
    with pytest.raises(th.ParameterError, match="there is no part"):
        output.path(part)


def _unbalanced(member: str, what: str) -> dict[str, Any]:
    books = making.books()
    books[member][what] += 1
    return books


@pytest.mark.parametrize(
    ("report", "said", "error", "why"),
    [
        ("[]", {}, th.ParameterError, "no object of JSON"),
        ('{"a": NaN}', {}, th.ParameterError, "no object of JSON"),
        (making.report(files={}), {}, th.ParameterError, "`files`, which is added"),
        (making.report(tool="x"), {}, th.ParameterError, "`tool`, which is added"),
        (making.report(accounting=_unbalanced("kept", "docs")), {}, th.InternalError, "do not balance"),
        (making.report(accounting=_unbalanced("in", "bytes")), {}, th.InternalError, "do not balance"),
        (making.report(accounting=7), {}, th.InternalError, "do not balance"),
        (
            making.report(accounting=making.books(4)),
            {},
            th.InternalError,
            "3 rows were written, but 4 are kept",
        ),
        (making.report(), {"rejected.parquet": 3}, th.InternalError, "has 2 rows, but 3"),
        (making.report(), {"data/rows.jsonl": 2}, th.InternalError, "has 3 rows, but 2"),
        (making.report(), {"data/other": 0}, th.ParameterError, "`data/other`"),
        (making.report(), {"lineage.parquet": 0}, th.InternalError, r"`lineage\.parquet` was not made"),
    ],
)
def test_what_does_not_add_up_is_not_published_and_can_be_put_right(
    tmp_path: Path, report: str, said: dict[str, int], error: type[Exception], why: str
) -> None:
    out = tmp_path / "out"
    making.make(out, "old")
    output = Output(str(out), True, "generate")
    rows = making.stage(output, "new")
    output.path("lineage.parquet")
    with pytest.raises(error, match=why):
        output.publish(report, {**rows, **said})
    assert making.text(out) == "old"
    output.publish(making.report(), rows)
    assert making.text(out) == "new"


def test_a_file_that_nobody_asked_for_is_not_published(tmp_path: Path) -> None:
    out = tmp_path / "out"
    output = Output(str(out), True, "generate")
    rows = making.stage(output, "new")
    stray = Path(output.path("data/rows.jsonl")).with_name("stray.jsonl")
    stray.write_text("{}\n", "utf-8")
    with pytest.raises(th.InternalError, match=r"stray\.jsonl` is no part"):
        output.publish(making.report(), rows)
    stray.unlink()
    stray.symlink_to(tmp_path)
    with pytest.raises(th.InternalError, match=r"stray\.jsonl` is no part"):
        output.publish(making.report(), rows)
    stray.unlink()
    output.publish(making.report(), rows)
    assert making.text(out) == "new"
    single = Output(str(tmp_path / "out.jsonl"), False, "generate")
    with pytest.raises(th.InternalError, match="data was not made"):
        single.publish("{}", {})


# The page


def _shown(page: str) -> tuple[set[str], set[str], str]:
    """Elements, headings and text of a page."""
    tree = html5lib.parse(page)
    names = {str(element.tag).rpartition("}")[2] for element in tree.iter()}
    headings = {element.text for element in tree.iter() if str(element.tag).endswith("}h2")}
    return names, headings, " ".join(tree.itertext())


@pytest.mark.parametrize("rejections", [False, True])
def test_the_page_shows_books_rules_settings_and_notes_and_nothing_of_them_acts(
    tmp_path: Path, rejections: bool
) -> None:
    out = tmp_path / "out"
    output = Output(str(out), False, f"generate {HOSTILE}")
    books = making.books(3, 0)
    books["removed"] = {HOSTILE: {"docs": 1204, "bytes": 0}, "novelty": {"docs": 17, "bytes": 9}}
    books["quarantined"] = {"truncated": {"docs": 5, "bytes": 1}}
    books["in"] = {"docs": 1229, "bytes": 40}
    report = {
        "config": {"output": HOSTILE, "recipe": "self-instruct", HOSTILE: [HOSTILE]},
        "accounting": books,
        "notes": [HOSTILE, "the card says so"],
        "requests": {"sent": 4321, "failed": {HOSTILE: 86}},
        "spent": {HOSTILE: HOSTILE, "money": None},
    }
    if rejections:
        report["rejections"] = {
            HOSTILE: {"rows": 1204, "about": HOSTILE},
            "novelty": {"rows": 1303},
            "odd": HOSTILE,
        }
    output.publish(json.dumps(report), making.stage(output, "made"))
    page = (out / "report.html").read_text("utf-8")
    names, headings, text = _shown(page)
    assert names.isdisjoint({"script", "img", "iframe", "link"})
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert headings == {
        "Candidates",
        "Notes",
        "Rejections by rule",
        "Requests",
        "Spent",
        "Set aside",
        "Files",
        "Parameters",
    }
    figures = ["1,229", "1,204", "4,321", "86", "unknown", "the card says so", "self-instruct", HOSTILE[:25]]
    for figure in [*figures, "1,303" if rejections else "the first rule that they broke"]:
        assert figure in text, figure


def test_a_page_does_without_what_a_report_does_not_have(tmp_path: Path) -> None:
    for number, report in enumerate(
        [
            {},
            {"config": 7, "notes": {}, "rejections": [], "requests": 1},
            {"timings": {"total": 2.5}, "inputs": []},
        ]
    ):
        out = tmp_path / f"out-{number}"
        output = Output(str(out), False, "generate")
        output.publish(json.dumps(report), making.stage(output, "made"))
        _, headings, text = _shown((out / "report.html").read_text("utf-8"))
        assert headings <= {"Files", "Parameters", "Time and memory", "Inputs"}
        assert "nan" not in text.lower()
        assert th.verify(out).ok
