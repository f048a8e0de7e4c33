"""The language of texts, in memory and in files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from thresher import _core, _params
from thresher._arrow import column, wrap
from thresher._parameters import parameters
from thresher._runs import RunOptions, RunReport, over_files, run

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from thresher._runs import Paths

_SAMPLE_BYTES: int = parameters("language")["sample_bytes"].default


class LanguageDetector:
    """A detector of languages, loaded once for any number of calls. Threads may share it.

    Args:
        model: A model of fastText (`.bin`, `.ftz`) whose labels are languages. Default: the detector of the
            package.
        sample_bytes: Bytes that are read of a longer text, in 8 stretches from beginning to end; 0 reads
            all.

    Raises:
        ParameterError: There is no such file, or it is no such model.
        FileError: It cannot be read.
    """

    def __init__(
        self, model: str | os.PathLike[str] | None = None, *, sample_bytes: int = _SAMPLE_BYTES
    ) -> None:
        self.model = None if model is None else _params.path("model", model)
        self._native = _core.filter.LanguageDetector(self.model, _params.whole("sample_bytes", sample_bytes))

    @property
    def languages(self) -> list[str]:
        """The languages that it can find."""
        return list(self._native.languages)

    def __repr__(self) -> str:
        """Its model and how many languages it knows."""
        return f"LanguageDetector({self.model!r}, languages={len(self.languages)})"


def detect_language(
    texts: Any,  # noqa: ANN401 - any library's column or table
    *,
    text: str | int | None = None,
    model: str | os.PathLike[str] | LanguageDetector | None = None,
    sample_bytes: int = _SAMPLE_BYTES,
    threads: int | None = None,
) -> pa.Table:
    """Detects the language of texts in memory, offline.

    The detector of the package reads letters: a script of one language tells it, and in Latin, Cyrillic,
    Arabic and Devanagari the n-grams of letters do. A model of fastText, such as lid.176.ftz, is asked
    instead if its path is given. Time is linear in what is read of the texts. The result does not depend on
    the threads. The GIL is released, and Ctrl-C stops it.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library, read in place.
            With `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        text: The column of `texts` to look at, if that is a table.
        model: A model of fastText (`.bin`, `.ftz`) whose labels are languages, or a `LanguageDetector`, which
            is loaded once for many calls and has a `sample_bytes` of its own. Default: the detector of the
            package.
        sample_bytes: Bytes that are read of a longer text, in 8 stretches from beginning to end; 0 reads
            all.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        A table of `language` (`string`: the code of ISO 639, as the model has it; null for a text without
        letters of a known language, and for a missing text) and `score` (`float`, from 0 to 1: how sure that
        is; null for a missing text).

    Raises:
        ParameterError: The model cannot be used, or a parameter is outside its range.
        FileError: The model cannot be read.
        ColumnError: `texts` is not text.

    Example:
        >>> import thresher as th
        >>> found = th.filters.detect_language(["Wo ist der Bahnhof?", "Где находится вокзал?", "42", None])
        >>> found["language"].to_pylist()
        ['de', 'ru', None, None]
    """
    import pyarrow as pa

    detector = (
        model if isinstance(model, LanguageDetector) else LanguageDetector(model, sample_bytes=sample_bytes)
    )
    languages, scores = detector._native.detect(
        column(texts, text), _params.optional_whole("threads", threads)
    )
    return pa.table({"language": wrap(languages), "score": wrap(scores)})


@dataclass(frozen=True, repr=False)
class LanguageReport(RunReport):
    """What `language_files` did, as `run.json` holds it in `report`."""

    @property
    def languages(self) -> dict[str, int]:
        """Texts by language, removed ones included; those without one are under the empty name."""
        return {str(language): int(count) for language, count in self.report["languages"].items()}

    @property
    def removed(self) -> int:
        """Texts removed for their language or its score."""
        return self._removed("language") + self._removed("language_score")

    def __repr__(self) -> str:
        """The counts."""
        return (
            f"LanguageReport(documents={self.documents}, kept={self.kept}, removed={self.removed}, "
            f"quarantined={self.quarantined})"
        )

    def __str__(self) -> str:
        """The most frequent languages, and the books."""
        ranked = sorted(self.languages.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{language or 'none'} {count:,}" for language, count in ranked[:10])
        more = f" and {len(ranked) - 10} more" if len(ranked) > 10 else ""
        return f"languages: {shown}{more}\n{super().__str__()}"


@over_files
def language_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    text: str = "text",
    id: str | None = None,
    model: str | os.PathLike[str] | None = None,
    keep: str | Sequence[str] = (),
    min_score: float = 0.0,
    threshold: Mapping[str, float] | None = None,
    column: str = "language",
    sample_bytes: int = _SAMPLE_BYTES,
    **options: Unpack[RunOptions],
) -> LanguageReport:
    r"""Detects the languages of the texts of files, and keeps those that are asked for.

    Each record gets two columns: its language (`string`, null if it has no letters of a known language) and
    how sure that is (`float`, 0 to 1). A text that is not in `keep`, or whose score is too low, is removed,
    and `removed.parquet` says why. Everything else passes through unchanged; a record without a text goes to
    quarantine. After an interrupt, a kill or a full disk the same call goes on behind what was done, and the
    bytes do not depend on threads, memory or interruptions.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders,
            or `-` for JSONL on standard input.
        output: A folder for the data and the evidence; a data file of the format of the inputs, with the
            evidence beside it; or `-` for standard output, which gets the data alone.
        text: Dotted path of the text field.
        id: Dotted path of the id field. Default: a document is named `file:row`.
        model: A model of fastText (`.bin`, `.ftz`) whose labels are languages, such as lid.176.ftz. It is
            loaded once and shared by threads. Default: the detector of the package.
        keep: Languages that stay, by their codes. Default: all.
        min_score: The least score of a text that stays, 0 to 1.
        threshold: The least score of texts of one language, in place of `min_score`, as `{"de": 0.5}`.
        column: The column of the language; that of the score has `_score` behind. Columns of these names are
            replaced.
        sample_bytes: Bytes that are read of a longer text, in 8 stretches from beginning to end; 0 reads
            all.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: The model cannot be used, it has no such language, a parameter is wrong, no record has
            the field, or there is no input.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text(
        ...     '{"text": "Guten Morgen, alle miteinander."}\n{"text": "Good morning, everyone."}\n'
        ... )
        >>> th.filters.language_files(folder / "in.jsonl", folder / "out", keep="de")
        LanguageReport(documents=2, kept=1, removed=1, quarantined=0)
    """
    own = {
        "inputs": inputs,
        "output": output,
        "text": text,
        "id": id,
        "model": model,
        "keep": keep,
        "min_score": min_score,
        "threshold": {} if threshold is None else threshold,
        "column": column,
        "sample_bytes": sample_bytes,
    }
    return run(_core.runs.language, own, options, LanguageReport)
