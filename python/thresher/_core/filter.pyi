"""What is known of a text."""

from collections.abc import Sequence
from typing import final

from thresher._core import ArrowArray
from thresher._types import Texts

__all__ = [
    "Classifier",
    "Contamination",
    "LanguageDetector",
    "Novelty",
    "apply",
    "catalogue",
    "decontaminate",
    "find_pii",
    "pii_types",
    "redact_pii",
    "rouge_l",
    "signals",
]

@final
class Contamination:
    """What texts hold of benchmarks."""

    @property
    def keep(self) -> ArrowArray:
        """`bool`: whether the document stays."""

    @property
    def spans(self) -> ArrowArray:
        """`list<struct<start: int64, end: int64>>`: all that was found in the document, in bytes."""

    @property
    def texts(self) -> ArrowArray | None:
        """`large_string`: with `cut`, the texts as they stay."""

    @property
    def matches(self) -> ArrowArray:
        """A struct for each field of an item that a document holds."""

    @property
    def benchmarks(self) -> str:
        """What was found of each benchmark, as JSON."""

def decontaminate(
    texts: Texts, step_json: str, rows: Sequence[tuple[str, Sequence[str]]], threads: int | None
) -> Contamination:
    """Finds what benchmarks hold in texts.

    Args:
        texts: The texts; read in place. A stream is consumed.
        step_json: The parameters of a decontamination that do not speak of files, as a JSON object.
        rows: Benchmarks besides those in `against`: names, and rows as JSON objects.
        threads: Threads to use. Default: as many as the process may use.

    Raises:
        ParameterError: A parameter is outside its range, or a benchmark has no rows or fields.
        ColumnError: `texts` is not text.
        DataError: A row of a benchmark cannot be read.
        FileError: The operating system refused to read a benchmark.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

@final
class Classifier:
    """A model of fastText and one of its labels, which threads share."""

    def __new__(cls, path: str, label: str) -> Classifier:
        """Loads a model.

        Args:
            path: A `.bin` or `.ftz` file with labels.
            label: The label whose probability is the score.

        Raises:
            ParameterError: There is no such file, it is no model with labels, or it has no such label.
            FileError: It cannot be read.
            KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
        """

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the model."""

    def score(self, texts: Texts, threads: int | None) -> ArrowArray:
        """The probability of the label for each text.

        Args:
            texts: The texts; read in place. A stream is consumed.
            threads: Threads to use; None: as many as the process may use.

        Returns:
            `float`, null for a missing text.

        Raises:
            ParameterError: `threads` is out of range.
            ColumnError: `texts` is not text.
            KeyboardInterrupt: Ctrl-C, if the texts have more than 16 KB; the GIL is released meanwhile.
        """

@final
class LanguageDetector:
    """A detector of languages, which threads share."""

    def __new__(cls, model: str | None, sample_bytes: int) -> LanguageDetector:
        """A detector.

        Args:
            model: The path of a model of fastText; None for the detector of the package.
            sample_bytes: Bytes that are read of a longer text; 0 reads all.

        Raises:
            ParameterError: There is no such file, it is no model with labels, or `sample_bytes` is negative.
            FileError: It cannot be read.
            KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
        """

    @property
    def languages(self) -> list[str]:
        """The languages that it can find, sorted."""

    def detect(self, texts: Texts, threads: int | None) -> tuple[ArrowArray, ArrowArray]:
        """The language of each text, and its score.

        Args:
            texts: The texts; read in place. A stream is consumed.
            threads: Threads to use; None: as many as the process may use.

        Returns:
            `string`, null for a missing text and for one without a language; `float`, null for a missing one.

        Raises:
            ParameterError: `threads` is out of range.
            ColumnError: `texts` is not text.
            KeyboardInterrupt: Ctrl-C, if the texts have more than 16 KB; the GIL is released meanwhile.
        """

