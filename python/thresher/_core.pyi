"""The native half of thresher. Private: use the functions of `thresher`."""

from collections.abc import Callable
from typing import Any, final

from thresher._types import Progress, Ranks, Texts

__all__ = [
    "ArrowArray",
    "DedupOutcome",
    "available_threads",
    "chat_checks",
    "chat_convert",
    "chat_convert_files",
    "chat_fit",
    "chat_formats",
    "chat_mismatch",
    "chat_probe",
    "chat_render",
    "chat_render_files",
    "chat_render_variables",
    "chat_targets",
    "chat_validate",
    "chat_validate_files",
    "choose_banding",
    "dedup",
    "dedup_files",
    "instruction_set",
    "minhash",
    "scheme_version",
    "verify_result",
    "version",
]

@final
class ArrowArray:
    """An Arrow array that pyarrow, polars and others take over without a copy: `pyarrow.array(this)`."""

    def __arrow_c_schema__(self) -> Any:  # noqa: ANN401 - capsules have no type
        """A capsule with the type of the array."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:  # noqa: ANN401
        """Capsules with the type and the data.

        A wish for another type is left to the consumer, as the protocol allows.
        """

    def __len__(self) -> int: ...

@final
class DedupOutcome:
    """What a search found: one entry a document, in input order."""

    @property
    def keep(self) -> ArrowArray:
        """Whether the document stays: bool, no nulls."""

    @property
    def duplicate_of(self) -> ArrowArray:
        """The kept document that this one duplicates: int64, null for kept ones."""

    @property
    def similarity(self) -> ArrowArray:
        """Exact Jaccard similarity with that document: float32, null for kept ones."""

    @property
    def reason(self) -> ArrowArray:
        """`exact` or `near`: dictionary<int8, string>, null for kept ones."""

    @property
    def summary(self) -> dict[str, Any]:
        """The books, the banding and the timings.

        `documents`, `kept`, `exact` and `near` are (documents, bytes); `timings` are seconds by step;
        `recall_at_threshold` is a probability; `unchecked` are pairs by likely similarity; the others are
        counts.
        """

def version() -> str:
    """Version of thresher."""

def scheme_version() -> int:
    """Version of the hash scheme: signatures of one version compare with each other, and with no others."""

def instruction_set() -> str:
    """Name of the kernels that this processor runs; the results do not depend on it."""

def available_threads() -> int:
    """Threads that this process may use, by affinity and by quota of its control group."""

def minhash(
    texts: Texts, *, num_hashes: int, ngram: int, unit: str, seed: int, threads: int | None
) -> ArrowArray:
    """Signatures of texts.

    Args:
        texts: The texts; read in place. A stream is consumed.
        num_hashes: Lanes of a signature, 1 to 65,536.
        ngram: Units in a shingle, 1 to 256.
        unit: `word` or `char`.
        seed: The family of hashes; 0 is the scheme.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        `fixed_size_list<uint32>[num_hashes]`, one a text, null for a missing one.

    Raises:
        ParameterError: A parameter is outside its range.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C, within about 50 ms; the GIL is released meanwhile.
    """

def dedup(
    texts: Texts,
    *,
    threshold: float,
    num_hashes: int,
    ngram: int,
    unit: str,
    seed: int,
    recall: float,
    keep: str,
    ranks: Ranks | None,
    exact_only: bool,
    threads: int | None,
) -> DedupOutcome:
    """Near-duplicates among texts in memory.

    Args:
        texts: The texts; read in place. A stream is consumed.
        threshold: Exact Jaccard similarity from which on a document goes, in (0, 1].
        num_hashes: Lanes of a signature, 1 to 65,536.
        ngram: Units in a shingle, 1 to 256.
        unit: `word` or `char`.
        seed: The family of hashes that signs; 0 is the scheme.
        recall: Share of the pairs at the threshold that must share a band, between 0 and 1.
        keep: `first`, `longest`, `shortest`, `max` or `min`.
        ranks: One rank a document, for `max` and `min`.
        exact_only: Only equal texts are duplicates.
        threads: Threads to use; None for as many as the process may use.

    Raises:
        ParameterError: A parameter is outside its range.
        ColumnError: `texts` is not text, or `ranks` are neither numbers nor strings.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def choose_banding(threshold: float, num_hashes: int, recall: float) -> tuple[int, int, float]:
    """The banding for a threshold, as (bands, rows, recall at the threshold)."""

