"""Columnar files that are odd or damaged: what can be read is kept, the rest is set aside by name."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import thresher as th


def quarantine(out: Path) -> list[dict[str, Any]]:
    path = out / "quarantine" / "records.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def documents(start: int, stop: int) -> pa.Table:
    return pa.table(
        {
            "text": [f"document {number} of its own {number * 7919}" for number in range(start, stop)],
            "url": [
                f"https://example.com/{number}/{number * 104729 % 99991}" for number in range(start, stop)
            ],
        }
    )


def damaged_parquet(path: Path) -> None:
    """Rows 0 to 200 in four row groups; the column `url` of the second has a broken page."""
    pq.write_table(documents(0, 200), path, row_group_size=50, use_dictionary=False, compression="zstd")
    column = pq.read_metadata(path).row_group(1).column(1)
    raw = bytearray(path.read_bytes())
    end = column.data_page_offset + column.total_compressed_size
    raw[end - 40 : end] = bytes(40)
    path.write_bytes(raw)


def damaged_ipc(path: Path) -> None:
    """The same in four batches."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(path, documents(0, 200).schema, options=options) as writer:
        writer.write_table(documents(0, 200), max_chunksize=50)
    raw = bytearray(path.read_bytes())
    # The last buffer of the second batch is that of the urls.
    magic = struct.pack("<I", 0xFD2FB528)
    starts = [at for at in range(len(raw)) if raw[at : at + 4] == magic]
    assert len(starts) == 16
    at = starts[7] + 20
    raw[at : at + 40] = bytes(40)
    path.write_bytes(raw)


@pytest.mark.parametrize(("name", "damage"), [("b.parquet", damaged_parquet), ("b.arrows", damaged_ipc)])
def test_rows_damaged_in_another_column_are_set_aside_before_they_stand_for_others(
    tmp_path: Path, name: str, damage: Any
) -> None:
    bad, copies, out = tmp_path / name, tmp_path / name.replace("b", "c", 1), tmp_path / "out"
    damage(bad)
    # The same documents once more: those of the damaged rows must be kept here.
    if name.endswith(".parquet"):
        pq.write_table(documents(0, 200), copies)
    else:
        with pa.ipc.new_stream(copies, documents(0, 200).schema) as writer:
            writer.write_table(documents(0, 200))
    th.dedup_files([str(bad), str(copies)], str(out), text="text")
    assert [(row["row"], row["reason"]) for row in quarantine(out)] == [
        (row, "corrupt") for row in range(50, 100)
    ]
    assert "another column is damaged" in quarantine(out)[0]["detail"]
    read = pq.read_table if name.endswith(".parquet") else lambda path: pa.ipc.open_stream(path).read_all()
    kept = read(out / "data" / bad.name), read(out / "data" / copies.name)
    assert kept[0].equals(pa.concat_tables([documents(0, 50), documents(100, 200)]))
    assert kept[1].equals(documents(50, 100))
    removed = pq.read_table(out / "removed.parquet").to_pylist()
    assert len(removed) == 150
    assert not {row["duplicate_of"] for row in removed} & {f"{bad.name}:{row}" for row in range(50, 100)}


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows"])
def test_a_string_in_another_encoding_costs_its_row(tmp_path: Path, suffix: str) -> None:
    rows = [
        f"text of row {row}".encode() if row % 3 else f"t\xe9xt of row {row}".encode("latin-1")
        for row in range(300)
    ]
    values = pa.array(rows, pa.binary())
    table = pa.table(
        {"text": pa.Array.from_buffers(pa.string(), len(values), values.buffers()), "row": range(300)}
    )
    source, out = tmp_path / f"in{suffix}", tmp_path / "out"
    write(table, source)
    th.dedup_files([str(source)], str(out), text="text", exact_only=True)
    assert {row["reason"] for row in quarantine(out)} == {"invalid_utf8"}
    assert [row["row"] for row in quarantine(out)] == list(range(0, 300, 3))
    assert read_back(out / "data" / source.name)["row"].to_pylist() == [row for row in range(300) if row % 3]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_bytes_that_are_utf8_are_text(tmp_path: Path, suffix: str, kind: pa.DataType) -> None:
    table = pa.table({"body": pa.array([b"one text", b"one text", "ein ö".encode(), b"\xff", None], kind)})
    source, out = tmp_path / f"in{suffix}", tmp_path / "out"
    write(table, source)
    th.dedup_files([str(source)], str(out), text="body")
    assert [(row["row"], row["reason"]) for row in quarantine(out)] == [(3, "invalid_utf8"), (4, "null_text")]
    kept = read_back(out / "data" / source.name)
    assert kept.column(0).to_pylist() == [b"one text", "ein ö".encode()]
    assert kept.schema.equals(read_back(source).schema)


