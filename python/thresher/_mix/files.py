"""Rows of several sources in one mix, in the proportions and to the size that were asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from thresher import _core, _params
from thresher._mix.table import lines
from thresher._parameters import check, nearest, parameters
from thresher._runs import RunOptions, RunReport, over_files, run
from thresher.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thresher._runs import Paths


@dataclass(frozen=True)
class MixReport(RunReport):
    """The result of `mix_files`: what was read, what was asked for, and what came out.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `mix`, the table.
    """

    @property
    def mix(self) -> Mapping[str, Any]:
        """What was asked for against what came out.

        `unit`, `target`, `size` and `documents` of the mix; `sources`, each with `size`, `documents`,
        `taken`, `epochs` and `max_epochs`; and `phases`, each with `sources` (shares `asked`, `planned` and
        `achieved`, `size`, `documents`, `bound_by`) and `values` (`floor`, `ceiling` and share `achieved` of
        each value of a field that has any).
        """
        found: Mapping[str, Any] = self.report["mix"]
        return found

    @property
    def table(self) -> str:
        """The same as lines of text."""
        return "\n".join(lines(self.mix))

    def __repr__(self) -> str:
        """One line with the counts."""
        return (
            f"MixReport(documents={self.documents}, kept={self.kept}, quarantined={self.quarantined}, "
            f"{self.mix['unit']}={self.mix['size']})"
        )


@over_files
def mix_files(
    sources: Mapping[str, Paths | Mapping[str, Any]],
    output: str | os.PathLike[str],
    *,
    unit: str = "tokens",
    text: str = "text",
    length: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    target: int | None = None,
    weighting: str = "given",
    temperature: float | None = None,
    max_epochs: float = 1.0,
    short: str = "error",
    floors: Mapping[str, Mapping[str, float]] | None = None,
    ceilings: Mapping[str, Mapping[str, float]] | None = None,
    real_share: float = 0.0,
    real_field: str = "provenance",
    real_values: str | Sequence[str] = (),
    phases: Sequence[Mapping[str, Any]] = (),
    order: str = "shuffle",
    seed: int = 0,
    epochs: bool = False,
    shards: int | None = None,
    rows_per_shard: int | None = None,
    **options: Unpack[RunOptions],
) -> MixReport:
    r"""Mixes rows of several sources to a size, in proportions that hold to within one document a source.

    The size of each row is counted first. Then a plan says how much of each source is taken: its weight, up
    to `max_epochs`, and no further from the weights than floors and ceilings demand (of all mixes that obey
    them, the one with the least Kullback-Leibler divergence). Wishes that cannot be met are an error that
    names the figures and what would do. Each row is taken floor or ceil of the epochs of its source; which
    rows, and their order, follow from `seed`. Rows get the column `source`, in place of one of that name.

    The inputs are read twice; the temporary disk equals the rows of the mix, and 18 bytes a row of the
    inputs. Memory does not grow with them. The output is the same with any number of threads and any memory.
    After an interrupt, a kill or a full disk the same call goes on behind what was done.

    Args:
        sources: The sources by name: for each its inputs (files, patterns, folders of data files), or a
            mapping of `inputs`, `weight`, `upsample`, `max_epochs`, `floor` and `ceiling`. All of one format.
        output: A folder for the data and the evidence, or a data file with the evidence beside it.
        unit: What sizes, weights and the target count: `tokens`, `bytes` of the texts, or `documents`.
        text: Field of the texts whose tokens or bytes are counted.
        length: Field with the number of tokens of a row, or with its tokens. Default: `length`, unless a
            tokenizer counts.
        tokenizer: A tokenizer.json, or a folder that holds one, that counts the tokens of the texts, which
            costs a pass of tokenisation.
        target: Size of the mix, in the unit. Default: the largest mix in which the proportions hold and no
            source is read more often than it may; without weights that is everything once.
        weighting: `given`: the weights of the sources, or their sizes if they have none; `unimax`: all alike,
            as far as `max_epochs` allows (UniMax, Chung et al. 2023, arXiv 2304.09151).
        temperature: Weights are sizes to the power of 1/temperature, as in T5; 3.33 is mT5's alpha of 0.3.
        max_epochs: How often a source is read at most, in all phases together, if it does not say otherwise.
            A fraction is a part of a pass.
        short: What happens if a source has less than its given weight asks for: `error`, or `fill` from the
            others.
        floors: Least shares of the mix by field and value, as `{"language": {"de": 0.1}}`.
        ceilings: Greatest shares, in the same way.
        real_share: Least share of rows that people have written.
        real_field: Field that says where a row comes from.
        real_values: Values of it that mean that people have written the row. Default: `human`.
        phases: A curriculum: stretches of the mix in order, each with `name`, `share` and, if it likes,
            `weights` by source. Rows get the column `phase`.
        order: The order within a phase: `shuffle` at random, or `interleave`, where each stretch has of each
            source what is due.
        seed: Names the rows that are taken and their order.
        epochs: Add the column `epoch`: how often the row was taken before.
        shards: Files in the output folder. Default: as many as there are inputs.
        rows_per_shard: Rows of a file in the output folder.

    Returns:
        The report that `run.json` holds, with the table of what was asked for and what came out.

    Raises:
        ParameterError: A wish makes no sense, or the sources cannot meet it; no row has a field.
        DataError: A bad row in a strict run, more bad rows than `max_quarantine`, a file that changed while
            it was read, or rows that cannot lie in one file.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import json, pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("web", "wiki"):
        ...     rows = (json.dumps({"text": f"{name} {n}", "length": 10}) + "\n" for n in range(100))
        ...     _ = (folder / f"{name}.jsonl").write_text("".join(rows))
        >>> report = th.mix_files(
        ...     {
        ...         "web": {"inputs": folder / "web.jsonl", "weight": 3},
        ...         "wiki": {"inputs": folder / "wiki.jsonl", "weight": 1},
        ...     },
        ...     folder / "mix.jsonl",
        ...     target=800,
        ... )
        >>> report
        MixReport(documents=200, kept=80, quarantined=0, tokens=800)
        >>> [(line["source"], line["achieved"]) for line in report.mix["phases"][0]["sources"]]
        [('web', 0.75), ('wiki', 0.25)]
    """
    named = _sources(sources)
    own = {
        "inputs": [path for source in named.values() for path in source["inputs"]],
        "output": output,
        "sources": named,
        "unit": unit,
        "text": text,
        "length": length,
        "tokenizer": tokenizer,
        "target": target,
        "weighting": weighting,
        "temperature": temperature,
        "max_epochs": max_epochs,
        "short": short,
        "floors": _shares("floors", floors or {}),
        "ceilings": _shares("ceilings", ceilings or {}),
        "real_share": real_share,
        "real_field": real_field,
        "real_values": real_values,
        "phases": _phases(phases),
        "order": order,
        "seed": seed,
        "epochs": epochs,
        "shards": shards,
        "rows_per_shard": rows_per_shard,
    }
    return run(_core.runs.mix, own, options, MixReport)


def _sources(sources: object) -> dict[str, dict[str, Any]]:
    found = {}
    for name, given in _params.mapping("sources", sources, "a mapping of names to inputs").items():
        settings = given if isinstance(given, Mapping) else {"inputs": given}
        found[str(name)] = _record(f"sources.{name}", "mix.source", settings)
    return found


def _phases(phases: object) -> list[dict[str, Any]]:
    return [
        _record(f"phases.{at}", "mix.phase", _params.mapping("phases", phase, "a list of mappings"))
        for at, phase in enumerate(_params.several("phases", phases, "a list of mappings"))
    ]


def _record(place: str, what: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A source or a phase as plain values."""
    known = parameters(what)
    for name in given:
        if name not in known:
            near = nearest(str(name), known) or f"; there are {', '.join(known)}"
            message = f"{place} has `{name}`, but there is no such name{near}"
            raise ParameterError(message)
    for name, parameter in known.items():
        if parameter.required and name not in given:
            message = f"{place} has no `{name}`: {parameter.about}"
            raise ParameterError(message)
    found = {}
    for name, value in given.items():
        try:
            found[name] = check(known[name], value)
        except ParameterError as error:
            message = f"{place}: {error}"
            raise ParameterError(message) from error
    for name, weight in found.get("weights", {}).items():
        found["weights"][name] = _params.number(f"{place}.weights.{name}", weight)
    return found


def _shares(name: str, given: object) -> dict[str, dict[str, float]]:
    what = "a mapping of fields to shares by value"
    return {
        str(field): {
            str(value): _params.share(f"{name}.{field}.{value}", share)
            for value, share in _params.mapping(f"{name}.{field}", shares, "shares by value").items()
        }
        for field, shares in _params.mapping(name, given, what).items()
    }
