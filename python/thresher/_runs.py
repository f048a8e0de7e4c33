"""What every run over files takes and gives: its options, the call of the native run, and books that balance.

A verb over files is a function whose own parameters stand in its signature, and whose options are those of
every run::

    @over_files
    def dedup_files(inputs, output, *, text="text", **options: Unpack[RunOptions]) -> DedupReport:
        return run(_core.runs.dedup, {"inputs": inputs, "output": output, "text": text}, options, DedupReport)

Type checkers and editors know the options by `RunOptions`; `over_files` writes them into the signature and
the docstring that Python shows. What they mean and can be stands in Rust (`runs/options.rs`); see
`_parameters`.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar

from thresher import _format, _params
from thresher._parameters import checked, documentation, nearest, parameters
from thresher._types import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    Paths: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
    """One file, pattern or folder, or several."""

    NativeRun: TypeAlias = Callable[[str, Callable[[Progress], object] | None], str]
    """A run of the native module: configuration as JSON and progress in, report as JSON out."""

_PROGRESS = "progress: Called about ten times a second with a `Progress`; an exception from it stops the run."
_INDENT = " " * 8


class RunOptions(TypedDict, total=False):
    """The options of every run over files; `help(thresher.dedup_files)` says what each means."""

    threads: int | None
    memory: int | str | None
    tmp: str | os.PathLike[str] | None
    strict: bool
    max_record_bytes: int
    batch_bytes: int
    overwrite: bool
    restart: bool
    max_quarantine: float
    progress: Callable[[Progress], object] | None


F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", bound="RunReport")


def over_files(function: F) -> F:
    """Writes the options of every run into the signature and the docstring of `function`."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    defaults = {name: option.default for name, option in parameters("options").items()}
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(name),
            annotation=RunOptions.__annotations__[name],
        )
        for name in RunOptions.__annotations__
    ]
    function.__signature__ = signature.replace(parameters=own + options)  # type: ignore[attr-defined]
    if function.__doc__:
        # The last of the arguments ends where the next section begins.
        head, returns, rest = function.__doc__.partition("\n\n    Returns:")
        function.__doc__ = f"{head}\n{documentation(_INDENT)}\n{_INDENT}{_PROGRESS}{returns}{rest}"
    return function


def run(
    core: NativeRun, own: Mapping[str, Any], options: RunOptions, report: type[R], *, name: str = ""
) -> R:
    """Checks what was given, does the run, and gives its report.

    Args:
        core: The run; its name is that of the verb.
        own: `inputs`, `output`, and the parameters of the verb.
        options: What was given of the options of every run.
        report: The class of the report.
        name: What the function is called. Default: the verb and `_files`.

    Raises:
        TypeError: An option is not there.
        ParameterError: A value cannot be that of its parameter.
    """
    verb = core.__name__
    given = dict(options)
    for unknown in given.keys() - RunOptions.__annotations__.keys():
        meant = nearest(unknown, {**parameters(verb), **RunOptions.__annotations__})
        called = name or f"{verb}_files"
        message = f"{called}() got an unexpected keyword argument '{unknown}'{meant}"
        raise TypeError(message)
    progress = _params.callback("progress", given.pop("progress", None))
    step = {name: value for name, value in own.items() if name not in ("inputs", "output")}
    config = {
        "inputs": paths(own["inputs"]),
        "output": None if own["output"] is None else _params.path("output", own["output"]),
        **checked(parameters(verb), step),
        **checked(parameters("options"), given),
    }
    return report._from_json(core(json.dumps(config), progress))


def paths(inputs: Paths) -> list[str]:
    """One path or several as a list of texts."""
    several = [inputs] if isinstance(inputs, str | os.PathLike) else _params.several("inputs", inputs)
    return [_params.path("inputs", path) for path in several]


@dataclass(frozen=True)
class RunReport:
    """What every run over files reports: what was read, written and set aside.

    Attributes:
        report: Everything, as it stands in `run.json`. In that of each run: `version`, `config`, `inputs`,
            `outputs`, `files`, `notes`, `accounting`, `quarantine`, `timings` (seconds), `peak_rss_bytes`,
            `threads`.
    """

    report: Mapping[str, Any] = field(repr=False)

    @classmethod
    def _from_json(cls, text: str) -> Self:
        return cls(json.loads(text))

    @property
    def documents(self) -> int:
        """Records read, bad ones included."""
        return int(self.report["accounting"]["in"]["docs"])

    @property
    def kept(self) -> int:
        """Records in the output."""
        return int(self.report["accounting"]["kept"]["docs"])

    @property
    def quarantined(self) -> int:
        """Records set aside, and so in no output."""
        return sum(int(tally["docs"]) for tally in self.report["accounting"]["quarantined"].values())

    @property
    def set_aside(self) -> dict[str, int]:
        """Records set aside, by reason."""
        tallies = self.report["accounting"]["quarantined"].items()
        return {reason: int(tally["docs"]) for reason, tally in tallies if tally["docs"]}

    @property
    def set_aside_written(self) -> int:
        """Records set aside that are in the quarantine."""
        return int(self.report["quarantine"]["written"])

    @property
    def only_counted(self) -> int:
        """Records set aside that are only counted: there are more of one reason than are written."""
        return int(self.report["quarantine"]["only_counted"])

    @property
    def quarantine(self) -> str | None:
        """The file that holds them; None if there is none, as without an output and on standard output."""
        output = self.report["config"]["output"]
        if not self.set_aside_written or output in (None, "-"):
            return None
        # The file that a link leads to is the output, and its evidence lies beside it.
        place = Path(output).resolve() if Path(output).is_symlink() else Path(output)
        folder = place / "quarantine" if place.is_dir() else Path(f"{place}.quarantine")
        return str(folder / "records.jsonl")

    @property
    def notes(self) -> list[str]:
        """What was left out of the inputs, and why; files that were named twice."""
        return [str(note) for note in self.report["notes"]]

    @property
    def outputs(self) -> list[str]:
        """Paths of the files written."""
        return [str(output["path"]) for output in self.report["outputs"]]

    def _removed(self, reason: str) -> int:
        return int(self.report["accounting"]["removed"].get(reason, {"docs": 0})["docs"])

    def _parts(self) -> list[tuple[str, int, int]]:
        books = self.report["accounting"]
        parts = [("kept", books["kept"]["docs"], books["kept"]["bytes"])]
        removed = sorted(books["removed"].items())
        parts += [(reason, tally["docs"], tally["bytes"]) for reason, tally in removed]
        bad_bytes = sum(tally["bytes"] for tally in books["quarantined"].values())
        parts.append(("quarantined", self.quarantined, bad_bytes))
        if references := books.get("references", {}).get("docs"):
            parts.append(("references", references, books["references"]["bytes"]))
        return parts

    def __str__(self) -> str:
        """The accounting line."""
        books = self.report["accounting"]
        line = _format.accounting(books["in"]["docs"], books["in"]["bytes"], self._parts())
        blank = books["blank_bytes"]
        return f"{line} + blank ({_format.size(blank)})" if blank else line