def test_a_list_is_refused_as_text_by_name(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"tags": [["a"], ["b"]], "text": ["a", "b"]}), source)
    with pytest.raises(
        th.ParameterError, match=r"column `tags` is of type List.*, not text; the text columns are `text`"
    ):
        th.dedup_files([str(source)], str(tmp_path / "out"), text="tags")


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_long_text_of_a_column_is_set_aside(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / f"in{suffix}", tmp_path / "out"
    write(pa.table({"text": ["short", "a" * 100, "also short"]}), source)
    th.dedup_files([str(source)], str(out), text="text", max_record_bytes=50)
    assert [(row["row"], row["reason"]) for row in quarantine(out)] == [(1, "too_long")]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_shards_without_rows_or_values_are_read_with_the_others(tmp_path: Path, suffix: str) -> None:
    full = pa.table({"text": ["one", "two"]})
    for name, table in [
        ("a", full),
        ("b", full.slice(0, 0)),
        ("c", pa.table({"text": pa.nulls(2)})),
        ("d", pa.table({"text": pa.nulls(0)})),
        ("e", pa.table({"text": pa.array([None, None], pa.string())})),
    ]:
        write(table, tmp_path / f"{name}{suffix}")
    sources = [str(tmp_path / f"{name}{suffix}") for name in "abcde"]
    th.dedup_files(sources, str(tmp_path / "out"), text="text", max_quarantine=1.0)
    assert [row["reason"] for row in quarantine(tmp_path / "out")] == ["null_text"] * 4
    for name in "abcde":
        before = read_back(tmp_path / f"{name}{suffix}")
        after = read_back(tmp_path / "out" / "data" / f"{name}{suffix}")
        assert after.schema.equals(before.schema, check_metadata=True)
        assert after.num_rows == (2 if name == "a" else 0)


def test_files_of_one_type_are_joined_as_they_are_and_others_converted_or_refused(tmp_path: Path) -> None:
    times = pa.array([1, 2], pa.timestamp("us"))
    first = pa.table({"text": ["a", "b"], "at": times})
    second = pa.table({"text": pa.array(["c", "d"], pa.large_string()), "at": times})
    coarse = pa.table({"text": ["e", "f"], "at": times.cast(pa.timestamp("ms"), safe=False)})
    for name, table in [("a", first), ("b", second), ("c", coarse)]:
        write(table, tmp_path / f"{name}.parquet")
    pq.write_table(first, tmp_path / "d.parquet", use_deprecated_int96_timestamps=True)
    sources = [str(tmp_path / f"{name}.parquet") for name in "abcd"]
    out = tmp_path / "out.parquet"
    th.dedup_files(sources[:3], str(out), text="text")
    joined = read_back(out)
    assert joined.schema == first.schema
    assert joined["at"].to_pylist() == [*times.to_pylist(), *times.to_pylist(), *coarse["at"].to_pylist()]
    with pytest.raises(th.DataError, match="column `at` has a type that cannot be converted"):
        th.dedup_files(sources, str(tmp_path / "other.parquet"), text="text")
    assert not (tmp_path / "other.parquet").exists()


def test_dictionaries_of_8_bits_are_joined(tmp_path: Path) -> None:
    for name in "abc":
        values = pa.array([f"{name}{value}" for value in range(100)])
        column = values.dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))
        table = pa.table({"text": values, "c": column})
        write(table, tmp_path / f"{name}.parquet")
        write(table, tmp_path / f"{name}.arrows")
    for suffix in (".parquet", ".arrows"):
        out = tmp_path / f"out{suffix}"
        th.dedup_files([str(tmp_path / f"{name}{suffix}") for name in "abc"], str(out), text="text")
        joined = read_back(out)
        assert joined["c"].to_pylist() == joined["text"].to_pylist()
        assert joined.schema.field("c").type == pa.dictionary(pa.int8(), pa.string())


def write(table: pa.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    new = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    with new(path, table.schema) as writer:
        writer.write_table(table)


def read_back(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    return (pa.ipc.open_stream if path.suffix == ".arrows" else pa.ipc.open_file)(path).read_all()
