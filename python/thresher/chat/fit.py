"""What a template can do, and whether data of one template fits a model deployed with another.

A model that learnt one set of markers and is asked with another answers badly and says nothing about it. So
the check comes before the training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thresher import _core, _params
from thresher.chat._rows import json_rows
from thresher.chat.render import origin, render_options

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from thresher._types import Texts
    from thresher.chat._rows import Rows
    from thresher.chat.render import Arguments, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentForm:
    """What becomes of the arguments of a call in one form.

    Each is `ok`, `double_encoded`, `prints_python`, `prints_none`, `dropped` or `raises`.

    Attributes:
        normal: Of some arguments.
        empty: Of `{}`.
        null: Of null.
        absent: Of no such field.
    """

    normal: str
    empty: str
    null: str
    absent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a template can do.

    Attributes:
        string: What becomes of arguments that are a text that holds JSON.
        mapping: What becomes of arguments that are a mapping.
        recommended: `string` or `mapping`; None if calls do not get into the text in either form.
        system: A system prompt gets into the text.
        developer: A message of the developer does.
        tools: The tools on offer do.
        parallel_calls: Several calls in one message do.
        tool_results: The result of a call does.
        reasoning: The thoughts (`reasoning_content`) of the last message do.
        needs_alternation: Two messages of the user in a row are refused.
        generation_prompt: There is a prompt to go on.
        generation_tags: The template says what the model is to generate.
    """

    string: ArgumentForm
    mapping: ArgumentForm
    recommended: str | None
    system: bool
    developer: bool
    tools: bool
    parallel_calls: bool
    tool_results: bool
    reasoning: bool
    needs_alternation: bool
    generation_prompt: bool
    generation_tags: bool


