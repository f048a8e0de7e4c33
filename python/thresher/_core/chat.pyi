"""Chat data: rows of JSON in, rows of JSON or a report out."""

from thresher._core import ArrowArray
from thresher._types import Texts

__all__ = [
    "checks",
    "convert",
    "fit",
    "formats",
    "mismatch",
    "probe",
    "render",
    "render_variables",
    "targets",
    "validate",
]

def formats() -> list[str]:
    """The names of all chat formats."""

def convert(rows: Texts, options_json: str, threads: int | None) -> tuple[ArrowArray, str]:
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

def checks() -> list[tuple[str, str, str]]:
    """What rows are checked for: code, severity (`error` or `warning`) and description."""

def targets() -> list[tuple[str, str]]:
    """What rows can be checked for: name and description."""

def validate(rows: Texts, options_json: str, threads: int | None) -> tuple[str, str]:
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

def render(rows: Texts, options_json: str, threads: int | None) -> tuple[ArrowArray, ArrowArray, str]:
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

def render_variables(template: str, variables_json: str, now: str | None) -> str:
    """The text of a template with these variables and nothing else.

    Raises:
        ParameterError: The template cannot be compiled or rendered.
    """

def probe(options_json: str) -> str:
    """What a template can do, as JSON.

    Args:
        options_json: As for `render`.

    Raises:
        ParameterError: The template cannot be compiled, or an option is wrong.
    """

def mismatch(rows: Texts, options_json: str, threads: int | None) -> str:
    """Whether rows rendered with one template fit a model deployed with another.

    Args:
        rows: One JSON text a row; read in place. A stream is consumed.
        options_json: As for `render`, and `deployed`, a template as `template`.
        threads: Threads to use; None for as many as the process may use.

    Returns:
        A report as JSON: `rows`, `different`, `failed_trained`, `failed_deployed`, `parts`, `differences` and
        `errors`.

    Raises:
        ParameterError: A template cannot be compiled, or an option is wrong.
        ColumnError: `rows` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """

def fit(texts: Texts, candidates_json: str, threads: int | None) -> str:
    """The share of the parts of each template that texts have, as JSON pairs of name and share.

    Args:
        texts: Rendered texts; read in place. A stream is consumed.
        candidates_json: A JSON object with `templates`, pairs of name and template, and `options`, as for
            `render`.
        threads: Threads to use; None for as many as the process may use.

    Raises:
        ParameterError: A template cannot be compiled, or an option is wrong.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C; the GIL is released meanwhile.
    """
