"""Token files merged and checked, against files that are written from the text of the layout."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import thresher as th
from tests.tokens.tokenizers_of_tests import read_megatron


def _write(prefix: Path, documents: list[list[list[int]]]) -> None:
    sequences = [sequence for document in documents for sequence in document]
    tokens = [np.array(sequence, "<u2") for sequence in sequences]
    Path(f"{prefix}.bin").write_bytes(b"".join(one.tobytes() for one in tokens))
    lengths = np.array([len(one) for one in tokens], "<i4")
    pointers = np.concatenate([[0], np.cumsum(lengths, dtype="<i8")[:-1] * 2]) if len(tokens) else np.zeros(0)
    boundaries = np.cumsum([0, *map(len, documents)])
    head = struct.pack("<9sQBQQ", b"MMIDIDX\0\0", 1, 8, len(sequences), len(boundaries))
    parts = [lengths, pointers.astype("<i8"), boundaries.astype("<i8")]
    Path(f"{prefix}.idx").write_bytes(head + b"".join(part.tobytes() for part in parts))


def test_a_merge_is_one_file_of_all(tmp_path: Path) -> None:
    some = {"a": [[[1, 2], [3]], [[]]], "b": [], "c": [[[65_535]]]}
    for name, documents in some.items():
        _write(tmp_path / name, documents)
    merged = th.tokens.merge([tmp_path / f"{name}.bin" for name in some], tmp_path / "all.bin")
    _write(tmp_path / "wanted", [document for documents in some.values() for document in documents])
    for end in ("bin", "idx"):
        assert (tmp_path / f"all.{end}").read_bytes() == (tmp_path / f"wanted.{end}").read_bytes()
    assert (merged.documents, merged.sequences, merged.tokens, merged.dtype) == (3, 4, 4, "uint16")
    assert th.tokens.check(tmp_path / "all.idx") == merged
    assert [sequence.tolist() for sequence in read_megatron(tmp_path / "all")[1]] == [
        [1, 2],
        [3],
        [],
        [65_535],
    ]


def test_a_file_that_lies_is_an_error_that_says_where(tmp_path: Path) -> None:
    _write(tmp_path / "a", [[[1, 2]]])
    (tmp_path / "a.bin").write_bytes(b"12")
    with pytest.raises(th.DataError, match=r"a\.bin: it has 2 bytes"):
        th.tokens.check(tmp_path / "a")
    with pytest.raises(th.DataError):
        th.tokens.merge([tmp_path / "a"], tmp_path / "all")
    with pytest.raises(th.FileError):
        th.tokens.check(tmp_path / "none")


def test_the_command_line_merges_and_checks(tmp_path: Path) -> None:
    _write(tmp_path / "a", [[[1, 2]]])
    command = [sys.executable, "-m", "thresher", "tokens"]
    merge = [*command, "merge", "a.bin", "a.bin", "-o", "b.bin"]
    done = subprocess.run([*merge, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["tokens"] == 4
    assert subprocess.run(merge, cwd=tmp_path, capture_output=True, check=False).returncode == 2
    done = subprocess.run(
        [*command, "check", "b.idx"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "2 documents, 2 sequences, 4 tokens of uint16" in done.stderr
    done = subprocess.run([*command, "check", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "is a folder, not a token file" in done.stderr
    (tmp_path / "b.idx").write_bytes(b"MMIDIDX")
    assert (
        subprocess.run(
            [*command, "check", "b.bin"], cwd=tmp_path, capture_output=True, check=False
        ).returncode
        == 65
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_more_than_two_to_the_31_tokens_are_merged_in_the_memory_of_a_few_blocks(tmp_path: Path) -> None:
    """Sparse files of 2^30 + 2^22 tokens each; the last sequence lies behind token 2^31."""
    length, sequences = 1 << 10, (1 << 20) + (1 << 12)
    lengths = np.full(sequences, length, "<i4")
    pointers = np.arange(sequences, dtype="<i8") * (2 * length)
    head = struct.pack("<9sQBQQ", b"MMIDIDX\0\0", 1, 8, sequences, sequences + 1)
    boundaries = np.arange(sequences + 1, dtype="<i8")
    for name in "ab":
        (tmp_path / f"{name}.idx").write_bytes(
            head + lengths.tobytes() + pointers.tobytes() + boundaries.tobytes()
        )
        with (tmp_path / f"{name}.bin").open("wb") as out:
            out.truncate(2 * length * sequences)
            out.seek(-4, os.SEEK_END)
            out.write(struct.pack("<HH", 4711, ord(name)))
    # What the system counts of a child begins with the memory of its parent, so the child reads its own.
    code = (
        "import thresher as th; th.tokens.merge(['a.bin', 'b.bin'], 'all.bin'); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    peak = int(done.stdout) >> 10
    found = th.tokens.check(tmp_path / "all")
    assert found.tokens == 2 * length * sequences > 2**31
    index = (tmp_path / "all.idx").read_bytes()
    last = struct.unpack_from("<q", index, 34 + 4 * 2 * sequences + 8 * (2 * sequences - 1))[0]
    assert last == 2 * length * (2 * sequences - 1) > 2**32
    tokens = np.memmap(tmp_path / "all.bin", "<u2", "r")
    assert tokens[-2:].tolist() == [4711, ord("b")]
    assert tokens[length * sequences - 1] == ord("a")
    print(f"{found.tokens:,} tokens, peak of the process {peak} MB")
    assert peak < 160
