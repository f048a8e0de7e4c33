"""Pipelines: several steps over files, described by a document, with one result.

A document names inputs, an output, options and steps; each step is a verb of thresher with its parameters,
under the names that they have in Python and on the command line.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thresher import _core, _params
from thresher._pipeline.check import checked
from thresher._pipeline.document import Node, from_values, read, with_node, with_value
from thresher._pipeline.report import REPORTS, PipelineReport
from thresher._pipeline.schema import schema
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from thresher._runs import Paths, RunOptions, RunReport
    from thresher._types import Progress


class Pipeline:
    r"""Several steps over files, and one result.

    Each step reads what the one before it has passed on; the data of the last one is the result. Rows that
    are removed or set aside stand in `removed.parquet` and `quarantine/` with the step and with their place
    in the inputs. The result appears when the last step is done; if one fails, what was there before stays.
    A pipeline of one step is the run of its verb. Where a step of a longer one makes new rows or puts them
    into another order (`convert`, `render`, `tokenize`, `shuffle`, `pack`), they lie in the state folder of
    the output until the end, so it takes as much space as they have. Rows behind a `pack` are bins.

    Args:
        steps: What is done, in order: each a verb (`dedup`, `decontaminate`, `convert`, `validate`, `render`,
            `language`, `quality`, `pii`, `tokenize`, `shuffle`, `pack`), or a mapping of a verb to its
            parameters.
        inputs: Files, patterns and folders to read; see `thresher.dedup_files`.
        output: A folder, a data file, or `-` for standard output.
        options: The options of every step; see `thresher.RunOptions`.

    Raises:
        ParameterError: Something is wrong with it; the message has a line for each mistake.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> row = '{"instruction": "Say yes.", "output": "Yes."}\n'
        >>> _ = (folder / "in.jsonl").write_text(row + row + '{"instruction": "Say no.", "output": ""}\n')
        >>> pipeline = th.Pipeline(
        ...     ["validate", {"dedup": {"text": "output", "exact_only": True}}],
        ...     inputs=folder / "in.jsonl",
        ...     output=folder / "clean",
        ... )
        >>> report = pipeline.run()
        >>> report
        PipelineReport(steps=['1.validate', '2.dedup'], documents=3, kept=1, quarantined=1)
        >>> (folder / "clean" / "data" / "in.jsonl").read_text() == row
        True
    """

    def __init__(
        self,
        steps: Sequence[str | Mapping[str, Mapping[str, Any] | None]],
        *,
        inputs: Paths,
        output: str | os.PathLike[str],
        options: RunOptions | None = None,
    ) -> None:
        named = [inputs] if isinstance(inputs, str | os.PathLike) else _params.several("inputs", inputs)
        document: dict[str, Any] = {
            "inputs": [_params.path("inputs", path) for path in named],
            "output": _params.path("output", output),
            "options": dict(options or {}),
            "steps": [
                dict(step) if not isinstance(step, str) else step for step in _params.several("steps", steps)
            ],
        }
        self._config = checked(from_values(document, "pipeline"))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        overrides: Mapping[str, str] | None = None,
        options: RunOptions | None = None,
    ) -> Self:
        """Reads a pipeline from a YAML file. Paths in it count from the working directory.

        Args:
            path: The file; YAML 1.2, up to 1 MiB.
            overrides: Values that replace those of the file, or are added: YAML by dotted names, as in
                `{"steps.1.dedup.threshold": "0.7"}`. Places in a list count from 0.
            options: Options of every run that replace those of the file, or are added.

        Raises:
            ParameterError: Something is wrong with it; the message has a line for each mistake, as
                `file:line: name: what is wrong`.

        Warns:
            UserWarning: A word stands there without quotes that is a truth value in YAML 1.1.
        """
        name = _params.path("path", path)
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"the pipeline `{name}` cannot be read: {error}"
            raise ParameterError(message) from error
        document = read(text, name)
        root: Node = document.root
        for place, value in (overrides or {}).items():
            root = with_value(root, place, value)
        for name_of_option, given in (options or {}).items():
            root = with_node(root, ["options", name_of_option], from_values(given, "options"))
        made = cls.__new__(cls)
        try:
            made._config = checked(root)
        except ParameterError as error:
            message = "\n".join([str(error), *document.notes])
            raise ParameterError(message) from error
        for note in document.notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        return made

    def run(self, *, progress: Callable[[Progress], object] | None = None) -> RunReport:
        """Runs the pipeline.

        Args:
            progress: Called about ten times a second with a `Progress`; an exception from it stops the run.

        Returns:
            A `PipelineReport`; for one step, the report of its verb.

        Raises:
            ParameterError: A step cannot be done as it was asked for.
            DataError: A bad record in a strict run, or more of them than `max_quarantine`, in a step.
            FileError: The operating system refused a file operation.
            BusyError: Another run writes to the same output.
        """
        watch = _params.callback("progress", progress)
        report = _core.runs.pipeline(json.dumps(self._config), watch)
        steps = self._config["steps"]
        kind = PipelineReport if len(steps) > 1 else REPORTS[next(iter(steps[0]))]
        return kind._from_json(report)

    def to_dict(self) -> dict[str, Any]:
        """The pipeline as plain values: `inputs`, `output`, `steps`, and the options that were given."""
        found: dict[str, Any] = json.loads(json.dumps(self._config))
        return found

    def plan(self) -> str:
        """What would be done, in lines for people; nothing is read."""
        lines = [f"{'read':<12} {name}" for name in self._config["inputs"]]
        for number, step in enumerate(self._config["steps"], 1):
            ((verb, given),) = step.items()
            lines.append(f"{f'{number}.{verb}':<12} {_shown(given)}")
        lines.append(f"{'write':<12} {self._config['output']}")
        options = {
            name: self._config[name] for name in self._config if name not in ("inputs", "output", "steps")
        }
        lines.append(f"{'options':<12} {_shown(options)}")
        return "\n".join(lines)

    @staticmethod
    def schema() -> dict[str, Any]:
        """The JSON Schema of a pipeline, for editors: names, types, ranges, defaults and descriptions."""
        return schema()

    def __repr__(self) -> str:
        """The steps."""
        return f"Pipeline({[next(iter(step)) for step in self._config['steps']]})"


def _shown(given: Mapping[str, Any]) -> str:
    """What was given, in one line; a template is told by its length."""
    parts = []
    for name, value in given.items():
        text = json.dumps(value, ensure_ascii=False)
        parts.append(f"{name}={text if len(text) <= 80 else f'({len(text):,} characters)'}")
    return " ".join(parts) or "(defaults)"
