"""Rendering with the chat template of a model, and what the model is to generate in the text.

A chat template is a program from strangers, in a file of the model. It runs in an interpreter of thresher's
own: the text is that of jinja2 as Hugging Face configures it, byte for byte, and nothing but the row can be
reached. What it may use is bounded; a template that wants more fails for that row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

from thresher import _core, _params
from thresher._arrow import wrap
from thresher._parameters import checked, parameters
from thresher._runs import RunOptions, RunReport, over_files, run
from thresher.chat._rows import json_rows
from thresher.chat.convert import RowError
from thresher.errors import DataError, ParameterError

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from thresher._runs import Paths
    from thresher.chat._rows import Rows

    Template: TypeAlias = str | os.PathLike[str] | Mapping[str, Any]
    """A template: its text; the path of a tokenizer's folder, of its `tokenizer_config.json` or of a `.jinja`
    file; or the parsed `tokenizer_config.json`."""

Arguments: TypeAlias = Literal["auto", "string", "mapping", "written"]
"""The form in which a template gets the arguments of calls."""


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """Rendered rows.

    Attributes:
        texts: One text a row, null where a row could not be rendered; pyarrow `large_string`.
        spans: What the model is to generate in each text, in characters, in order and without overlap;
            pyarrow `list<struct<start: int32, end: int32>>`, null where the text is. Without `mask` the lists
            are empty.
        errors: The rows that could not be rendered.
        format: The format that the rows were in.
    """

    texts: pa.LargeStringArray = field(repr=False)
    spans: pa.ListArray = field(repr=False)
    errors: tuple[RowError, ...]
    format: str

    def __len__(self) -> int:
        """Rows that were rendered."""
        return len(self.texts) - int(self.texts.null_count)


def render(
    rows: Rows,
    *,
    template: Template,
    from_format: str | Mapping[str, Any] | None = None,
    add_generation_prompt: bool = False,
    mask: bool = True,
    now: str | datetime.date | None = None,
    arguments: Arguments = "auto",
    ending: Literal["chosen", "rejected", "prompt"] = "chosen",
    name: str | None = None,
    strict: bool = False,
    threads: int | None = None,
    **variables: object,
) -> Rendered:
    r"""Renders rows with a chat template.

    The spans hold what the model is to generate: of each assistant message its text, its thoughts, its calls
    and the marker that ends the turn; not the header before it, and not white space behind the marker. If the
    template has `generation` tags, they hold exactly what stands in these. A message with a weight of 0 (or
    `train` false) has no span; of a row with an ending of its own (completion, preference) only that has. A
    row whose spans cannot be found for sure is an error of reason `no_spans`; nothing is guessed.

    Args:
        rows: Dicts or JSON texts in any chat format, an Arrow table of any library, or a Hugging Face data
            set.
        template: The template: its text, the path of a `.jinja` file, of a `tokenizer_config.json` or of the
            folder of a tokenizer, or the parsed `tokenizer_config.json`. Special tokens come from the
            configuration, or as variables.
        from_format: The format of the rows, or a mapping of fields. Default: found out from the rows.
        add_generation_prompt: Whether the text ends where the model would go on.
        mask: Whether to find what the model is to generate.
        now: What the template takes for today, as `2024-07-26` or a date. A template that asks for the date
            fails without, since its text would be another one each day.
        arguments: The form in which the template gets the arguments of calls: the one it wants (`auto`, see
            `probe`), a JSON `string`, a `mapping`, or as they are `written` in the row.
        ending: Of a preference, which one; or `prompt` for none.
        name: Which template, if a configuration has several. Default: `default`.
        strict: Whether a row that cannot be rendered is an error.
        threads: Threads to use. Default: as many as the process may use.
        **variables: Further variables of the template (`enable_thinking=False`, `bos_token="<s>"`).

    Returns:
        Texts, spans and the rows that could not be rendered.

    Raises:
        ParameterError: The template cannot be compiled, or a parameter is wrong.
        ColumnError: `rows` are no rows.
        DataError: A row could not be rendered, and `strict` is set.

    Example:
        >>> import thresher as th
        >>> chatml = (
        ...     "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        ...     "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        ... )
        >>> turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
        >>> done = th.chat.render([{"messages": turns}], template=chatml)
        >>> done.texts[0].as_py()
        '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n'
        >>> [done.texts[0].as_py()[s["start"] : s["end"]] for s in done.spans[0].as_py()]
        ['Hello.<|im_end|>']
    """
    options = render_options(
        origin(template, name),
        name=name,
        now=now,
        variables=variables,
        arguments=arguments,
        from_format=from_format,
        add_generation_prompt=add_generation_prompt,
        mask=mask,
        ending=ending,
    )
    strict = _params.flag("strict", strict)
    texts, spans, report = _core.chat.render(
        json_rows(rows), json.dumps(options), _params.optional_whole("threads", threads)
    )
    found = json.loads(report)
    errors = tuple(RowError(**error) for error in found["errors"])
    if strict and errors:
        first = errors[0]
        what = f"{first.detail} ({first.reason})"
        message = f"row {first.row} cannot be rendered: {what}; without `strict` it is set aside"
        raise DataError(message)
    return Rendered(texts=wrap(texts), spans=wrap(spans), errors=errors, format=found["from"])


@dataclass(frozen=True)
class RenderReport(RunReport):
    """The result of `render_files`: what was read, written and set aside.

    Attributes:
        report: Everything, as it stands in `run.json`: what that of every run has, and `from`.
    """

    def __repr__(self) -> str:
        """One line with the counts."""
        return f"RenderReport(documents={self.documents}, kept={self.kept}, quarantined={self.quarantined})"


@over_files
def render_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    template: Template,
    from_format: str | Mapping[str, Any] | None = None,
    add_generation_prompt: bool = False,
    mask: bool = True,
    now: str | datetime.date | None = None,
    arguments: Arguments = "auto",
    ending: Literal["chosen", "rejected", "prompt"] = "chosen",
    name: str | None = None,
    variables: Mapping[str, object] | None = None,
    **options: Unpack[RunOptions],
) -> RenderReport:
    r"""Renders the rows of files; see `render` for what the parameters mean.

    A rendered row has the fields `text` and, with `mask`, `spans` (a list of `start` and `end`, in
    characters), and those fields of the row that belong to no turn, such as an id. Rows are streamed; a row
    that cannot be rendered goes to quarantine with its place and the reason. After an interrupt, a kill or a
    full disk the same call goes on behind what was done.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders
            of such files, or `-` for JSONL on standard input.
        output: A folder for the data and the evidence; a data file, whose name says the format, with the
            evidence beside it; or `-` for JSONL on standard output.
        template: The template; see `render`.
        from_format: The format of the rows, or a mapping of fields. Default: found out from the first rows.
        add_generation_prompt: Whether the text ends where the model would go on.
        mask: Whether to find what the model is to generate.
        now: What the template takes for today.
        arguments: The form in which the template gets the arguments of calls.
        ending: Of a preference, which one; or `prompt` for none.
        name: Which template, if a configuration has several.
        variables: Further variables of the template, by name.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: The template cannot be compiled, a parameter is wrong, or there is no input.
        DataError: A bad row in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import json, pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"instruction": "Hi", "output": "Ho", "id": 7}\n')
        >>> simple = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
        >>> _ = th.chat.render_files(folder / "in.jsonl", folder / "out.jsonl", template=simple)
        >>> json.loads((folder / "out.jsonl").read_text())
        {'text': '<user>Hi</s><assistant>Ho</s>', 'spans': [{'start': 23, 'end': 29}], 'id': 7}
    """
    own = {
        "inputs": inputs,
        "output": output,
        **render_options(
            origin(template, name),
            name=name,
            now=now,
            variables={} if variables is None else variables,
            arguments=arguments,
            from_format=from_format,
            add_generation_prompt=add_generation_prompt,
            mask=mask,
            ending=ending,
        ),
    }
    return run(_core.runs.render, own, options, RenderReport)


def render_options(
    template: dict[str, str | None],
    *,
    now: str | datetime.date | None,
    variables: Mapping[str, object],
    name: str | None = None,
    arguments: Arguments = "auto",
    from_format: str | Mapping[str, Any] | None = None,
    add_generation_prompt: bool = False,
    mask: bool = False,
    ending: str = "chosen",
) -> dict[str, Any]:
    """The options of the native functions that render.

    Raises:
        ParameterError: An option is wrong, or a variable is nothing that JSON can hold.
    """
    given = {
        "template": template,
        "name": name,
        "from_format": from_format,
        "add_generation_prompt": add_generation_prompt,
        "mask": mask,
        "now": getattr(now, "isoformat", lambda: now)(),
        "arguments": arguments,
        "ending": ending,
        "variables": variables,
    }
    found = checked(parameters("render"), given)
    try:
        json.dumps(found["variables"], allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"the variables of a template are what JSON can hold: {error}"
        raise ParameterError(message) from error
    return found


def origin(template: Template, name: str | None = None) -> dict[str, str | None]:
    """Where a template comes from, with the files read.

    Raises:
        ParameterError: There is no such file, or no template in it.
    """
    name = _params.optional_word("name", name, "the name of a template")
    if isinstance(template, str) and not _is_path(template):
        return {"template": template, "config": None}
    if not isinstance(template, str) and hasattr(template, "keys"):
        return {"template": None, "config": json.dumps(dict(template))}  # type: ignore[arg-type]
    path = Path(_params.path("template", template))
    try:
        if not path.is_dir():
            text = path.read_text("utf-8")
            is_config = path.suffix == ".json"
            return {"template": None if is_config else text, "config": text if is_config else None}
        texts = {
            file.name: file.read_text("utf-8")
            for file in (
                path / "chat_template.jinja",
                path / "chat_template.json",
                path / "tokenizer_config.json",
            )
            if file.is_file()
        }
    except (OSError, UnicodeDecodeError) as error:
        message = f"template is `{path}`, which cannot be read: {error}"
        raise ParameterError(message) from error
    if "chat_template.json" in texts and "chat_template.jinja" not in texts:
        texts["chat_template.jinja"] = str(json.loads(texts["chat_template.json"])["chat_template"])
    if not texts:
        wanted = "`tokenizer_config.json` or `chat_template.jinja`"
        message = f"template is the folder `{path}`, but it holds no {wanted}"
        raise ParameterError(message)
    return {
        "template": texts.get("chat_template.jinja") if name is None else None,
        "config": texts.get("tokenizer_config.json"),
    }


def _is_path(template: str) -> bool:
    """Whether a text names a file rather than being a template: templates have tags, paths have not."""
    return (
        "{" not in template
        and "\n" not in template
        and (template.endswith((".json", ".jinja", ".jinja2")) or Path(template).is_dir())
    )


def mask_tokens(
    offsets: Sequence[tuple[int, int]], spans: Sequence[Mapping[str, int]]
) -> np.ndarray[Any, Any]:
    """Which tokens the model is to learn.

    A token counts if it lies in a span with at least one character and with all of them; a token that reaches
    over the edge of a span, of which the model sees a part before, does not. A token without characters (a
    special one that the tokenizer added) does not count either.

    Args:
        offsets: First and one past the last character of each token, as `tokenizers` gives them.
        spans: The spans of the text, as in `Rendered.spans`.

    Returns:
        `uint8`, one a token: 1 if it counts.

    Example:
        >>> import thresher as th
        >>> th.chat.mask_tokens([(0, 2), (2, 5), (5, 9), (9, 9)], [{"start": 2, "end": 9}]).tolist()
        [0, 1, 1, 0]
    """
    import numpy as np

    places = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    starts = np.array([span["start"] for span in spans], dtype=np.int64)
    ends = np.array([span["end"] for span in spans], dtype=np.int64)
    if not len(starts):
        return np.zeros(len(places), dtype=np.uint8)
    at = np.searchsorted(starts, places[:, 0], side="right") - 1
    inside = (at >= 0) & (places[:, 1] <= ends[np.maximum(at, 0)]) & (places[:, 1] > places[:, 0])
    return inside.astype(np.uint8)
