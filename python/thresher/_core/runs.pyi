"""Runs over files."""

from collections.abc import Callable

from thresher._types import Progress

__all__ = ["convert", "dedup", "parameters", "pipeline", "render", "validate"]

def dedup(config_json: str, progress: Callable[[Progress], object] | None) -> str:
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

def convert(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files in another chat format; as `dedup`, with the parameters of a conversion."""

def validate(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """What is wrong with the rows of files; as `dedup`, with the parameters of a validation."""

def render(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Rows of files rendered with a chat template; as `dedup`, with the parameters of a rendering."""

def pipeline(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Several steps over files; as `dedup`, with `inputs`, `output`, `steps` and the options of every run."""

def parameters(verb: str) -> str:
    """What there is to ask a verb for, or of `options` every run: a list in JSON.

    Args:
        verb: `dedup`, `convert`, `validate`, `render` or `options`.

    Returns:
        Of each parameter `name`, `kind`, `metavar`, `about`, `default`, `required` and `schema`.

    Raises:
        ParameterError: There is no such verb.
    """