def probe(
    template: Template,
    *,
    name: str | None = None,
    now: str | datetime.date | None = None,
    **variables: object,
) -> Probe:
    """Finds out what a template can do, by rendering small conversations.

    Args:
        template: As for `render`.
        name: Which template, if a configuration has several.
        now: What the template takes for today. Default: some day.
        **variables: Further variables of the template.

    Raises:
        ParameterError: The template cannot be compiled.

    Example:
        >>> import thresher as th
        >>> simple = "{% for m in messages %}{{ m.content }}{{ m.tool_calls | d([]) | tojson }}{% endfor %}"
        >>> found = th.chat.probe(simple)
        >>> found.recommended, found.string.normal, found.mapping.normal, found.tools
        ('mapping', 'double_encoded', 'ok', False)
    """
    options = render_options(origin(template, name), name=name, now=now, variables=variables)
    found = json.loads(_core.chat.probe(json.dumps(options)))
    found |= {form: ArgumentForm(**found[form]) for form in ("string", "mapping")}
    return Probe(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDifference:
    """A fixed part in which two templates differ.

    Attributes:
        part: `start`, `before_system`, `after_system`, `before_answer`, `after_answer`, `end` or `prompt`.
        trained: What the first template has there; None if it refuses.
        deployed: What the second one has.
    """

    part: str
    trained: str | None
    deployed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """Where the two texts of a row part.

    Attributes:
        row: Its place in the input.
        at: Characters that are the same.
        trained: The first text around there.
        deployed: The second one.
    """

    row: int
    at: int
    trained: str
    deployed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SideError:
    """A row that one of two templates does not render.

    Attributes:
        row: Its place in the input.
        deployed: Whether it is the template of the deployed model that refuses.
        reason: What kind of trouble it is.
        detail: One sentence.
    """

    row: int
    deployed: bool
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """What a comparison of two templates found.

    Attributes:
        rows: Rows that were compared.
        different: Rows whose texts differ.
        failed_trained: Rows that the template of the training data does not render.
        failed_deployed: Rows that only the template of the deployed model does not render.
        parts: Fixed parts in which the templates differ.
        differences: The first rows that differ, with where.
        errors: The first rows that were not rendered.
    """

    rows: int
    different: int
    failed_trained: int
    failed_deployed: int
    parts: tuple[PartDifference, ...]
    differences: tuple[RowDifference, ...] = field(repr=False)
    errors: tuple[SideError, ...] = field(repr=False)

    @property
    def verdict(self) -> str:
        """`same`, `differs`, or `differs_elsewhere`: not in these rows, but in parts that they lack."""
        if self.different or self.failed_deployed or any(part.part == "prompt" for part in self.parts):
            return "differs"
        return "differs_elsewhere" if self.parts else "same"


def check_mismatch(
    rows: Rows,
    *,
    trained_with: Template,
    deployed_with: Template,
    from_format: str | Mapping[str, Any] | None = None,
    now: str | datetime.date | None = None,
    arguments: Arguments = "auto",
    threads: int | None = None,
    **variables: object,
) -> Mismatch:
    """Renders rows with two templates and says where the texts differ.

    Args:
        rows: As for `render`.
        trained_with: The template of the training data.
        deployed_with: The template that the model is asked with.
        from_format: The format of the rows. Default: found out.
        now: What the templates take for today.
        arguments: The form in which the templates get the arguments of calls.
        threads: Threads to use. Default: as many as the process may use.
        **variables: Further variables of the templates.

    Raises:
        ParameterError: A template cannot be compiled.
        ColumnError: `rows` are no rows.

    Example:
        >>> import thresher as th
        >>> a = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
        >>> b = "{% for m in messages %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}"
        >>> row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]}
        >>> found = th.chat.check_mismatch([row], trained_with=a, deployed_with=b)
        >>> found.verdict, found.parts[0]
        ('differs', PartDifference(part='start', trained='<user>', deployed='[user]'))
        >>> found.differences[0].deployed
        '[user]Hi</s>[assistant]Yes</s>'
        >>> th.chat.check_mismatch([row], trained_with=a, deployed_with=a).verdict
        'same'
    """
    options = render_options(
        origin(trained_with), now=now, variables=variables, arguments=arguments, from_format=from_format
    )
    sides = {"trained": options, "deployed": origin(deployed_with)}
    found = json.loads(
        _core.chat.mismatch(json_rows(rows), json.dumps(sides), _params.optional_whole("threads", threads))
    )
    return Mismatch(
        **{
            **found,
            "parts": tuple(PartDifference(**part) for part in found["parts"]),
            "differences": tuple(RowDifference(**one) for one in found["differences"]),
            "errors": tuple(SideError(**one) for one in found["errors"]),
        }
    )


def detect_template(
    texts: Texts,
    templates: Mapping[str, Template],
    *,
    now: str | datetime.date | None = None,
    threads: int | None = None,
    **variables: object,
) -> dict[str, float]:
    """How well rendered texts fit each of several templates, the best first.

    Each text is looked at for three things: how it starts, how a turn of the model begins, and how it ends.
    1.0 means that all texts have all three as the template writes them.

    Args:
        texts: Rendered texts, as a list or an Arrow column.
        templates: Templates by name.
        now: What the templates take for today.
        threads: Threads to use. Default: as many as the process may use.
        **variables: Further variables of the templates.

    Raises:
        ParameterError: A template cannot be compiled.
        ColumnError: `texts` is not text.

    Example:
        >>> import thresher as th
        >>> a = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
        >>> b = "{% for m in messages %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}"
        >>> th.chat.detect_template(["[user]Hi</s>[assistant]Yes</s>"], {"a": a, "b": b})["b"]
        1.0
    """
    by_name = _params.mapping("templates", templates, "templates by name")
    candidates = {
        "templates": [[name, origin(template)] for name, template in by_name.items()],
        "options": render_options({"template": "", "config": None}, now=now, variables=variables),
    }
    shares = json.loads(
        _core.chat.fit(texts, json.dumps(candidates), _params.optional_whole("threads", threads))
    )
    return dict(sorted(shares, key=lambda pair: -pair[1]))
