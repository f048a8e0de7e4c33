"""Packing in memory: a plan for lengths, or bins with their tokens for sequences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thresher import _core, _params
from thresher._arrow import column, column_names, exports
from thresher._pack.plan import PackAccounts, PackPlan
from thresher.errors import ColumnError, ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

Strategy: TypeAlias = Literal["best_fit", "first_fit", "wrapped"]
"""How bins are filled."""

Overlong: TypeAlias = Literal["split", "truncate", "drop", "error"]
"""What becomes of a sequence longer than the context."""

_STRATEGIES = ("best_fit", "first_fit", "wrapped")
_OVERLONG = ("split", "truncate", "drop", "error")
_MAX_CONTEXT = 2**31 - 1
_MAX_TOKEN = 2**32 - 1


def pack(
    data: Any,  # noqa: ANN401 - lengths, sequences, or the table of any library
    context: int,
    *,
    strategy: Strategy = "best_fit",
    overlong: Overlong = "split",
    eos: int | None = None,
    pad: int | None = None,
    position_ids: bool = True,
    cu_seqlens: bool = False,
    tokens: str = "input_ids",
    mask: str = "assistant_masks",
    id: str = "document",
    threads: int | None = None,
) -> Any:  # noqa: ANN401 - a plan for lengths, a table for sequences
    """Packs sequences into bins of at most `context` tokens.

    Given *lengths*, it says where each sequence goes: a `PackPlan`, in which tokens need not be touched.
    Given *sequences*, it packs their tokens: a table with one row a bin.

    Best fit decreasing and first fit decreasing look at all sequences together, by counting lengths: planning
    takes one pass to count, time by the number of different lengths, and one pass to assign. Lengths are
    placed from the longest to the shortest; sequences of one length in their order. Best fit takes the bin
    with the least space that is enough, of several the one that has had that space for longest; first fit the
    bin opened first. Within a bin the longest piece comes first. Bins are numbered by their first member, so
    they come about in the order of the sequences. Wrapping puts all sequences behind each other and cuts
    every `context` tokens. The result depends on the lengths and their order alone, and is the same on every
    machine and with any number of threads.

    A sequence without a token, or one that is null, is in no bin; the accounts count it. Tokens are counted
    and summed under keys on both sides: what is packed and what is reported as left out is what was given, or
    the call fails.

    Memory beside the data: a plan takes 12 bytes a piece, and 12 more if a sequence is cut or left out;
    packed sequences take 4 bytes a token, 4 its position, 1 its mask. The GIL is released, and Ctrl-C stops
    it.

    Args:
        data: Lengths: a list of int, a numpy array of integers, or an Arrow column of them; read in place, a
            null is a sequence without tokens. Sequences: a table or frame with a column of lists of ids, a
            Hugging Face `Dataset`, an Arrow column of lists, or a list of lists or numpy arrays; ids of any
            integer type.
        context: Tokens of a full bin, 1 to 2^31 - 1.
        strategy: `best_fit`, `first_fit` or `wrapped`.
        overlong: What becomes of a sequence longer than the context: `split` cuts it into full bins and a
            remainder, `truncate` keeps its first tokens, `drop` leaves it out, `error` refuses it.
        eos: An id to put behind each sequence that has a token, of sequences only. It counts as a token of
            theirs. It is to be learned if the token before it is.
        pad: An id to fill bins up with, of sequences only. Padding is a segment of its own behind the others,
            with positions that restart and a mask of 0.
        position_ids: Whether there is a column with the position of each token in its segment, of sequences
            only.
        cu_seqlens: Whether there is a column with the bounds of segments, of sequences only.
        tokens: The column of a table that holds the lists of ids.
        mask: The column of a table that says for each token whether it is to be learned, if there is one.
        id: The column of a table that names the documents, if there is one.
        threads: Threads to use for sequences. Default: as many as the process may use.

    Returns:
        For lengths a `PackPlan`. For sequences a `pyarrow.Table` with one row a bin: `input_ids`,
        `position_ids` (0 where a segment begins) and `seq_lengths` (tokens of each segment) as list<uint32>,
        and as far as asked for or given `cu_seqlens` as list<int32>, `loss_mask` as list<uint8>,
        `document_ids` as list<string>. The accounts are in the metadata of its schema, as JSON under
        `thresher.pack`.

    Raises:
        ParameterError: A parameter is outside its range, a sequence is too long and `overlong` is `error`, or
            there are more than 2^32 - 2 pieces.
        ColumnError: `data` is neither; the message names the row or the type.

    Examples:
        >>> import thresher as th
        >>> plan = th.pack([5, 3, 2, 7], 8)
        >>> plan.num_bins, plan.bin.to_pylist(), plan.offset.to_pylist()
        (3, [0, 0, 1, 2], [0, 5, 0, 0])
        >>> th.pack([[1, 2, 3], [4, 5]], 8)["position_ids"].to_pylist()
        [[0, 1, 2, 0, 1]]
    """
    parameters: dict[str, Any] = {
        "context": _params.whole("context", context, 1, _MAX_CONTEXT),
        "strategy": _params.choice("strategy", strategy, _STRATEGIES),
        "overlong": _params.choice("overlong", overlong, _OVERLONG),
    }
    named = "the name of a column"
    columns = _columns(
        data,
        _params.word("tokens", tokens, named),
        _params.word("mask", mask, named),
        _params.word("id", id, named),
    )
    if columns is None:
        lengths = _lengths(data)
        for name, value, usual in (("eos", eos, None), ("pad", pad, None), ("cu_seqlens", cu_seqlens, False)):
            if value is not usual:
                _only_of_sequences(name, value)
        return PackPlan(_core.tokens.plan(lengths, **parameters), parameters["context"])
    ids, masks, documents = columns
    batches, none, accounts = _core.tokens.pack(
        ids,
        masks=masks,
        documents=documents,
        end=None if eos is None else _params.whole("eos", eos, 0, _MAX_TOKEN),
        pad=None if pad is None else _params.whole("pad", pad, 0, _MAX_TOKEN),
        position_ids=_params.flag("position_ids", position_ids),
        cu_seqlens=_params.flag("cu_seqlens", cu_seqlens),
        threads=_params.optional_whole("threads", threads),
        **parameters,
    )
    return _table(batches, none, accounts)


def _columns(data: Any, tokens: str, mask: str, document: str) -> tuple[Any, Any, Any] | None:  # noqa: ANN401
    """Ids, masks and documents of sequences, as far as they are there; None of lengths."""
    import pyarrow as pa

    names = column_names(data)
    if names is None:
        array = _array(data)
        return (array, None, None) if _is_lists(array.type) else None
    ids = _array(column(data, tokens))
    if not _is_lists(ids.type):
        message = (
            f"column `{tokens}` is of type `{ids.type}`, but it holds lists of ids; choose it with `tokens=`"
        )
        raise ColumnError(message)
    masks = _array(column(data, mask)) if mask in names else None
    documents = _array(column(data, document)) if document in names else None
    if documents is not None and pa.types.is_integer(documents.type):
        documents = documents.cast(pa.string())
    return ids, masks, documents


def _lengths(data: Any) -> Any:  # noqa: ANN401
    array = _array(data)
    import pyarrow as pa

    if not (pa.types.is_integer(array.type) or pa.types.is_null(array.type)):
        message = (
            f"what is to be packed is of type `{array.type}`, but it is integers (lengths), or lists of them "
            "(sequences)"
        )
        raise ColumnError(message)
    return array


def _array(data: Any) -> Any:  # noqa: ANN401
    """A column of any library as a pyarrow one, without a copy where it lies in Arrow or in numpy."""
    import pyarrow as pa

    if isinstance(data, pa.Array | pa.ChunkedArray):
        return _stored(data)
    if isinstance(data, str | bytes) or not (exports(data) or hasattr(type(data), "__iter__")):
        message = f"what is to be packed is of type `{type(data).__name__}`, but it is lengths or sequences"
        raise ColumnError(message)
    try:
        if hasattr(data, "__arrow_c_stream__"):
            return _stored(pa.chunked_array(data))
        if exports(data) or getattr(data, "ndim", 0) == 1:
            return pa.array(data)
        return pa.array(list(data))
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        OverflowError,
        TypeError,
    ) as error:
        message = f"what is to be packed is neither lengths nor sequences of integers: {error}"
        raise ColumnError(message) from error


def _stored(array: Any) -> Any:  # noqa: ANN401
    """What a column of an extension type stores; every other column as it is."""
    import pyarrow as pa

    if not isinstance(array.type, pa.BaseExtensionType):
        return array
    if isinstance(array, pa.ChunkedArray):
        return pa.chunked_array([chunk.storage for chunk in array.chunks], array.type.storage_type)
    return array.storage


def _is_lists(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _only_of_sequences(name: str, value: object) -> None:
    message = f"{name} is `{value}`, but lengths have no tokens; give sequences, or leave it out"
    raise ParameterError(message)


def _table(batches: list[Any], none: Any, accounts: dict[str, Any]) -> pa.Table:  # noqa: ANN401
    """The batches of bins as one table, with the accounts in its metadata."""
    import pyarrow as pa

    schema = pa.RecordBatch.from_struct_array(pa.array(none)).schema
    books = {**PackAccounts.of(accounts).to_dict(), "bins": accounts["bins"]}
    structs = [pa.RecordBatch.from_struct_array(pa.array(batch)) for batch in batches]
    table = pa.Table.from_batches(structs, schema=schema)
    return table.replace_schema_metadata({"thresher.pack": json.dumps(books)})
