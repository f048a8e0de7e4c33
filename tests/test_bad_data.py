"""Bad data over files: in bulk, damaged, hostile; what ends a run, and what the command says of it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = "".join(json.dumps({"text": f"document {n}", "meta": {"lang": "en"}}) + "\n" for n in range(10))
ALPACA = json.dumps({"instruction": "a", "input": "", "output": "b"}) + "\n"


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "thresher", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)


@pytest.mark.parametrize("output", ["out", "out.jsonl", "-"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--text", "body"], ["text is `body`", "`text`, `meta.lang`"]),
        (["--text", "txt"], ["did you mean `text`?"]),
        (["--text", "meta"], ["text is `meta`", "a string in it"]),
        (["--id", "key"], ["id is `key`"]),
        (["--keep", "max:nn"], ["keep is `nn`"]),
    ],
)
def test_a_field_that_no_record_has_is_wrong_usage(
    tmp_path: Path, output: str, arguments: list[str], words: list[str]
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(ROWS, "utf-8")
    done = _run("dedup", source, "-o", output if output == "-" else tmp_path / output, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "out.jsonl").exists()
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_format_whose_fields_no_row_has_is_wrong_usage(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(ROWS, "utf-8")
    template = tmp_path / "template.jinja"
    template.write_text("{{ messages }}", "utf-8")
    for command in (["convert", "--to", "openai"], ["render", "--template", template]):
        done = _run(*command, source, "--from", "alpaca", "-o", "-")
        assert done.returncode == 2, done.stderr
        assert "`alpaca`" in done.stderr
        assert "`meta.lang`" in done.stderr


def test_too_much_that_is_set_aside_is_bad_data_for_every_verb(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(ALPACA + "x\n" * 3, "utf-8")
    template = tmp_path / "template.jinja"
    template.write_text("{{ messages }}", "utf-8")
    for command in (
        ["dedup", "--text", "output"],
        ["convert", "--to", "openai"],
        ["render", "--template", template, "--no-mask"],
        ["validate"],
    ):
        for out in (tmp_path / f"{command[0]}.jsonl", tmp_path / f"{command[0]}"):
            done = _run(*command, source, "-o", out)
            assert done.returncode == 65, done.stderr
            assert "3 of 4 records were set aside (invalid_json 3)" in done.stderr
            rejected = Path(done.stderr.rpartition("They are in `")[2].rstrip("`\n"))
            assert len((rejected / "records.jsonl").read_text("utf-8").splitlines()) == 3
            assert not out.is_file()
            assert not (out / "data").exists()
            done = _run(*command, source, "-o", out, "--max-quarantine", "0.75")
            assert "were set aside" not in done.stderr
            assert out.exists()
            assert not rejected.exists()
    done = _run("dedup", source, "-o", "-", "--text", "output")
    assert (done.returncode, done.stdout) == (65, "")
    with pytest.raises(th.ParameterError, match="max_quarantine is `2`"):
        th.dedup_files(source, tmp_path / "more", text="output", max_quarantine=2)


def test_a_quarantine_of_many_small_records_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"x\n" * 500_000 + b'{"text": null}\n')
    report = th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", max_quarantine=1)
    assert report.quarantined == 500_001
    bad = (tmp_path / "out" / "quarantine" / "records.jsonl").read_text("utf-8").splitlines()
    assert [sum(f'"{reason}"' in line for line in bad) for reason in ("invalid_json", "null_text")] == [
        100_000,
        1,
    ]


def test_rows_of_a_damaged_gzip_member_are_in_no_output(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": f"{n} " + "abc " * (n % 50), "output": "", "instruction": str(n)}) + "\n"
        for n in range(3000)
    ]
    parts = [gzip.compress("".join(lines[n : n + 1000]).encode()) for n in (0, 1000, 2000)]
    damaged = bytearray(parts[1])
    damaged[len(damaged) // 2] ^= 4
    (tmp_path / "in.jsonl.gz").write_bytes(parts[0] + damaged + parts[2])
    good = set(lines[:1000] + lines[2000:])
    report = th.dedup_files(tmp_path / "in.jsonl.gz", tmp_path / "out.jsonl", exact_only=True)
    assert set((tmp_path / "out.jsonl").read_text("utf-8").splitlines(keepends=True)) == good
    assert report.report["accounting"]["quarantined"].keys() == {"damaged_member"}
    # The first input is finished when the damage in the second one makes the run begin anew.
    (tmp_path / "good.jsonl").write_text(ALPACA * 2, "utf-8")
    both = [tmp_path / "good.jsonl", tmp_path / "in.jsonl.gz"]
    report = th.chat.convert_files(
        both, tmp_path / "both", to="sharegpt", from_format="alpaca", batch_bytes=9000
    )
    assert [output["rows"] for output in report.report["outputs"]] == [2, 2000]
    for output in ("out", "out.parquet"):
        th.chat.convert_files(
            tmp_path / "in.jsonl.gz", tmp_path / output, to="sharegpt", from_format="alpaca"
        )
    piped = _run("convert", tmp_path / "in.jsonl.gz", "-o", "-", "--to", "sharegpt", "--from", "alpaca")
    assert len(piped.stdout.splitlines()) == 2000
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 2000


def test_damaged_parquet_files_print_nothing(tmp_path: Path) -> None:
    path = tmp_path / "good.parquet"
    pq.write_table(pa.table({"text": [f"document {n % 7}" for n in range(300)], "n": list(range(300))}), path)
    code = (
        "import pathlib, sys, thresher as th\n"
        "good, folder = pathlib.Path(sys.argv[1]).read_bytes(), pathlib.Path(sys.argv[2])\n"
        "for at in range(4, len(good) - 8, len(good) // 50):\n"
        "    bad = bytearray(good); bad[at] ^= 0x41\n"
        "    (folder / 'bad.parquet').write_bytes(bad)\n"
        "    try:\n"
        "        th.dedup_files(folder / 'bad.parquet', folder / str(at), max_quarantine=1)\n"
        "    except (th.DataError, th.ParameterError):\n"
        "        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("value", [2**70, -1, 0, "many", 1.5])
@pytest.mark.parametrize("name", ["num_hashes", "ngram", "threads", "max_record_bytes", "batch_bytes"])
def test_numbers_out_of_range_are_named(tmp_path: Path, name: str, value: Any) -> None:
    (tmp_path / "in.jsonl").write_text(ROWS, "utf-8")
    calls: list[Callable[..., object]] = [th.dedup_files]
    if name not in ("num_hashes", "ngram"):
        calls.append(lambda *paths, **more: th.chat.convert_files(*paths, to="openai", **more))
        calls.append(lambda *paths, **more: th.chat.render_files(*paths, template="x", **more))
        calls.append(lambda path, out, **more: th.chat.validate_files(path, out, **more))
    for call in calls:
        with pytest.raises(th.ParameterError, match=f"^{name} is `{value}`, but "):
            call(tmp_path / "in.jsonl", tmp_path / "out", **{name: value})


@pytest.mark.parametrize("name", ["threshold", "recall", "max_quarantine"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, "high"])
def test_shares_out_of_range_are_named(tmp_path: Path, name: str, value: Any) -> None:
    (tmp_path / "in.jsonl").write_text(ROWS, "utf-8")
    with pytest.raises(th.ParameterError, match=f"^{name} is `{value}`, but "):
        th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", **{name: value})


def test_ids_are_what_stands_in_the_record(tmp_path: Path) -> None:
    ids = ["123456789012345678901234567", "123456789012345678901234568", "1.10", "1e3"]
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {id}, "text": "same"}}\n' for id in ids), "utf-8")
    th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", id="id")
    removed = pq.read_table(tmp_path / "out" / "removed.parquet").to_pydict()
    assert (removed["id"], set(removed["duplicate_of"])) == (ids[1:], {ids[0]})


def test_nan_is_no_rank_wherever_it_comes_from(tmp_path: Path) -> None:
    ranks = [float("nan"), 1.0, None, 2.0]
    table = pa.table({"text": ["same"] * 4, "n": list(range(4)), "rank": ranks})
    assert th.dedup(table, text="text", keep="max:rank").keep.to_pylist() == [False, False, False, True]
    only_nan = table.slice(0, 3)
    assert th.dedup(only_nan, text="text", keep="min:rank").keep.to_pylist() == [False, True, False]
    pq.write_table(table, tmp_path / "in.parquet")
    th.dedup_files(tmp_path / "in.parquet", tmp_path / "out.parquet", keep="max:rank")
    assert pq.read_table(tmp_path / "out.parquet")["n"].to_pylist() == [3]
    lines = [f'{{"text": "same", "n": {n}, "rank": {json.dumps(rank)}}}\n' for n, rank in enumerate(ranks)]
    (tmp_path / "in.jsonl").write_text("".join(lines), "utf-8")
    report = th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out.jsonl", keep="max:rank")
    # NaN is no JSON, so its line is none.
    assert (report.kept, report.quarantined) == (1, 1)
    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["n"] == 3


@pytest.mark.parametrize("name", ["in.parquet", "in.arrow", "in.jsonl"])
def test_a_field_that_is_not_there_is_wrong_usage_in_every_format(tmp_path: Path, name: str) -> None:
    table, path = pa.table({"body": ["a rose"]}), tmp_path / name
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path)
        case ".arrow":
            with pa.ipc.new_file(path, table.schema) as file:
                file.write_table(table)
        case _:
            path.write_text(json.dumps(table.to_pylist()[0]) + "\n", "utf-8")
    for wrong in (
        ["--text", "bodi"],
        ["--text", "body", "--id", "bodi"],
        ["--text", "body", "--keep", "max:bodi"],
    ):
        done = _run("dedup", path, "-o", tmp_path / "out", *wrong)
        assert done.returncode == 2, done.stderr
        assert "did you mean `body`?" in done.stderr


def test_names_in_the_data_cannot_steer_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2J\x9b1m\N{RIGHT-TO-LEFT OVERRIDE}x"
    pq.write_table(pa.table({evil: ["a"]}), tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text(json.dumps({evil: "a"}) + "\n", "utf-8")
    odd = tmp_path / f"{evil}.jsonl"
    odd.write_text("x\n" * 9, "utf-8")
    for path in (tmp_path / "in.parquet", tmp_path / "in.jsonl", odd):
        done = _run("dedup", path, "-o", tmp_path / "out")
        assert done.returncode in (2, 65), done.stderr
        with pytest.raises((th.ParameterError, th.DataError)) as raised:
            th.dedup_files(path, tmp_path / "out")
        for said in (done.stderr, str(raised.value)):
            assert not set(evil[:-1]) & set("\x1b\x9b\N{RIGHT-TO-LEFT OVERRIDE}") & set(said), said


def test_keys_that_stand_twice_or_are_escaped_are_found(tmp_path: Path) -> None:
    lines = [
        '{"id": 1, "text": "same", "text": "last"}',
        '{"id": 2, "te\\u0078t": "last", "i\\u0064": 3}',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), "utf-8")
    th.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", id="id")
    removed = pq.read_table(tmp_path / "out" / "removed.parquet").to_pydict()
    assert (removed["id"], removed["duplicate_of"]) == (["3"], ["1"])


@pytest.mark.parametrize("output", ["out", "out.jsonl", "-"])
def test_the_summary_says_what_was_set_aside_and_where_it_lies(tmp_path: Path, output: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(ALPACA * 4 + "x\n{}\n", "utf-8")
    template = tmp_path / "template.jinja"
    template.write_text("{{ messages }}", "utf-8")
    for index, command in enumerate(
        (
            ["dedup", "--text", "output"],
            ["convert", "--to", "openai"],
            ["render", "--template", template, "--no-mask"],
        )
    ):
        out = output if output == "-" else tmp_path / str(index) / output
        (tmp_path / str(index)).mkdir(exist_ok=True)
        done = _run(*command, source, "-o", out)
        assert done.returncode == 0, done.stderr
        said = next(line for line in done.stderr.splitlines() if line.startswith("set aside: "))
        assert "invalid_json 1" in said
        if output != "-":
            assert len(Path(said.partition("; see ")[2]).read_text("utf-8").splitlines()) == 2
        assert done.stderr.splitlines()[-1].startswith("in 6 documents")
        if output != "-":
            assert _run(*command, source, "-o", tmp_path / f"{index}.jsonl", "--quiet").stderr == ""


def test_a_folder_that_cannot_be_listed_is_an_error_that_names_it() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in ("ok", "locked"):
            (folder / "d" / place).mkdir(parents=True)
            (folder / "d" / place / "a.jsonl").write_text(ROWS, "utf-8")
        (folder / "out").mkdir()
        for path in (folder, folder / "out"):
            path.chmod(0o777)
        (folder / "d" / "locked").chmod(0)
        # The superuser may list everything, so the command becomes somebody else first.
        code = (
            "import os, sys; from thresher.cli import main\n"
            "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "main(sys.argv[1:])"
        )
        try:
            for index, source in enumerate(("d", "d/*/*.jsonl", "d/*")):
                arguments = ["dedup", str(folder / source), "-o", str(folder / "out" / str(index))]
                command = [sys.executable, "-B", "-c", code, *arguments]
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
                assert done.returncode == 74, done.stderr
                assert "d/locked" in done.stderr
        finally:
            (folder / "d" / "locked").chmod(0o700)


def test_a_run_does_not_read_its_own_output_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.jsonl").write_text(ALPACA + "x\n{}\n" + ALPACA, "utf-8")
    (folder / "README.md").write_text("About", "utf-8")
    first = th.dedup_files(folder, folder / "out", text="output")
    again = th.dedup_files(folder, tmp_path / "again", text="output")
    assert (again.documents, again.kept, again.quarantined) == (
        first.documents,
        first.kept,
        first.quarantined,
    )
    assert any("`out`" in note for note in again.notes)
    assert any("`README.md`" in note for note in first.notes)
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "a.txt").write_text("one text", "utf-8")
    assert th.dedup_files(documents, documents / "out").documents == 1
    assert th.dedup_files(documents, tmp_path / "more").documents == 1
    told = _run("dedup", folder, "-o", tmp_path / "told", "--text", "output")
    assert "note: " in told.stderr
    assert "`README.md`" in told.stderr