def dedup_files(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Near-duplicates among files.

    Args:
        config_json: The parameters, as a JSON object.
        progress: Called about ten times a second, with the GIL held; an exception from it stops the run.

    Returns:
        The report, as JSON; the same that the run writes.

    Raises:
        ParameterError: A parameter is outside its range.
        DataError: Bad data in a strict run, or files that change while they are read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.
        KeyboardInterrupt: Ctrl-C.
    """

def chat_formats() -> list[str]:
    """The names of all chat formats."""

def chat_convert(rows: Texts, options_json: str, threads: int | None) -> tuple[ArrowArray, str]:
    """Rows of one chat format in another.

    Args:
        rows: One JSON text a row; read in place. A stream is consumed.
        options_json: A JSON object with `from` (a name, a mapping, or null to find it out) and `to`.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        `large_string`, null where a row could not be converted, and a report as JSON: `from`, `to`, `losses`
        and `errors`.

    Raises:
        ParameterError: There is no such format, or it cannot be found out.
        ColumnError: `rows` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def chat_convert_files(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files in another chat format; as `dedup_files`, with the parameters of a conversion."""

def chat_checks() -> list[tuple[str, str, str]]:
    """What rows are checked for: code, severity (`error` or `warning`) and description."""

def chat_targets() -> list[tuple[str, str]]:
    """What rows can be checked for: name and description."""

def chat_validate(rows: Texts, options_json: str, threads: int | None) -> tuple[str, str]:
    """Everything that is wrong with rows of chat data.

    Args:
        rows: One JSON text a row; read in place. A stream is consumed.
        options_json: A JSON object with `format` (a name, a mapping, or null to find it out), `max_problems`
            and `options` (`target`, `reasoning`, `ignore`, `strict`).
        threads: Threads to use; None for as many as the process may use.

    Returns:
        The name of the format, and a report as JSON: `rows`, `valid`, `codes`, `problems` and `unlisted`.

    Raises:
        ParameterError: There is no such format, target or code, or the format cannot be found out.
        ColumnError: `rows` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def chat_validate_files(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """What is wrong with the rows of files; as `dedup_files`, with the parameters of a validation."""

def chat_render(rows: Texts, options_json: str, threads: int | None) -> tuple[ArrowArray, ArrowArray, str]:
    """Rows rendered with a chat template.

    Args:
        rows: One JSON text a row; read in place. A stream is consumed.
        options_json: A JSON object with `template` (`template`, `config`, `name`), `from`,
            `add_generation_prompt`, `mask`, `now`, `variables`, `arguments` and `variant`.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        `large_string`, null where a row could not be rendered; `list<struct<start: int32, end: int32>>`, what
        the model is to generate, in characters; and a report as JSON: `from` and `errors`.

    Raises:
        ParameterError: The template cannot be compiled, or an option is wrong.
        ColumnError: `rows` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def chat_render_files(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files rendered with a chat template; as `dedup_files`, with the parameters of a rendering."""

def verify_result(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Compares a result with its `run.json`; as `dedup_files`, with `output` and `threads`."""

def chat_render_variables(template: str, variables_json: str, now: str | None) -> str:
    """The text of a template with these variables and nothing else.

    Raises:
        ParameterError: The template cannot be compiled or rendered.
    """

def chat_probe(options_json: str) -> str:
    """What a template can do, as JSON.

    Args:
        options_json: As for `chat_render`.

    Raises:
        ParameterError: The template cannot be compiled, or an option is wrong.
    """

def chat_mismatch(rows: Texts, options_json: str, threads: int | None) -> str:
    """Whether rows rendered with one template fit a model deployed with another.

    Args:
        rows: One JSON text a row; read in place. A stream is consumed.
        options_json: As for `chat_render`, and `deployed`, a template as `template`.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        A report as JSON: `rows`, `different`, `failed_trained`, `failed_deployed`, `parts`, `differences` and
        `errors`.

    Raises:
        ParameterError: A template cannot be compiled, or an option is wrong.
        ColumnError: `rows` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def chat_fit(texts: Texts, candidates_json: str, threads: int | None) -> str:
    """The share of the parts of each template that texts have, as JSON pairs of name and share.

    Args:
        texts: Rendered texts; read in place. A stream is consumed.
        candidates_json: A JSON object with `templates`, pairs of name and template, and `options`, as for
            `chat_render`.
        threads: Threads to use; None for as many as the process may use.

    Raises:
        ParameterError: A template cannot be compiled, or an option is wrong.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """
