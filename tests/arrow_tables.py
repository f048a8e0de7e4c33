"""Tables of every Arrow type at random, and every way in which pyarrow writes them.

What pyarrow itself cannot make, write or read back is left out; `Unsupported` says so.
"""

from __future__ import annotations

import datetime
import decimal
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Maker = Callable[[int], pa.Array]


class Unsupported(Exception):
    """Something that pyarrow does not do."""


UNITS = ["s", "ms", "us", "ns"]
ZONES = [None, "UTC", "Europe/Berlin", "+05:30"]
KEYS = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64()]
CODECS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]


def _leaf_types(rng: random.Random) -> list[pa.DataType]:
    return [
        pa.null(),
        pa.bool_(),
        *(getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)),
        pa.float16(),
        pa.float32(),
        pa.float64(),
        pa.date32(),
        pa.date64(),
        pa.time32("s"),
        pa.time32("ms"),
        pa.time64("us"),
        pa.time64("ns"),
        *(pa.timestamp(unit, rng.choice(ZONES)) for unit in UNITS),
        *(pa.duration(unit) for unit in UNITS),
        pa.month_day_nano_interval(),
        pa.decimal32(rng.randint(1, 9), rng.randint(0, 1)),
        pa.decimal64(rng.randint(1, 18), rng.randint(0, 1)),
        pa.decimal128(rng.randint(1, 38), rng.randint(-1, 1)),
        pa.decimal256(rng.randint(1, 76), rng.randint(0, 1)),
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.binary(rng.randint(1, 20)),
    ]


EXTENSIONS: list[Callable[[], pa.DataType]] = [
    pa.uuid,
    pa.json_,
    pa.bool8,
    lambda: pa.opaque(pa.binary(), "kind", "vendor"),
    lambda: pa.fixed_shape_tensor(pa.float32(), [2, 2]),
]


def random_type(rng: random.Random, depth: int = 0) -> pa.DataType:
    """A type; the deeper, the simpler."""
    kind = rng.random()
    if depth < 3 and kind < 0.3:
        inner = random_type(rng, depth + 1)
        item = pa.field(rng.choice(["item", "element", "x"]), inner, inner == pa.null() or rng.random() < 0.7)
        return rng.choice(
            [
                pa.list_(item),
                pa.large_list(item),
                pa.list_view(item),
                pa.large_list_view(item),
                pa.list_(item, rng.randint(1, 3)),
                pa.map_(rng.choice([pa.string(), pa.int32()]), item, keys_sorted=rng.random() < 0.2),
                pa.struct(random_fields(rng, rng.randint(1, 3), depth + 1)),
            ]
        )
    if kind < 0.4:
        values = rng.choice([pa.string(), pa.large_string(), pa.binary(), pa.int64(), pa.string_view()])
        return pa.dictionary(rng.choice(KEYS), values, ordered=rng.random() < 0.3)
    if kind < 0.44:
        # Runs of the null type have nulls that no field without nulls may have.
        values = rng.choice([kind for kind in _leaf_types(rng) if kind != pa.null()])
        return pa.run_end_encoded(rng.choice([pa.int16(), pa.int32(), pa.int64()]), values)
    if kind < 0.5:
        return rng.choice(EXTENSIONS)()
    if depth == 0 and kind < 0.52:
        members = [pa.field(f"member{index}", random_leaf(rng)) for index in range(2)]
        return rng.choice([pa.sparse_union, pa.dense_union])(members)
    return random_leaf(rng)


def random_leaf(rng: random.Random) -> pa.DataType:
    """A type without a child."""
    return rng.choice(_leaf_types(rng))


def random_fields(rng: random.Random, count: int, depth: int = 0) -> list[pa.Field]:
    """Fields of different names; some without nulls, some with metadata or a field id."""
    fields = []
    for index in range(count):
        name = f"{rng.choice(['a', 'weird name', 'x.y', 'é', 'Id'])}{index}"
        kind = random_type(rng, depth)
        field = pa.field(name, kind, kind == pa.null() or rng.random() < 0.75)
        if rng.random() < 0.3:
            field = field.with_metadata({"note": name, "PARQUET:field_id": str(rng.randint(1, 1000))})
        fields.append(field)
    return fields


