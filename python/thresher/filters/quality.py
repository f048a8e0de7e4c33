"""Quality by a classifier: trained on texts like those to keep and to remove, asked in memory and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from thresher import _core, _params
from thresher._arrow import column as column_of
from thresher._arrow import wrap
from thresher._runs import RunOptions, RunReport, over_files, run

if TYPE_CHECKING:
    import os

    import pyarrow as pa

    from thresher._runs import Paths


class Classifier:
    """A model of fastText with labels, loaded once for any number of calls. Threads may share it.

    Args:
        model: A `.bin` or `.ftz` file, such as `train_quality` writes.
        label: The label whose probability is the score.

    Raises:
        ParameterError: There is no such file, it is no such model, or it has no such label.
        FileError: It cannot be read.
    """

    def __init__(self, model: str | os.PathLike[str], *, label: str = "good") -> None:
        self.model = _params.path("model", model)
        self.label = _params.word("label", label, "a label of the model")
        self._native = _core.filter.Classifier(self.model, self.label)

    @property
    def labels(self) -> list[str]:
        """The labels of the model."""
        return list(self._native.labels)

    def __repr__(self) -> str:
        """Its model and label."""
        return f"Classifier({self.model!r}, label={self.label!r})"


def quality(
    texts: Any,  # noqa: ANN401 - any library's column or table
    *,
    model: str | os.PathLike[str] | Classifier,
    label: str = "good",
    text: str | int | None = None,
    threads: int | None = None,
) -> pa.FloatArray:
    r"""Scores texts in memory by a classifier: the probability of one of its labels.

    Time is linear in the texts. The result does not depend on the threads. The GIL is released, and Ctrl-C
    stops it.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library, read in place.
            With `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        model: A model of fastText with labels (`.bin`, `.ftz`), such as `train_quality` writes, or a
            `Classifier`, which is loaded once for many calls and has a label of its own.
        label: The label whose probability is the score.
        text: The column of `texts` to look at, if that is a table.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        `float`, one a text, from 0 to 1, null for a missing text; the probability that fastText gives.

    Raises:
        ParameterError: The model cannot be used, or has no such label.
        FileError: The model cannot be read.
        ColumnError: `texts` is not text.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for name, text in [("good", "a proof by induction"), ("bad", "buy cheap watches")]:
        ...     _ = (folder / f"{name}.jsonl").write_text(f'{{"text": "{text}"}}\n' * 50)
        >>> _ = th.filters.train_quality(
        ...     folder / "good.jsonl", folder / "model.bin", bad=folder / "bad.jsonl", bucket=1000
        ... )
        >>> scores = th.filters.quality(["proof by induction", "cheap watches"], model=folder / "model.bin")
        >>> scores[0].as_py() > 0.5 > scores[1].as_py()
        True
    """
    classifier = model if isinstance(model, Classifier) else Classifier(model, label=label)
    scores = classifier._native.score(column_of(texts, text), _params.optional_whole("threads", threads))
    return wrap(scores)


@dataclass(frozen=True, repr=False)
class QualityReport(RunReport):
    """What `quality_files` did, as `run.json` holds it in `report`."""

    @property
    def removed(self) -> int:
        """Texts removed for their score."""
        return self._removed("quality")

    @property
    def least_score(self) -> float:
        """The least score of a text that stayed: `min_score`, or what came of `keep_top`."""
        return float(self.report["least_score"])

    def __repr__(self) -> str:
        """The counts."""
        return (
            f"QualityReport(documents={self.documents}, kept={self.kept}, removed={self.removed}, "
            f"quarantined={self.quarantined})"
        )


@over_files
def quality_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str],
    label: str = "good",
    text: str = "text",
    id: str | None = None,
    min_score: float = 0.0,
    keep_top: float | None = None,
    column: str = "quality",
    **options: Unpack[RunOptions],
) -> QualityReport:
    """Scores the texts of files by a classifier, and keeps those whose score is high enough.

    Each record gets a column of its score (`float`, 0 to 1). A text with a lower score than is asked for is
    removed, and `removed.parquet` says why. Everything else passes through unchanged; a record without a text
    goes to quarantine. After an interrupt, a kill or a full disk the same call goes on behind what was done,
    and the bytes do not depend on threads, memory or interruptions.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders,
            or `-` for JSONL on standard input.
        output: A folder for the data and the evidence; a data file of the format of the inputs, with the
            evidence beside it; or `-` for standard output, which gets the data alone.
        model: A model of fastText with labels (`.bin`, `.ftz`), such as `train_quality` writes. It is loaded
            once and shared by threads.
        label: The label whose probability is the score.
        text: Dotted path of the text field.
        id: Dotted path of the id field. Default: a document is named `file:row`.
        min_score: The least score of a text that stays, 0 to 1.
        keep_top: The share of the texts to keep, those of the highest scores, in place of `min_score`. The
            inputs are read twice. Of texts whose scores agree in about three digits all stay or none.
        column: The column of the score. A column of this name is replaced.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: The model cannot be used or has no such label, a parameter is wrong, no record has the
            field, or there is no input.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import thresher as th
        >>> report = th.filters.quality_files(
        ...     "crawl.parquet", "best", model="model.bin", keep_top=0.1
        ... )  # doctest: +SKIP
    """
    own = {
        "inputs": inputs,
        "output": output,
        "model": model,
        "label": label,
        "text": text,
        "id": id,
        "min_score": min_score,
        "keep_top": keep_top,
        "column": column,
    }
    return run(_core.runs.quality, own, options, QualityReport)


@dataclass(frozen=True)
class TrainedClassifier(RunReport):
    """What `train_quality` learned, and how well it tells texts that it was not trained on."""

    @property
    def path(self) -> str:
        """The model, which fastText reads too."""
        return str(self.report["file"]["path"])

    @property
    def documents(self) -> int:
        """Texts that were learned from."""
        return self.good + self.bad

    @property
    def kept(self) -> int:
        """The same: nothing else is written."""
        return self.documents

    @property
    def set_aside(self) -> dict[str, int]:
        """Records set aside, by reason."""
        return {str(reason): int(docs) for reason, docs in self.report["quarantined"].items() if docs}

    @property
    def quarantined(self) -> int:
        """Records set aside. They are only counted."""
        return sum(self.set_aside.values())

    @property
    def good(self) -> int:
        """Those like the ones to keep."""
        return int(self.report["documents"]["good"])

    @property
    def bad(self) -> int:
        """Those like the ones to remove."""
        return int(self.report["documents"]["bad"])

    @property
    def auc(self) -> float | None:
        """The chance that a good text has a higher score than a bad one, among those that were held back."""
        return self.report["auc"]  # type: ignore[no-any-return]

    @property
    def accuracy(self) -> float | None:
        """The share of the texts that were held back whose label is told right."""
        return self.report["accuracy"]  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        """The counts, and how good it is."""
        auc = "None" if self.auc is None else f"{self.auc:.4f}"
        return f"TrainedClassifier(good={self.good}, bad={self.bad}, auc={auc})"

    def __str__(self) -> str:
        """The same for people."""
        words, held = int(self.report["words"]), int(self.report["held_back"])
        line = f"{self.good:,} good and {self.bad:,} bad texts, {words:,} words -> {self.path}"
        if self.auc is None or self.accuracy is None:
            return line
        return f"{line}\nof {held:,} texts held back {self.accuracy:.1%} are told right, AUC {self.auc:.4f}"


@over_files
def train_quality(
    good: Paths,
    output: str | os.PathLike[str],
    *,
    bad: Paths,
    text: str = "text",
    word_ngrams: int = 2,
    bucket: int = 2_000_000,
    min_count: int = 2,
    max_words: int = 200_000,
    epochs: int = 5,
    max_documents: int = 200_000,
    **options: Unpack[RunOptions],
) -> TrainedClassifier:
    """Trains a classifier on texts like those to keep and texts like those to remove.

    It is a logistic regression over the words and n-grams of words of a text, saved as a model of fastText of
    dimension 1, which this library and fastText read: such a model with two labels is no more than that,
    whatever its dimension. One text in ten is held back, and the report says how well it is told. The same
    texts in the same order give the same bytes, with any number of threads. Of a text the first 512 words
    count.

    Args:
        good: Files of texts like those to keep: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`,
            `.arrow`, patterns, folders, or `-`.
        output: The file of the model, such as `model.bin`.
        bad: Files of texts like those to remove.
        text: Dotted path of the text field.
        word_ngrams: Words of an n-gram at most.
        bucket: Rows that n-grams of several words share; a row takes 4 bytes of the model.
        min_count: A word that occurs less often has no row of its own.
        max_words: Words that have a row of their own at most, the most frequent ones.
        epochs: How often each text is looked at.
        max_documents: Texts of each kind that are learned from at most, the first ones.

    Returns:
        What was learned. Memory: 4 bytes a word of the texts, and 8 a row.

    Raises:
        ParameterError: There are no texts of one kind, the output is there already, too little memory, a
            parameter is wrong, or no record has the field.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.

    Example:
        >>> import thresher as th
        >>> th.filters.train_quality("books/", "model.bin", bad="crawl/")  # doctest: +SKIP
        TrainedClassifier(good=200000, bad=200000, auc=0.9871)
    """
    own = {
        "inputs": good,
        "output": output,
        "bad": bad,
        "text": text,
        "word_ngrams": word_ngrams,
        "bucket": bucket,
        "min_count": min_count,
        "max_words": max_words,
        "epochs": epochs,
        "max_documents": max_documents,
    }
    return run(_core.runs.quality_train, own, options, TrainedClassifier, name="train_quality")
