"""`th.explain` for results of every kind: documents of a run over files, and rows of a generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thresher import explanation
from thresher.explanation import Explanation

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from thresher._types import Progress
    from thresher.generate.lineage import Lineage


def explain(
    output: str | os.PathLike[str],
    id: str,
    *,
    progress: Callable[[Progress], object] | None = None,
) -> Explanation | Lineage:
    r"""Says what became of one document of a run over files, or of one row of a generation, and why.

    For a removed document: the kept one, their similarity, the bands and lanes that both share, what the
    policy saw, and both texts with the words marked that only one of them has. For a kept one, or a
    reference: what it stands for. For one that was set aside: its place, and what is wrong with it. The
    tables of the result are read through once; the inputs are read again where `run.json` says that they
    were, up to the document. If they are no longer there, the notes say so, and the rest holds. Nothing is
    changed.

    For a row or a rejected candidate of a generation: the recipe, slot and parents, the rules that it breaks,
    and every request and answer behind it, from the journal.

    Args:
        output: What the run was given as its output: a folder or a data file; or its `run.json`.
        id: The id of a document as `removed.parquet` has it: what stands in the id field, or `input:row`. Of
            a generation, an id of its rows, or of `rejected.parquet`.
        progress: Called about ten times a second with a `Progress`; an exception from it stops the run.

    Returns:
        The explanation; `print` shows all of it, safe for a terminal.

    Raises:
        ParameterError: The run has read no such document, or made no such row.
        DataError: There is no `run.json`, it is not one of thresher, or a table is damaged.
        FileError: There is no such output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "a rose"}\n{"text": "A rose!"}\n')
        >>> _ = th.dedup_files(folder / "in.jsonl", folder / "out")
        >>> print(str(th.explain(folder / "out", "in.jsonl:1")).splitlines()[0])
        in.jsonl:1: removed (near)
    """
    from pathlib import Path

    from thresher import _params

    place = Path(_params.path("output", output))
    if place.name == "run.json" and place.is_file():
        place = place.parent
    from thresher.generate import lineage

    if lineage.is_generation(place):
        return lineage.explain_row(place, _params.word("id", id, "the id of a row"))
    return explanation.explain(output, id, progress=progress)
