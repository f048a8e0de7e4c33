"""Rows of files in a random order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from thresher import _core
from thresher._runs import RunOptions, RunReport, over_files, run

if TYPE_CHECKING:
    import os

    from thresher._runs import Paths


@over_files
def shuffle_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    seed: int = 0,
    epoch: int = 0,
    shards: int | None = None,
    rows_per_shard: int | None = None,
    **options: Unpack[RunOptions],
) -> RunReport:
    """Shuffles the rows of files, all together, in bounded memory.

    The order is an exact random permutation of all rows of all inputs, not of a buffer: row k of the output
    is row `Permutation(n, seed, epoch)[k]` of the `n` good rows of the inputs, one behind the other. It
    depends on these three numbers alone: not on threads, memory or interruptions.

    Rows are read twice, the first time to count them, and lie on disk in between: the temporary disk is their
    size. JSONL lines come out byte for byte, columns with the values and types that they have. A line that is
    no JSON object goes to quarantine. After an interrupt, a kill or a full disk the same call goes on behind
    what was done. The GIL is released, and Ctrl-C stops the run.

    Args:
        inputs: Files of one format (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`,
            `.arrows`), patterns, folders, or `-` for JSONL on standard input.
        output: A folder for shards and the evidence; a data file of the format of the inputs, with the
            evidence beside it; or `-` for standard output, which gets the data alone.
        seed: Names the order, 0 to 2^64 - 1.
        epoch: Number of the epoch, 0 to 2^64 - 1: another epoch is another order of the same seed.
        shards: Files in the output folder, whose rows differ by one at most. Default: as many as there are
            inputs.
        rows_per_shard: Rows of a file in the output folder; the last one may have fewer.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: A parameter is outside its range, the inputs have several formats, or a single file is
            to be cut into shards.
        DataError: Bad data in a strict run or in bulk, columns whose rows cannot lie in one file (other types
            than those of the first input, dictionaries with keys of 8 or 16 bits), or files that change.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import thresher as th
        >>> report = th.shuffle_files(["a.jsonl", "b.jsonl"], "mixed", seed=1, shards=8)  # doctest: +SKIP
    """
    own = {
        "inputs": inputs,
        "output": output,
        "seed": seed,
        "epoch": epoch,
        "shards": shards,
        "rows_per_shard": rows_per_shard,
    }
    return run(_core.runs.shuffle, own, options, RunReport)
