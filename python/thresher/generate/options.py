"""What every generation takes: endpoints, target, budget, checks, output, journal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from thresher import _core, _params
from thresher.errors import DataError, FileError, ParameterError
from thresher.generate.budget import Budget
from thresher.generate.endpoint import Endpoint, Price
from thresher.generate.sources import files_of

if TYPE_CHECKING:
    from thresher.generate.sources import Rows
    from thresher.generate.status import Status

Endpoints: TypeAlias = Endpoint | str | Sequence[Endpoint | str]
"""One endpoint or several; an address or `local:PATH.gguf` stands for one with nothing else said."""


class GenerateOptions(TypedDict, total=False):
    """The options of every generation."""

    target: int | None
    output: str | os.PathLike[str] | None
    journal: str | os.PathLike[str] | None
    budget: Budget | None
    to: str | None
    near_duplicates: float | None
    holdout: Rows | None
    checks: Sequence[Any]
    prompts: Mapping[str, str | os.PathLike[str]] | None
    strict_recipe: bool
    retry_failed: bool
    batch: bool | str
    overwrite: bool
    threads: int | None
    progress: Callable[[Status], object] | None


FILES = "files:"
"""What comes before the folder of batches that others answer."""

DOCUMENTATION = """\
target: Rows to be kept. It goes on until they passed all rules and checks, or nothing new comes.
output: A folder, or a file ending in `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet`; None for no files.
journal: The file in which answers are kept. Default: `answers.journal` beside the output, so that all runs
    with outputs in one folder share it; without an output, answers are kept for this call only.
budget: What may be spent at most, over all sessions of this run; the run stops before it is exceeded.
to: The chat format of the rows. Default: the fields of the recipe.
near_duplicates: The Jaccard similarity from which on a row is refused as a near-duplicate of one that was
    kept; None for no check.
holdout: What may neither be repeated in a row nor appear in a prompt: a JSONL file, or texts or rows, of
    which all texts count.
checks: Further checks, each with `name`, `reasons(row, text)` and `keep(row, text)`.
prompts: Files that replace prompts of the recipe, by their names.
strict_recipe: Refuse to leave out or rename a parameter that an endpoint does not take.
retry_failed: Ask again what the journal says was given up: after 12 tries (`server_error`), or without any
    content (`empty`).
