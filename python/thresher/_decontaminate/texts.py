"""Items of benchmarks in texts in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from thresher import _core, _params
from thresher._arrow import column, wrap
from thresher._decontaminate.found import benchmarks_of, table
from thresher._parameters import checked, parameters
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from thresher._core.filter import Contamination
    from thresher._decontaminate.found import BenchmarkFound
    from thresher._runs import Paths


class DecontaminateResult:
    """The result of `thresher.decontaminate`: for each document, in input order, what it holds.

    Attributes:
        keep: `bool`, no nulls: whether the document stays. `table.filter(result.keep)` is the clean table
            unless texts were cut.
        spans: `list<struct<start: int64, end: int64>>`: every stretch of the text that belongs to what was
            found, in bytes of its UTF-8, in order and apart from each other; empty for a clean document.
        texts: `large_string`: with `action="cut"` the texts as they stay, null for removed and for missing
            ones; else None.
        matches: A table with a row for each field of an item that a document holds, by document, benchmark
            and item: `document` (its index), `benchmark`, `item` (its row in the benchmark), `field`, `side`
            (`prompt` or `answer`), `overlap` (what the rule measures, 0 to 1), `edited` (found by an
            alignment alone), `start` and `end` (the longest stretch, in bytes).
        benchmarks: What was found of each benchmark.

    Example:
        >>> import thresher as th
        >>> question = "How many legs have two spiders, three ants and a single blue chair in all?"
        >>> texts = [f"Quiz. {question}", "Two spiders and three ants sat on a chair."]
        >>> th.decontaminate(texts, against={"quiz": [question]})
        DecontaminateResult(documents=2, kept=1, contaminated=1)
    """

    keep: pa.BooleanArray
    spans: pa.ListArray
    texts: pa.LargeStringArray | None
    matches: pa.Table
    benchmarks: tuple[BenchmarkFound, ...]

    def __init__(self, found: Contamination) -> None:
        import pyarrow as pa

        self.keep = wrap(found.keep)
        self.spans = wrap(found.spans)
        self.texts = None if found.texts is None else wrap(found.texts)
        self.matches = pa.Table.from_struct_array(wrap(found.matches))
        self.benchmarks = benchmarks_of(json.loads(found.benchmarks))

    def __len__(self) -> int:
        """Number of documents given."""
        return len(self.keep)

    @property
    def contaminated(self) -> int:
        """Documents that hold something of a benchmark."""
        import pyarrow.compute as pc

        return int(pc.count_distinct(self.matches["document"]).as_py())

    def __str__(self) -> str:
        """The table of the benchmarks."""
        return table(self.benchmarks)

    def __repr__(self) -> str:
        """One line with the counts."""
        kept = self.keep.true_count
        return f"DecontaminateResult(documents={len(self)}, kept={kept}, contaminated={self.contaminated})"


def decontaminate(
    texts: Any,  # noqa: ANN401 - Texts, or the table of any library
    *,
    against: Paths | Mapping[str, Iterable[Mapping[str, Any] | str]],
    text: str | int | None = None,
    rule: str = "gpt3-13",
    fuzzy: bool = False,
    action: Literal["drop", "cut"] = "drop",
    threshold: float | None = None,
    common: int = 10,
    prompts: str | Sequence[str] = (),
    answers: str | Sequence[str] = (),
    window: int = 200,
    min_piece: int = 200,
    max_pieces: int = 10,
    threads: int | None = None,
) -> DecontaminateResult:
    """Finds the items of benchmarks that texts hold, and says which texts stay.

    An item is a row of a benchmark, and its prompts and answers are looked for one by one. Words are compared
    in lower case and without punctuation. A field that is shorter than an n-gram is looked for together with
    the prompt in front of it, directly or behind `A:`, `Answer:` or `The answer is`; an answer of one word
    never counts by itself. No hash decides: n-grams are compared word by word, by hashes of words that are
    keyed by a secret of the call. Time is linear in the texts. The GIL is released, and Ctrl-C stops it.

    Rules:
        `gpt3-13`: any 13 words of a field in a row (Brown et al. 2020, appendix C). With `action="cut"` this
        is what GPT-3 did, but that it also ignored n-grams that more than ten training documents have.
        `palm-70`: at least 70 % of the 8-grams of a field (Chowdhery et al. 2022, section 8).
        `llama3-8`: at least 80 % of the words of a field lie in an 8-gram that the text has (Grattafiori et
        al. 2024, section 5.1.4, which chooses the share for each benchmark; 80 % is Llama 2's "dirty").
        `ngram:N`: any N words of a field in a row, N from 5 to 64.

    Args:
        texts: A list of str (None: missing, kept), or an Arrow column of strings of any library, read in
            place. With `text`: a table, a frame, a list of dicts, or a Hugging Face `Dataset`.
        against: The benchmarks: files of any format that `decontaminate_files` reads, patterns or folders, or
            a mapping of names to rows, which are dicts, or texts for benchmarks of prompts alone.
        text: The column of `texts` to look at, if that is a table.
        rule: When a field counts as found, see above.
        fuzzy: Find fields of 10 words and more with one word in ten inserted, deleted or changed too: an
            alignment with at most a fifth of the words edited, less one.
        action: `drop` the documents, or `cut` what was found out of them.
        threshold: The share from which on `palm-70` or `llama3-8` counts, above 0 and up to 1.
        common: An n-gram that more items of a benchmark have than this counts for nothing: it frames the
            questions.
        prompts: Paths of the fields that are prompts. Default: found by their names, as `question`, `prompt`,
            `turns` or `messages`.
        answers: Paths of the fields that are answers. Default: found by their names, as `answer`,
            `canonical_solution` or `choices`.
        window: With `cut`, characters that go on either side of what was found.
        min_piece: With `cut`, characters of a piece that stays; a shorter one goes.
        max_pieces: With `cut`, pieces of a document that stays; one that splits into more goes as a whole.
        threads: Threads to use. Default: as many as the process may use. The result does not depend on it.

    Returns:
        Columns over the documents (`keep`, `spans`, `texts`), `matches`, and `benchmarks`.

    Raises:
        ParameterError: A parameter is outside its range, or a benchmark has no rows or fields.
        ColumnError: `texts` is not text, or there is no such column.
        DataError: A row of a benchmark cannot be read.
        FileError: The operating system refused to read a benchmark.

    Example:
        >>> import thresher as th
        >>> rows = [{"question": "Who wrote the play Hamlet?", "answer": "William Shakespeare"}]
        >>> texts = ["Who wrote the play Hamlet? A: William Shakespeare", "Shakespeare wrote plays."]
        >>> r = th.decontaminate(texts, against={"trivia": rows})
        >>> r.keep.to_pylist(), r.matches["field"].to_pylist(), r.matches["overlap"].to_pylist()
        ([False, True], ['answer'], [1.0])
        >>> print(r)
        benchmark  items  contaminated  documents  unfindable
        trivia         1             1          1           0
    """
    own = {
        "rule": rule,
        "fuzzy": fuzzy,
        "action": action,
        "threshold": threshold,
        "common": common,
        "prompts": prompts,
        "answers": answers,
        "window": window,
        "min_piece": min_piece,
        "max_pieces": max_pieces,
    }
    rows: list[tuple[str, list[str]]] = []
    if isinstance(against, Mapping):
        rows = [
            (_params.word("against", name, "names of benchmarks"), _rows(against[name])) for name in against
        ]
        if not rows:
            message = "against is empty; name the benchmarks whose items must not be in the texts"
            raise ParameterError(message)
    else:
        own["against"] = against
    step = json.dumps(checked(parameters("decontaminate"), own))
    threads = _params.optional_whole("threads", threads)
    return DecontaminateResult(_core.filter.decontaminate(column(texts, text), step, rows, threads))


def _rows(given: Iterable[Mapping[str, Any] | str]) -> list[str]:
    """Rows of a benchmark as JSON."""
    what = "for each benchmark a list of rows, which are dicts or texts"
    if isinstance(given, str | bytes | os.PathLike):
        message = f"against has `{given!r}` for a benchmark, but it is {what}"
        raise ParameterError(message)
    rows = []
    for row in _params.several("against", given, what):
        if not isinstance(row, str | Mapping):
            message = f"against has a row of type `{type(row).__name__}`, but it has {what}"
            raise ParameterError(message)
        try:
            rows.append(json.dumps({"text": row} if isinstance(row, str) else dict(row)))
        except (TypeError, ValueError) as error:
            message = f"against has a row that JSON has no form for: {error}"
            raise ParameterError(message) from error
    return rows