def random_array(rng: random.Random, kind: pa.DataType, length: int, *, nulls: bool) -> pa.Array:
    """Values of a type."""
    if isinstance(kind, pa.BaseExtensionType):
        storage = random_array(rng, kind.storage_type, length, nulls=nulls)
        if isinstance(kind, pa.JsonType):
            storage = pa.array([None if v is None else f'"{v}"' for v in storage.to_pylist()], pa.string())
        return pa.ExtensionArray.from_storage(kind, storage)
    if pa.types.is_run_end_encoded(kind):
        ends = sorted({*rng.sample(range(1, length + 1), length // 3), length}) if length else []
        values = random_array(rng, kind.value_type, len(ends), nulls=nulls)
        return pa.RunEndEncodedArray.from_arrays(pa.array(ends, kind.run_end_type), values, type=kind)
    if pa.types.is_dictionary(kind):
        size = rng.randint(1, 100 if kind.index_type.bit_width == 8 else 150)
        values = random_array(rng, kind.value_type, size, nulls=False).unique()
        keys = [_or_null(rng, nulls, rng.randrange(len(values))) for _ in range(length)]
        return pa.DictionaryArray.from_arrays(pa.array(keys, kind.index_type), values, ordered=kind.ordered)
    if pa.types.is_nested(kind):
        return _nested(rng, kind, length, nulls)
    return pa.array([_or_null(rng, nulls, _value(rng, kind)) for _ in range(length)], kind)


def _or_null(rng: random.Random, nulls: bool, value: Any) -> Any:
    return None if nulls and rng.random() < 0.2 else value


def _nested(rng: random.Random, kind: pa.DataType, length: int, nulls: bool) -> pa.Array:
    if pa.types.is_union(kind):
        return _union(rng, kind, length)
    mask = pa.array([nulls and rng.random() < 0.2 for _ in range(length)], pa.bool_())
    if pa.types.is_struct(kind):
        fields = list(kind)
        children = [random_array(rng, f.type, length, nulls=f.nullable) for f in fields]
        return pa.StructArray.from_arrays(children, fields=fields, mask=mask)
    if pa.types.is_fixed_size_list(kind):
        size = kind.list_size
        values = random_array(rng, kind.value_type, length * size, nulls=kind.value_field.nullable)
        return pa.FixedSizeListArray.from_arrays(values, type=kind, mask=mask)
    sizes = [0 if mask[i].as_py() else rng.randint(0, 3) for i in range(length)]
    offsets = [sum(sizes[:i]) for i in range(length + 1)]
    if pa.types.is_map(kind):
        keys = pa.array([_value(rng, kind.key_type) for _ in range(offsets[-1])], kind.key_type)
        items = random_array(rng, kind.item_type, offsets[-1], nulls=kind.item_field.nullable)
        return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, items, type=kind, mask=mask)
    values = random_array(rng, kind.value_type, offsets[-1], nulls=kind.value_field.nullable)
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind, mask=mask)
    if pa.types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values, type=kind, mask=mask)
    large = pa.types.is_large_list_view(kind)
    maker, index = (pa.LargeListViewArray, pa.int64()) if large else (pa.ListViewArray, pa.int32())
    starts = pa.array(offsets[:-1], index)
    return maker.from_arrays(starts, pa.array(sizes, index), values, type=kind, mask=mask)


def _union(rng: random.Random, kind: pa.DataType, length: int) -> pa.Array:
    codes = [rng.randrange(2) for _ in range(length)]
    members = list(kind)
    names = [member.name for member in members]
    if kind.mode == "sparse":
        children = [random_array(rng, member.type, length, nulls=member.nullable) for member in members]
        union = pa.UnionArray.from_sparse(pa.array(codes, pa.int8()), children, names)
    else:
        places = [codes[:row].count(code) for row, code in enumerate(codes)]
        children = [
            random_array(rng, member.type, codes.count(code), nulls=member.nullable)
            for code, member in enumerate(members)
        ]
        union = pa.UnionArray.from_dense(
            pa.array(codes, pa.int8()), pa.array(places, pa.int32()), children, names
        )
    return union.cast(kind) if union.type != kind else union


def _text(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_letters + "éß漢", k=rng.randint(0, 20)))


def _value(rng: random.Random, kind: pa.DataType) -> Any:
    types = pa.types
    if types.is_null(kind):
        return None
    if types.is_boolean(kind):
        return rng.random() < 0.5
    if types.is_integer(kind):
        bits = kind.bit_width
        low, high = (
            (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if types.is_signed_integer(kind) else (0, 2**bits - 1)
        )
        return rng.choice([low, high, 0, rng.randint(low, high), 1])
    if types.is_floating(kind):
        return rng.choice([0.0, -0.0, float("inf"), float("nan"), rng.uniform(-100, 100)])
    if types.is_decimal(kind):
        return decimal.Decimal(rng.randint(-9, 9) if kind.precision < 3 else rng.randint(-99, 99)).scaleb(
            -kind.scale, decimal.Context(prec=80)
        )
    if types.is_date(kind):
        return datetime.date(1, 1, 1) + datetime.timedelta(days=rng.randint(0, 3_600_000))
    if types.is_time(kind):
        return pa.scalar(rng.randint(0, 86_399), pa.int32() if kind.bit_width == 32 else pa.int64()).cast(
            kind
        )
    if types.is_timestamp(kind):
        # Within the years that Python has, or that 64 bits of nanoseconds have.
        seconds = (
            rng.randint(-9 * 10**9, 9 * 10**9) if kind.unit == "ns" else rng.randint(-6 * 10**10, 2 * 10**11)
        )
        return pa.scalar(seconds * 1000 ** UNITS.index(kind.unit) + rng.randint(0, 999), pa.int64()).cast(
            kind
        )
    if types.is_duration(kind):
        return pa.scalar(rng.randint(-(2**40), 2**40), pa.int64()).cast(kind)
    if types.is_interval(kind):
        return pa.MonthDayNano([rng.randint(-99, 99), rng.randint(-99, 99), rng.randint(-(2**40), 2**40)])
    if types.is_fixed_size_binary(kind):
        return rng.randbytes(kind.byte_width)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind):
        return rng.randbytes(rng.randint(0, 20))
    return _text(rng)


