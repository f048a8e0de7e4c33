"""MinHash signatures of texts.

Each lane of two signatures agrees with a probability that is exactly the Jaccard similarity of the two texts'
shingle sets, so the share of equal lanes of k estimates it with a standard error of `sqrt(j * (1 - j) / k)`
or less. To find duplicates use `thresher.dedup`, which checks every pair exactly; signatures are for work of
your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thresher import _core, _params
from thresher._arrow import column, wrap

if TYPE_CHECKING:
    import pyarrow as pa

    from thresher._types import Unit


def minhash(
    texts: Any,  # noqa: ANN401 - Texts, or the table of any library
    *,
    text: str | int | None = None,
    num_hashes: int = 128,
    ngram: int = 5,
    unit: Unit = "word",
    seed: int = 0,
    threads: int | None = None,
) -> pa.FixedSizeListArray:
    """The signature of each text.

    Words are maximal runs of letters, numbers and marks in lower case; in scripts without blanks each
    character is one. A shingle is `ngram` consecutive words. A text of fewer words has one shingle, all its
    words.

    Each shingle falls into one lane, where the least stays (one-permutation hashing: Li, Owen, Zhang 2012);
    lanes left empty are filled by a permutation of their own over all shingles (k-mins: Broder 1997).

    The same texts and parameters give the same bytes on every machine and with any number of threads, as long
    as the version of the hash scheme is the same (`thresher doctor` names it). Takes about one pass over the
    text at memory speed for long texts, up to `num_hashes / 8` vector steps a shingle for short ones. The GIL
    is released, and Ctrl-C stops it.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library. Arrow columns are
            read in place; a stream is consumed. CPython keeps the UTF-8 of every str that is not ASCII once
            it was asked for, so a large corpus of such texts takes less memory as an Arrow column. With
            `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        text: The column of `texts` to look at, if that is a table.
        num_hashes: Lanes of a signature, 1 to 65,536.
        ngram: Words (or characters) in a shingle, 1 to 256. 5 tells documents apart; 1 to 3 suit titles and
            short messages.
        unit: `word`, or `char` for shingles of characters, with one blank where anything stands between two
            words.
        seed: Names the family of hashes, 0 to 2^64 - 1; 0 is the hash scheme. Signatures of different seeds
            have nothing in common: store the seed beside them.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        `fixed_size_list<uint32>[num_hashes]`, one row a text, row-major. Null for a missing text; every lane
        is 2^32 - 1 for a text without a word. Memory: `4 * num_hashes` bytes a text. As a numpy matrix
        without a copy: `signatures.values.to_numpy().reshape(-1, num_hashes)`, which has a row for a missing
        text too, of lanes that mean nothing (`.flatten()` leaves such rows out, so the others move up).

    Raises:
        ParameterError: A parameter is outside its range.
        ColumnError: `texts` is not text, or a text has a surrogate without its partner; the message names the
            row.

    Example:
        >>> import thresher as th
        >>> signatures = th.minhash(["to be or not to be", "To be, or not to be?", "or not", None])
        >>> signatures.type
        FixedSizeListType(fixed_size_list<item: uint32 not null>[128])
        >>> signatures[0] == signatures[1], signatures.null_count
        (True, 1)
        >>> signatures.values.to_numpy().reshape(-1, 128).shape
        (4, 128)
    """
    return wrap(
        _core.dedup.minhash(
            column(texts, text),
            num_hashes=_params.whole("num_hashes", num_hashes),
            ngram=_params.whole("ngram", ngram),
            unit=_params.word("unit", unit, "`word` or `char`"),
            seed=_params.whole("seed", seed, 0, 2**64 - 1),
            threads=_params.optional_whole("threads", threads),
        )
    )
