"""Signals of texts in memory, and which of the texts stay."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thresher import _core, _format, _params
from thresher._arrow import column, wrap
from thresher._parameters import check, parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from thresher.filters.catalogue import Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """What a rule did to some texts.

    Attributes:
        rule: Its name.
        signal: The signal that it looks at.
        bound: `at_least` or `at_most`.
        threshold: The least or greatest value that it allows.
        failing: Texts that fail it.
        first: Texts of which it is the first failing rule. Over files, the books count them for it.
        alone: Texts that fail no other rule: without it they would stay.
    """

    rule: str
    signal: str
    bound: Bound
    threshold: float
    failing: int
    first: int
    alone: int


class FilterResult:
    """The result of `thresher.filters.apply`: for each text, in input order, whether it stays, and why not.

    Attributes:
        keep: `bool`: whether the text stays; null for a missing one. `table.filter(result.keep)` is the clean
            table, without the rows whose text is missing.
        failing: `list<dictionary<int16, string>>`: the names of all rules that the text fails, in the order
            of the presets; null for a missing one.
        rules: What each rule did.
    """

    keep: pa.BooleanArray
    failing: pa.ListArray
    rules: tuple[RuleCount, ...]

    def __init__(self, keep: pa.BooleanArray, failing: pa.ListArray, rules: tuple[RuleCount, ...]) -> None:
        self.keep = keep
        self.failing = failing
        self.rules = rules

    def __len__(self) -> int:
        """Number of texts given."""
        return len(self.keep)

    @property
    def kept(self) -> int:
        """Texts that stay."""
        return int(self.keep.true_count)

    @property
    def missing(self) -> int:
        """Missing texts."""
        return int(self.keep.null_count)

    @property
    def removed(self) -> dict[str, int]:
        """Texts that go, by their first failing rule; rules that remove none are left out."""
        return {rule.rule: rule.first for rule in self.rules if rule.first}

    def __str__(self) -> str:
        """The books in a line, and a line for each rule that a text fails."""
        lines = [f"in {_format.count(len(self))} = kept {_format.count(self.kept)}"]
        lines[0] += "".join(f" + {rule} {_format.count(texts)}" for rule, texts in self.removed.items())
        lines[0] += f" + missing {_format.count(self.missing)}" if self.missing else ""
        return "\n".join(lines)

    def __repr__(self) -> str:
        """One line with the counts."""
        gone = len(self) - self.kept - self.missing
        return f"FilterResult(texts={len(self)}, kept={self.kept}, removed={gone}, missing={self.missing})"


def signals(
    texts: Any,  # noqa: ANN401 - any library's texts or table
    *,
    text: str | int | None = None,
    preset: str | Iterable[str] = (),
    groups: str | Iterable[str] = (),
    unended_lines: bool = False,
    threads: int | None = None,
) -> pa.Table:
    r"""The signals of texts: the numbers by which the filters of the field decide.

    Each follows the tool that its group is named for, to the last bit; `signal_list()` says what each is.
    All are computed in one pass over a text. Time is linear in the text, whatever the text. The GIL is
    released, and Ctrl-C stops it. The result is the same on every machine and with any number of threads.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library, read in place.
            With `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        text: The column of `texts` to look at, if that is a table.
        preset: Presets whose signals are computed.
        groups: Groups of signals that are computed besides: `lengths` (always there), `gopher`, `repetition`,
            `c4`, `fineweb`, `dclm`, `redpajama`. Default: if no preset is given either, all.
        unended_lines: For `c4`, a line may end without a punctuation mark, as in FineWeb's pipeline.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        A table with one row a text: `double` columns, null where a signal is not defined, as the share of no
        words, or the text is missing.

    Raises:
        ParameterError: There is no such preset or group, or a text has more than 4 GB.
        ColumnError: `texts` is not text, or there is no such column.

    Example:
        >>> import thresher as th
        >>> table = th.filters.signals(["The cat sat.\n- and the dog", None], groups="fineweb")
        >>> table["fineweb.line_punct"].to_pylist(), table["words"].to_pylist()
        ([0.5, None], [7.0, None])
    """
    import pyarrow as pa

    found = _core.filter.signals(
        column(texts, text),
        presets=check(parameters("filter")["preset"], preset),
        groups=groups_of(groups),
        unended_lines=_params.flag("unended_lines", unended_lines),
        threads=_params.optional_whole("threads", threads),
    )
    return pa.table({name: wrap(values) for name, values in found})


def apply(
    texts: Any,  # noqa: ANN401 - any library's texts or table
    *,
    text: str | int | None = None,
    preset: str | Iterable[str],
    set: Mapping[str, float | None] | None = None,
    unended_lines: bool = False,
    threads: int | None = None,
) -> FilterResult:
    r"""Applies rules to texts: which stay, and all rules that the others fail.

    All rules look at the text as it was given. A signal that is not defined for a text fails no rule. A
    missing text is neither kept nor removed. `filter_files` does the same over files. The GIL is released,
    and Ctrl-C stops it.

    Args:
        texts: As for `signals`.
        text: The column of `texts` to look at, if that is a table.
        preset: Rules to apply, by the name of their preset: `gopher`, `gopher-repetition`, `c4`, `fineweb`,
            `dclm`, `lengths`; `rules()` lists them. `lengths` has no thresholds of its own.
        set: Thresholds by rule, as `{"fineweb.line_punct": 0.1}`; None leaves a rule out.
        unended_lines: For `c4`, a line may end without a punctuation mark, as in FineWeb's pipeline.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        Columns over the texts (`keep`, `failing`), and what each rule did.

    Raises:
        ParameterError: There is no such preset or rule, or a threshold is no number.
        ColumnError: `texts` is not text, or there is no such column.

    Example:
        >>> import thresher as th
        >>> pages = ["A page of\nbut a few\nwords", "One full sentence stands on this page."]
        >>> result = th.filters.apply(pages, preset="fineweb", set={"fineweb.short_lines": None})
        >>> print(result)
        in 2 = kept 1 + fineweb.line_punct 1
    """
    keep, failing, rules = _core.filter.apply(
        column(texts, text),
        presets=_presets(preset),
        set_json=json.dumps(thresholds("set", {} if set is None else set)),
        unended_lines=_params.flag("unended_lines", unended_lines),
        threads=_params.optional_whole("threads", threads),
    )
    counts = tuple(RuleCount(**rule) for rule in json.loads(rules))
    return FilterResult(wrap(keep), wrap(failing), counts)


def groups_of(groups: Any) -> list[str]:  # noqa: ANN401
    """Names of groups of signals."""
    names = parameters("filter")["signals"].choices
    what = "a group of signals, or a list of them"
    several = [groups] if isinstance(groups, str) else _params.several("groups", groups, what)
    return [_params.choice("groups", one, names) for one in several]


def thresholds(name: str, given: Any) -> dict[str, float | None]:  # noqa: ANN401 - it is what a user wrote
    """Thresholds by rule as plain numbers; None leaves a rule out."""
    found = _params.mapping(name, given, "a mapping of thresholds by rule")
    return {
        _params.word(name, rule, "a mapping of thresholds by rule"): None
        if value is None
        else _params.number(f"{name} `{rule}`", value)
        for rule, value in found.items()
    }


def _presets(preset: str | Iterable[str]) -> list[str]:
    """Presets, of which there is one at least."""
    found: list[str] = check(parameters("filter")["preset"], preset)
    if not found:
        _params.choice("preset", "", parameters("filter")["preset"].choices)
    return found
