"""Runs that make results in Python and end early: killed, stopped at any step of publishing, or let go."""

from __future__ import annotations

import gc
import json
import shutil
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

import thresher as th
from thresher._core.runs import Output

if TYPE_CHECKING:
    pass
from tests import making


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_a_run_that_is_killed_before_it_publishes_costs_nothing(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    making.make(out, "old")
    with making.child("hold", out) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "staged\n"
        process.kill()
    assert making.text(out) == "old"
    # Who may not go there leaves what was done as it is.
    with pytest.raises(th.ParameterError, match="--overwrite"):
        Output(str(out), False, "generate")
    output = Output(str(out), True, "generate")
    assert (Path(output.work) / "journal").read_text("utf-8") == "paid for"
    assert not Path(output.path("README.md")).exists()
    output.publish(making.report(), making.stage(output, "new"))
    output.close(keep=False)
    assert making.text(out) == "new"
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
        return base if part == "data" and base.suffix else making.part(base, part)

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
            making.make(out, "old", parts=("rejected.parquet", "lineage.parquet", "README.md"))
            making.make(new, "new")
            has_more = _crashed(out, new, steps)
            if overwrite:
                Output(str(out), True, "generate").close(keep=False)
            else:
                with pytest.raises(th.ParameterError, match="--overwrite"):
                    Output(str(out), False, "generate")
            assert making.text(out) == "new", steps
            assert not making.part(out, "lineage.parquet").exists()
            assert not [path for path in folder.rglob("*thresher*") if path.name != f"new-{name}"], steps
        steps += 1
    assert steps > 6


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_whenever_a_run_is_killed_one_result_is_whole(tmp_path: Path, name: str) -> None:
    out, chance = tmp_path / name, Random(5)
    for _ in range(5):
        with making.child("publish_on", out) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.2 * chance.random())
            process.kill()
        Output(str(out), True, "generate").close(keep=False)
        assert making.text(out).startswith("result ")


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
    output.publish(making.report(), making.stage(output, "made"))
    output.close(keep=False)
    assert not (out / ".thresher").exists()
    output = begun(None)
    output.publish(making.report(), making.stage(output, "made"))
    output.close(keep=True)
    assert th.verify(out).ok
    output = begun("kept")
    output.publish(making.report(), making.stage(output, "made"))
    del output
    gc.collect()
    assert not (out / ".thresher").exists()
    # An empty folder is nothing to keep.
    Output(str(tmp_path / "other"), False, "generate").close(keep=True)
    assert not (tmp_path / "other").exists()
