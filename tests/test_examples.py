"""The examples that are programs run as they stand, and give what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent


def test_raw_text_becomes_the_batches_of_a_training_loop(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    # The second run finds the results of the first.
    for _ in range(2):
        command = [sys.executable, "-W", "error", "examples/pretrain.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    packed = pq.read_table(tmp_path / "pretrain-out" / "packed.parquet")
    shapes = [json.loads(line.removeprefix("batch ")) for line in done.stdout.splitlines() if "batch" in line]
    assert sum(rows for rows, _ in shapes) == packed.num_rows > 0
    assert {context for _, context in shapes} == {64}
    documents = {name for names in packed["document_ids"].to_pylist() for name in names if name}
    # One of the five texts is there twice, and one in another spelling.
    assert len(documents) == 3, documents
    assert all(re.fullmatch(r"garden-[12]\.jsonl:\d", name) for name in documents)
