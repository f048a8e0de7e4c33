"""Files of tokens in the layout of Megatron-LM: looked at, checked, merged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thresher import _core, _params
from thresher._runs import paths

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from thresher._runs import Paths
    from thresher._types import Progress


@dataclass(frozen=True)
class TokenFile:
    """What a `.bin` with its `.idx` holds.

    Attributes:
        path: The `.bin`.
        dtype: What ids are stored as, as numpy calls it: `numpy.memmap(path, dtype)` maps all of them.
        sequences: Stretches of tokens that have a length.
        documents: Documents, of any number of sequences each.
        tokens: Tokens.
    """

    path: str
    dtype: str
    sequences: int
    documents: int
    tokens: int


def check(path: str | os.PathLike[str]) -> TokenFile:
    """Makes sure that tokens and index agree: lengths, pointers, documents and the length of the tokens.

    Reads the index once, block by block, and no token.

    Args:
        path: The `.bin`, the `.idx`, or what their names have in common.

    Raises:
        DataError: They do not; the message says where.
        FileError: One of them cannot be read.
    """
    return TokenFile(*_core.tokens.info(_params.path("path", path), check=True))


def merge(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Callable[[Progress], object] | None = None,
) -> TokenFile:
    """Puts token files behind each other under one index, as `add_index` of Megatron-LM does.

    Every input is checked first. Memory is a few MB whatever the files hold; time is that of a copy. Files of
    different types become the widest of them.

    Args:
        inputs: The files in order, each by its `.bin`, its `.idx`, or what the two names have in common.
        output: The same of what they become.
        overwrite: Replace files of that name.
        progress: Called about ten times a second with the state of the run.

    Raises:
        ParameterError: There is no input, or the output is there already or is an input.
        DataError: An input is not what its index says.
        FileError: The operating system refused a file operation.
    """
    config = {
        "inputs": paths(inputs),
        "output": _params.path("output", output),
        "overwrite": _params.flag("overwrite", overwrite),
    }
    merged = json.loads(_core.tokens.merge(json.dumps(config), _params.callback("progress", progress)))
    counts = {name: merged[name] for name in ("dtype", "sequences", "documents", "tokens")}
    return TokenFile(path=merged["files"][0]["path"], **counts)
