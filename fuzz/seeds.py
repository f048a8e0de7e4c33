"""Writes the seeds of the fuzz targets to `fuzz/seeds`: small inputs, from which the fuzzer finds its way.

Everything is generated, so no file of anybody else is in the repository. `make fuzz` runs this first.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import zstandard

SEEDS = Path(__file__).parent / "seeds"
TEXTS = ["a rose is a rose", None, "", "ünï 数据 😀", "a rose is a rose", "x" * 70]
LINES = [
    b'{"text":"a rose","id":1,"n":-1.5e3}',
    b' {"id":"\\u00fc\\n","text":"\\ud83d\\ude00 \\\\ \\/ \\"","a":{"b":"c"}} ',
    b'{"text":null,"a":{"b":[1,{"b":true}]}}',
    b'{"text":"\\ud800"}',
    b'{"a":{"b":"x"},"a":{"b":"y"},"n":18446744073709551616}',
    b"{}",
    b"[1]",
    b"",
]
TEMPLATES = [
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "{%- macro say(m) -%}{{ m['content'] | trim if m.content is string else '' }}{%- endmacro -%}"
    "{% set ns = namespace(n=0) %}{% for m in messages if m.role != 'tool' %}"
    "{% set ns.n = ns.n + loop.index0 %}"
    "{% generation %}{{ say(m) }}{% endgeneration %}{% else %}none{% endfor %}{{ ns.n // 2 % 3 - 1 }}",
    "{{ tools | tojson(indent=2) }}{{ messages[1:] | map(attribute='role') | join(', ') }}"
    "{% if messages[0]['role'] == 'system' and not false %}{{ '%s|%d' | format('a', 3) }}{% endif %}"
    "{# note #}{{ raise_exception('no') if messages | length > 9 else strftime_now('%Y') }}"
    "{{ [1, (2,), {'a': 1.5}] }}",
]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
CHATS = [
    {"instruction": "Add 2 and 3.", "input": "", "output": "5", "history": [["a", "b"]]},
    {"query": "q", "response": "r", "system": "s"},
    {"prompt": "p", "chosen": "c", "rejected": "r"},
    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "tools": "[]"},
    {"conversations": [{"from": "gpt", "value": '<tool_call>\n{"name": "f"}\n</tool_call>'}]},
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [CALL]},
                  {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "1"}]}]},
    {"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]},
    {"text": "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>x</think>b<|im_end|>\n"},
    {"text": "plain"},
]  # fmt: skip


def table() -> pa.Table:
    """A few rows of many types."""
    rows = len(TEXTS)
    return pa.table(
        {
            "text": pa.array(TEXTS),
            "id": pa.array(range(rows), pa.int64()),
            "n": pa.array([0.5, None, 1, 2, 3, 4], pa.float64()),
            "lang": pa.array(["de", "en", None, "de", "en", "de"]).dictionary_encode(),
            "list": pa.array([[1], [], None, [2, None], [3], [4]], pa.list_(pa.int32())),
            "meta": pa.array([{"a": "x", "b": 1}] * rows),
            "day": pa.array([1, None, 3, 4, 5, 6], pa.date32()),
            "flag": pa.array([True, False, None] * 2),
        }
    )


def parquet() -> list[bytes]:
    """Files of one and of many columns, with each compression and page layout."""
    few, many = table().select(["text", "id", "n"]), table()
    found = []
    for data, (compression, version, rows) in itertools.product(
        (few, many), [("none", "1.0", 6), ("snappy", "2.0", 2), ("zstd", "1.0", 3), ("gzip", "2.0", 6)]
    ):
        sink = io.BytesIO()
        pq.write_table(
            data, sink, compression=compression, data_page_version=version, row_group_size=rows,
            use_dictionary=rows != 2, write_page_index=rows == 3, store_schema=rows != 6,
            write_statistics=False,
        )  # fmt: skip
        found.append(sink.getvalue())
    return found


def arrow() -> list[bytes]:
    """Files and streams, plain and compressed, of one and several batches."""
    few, many = table().select(["text", "id"]), table()
    found = []
    for data, (compression, rows) in itertools.product((few, many), [(None, 6), ("lz4", 2), ("zstd", 3)]):
        options = ipc.IpcWriteOptions(compression=compression)
        for writer in (ipc.new_file, ipc.new_stream):
            sink = io.BytesIO()
            with writer(sink, data.schema, options=options) as out:
                out.write_table(data, max_chunksize=rows)
            found.append(sink.getvalue())
    sink = io.BytesIO()
    feather.write_feather(few, sink, version=2)
    return [*found, sink.getvalue()]


def seeds() -> dict[str, list[bytes]]:
    """The seeds of each target."""
    lines = b"\n".join(LINES)
    pair = [lines[:80], lines[80:]]
    damage = [bytes([1, 128, 4, 0, 30]), bytes([1, 0, 0, 200, 9]), bytes([1, 255, 255, 255, 0])]
    return {
        "bands": [bytes([kind, *range(40), *range(20)]) for kind in (0, 64, 8, 255)],
        "chat": [json.dumps(row, ensure_ascii=False).encode() for row in CHATS],
        "gzip": [b"".join(map(gzip.compress, pair)), gzip.compress(b""), gzip.compress(lines) + bytes(9)]
        + [choice + lines for choice in damage],
        "ipc": arrow(),
        "json": LINES,
        "jsonl": [bytes([choice]) + lines for choice in (0, 2, 4, 250)]
        + [bytes([choice]) + b"[" + b",\n".join(LINES[:3]) + b"]" for choice in (1, 11)],
        "parquet": parquet(),
        "template": [template.encode() for template in TEMPLATES],
        "zstd": [b"".join(map(zstandard.compress, pair)), zstandard.compress(b"")]
        + [zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(lines)]
        + [choice + lines for choice in damage],
    }


def main() -> None:
    """Writes every seed to a file of its own."""
    for target, inputs in seeds().items():
        for folder in (SEEDS / target, SEEDS.parent / "corpus" / target):
            folder.mkdir(parents=True, exist_ok=True)
        for index, data in enumerate(inputs):
            (SEEDS / target / f"seed-{index}").write_bytes(data)


if __name__ == "__main__":
    main()