batch: Ask by batches (OpenAI's batch API), which cost less and may take a day each; a recipe that goes on
    from what it kept makes at least one of each round. `files:FOLDER` writes them into a folder, for instance
    for vLLM's run-batch, and ends; the same call goes on from the answers there.
overwrite: Replace a finished result.
threads: Threads of a model in this process. Default: as many as the process may use.
progress: Called several times a second with a `Status`; an exception from it stops the run."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options, checked."""

    endpoints: tuple[Endpoint, ...]
    target: int | None = None
    output: str | None = None
    journal: str | None = None
    budget: Budget = field(default_factory=Budget)
    to: str | None = None
    near_duplicates: float | None = 0.8
    holdout: tuple[str, ...] = ()
    checks: tuple[Any, ...] = ()
    prompts: Mapping[str, str] | None = None
    strict_recipe: bool = False
    retry_failed: bool = False
    batch: bool | str = False
    overwrite: bool = False
    threads: int | None = None
    progress: Callable[[Status], object] | None = None
    inputs: tuple[str, ...] = ()

    @property
    def batch_folder(self) -> str | None:
        """The folder of batches that others answer; None if there are none."""
        return self.batch.removeprefix(FILES) if isinstance(self.batch, str) else None

    @property
    def is_completion(self) -> bool:
        """Whether the endpoints continue texts."""
        return self.endpoints[0].api == "completion"


def checked(endpoint: Endpoints, options: GenerateOptions, inputs: tuple[str, ...] = ()) -> Settings:
    """Checks what was given.

    Args:
        endpoint: The endpoints that were named.
        options: The options that were given.
        inputs: Files that are read, and so must not lie where the result goes.

    Raises:
        TypeError: There is no such option.
        ParameterError: A value cannot be that of its option.
    """
    from thresher._parameters import nearest
    from thresher.generate.overlap import held_texts

    known = GenerateOptions.__annotations__
    for name in options.keys() - known.keys():
        message = f"there is no option `{name}`{nearest(name, known)}"
        raise TypeError(message)
    given: dict[str, Any] = dict(options)
    if given.get("target") is not None:
        given["target"] = _params.whole("target", given["target"], 1)
    for name in ("output", "journal"):
        if given.get(name) is not None:
            given[name] = _params.path(name, given[name])
    if given.get("near_duplicates") is not None:
        given["near_duplicates"] = _params.number("near_duplicates", given["near_duplicates"])
    if given.get("to") is not None:
        given["to"] = _params.choice("to", given["to"], _core.chat.formats())
    for name in ("strict_recipe", "retry_failed", "overwrite"):
        if name in given:
            given[name] = _params.flag(name, given[name])
    given["checks"] = tuple(_params.several("checks", given.get("checks") or ()))
    if given.get("holdout") is not None:
        inputs += files_of(given["holdout"])
        given["holdout"] = tuple(held_texts("holdout", given["holdout"]))
    else:
        given["holdout"] = ()
    if given.get("prompts"):
        own = _params.mapping("prompts", given["prompts"], "a mapping of names to files")
        given["prompts"] = {name: _params.path("prompts", path) for name, path in own.items()}
    if given.get("threads") is not None:
        given["threads"] = _params.whole("threads", given["threads"], 1)
    given["budget"] = given.get("budget") or Budget()
    given["progress"] = _params.callback("progress", given.get("progress"))
    if "batch" in given:
        given["batch"] = _batch(given["batch"])
    settings = Settings(endpoints=endpoints_of(endpoint), inputs=inputs, **given)
    if settings.batch:
        _check_batch(settings)
    return settings


def _batch(value: object) -> bool | str:
    if not isinstance(value, str):
        return _params.flag("batch", value)
    if not value.startswith(FILES) or value == FILES:
        message = f"batch is `{value}`, but it is True, False, or `{FILES}FOLDER`"
        raise ParameterError(message)
    return value


def _check_batch(settings: Settings) -> None:
    """A batch outlives the call, so where its answers go has to as well."""
    if settings.output is None and settings.journal is None:
        message = "batch is given, but neither an output nor a journal; name one, to find the batch again"
        raise ParameterError(message)
    for endpoint in settings.endpoints:
        if endpoint.is_local:
            message = (
                f"batch is given, but `{endpoint.base_url}` is in this process and takes requests one by one;"
                " leave batch out"
            )
            raise ParameterError(message)


def endpoints_of(endpoint: Endpoints) -> tuple[Endpoint, ...]:
    """The endpoints that were named."""
    several = [endpoint] if isinstance(endpoint, Endpoint | str) else _params.several("endpoint", endpoint)
    found = tuple(Endpoint(one) if isinstance(one, str) else one for one in several)
    if not found or not all(isinstance(one, Endpoint) for one in found):
        allowed = "an Endpoint, an address, `local:PATH.gguf`, or a list of them"
        message = f"endpoint is `{endpoint!r}`, but it is {allowed}"
        raise ParameterError(message)
    if len({one.api for one in found}) > 1:
        message = "some endpoints have `api` chat and others completion; those of one run have the same"
        raise ParameterError(message)
    return found


def read_endpoints(path: str | os.PathLike[str]) -> tuple[Endpoint, ...]:
    """The endpoints in a YAML or JSON file: one mapping of an `Endpoint`'s attributes, or a list of them.

    Raises:
        ParameterError: An attribute is not there, or cannot have its value; all are told at once.
        DataError: The file is neither YAML nor JSON.
        FileError: It cannot be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = Path(path).read_text("utf-8")
        found = json.loads(text) if str(path).endswith(".json") else YAML(typ="safe").load(text)
    except OSError as error:
        raise FileError(
            error.errno, f"cannot read the endpoints `{path}`: {error.strerror}", str(path)
        ) from error
    except (YAMLError, ValueError) as error:
        message = f"`{path}` is no list of endpoints: {error}"
        raise DataError(message) from error
    several = found if isinstance(found, list) else [found]
    endpoints, problems = [], []
    for place, one in enumerate(several):
        try:
            endpoints.append(_endpoint(one))
        except (ParameterError, TypeError) as error:
            problems.append(f"{path}: endpoint {place}: {error}")
    if problems or not endpoints:
        message = "\n".join(problems) or f"{path}: there is no endpoint"
        raise ParameterError(message)
    return tuple(endpoints)


def _endpoint(one: Any) -> Endpoint:  # noqa: ANN401 - it is what a user wrote
    from thresher._parameters import nearest

    names = {one.name: one for one in fields(Endpoint)}
    given = dict(_params.mapping("endpoint", one, "a mapping of names to values"))
    for name in given:
        if name not in names:
            message = f"there is no attribute `{name}`{nearest(str(name), names)}"
            raise ParameterError(message)
    if price := given.pop("price", None):
        given["price"] = replace(
            Price(), **_params.mapping("price", price, "a mapping with `input` and `output`")
        )
    if "base_url" not in given:
        message = "`base_url` is missing; it is an address, or `local:PATH.gguf`"
        raise ParameterError(message)
    return Endpoint(**given)
