"""Results whose files are made in Python: taken, staged, published, locked and verified like all others."""

from __future__ import annotations

import gc
import gzip
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import html5lib
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

import thresher as th
from thresher._core.runs import Output

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = "<script>alert(1)</script></td><img src=x onerror='a'>\u202e\x1b[31m"
SINGLE = ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"]
CHILD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("made", sys.argv[1])
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
getattr(made, sys.argv[2])(*sys.argv[3:])
"""


def _rows(text: str, count: int = 3) -> list[dict[str, Any]]:
    return [{"id": str(number), "text": f"{text} {number}"} for number in range(count)]


def _books(kept: int = 3, removed: int = 2) -> dict[str, Any]:
    return {
        "in": {"docs": kept + removed, "bytes": 10 * (kept + removed)},
        "kept": {"docs": kept, "bytes": 10 * kept},
        "removed": {"too_short": {"docs": removed, "bytes": 10 * removed}} if removed else {},
        "quarantined": {},
        "blank_bytes": 0,
    }


def _write(path: str, rows: list[dict[str, Any]], form: str = "jsonl", codec: str = "plain") -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    packers: dict[str, Callable[[bytes], bytes]] = {
        "plain": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.compress,
    }
    if form == "parquet":
        pq.write_table(pa.table({"text": [row["text"] for row in rows]}), path)
    else:
        Path(path).write_bytes(packers[codec](lines))


def _stage(
    output: Output, text: str, parts: tuple[str, ...] = ("rejected.parquet", "README.md")
) -> dict[str, int]:
    """Makes a result of three rows; gives the rows of its parts."""
    is_folder = output.form == "folder"
    data = "data/rows.jsonl" if is_folder else "data"
    _write(output.path(data), _rows(text), "jsonl" if is_folder else output.form, output.codec)
    rows = {data: 3}
    for part in parts:
        if part == "README.md":
            Path(output.path(part)).write_text(f"# {text}\n", "utf-8")
        else:
            pq.write_table(pa.table({"reason": [text, text]}), output.path(part))
            rows[part] = 2
    return rows


def _report(**members: Any) -> str:
    return json.dumps({"config": {"output": "out"}, "accounting": _books(), "notes": [], **members})


def _make(place: Path, text: str, overwrite: bool = False, **stage: Any) -> dict[str, Any]:
    output = Output(str(place), overwrite, "generate")
    report: dict[str, Any] = json.loads(output.publish(_report(), _stage(output, text, **stage)))
    output.close(keep=False)
    return report


def _part(place: Path, name: str) -> Path:
    return place / name if place.suffix == "" else Path(f"{place}.{name}")


def _text(place: Path) -> str:
    """What a whole result says; all of its files say the same."""
    report = th.verify(place)
    assert report.ok, str(report)
    said = {_part(place, "README.md").read_text("utf-8").strip("# \n")}
    said |= set(pq.read_table(_part(place, "rejected.parquet"))["reason"].to_pylist())
    assert len(said) == 1
    return said.pop()


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _child(function: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, __file__, function, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _hold(place: str) -> None:
    """Stages a result, says so, and waits to be killed."""
    output = Output(place, True, "generate")
    (Path(output.work) / "journal").write_text("paid for", "utf-8")
    _stage(output, "half")
    print("staged", flush=True)
    time.sleep(60)


def _publish_on(place: str) -> None:
    """Publishes one result after the other until it is killed."""
    for number in range(1_000_000):
        output = Output(place, True, "generate")
        parts = ("rejected.parquet", "README.md", *(["lineage.parquet"] if number % 2 else []))
        output.publish(_report(), _stage(output, f"result {number}", parts))
        output.close(keep=False)
        print(number, flush=True)


# What is published


def test_a_folder_is_published_like_any_other_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    output = Output(str(out), False, "generate")
    assert (output.form, output.codec) == ("folder", "plain")
    rows = _stage(output, "made", ("rejected.parquet", "lineage.parquet", "README.md"))
    _write(output.path("data/more/rows.parquet"), _rows("more", 0), "parquet")
    assert not (out / "data").exists()
    report = json.loads(output.publish(_report(seed=7), rows))
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
    assert _names(out) == sorted([*report["files"], "run.json"])
    assert _text(out) == "made"


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("count", [0, 3])
def test_a_single_file_has_its_evidence_beside_it(tmp_path: Path, name: str, count: int) -> None:
    out = tmp_path / name
    output = Output(str(out), False, "generate")
    codec = {"gz": "gzip", "zst": "zstd"}.get(name.rpartition(".")[2], "plain")
    assert (output.form, output.codec) == ("parquet" if "parquet" in name else "jsonl", codec)
    _stage(output, "made")
    _write(output.path("data"), _rows("made", count), output.form, output.codec)
    report = json.loads(output.publish(_report(accounting=_books(count)), {"data": count}))
    output.close(keep=False)
    assert report["files"]["data"]["rows"] == count
    assert _names(tmp_path) == sorted(
        [name, *(f"{name}.{part}" for part in ("README.md", "rejected.parquet", "report.html", "run.json"))]
    )
    assert _text(out) == "made"
    # It is as good an input as any, and what lies beside it is none.
    if count:
        assert th.dedup_files(tmp_path, tmp_path / "again").documents == count


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_changed_byte_is_found_in_every_part(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    report = _make(out, "made")
    for part in report["files"]:
        path = out if part == "data" else _part(out, part)
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        wrong = [file.name for file in th.verify(out).files if file.verdict != "ok"]
        assert wrong == [part]
        path.unlink()
        assert not th.verify(out).ok
        path.write_bytes(whole)
    assert _text(out) == "made"


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
    assert _names(tmp_path) == ["in.jsonl"]
    with _child("_hold", out) as process:
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
    assert _make(out, "made", overwrite=True)


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_finished_result_is_replaced_on_request_and_nothing_of_it_stays(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    _make(out, "old", parts=("rejected.parquet", "lineage.parquet", "README.md"))
    with pytest.raises(th.ParameterError, match="--overwrite"):
        Output(str(out), False, "generate")
    assert _text(out) == "old"
    output = Output(str(out), True, "generate")
    rows = _stage(output, "new")
    assert _text(out) == "old"
    output.publish(_report(), rows)
    with pytest.raises(th.ParameterError, match="to its place already"):
        output.publish(_report(), rows)
    output.close(keep=False)
    assert _text(out) == "new"
    assert not _part(out, "lineage.parquet").exists()


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
    _make(out, "old")
    output = Output(str(out), True, "generate")
    rows = _stage(output, "new")
    (out / "lineage.parquet").write_text("mine", "utf-8")
    with pytest.raises(th.ParameterError, match=r"lineage\.parquet"):
        output.publish(_report(), rows)
    (out / "lineage.parquet").unlink()
    assert _text(out) == "old"
    output.publish(_report(), rows)
    assert _text(out) == "new"


@pytest.mark.parametrize("name", ["seeds.jsonl", "."])
def test_an_input_is_not_overwritten(tmp_path: Path, name: str) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("{}\n", "utf-8")
    with pytest.raises(th.ParameterError, match="would overwrite or hold the input"):
        Output(str(tmp_path / name), True, "generate", [seeds])
    assert _names(tmp_path) == ["seeds.jsonl"]


@pytest.mark.parametrize("name", ["-", "", "out.json", "out.json.gz", "out.arrow"])
def test_what_is_neither_a_folder_nor_lines_nor_parquet_is_refused(name: str) -> None:
    with pytest.raises(th.ParameterError, match="output "):
        Output(name, False, "generate")


# Runs that end early


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_run_that_is_killed_before_it_publishes_costs_nothing(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    _make(out, "old")
    with _child("_hold", out) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "staged\n"
        process.kill()
    assert _text(out) == "old"
    # Who may not go there leaves what was done as it is.
    with pytest.raises(th.ParameterError, match="--overwrite"):
        Output(str(out), False, "generate")
    output = Output(str(out), True, "generate")
    assert (Path(output.work) / "journal").read_text("utf-8") == "paid for"
    assert not Path(output.path("README.md")).exists()
    output.publish(_report(), _stage(output, "new"))
    output.close(keep=False)
    assert _text(out) == "new"
    assert not list(tmp_path.rglob("*thresher*"))


def _crashed(place: Path, new: Path, steps: int) -> bool:
    """Leaves what a process leaves that is killed behind so many steps of publishing `new` at `place`."""
    state = place / ".thresher" if place.suffix == "" else place.with_name(f".{place.name}.thresher")
    data = ["data"]
    publish = [*data, "README.md", "rejected.parquet", "report.html", "run.json"]
    retire = ["run.json", *(data if place.suffix == "" else []), "lineage.parquet"]
    for folder in ("new", "old"):
        (state / folder).mkdir(parents=True)
    (state / "lock").touch()

    def at(base: Path, part: str) -> Path:
        return base if part == "data" and base.suffix else _part(base, part)

    for part in publish:
        shutil.move(at(new, part), state / "new" / part)
    (state / "publish.json").write_text(
        json.dumps({"format": 1, "retire": retire, "publish": publish}), "utf-8"
    )
    moves = [(at(place, part), state / "old" / part) for part in retire]
    moves += [(state / "new" / part, at(place, part)) for part in publish]
    for source, to in moves[:steps]:
        source.replace(to)
    return steps < len(moves)


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_crash_at_any_step_of_publishing_is_completed_by_the_next_run(tmp_path: Path, name: str) -> None:
    steps, has_more = 0, True
    while has_more:
        for overwrite in (False, True):
            folder = tmp_path / f"{steps}-{overwrite}"
            folder.mkdir()
            out, new = folder / name, folder / f"new-{name}"
            _make(out, "old", parts=("rejected.parquet", "lineage.parquet", "README.md"))
            _make(new, "new")
            has_more = _crashed(out, new, steps)
            if overwrite:
                Output(str(out), True, "generate").close(keep=False)
            else:
                with pytest.raises(th.ParameterError, match="--overwrite"):
                    Output(str(out), False, "generate")
            assert _text(out) == "new", steps
            assert not _part(out, "lineage.parquet").exists()
            assert not [path for path in folder.rglob("*thresher*") if path.name != f"new-{name}"], steps
        steps += 1
    assert steps > 6


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_whenever_a_run_is_killed_one_result_is_whole(tmp_path: Path, name: str) -> None:
    out, chance = tmp_path / name, Random(5)
    for _ in range(5):
        with _child("_publish_on", out) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.2 * chance.random())
            process.kill()
        Output(str(out), True, "generate").close(keep=False)
        assert _text(out).startswith("result ")


def test_temporary_files_stay_for_the_next_run_as_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def begun(text: str | None) -> Output:
        output = Output(str(out), True, "generate")
        journal = Path(output.work) / "journal"
        assert (journal.read_text("utf-8") if journal.exists() else None) == text
        journal.write_text("kept", "utf-8")
        return output

    begun(None).close(keep=True)
    begun("kept").close(keep=False)
    assert not list(out.iterdir())
    # Without a word they stay, since somebody may have paid for them.
    output = begun(None)
    del output
    gc.collect()
    output = begun("kept")
    output.publish(_report(), _stage(output, "made"))
    output.close(keep=False)
    assert not (out / ".thresher").exists()
    output = begun(None)
    output.publish(_report(), _stage(output, "made"))
    output.close(keep=True)
    assert th.verify(out).ok
    output = begun("kept")
    output.publish(_report(), _stage(output, "made"))
    del output
    gc.collect()
    assert not (out / ".thresher").exists()
    # An empty folder is nothing to keep.
    Output(str(tmp_path / "other"), False, "generate").close(keep=True)
    assert not (tmp_path / "other").exists()


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
    books = _books()
    books[member][what] += 1
    return books


@pytest.mark.parametrize(
    ("report", "said", "error", "why"),
    [
        ("[]", {}, th.ParameterError, "no object of JSON"),
        ('{"a": NaN}', {}, th.ParameterError, "no object of JSON"),
        (_report(files={}), {}, th.ParameterError, "`files`, which is added"),
        (_report(tool="x"), {}, th.ParameterError, "`tool`, which is added"),
        (_report(accounting=_unbalanced("kept", "docs")), {}, th.InternalError, "do not balance"),
        (_report(accounting=_unbalanced("in", "bytes")), {}, th.InternalError, "do not balance"),
        (_report(accounting=7), {}, th.InternalError, "do not balance"),
        (_report(accounting=_books(4)), {}, th.InternalError, "3 rows were written, but 4 are kept"),
        (_report(), {"rejected.parquet": 3}, th.InternalError, "has 2 rows, but 3"),
        (_report(), {"data/rows.jsonl": 2}, th.InternalError, "has 3 rows, but 2"),
        (_report(), {"data/other": 0}, th.ParameterError, "`data/other`"),
        (_report(), {"lineage.parquet": 0}, th.InternalError, r"`lineage\.parquet` was not made"),
    ],
)
def test_what_does_not_add_up_is_not_published_and_can_be_put_right(
    tmp_path: Path, report: str, said: dict[str, int], error: type[Exception], why: str
) -> None:
    out = tmp_path / "out"
    _make(out, "old")
    output = Output(str(out), True, "generate")
    rows = _stage(output, "new")
    output.path("lineage.parquet")
    with pytest.raises(error, match=why):
        output.publish(report, {**rows, **said})
    assert _text(out) == "old"
    output.publish(_report(), rows)
    assert _text(out) == "new"


def test_a_file_that_nobody_asked_for_is_not_published(tmp_path: Path) -> None:
    out = tmp_path / "out"
    output = Output(str(out), True, "generate")
    rows = _stage(output, "new")
    stray = Path(output.path("data/rows.jsonl")).with_name("stray.jsonl")
    stray.write_text("{}\n", "utf-8")
    with pytest.raises(th.InternalError, match=r"stray\.jsonl` is no part"):
        output.publish(_report(), rows)
    stray.unlink()
    stray.symlink_to(tmp_path)
    with pytest.raises(th.InternalError, match=r"stray\.jsonl` is no part"):
        output.publish(_report(), rows)
    stray.unlink()
    output.publish(_report(), rows)
    assert _text(out) == "new"
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
    books = _books(3, 0)
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
    output.publish(json.dumps(report), _stage(output, "made"))
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
        output.publish(json.dumps(report), _stage(output, "made"))
        _, headings, text = _shown((out / "report.html").read_text("utf-8"))
        assert headings <= {"Files", "Parameters", "Time and memory", "Inputs"}
        assert "nan" not in text.lower()
        assert th.verify(out).ok
