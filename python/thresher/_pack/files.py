"""Packing over files: rows of tokens in, bins of tokens out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from thresher import _core
from thresher._pack.plan import PackAccounts
from thresher._runs import RunOptions, RunReport, over_files, run

if TYPE_CHECKING:
    from thresher._pack.pack import Overlong, Strategy
    from thresher._runs import Paths


@dataclass(frozen=True)
class PackReport(RunReport):
    """The result of `pack_files`: what was read, packed and left out.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `packing` with the
            accounts in sequences and tokens, `bins` and `fill`. Bytes in the books are 4 for each token.
    """

    @property
    def num_bins(self) -> int:
        """Rows of the output."""
        return int(self.report["packing"]["bins"])

    @property
    def fill(self) -> float:
        """The share of the bins that tokens fill, 0 to 1; 1 if there is no bin."""
        return float(self.report["packing"]["fill"])

    @property
    def accounts(self) -> PackAccounts:
        """What was given, and where it went, in sequences and tokens."""
        found = self.report["packing"]
        tallies = {
            name: (found[name]["sequences"], found[name]["tokens"])
            for name in ("given", "packed", "truncated", "dropped")
        }
        return PackAccounts.of({**found, **tallies})

    def __repr__(self) -> str:
        """One line with the counts."""
        return f"PackReport(documents={self.documents}, kept={self.kept}, bins={self.num_bins})"


@over_files
def pack_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    context: int,
    strategy: Strategy = "best_fit",
    overlong: Overlong = "split",
    eos: int | None = None,
    pad: int | None = None,
    position_ids: bool = True,
    cu_seqlens: bool = False,
    tokens: str = "input_ids",
    mask: str = "assistant_masks",
    id: str = "document",
    **options: Unpack[RunOptions],
) -> PackReport:
    r"""Packs the token rows of files into bins of at most `context` tokens; see `pack` for how.

    All rows of all inputs are packed together, in their order. They are read twice: once for their lengths
    (from the column `length`, if there is one), once for their tokens, which are spilled to disk by ranges
    of bins, at 4 bytes a token, and put together range by range. Memory is 4 bytes a bin, and units in
    flight. The output is the same with any number of threads and any memory. Tokens are counted and summed
    under keys as they are read and as they are written: unless both agree, the run fails and writes nothing.
    After an interrupt, a kill or a full disk the same call begins anew, or goes on with the last pass if the
    others were through.

    Args:
        inputs: Parquet or Arrow files (`.parquet`, `.arrow`, `.arrows`, `.feather`) with a column of lists of
            ids, patterns, or folders of such files.
        output: A folder, where the bins are in `data/packed.parquet`; a data file, whose name says the
            format; or `-` for JSONL on standard output.
        context: Tokens of a full bin, 1 to 2^31 - 1.
        strategy: `best_fit`, `first_fit` or `wrapped`.
        overlong: What becomes of a sequence longer than the context: `split` cuts it into full bins and a
            remainder, `truncate` keeps its first tokens, `drop` leaves it out, `error` refuses it.
        eos: An id to put behind each sequence that has a token. It counts as a token of theirs. It is to be
            learned if the token before it is.
        pad: An id to fill bins up with. Padding is a segment of its own behind the others, with positions
            that restart and a mask of 0.
        position_ids: Whether there is a column with the position of each token in its segment.
        cu_seqlens: Whether there is a column with the bounds of segments, as list<int32>.
        tokens: The column that holds the lists of ids.
        mask: The column that says for each token whether it is to be learned, if there is one. All inputs
            have it, or none.
        id: The column that names the documents. Where there is none, they are called `source:row`.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: A parameter is outside its range, a column is missing or of another type, or a
            sequence is too long and `overlong` is `error`.
        DataError: A file is damaged or changed while it was read, an id is no 32-bit number, a mask does not
            fit its sequence, or the column `length` is wrong.
        InternalError: What is packed is not what was given.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th, pyarrow as pa, pyarrow.parquet as pq
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> pq.write_table(pa.table({"input_ids": [[1, 2, 3], [4, 5]]}), folder / "rows.parquet")
        >>> th.pack_files(folder / "rows.parquet", folder / "packed.parquet", context=8)
        PackReport(documents=2, kept=2, bins=1)
    """
    own = {
        "inputs": inputs,
        "output": output,
        "context": context,
        "strategy": strategy,
        "overlong": overlong,
        "eos": eos,
        "pad": pad,
        "position_ids": position_ids,
        "cu_seqlens": cu_seqlens,
        "tokens": tokens,
        "mask": mask,
        "id": id,
    }
    return run(_core.runs.pack, own, options, PackReport)