def random_table(rng: random.Random) -> pa.Table:
    """A table with a column `text`, in which every text comes about twice."""
    length = rng.choice([0, 1, rng.randint(2, 60), rng.randint(100, 300)])
    texts = [_or_null(rng, True, f"the text of number {rng.randrange(length)}") for _ in range(length)]
    kind = rng.choice(
        [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    )
    fields = [pa.field("text", kind), *random_fields(rng, rng.randint(1, 6))]
    try:
        columns = [pa.array(texts, pa.string()).cast(kind)]
        columns += [random_array(rng, f.type, length, nulls=f.nullable) for f in fields[1:]]
        order = rng.sample(range(len(fields)), len(fields))
        metadata = {"origin": "a test", "pandas": "{}"} if rng.random() < 0.5 else None
        schema = pa.schema([fields[i] for i in order], metadata)
        table = pa.Table.from_arrays([columns[i] for i in order], schema=schema)
        table.validate(full=True)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, TypeError, OverflowError) as error:
        raise Unsupported(str(error)) from error
    if rng.random() < 0.5:
        start = rng.randint(0, length)
        table = pa.concat_tables([table.slice(start), table.slice(0, start)])
    return table


def write_parquet(rng: random.Random, table: pa.Table, path: Path) -> None:
    """Writes with settings at random."""
    by_column = rng.random() < 0.3
    codec: Any = (
        {name: rng.choice(CODECS) for name in table.column_names} if by_column else rng.choice(CODECS)
    )
    encodings = None
    dictionary = rng.random() < 0.5
    if not dictionary and rng.random() < 0.5:
        choices = {field.name: _encodings(field.type) for field in table.schema}
        encodings = {name: rng.choice(some) for name, some in choices.items() if some} or None
    try:
        pq.write_table(
            table,
            path,
            row_group_size=rng.choice([None, 7, 50]),
            version=rng.choice(["1.0", "2.4", "2.6"]),
            use_dictionary=dictionary,
            compression=codec,
            write_statistics=rng.random() < 0.8,
            use_deprecated_int96_timestamps=rng.random() < 0.2,
            data_page_size=rng.choice([None, 100]),
            use_compliant_nested_type=rng.random() < 0.8,
            column_encoding=encodings,
            data_page_version=rng.choice(["1.0", "2.0"]),
            store_schema=rng.random() < 0.8,
            write_page_index=rng.random() < 0.3,
            write_page_checksum=rng.random() < 0.3,
            store_decimal_as_integer=rng.random() < 0.3,
        )
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError) as error:
        raise Unsupported(str(error)) from error


def _encodings(kind: pa.DataType) -> list[str]:
    types = pa.types
    if types.is_boolean(kind):
        return ["PLAIN", "RLE"]
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind):
        return ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"]
    if types.is_integer(kind) and kind.bit_width >= 32:
        return ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
    if types.is_float32(kind) or types.is_float64(kind) or types.is_fixed_size_binary(kind):
        return ["PLAIN", "BYTE_STREAM_SPLIT"]
    return []


def write_ipc(rng: random.Random, table: pa.Table, path: Path) -> None:
    """A file for `.arrow`, a stream for `.arrows`; batches, codec and treatment of dictionaries at random."""
    options = pa.ipc.IpcWriteOptions(
        compression=rng.choice([None, "lz4", "zstd"]),
        unify_dictionaries=rng.random() < 0.5,
        emit_dictionary_deltas=rng.random() < 0.5,
    )
    new = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    try:
        with new(path, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=rng.choice([None, 7, 50]))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise Unsupported(str(error)) from error


def read(path: Path) -> pa.Table:
    """What pyarrow makes of a file."""
    if path.suffix == ".parquet":
        return pq.read_table(path, use_threads=False)
    if path.suffix == ".arrows":
        return pa.ipc.open_stream(path).read_all()
    return pa.ipc.open_file(path).read_all()