@final
class Novelty:
    """A growing pool of texts; calls from several threads come one after the other."""

    def __new__(cls, threshold: float, tokens: str) -> Novelty:
        """An empty pool.

        Args:
            threshold: A text is new unless its F with one of the pool is greater, 0 to 1.
            tokens: `rouge` or `word`.

        Raises:
            ParameterError: A parameter is outside its range.
        """

    def __len__(self) -> int: ...
    def add(self, text: Texts) -> None:
        """Adds a text, whatever it is like.

        Args:
            text: One text.

        Raises:
            ParameterError: The pool is full, at 2^32 - 1 texts or tokens.
            ColumnError: `text` is not one text.
        """

    def check(self, text: Texts) -> tuple[int, float] | None:
        """The text of the pool that a text is most like, as index and F, if F is greater than the threshold.

        Args:
            text: One text.

        Raises:
            ColumnError: `text` is not one text.
            KeyboardInterrupt: Ctrl-C, if the text has more than 4 KB; the GIL is released meanwhile.
        """

    def offer(self, texts: Texts) -> tuple[ArrowArray, ArrowArray, ArrowArray]:
        """Checks texts in order, and adds each that is new before the next one is checked.

        Args:
            texts: The texts; read in place. A stream is consumed.

        Returns:
            `bool`, whether a text is new, null for a missing one; `int64` and `double`, the most similar text
            of the pool and their F, null unless the text was refused.

        Raises:
            ParameterError: The pool is full, at 2^32 - 1 texts or tokens.
            ColumnError: `texts` is not text.
            KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile. What was added stays.
        """

    def nearest(self, text: Texts, count: int) -> list[tuple[int, float]]:
        """The texts of the pool that a text is most like, as index and F, the most similar one first.

        Args:
            text: One text.
            count: How many at most.

        Raises:
            ParameterError: `count` is negative.
            ColumnError: `text` is not one text.
            KeyboardInterrupt: Ctrl-C, if the text has more than 4 KB; the GIL is released meanwhile.
        """

def rouge_l(texts: Texts, tokens: str) -> float:
    """The F of ROUGE-L of two texts.

    Args:
        texts: Two texts.
        tokens: `rouge` or `word`.

    Raises:
        ParameterError: There are no such tokens.
        ColumnError: `texts` is not two texts.
        KeyboardInterrupt: Ctrl-C, if the texts have more than 4 KB; the GIL is released meanwhile.
    """

def find_pii(texts: Texts, *, types: Sequence[str], reserved: bool, threads: int | None) -> ArrowArray:
    """Where personal data stands in texts.

    Args:
        texts: The texts; read in place. A stream is consumed.
        types: Names of types; all if there is none.
        reserved: What is reserved for documentation counts too.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        `list<struct<start: int64, end: int64, type: dictionary<int8, string>>>`, null for a missing text.

    Raises:
        ParameterError: There is no such type.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def redact_pii(
    texts: Texts,
    *,
    types: Sequence[str],
    action: str,
    tag: str,
    key: bytes | None,
    reserved: bool,
    threads: int | None,
) -> tuple[ArrowArray, ArrowArray, list[tuple[str, int]]]:
    """Texts with tags or pseudonyms in the place of personal data.

    Args:
        texts: The texts; read in place. A stream is consumed.
        types: Names of types; all if there is none.
        action: `redact`, `pseudonym` or `drop`.
        tag: What `redact` writes.
        key: The key of pseudonyms.
        reserved: What is reserved for documentation counts too.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        `large_string`, the texts; `bool`, which of them stay; and how often each type was found.

    Raises:
        ParameterError: There is no such type, or a key is missing, too short or not needed.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def pii_types() -> list[str]:
    """The names of all types."""

def catalogue() -> str:
    """Presets with their rules, and signals, as JSON: `presets` and `signals`, lists of objects."""

def signals(
    texts: Texts,
    *,
    presets: list[str],
    groups: list[str],
    unended_lines: bool,
    threads: int | None,
) -> list[tuple[str, ArrowArray]]:
    """Signals of texts.

    Args:
        texts: The texts; read in place. A stream is consumed.
        presets: Presets whose signals are computed.
        groups: Groups of signals that are computed besides. Without presets and groups, all are.
        unended_lines: For C4, a line may end without a punctuation mark.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        Names and columns of `double`, null where a signal is not defined.

    Raises:
        ParameterError: There is no such preset or group, or a text has more than 4 GB.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def apply(
    texts: Texts,
    *,
    presets: list[str],
    set_json: str,
    unended_lines: bool,
    threads: int | None,
) -> tuple[ArrowArray, ArrowArray, str]:
    """Rules applied to texts.

    Args:
        texts: The texts; read in place. A stream is consumed.
        presets: Presets of rules, in their order.
        set_json: Thresholds by rule, as a JSON object; null leaves a rule out.
        unended_lines: For C4, a line may end without a punctuation mark.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        `bool`, whether a text stays, null for a missing one; lists of names, the rules that it fails; what
        each rule did, as a JSON list.

    Raises:
        ParameterError: There is no such preset or rule, a threshold is no number, or a text has more than
            4 GB.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """
