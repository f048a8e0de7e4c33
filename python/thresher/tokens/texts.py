"""Texts in memory as ids of tokens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, overload

from thresher import _core, _params
from thresher._arrow import column, wrap

if TYPE_CHECKING:
    import pyarrow as pa


class Tokenizer:
    """A tokenizer.json, loaded once for any number of calls. It cannot be changed, and threads may share it.

    It keeps what its encoders have met, so later calls are faster: a cache of 8 MiB for each thread that was
    busy at once.

    Args:
        path: The file, as Hugging Face `tokenizers` and `th.tokenizers.train` write it, or a folder that
            holds it.

    Raises:
        ParameterError: There is no such file, it is no tokenizer.json, or it says what cannot be.
        FileError: It cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _params.path("tokenizer", path)
        self._native = _core.tokens.Tokenizer(self.path)

    @property
    def vocab_size(self) -> int:
        """One more than the highest id, added tokens included: what a type for ids must hold."""
        return self._native.vocab_size

    @property
    def encoder(self) -> str:
        """What encodes, and why it is the crate `tokenizers` if it is no encoder of thresher."""
        return self._native.encoder

    def id_of(self, token: str) -> int | None:
        """The id of a token, added ones included; None if there is no such token."""
        return self._native.id_of(_params.word("token", token, "a text"))

    def __repr__(self) -> str:
        """Its file, its size and what encodes."""
        return f"Tokenizer({self.path!r}, vocab_size={self.vocab_size}, encoder={self.encoder!r})"


@overload
def tokenize(
    texts: Any,  # noqa: ANN401
    tokenizer: str | os.PathLike[str] | Tokenizer,
    *,
    text: str | int | None = None,
    add_special_tokens: bool = False,
    special_in_text: bool = False,
    bos: str | None = None,
    eos: str | None = None,
    offsets: Literal[False] = False,
    threads: int | None = None,
) -> pa.ListArray[Any]: ...
@overload
def tokenize(
    texts: Any,  # noqa: ANN401
    tokenizer: str | os.PathLike[str] | Tokenizer,
    *,
    text: str | int | None = None,
    add_special_tokens: bool = False,
    special_in_text: bool = False,
    bos: str | None = None,
    eos: str | None = None,
    offsets: Literal[True],
    threads: int | None = None,
) -> tuple[pa.ListArray[Any], pa.ListArray[Any]]: ...
def tokenize(
    texts: Any,
    tokenizer: str | os.PathLike[str] | Tokenizer,
    *,
    text: str | int | None = None,
    add_special_tokens: bool = False,
    special_in_text: bool = False,
    bos: str | None = None,
    eos: str | None = None,
    offsets: bool = False,
    threads: int | None = None,
) -> pa.ListArray[Any] | tuple[pa.ListArray[Any], pa.ListArray[Any]]:
    """Turns texts in memory into ids of tokens, the same that the crate `tokenizers` gives.

    Time is linear in the bytes of text, whatever the lengths of the texts. The result does not depend on the
    threads. The GIL is released, and Ctrl-C stops it.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library, read in place.
            With `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        tokenizer: A tokenizer.json or its folder, or a `Tokenizer`, which is loaded once for many calls.
        text: The column of `texts` to look at, if that is a table.
        add_special_tokens: Put the special tokens of the tokenizer around each text, as its file says.
        special_in_text: Text that spells a special token is that token. Default: it is text, so no document
            can end itself.
        bos: A token before each text, as `<s>`.
        eos: A token behind each text, as `</s>`.
        offsets: Give the bytes that each token stands for too.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        `list<uint32>`, one row a text, null for a missing one. With `offsets` a pair of that and
        `list<list<uint32>>`: start and end of each token in bytes of the UTF-8 of its text, both 0 for a
        token that is not in it. Memory: 4 bytes a token, and parts of 1 MiB of text that wait for one
        before them; offsets take 12 more.

    Raises:
        ParameterError: The tokenizer cannot be used or lacks a token, or there are more than 2^31 - 1 tokens.
        ColumnError: `texts` is not text.

    Example:
        >>> import json, pathlib, tempfile, thresher as th
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "tokenizer.json"
        >>> model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
        >>> _ = path.write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}))
        >>> th.tokenize(["abba", None, ""], path).to_pylist()
        [[2, 1, 0], None, []]
    """
    loaded = tokenizer if isinstance(tokenizer, Tokenizer) else Tokenizer(tokenizer)
    ids, places = loaded._native.encode(
        column(texts, text),
        add_special_tokens=_params.flag("add_special_tokens", add_special_tokens),
        special_in_text=_params.flag("special_in_text", special_in_text),
        bos=_params.optional_word("bos", bos, "a token"),
        eos=_params.optional_word("eos", eos, "a token"),
        offsets=_params.flag("offsets", offsets),
        threads=_params.optional_whole("threads", threads),
    )
    return wrap(ids) if places is None else (wrap(ids), wrap(places))
