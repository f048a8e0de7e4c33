"""Memory a document of `thresher.dedup` and `dedup_files`, beside the texts: what the documentation says.

Run as `python -m benches.memory`. A million short texts, no two alike, so that all that is counted grows with
their number; each way in a process of its own. It is the peak of resident memory during the call above what
there was before it. The figure over files has the units in flight in it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

COUNT = 1_000_000


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    message = f"/proc/self/status has no {field}"
    raise LookupError(message)


def _forget_the_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def _texts() -> list[str]:
    import numpy as np

    return [" ".join(map(str, row)) for row in np.random.default_rng(1).integers(0, 10**9, (COUNT, 3))]


def in_memory() -> int:
    """Bytes that the search adds to the texts."""
    import pyarrow as pa

    import thresher

    texts = pa.array(_texts(), pa.large_string())
    thresher.dedup(["warm", "up"])
    _forget_the_peak()
    before = _status("VmRSS")
    thresher.dedup(texts, threads=2)
    return _status("VmHWM") - before


def over_files(source: str) -> int:
    """Bytes that a run over a file holds at its peak."""
    import thresher

    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "small.jsonl")
        small.write_text('{"text": "warm up"}\n', "ascii")
        thresher.dedup_files(small, Path(folder, "warm"), threads=2)
        _forget_the_peak()
        before = _status("VmRSS")
        thresher.dedup_files(source, Path(folder, "out"), threads=2)
        return _status("VmHWM") - before


def main() -> None:
    """Measures both ways."""
    if sys.argv[1:2] == ["in_memory"]:
        print(in_memory())
        return
    if sys.argv[1:2] == ["over_files"]:
        print(over_files(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "texts.jsonl")
        source.write_text("".join(f'{{"text": "{text}"}}\n' for text in _texts()), "ascii")
        for way in (["in_memory"], ["over_files", str(source)]):
            command = [sys.executable, "-m", "benches.memory", *way]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{way[0]:11} {int(done.stdout) / COUNT:6.0f} bytes a document ({COUNT:,} distinct texts)")


if __name__ == "__main__":
    main()
