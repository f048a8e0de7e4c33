"""The recipes as functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from thresher import _params
from thresher.errors import ParameterError
from thresher.generate import sources
from thresher.generate.generated import Generated
from thresher.generate.options import DOCUMENTATION, GenerateOptions, checked
from thresher.generate.overlap import Overlap, held_texts, split
from thresher.generate.recipe import Recipe
from thresher.generate.recipes.distill import Distill
from thresher.generate.recipes.document_qa import DocumentQA
from thresher.generate.recipes.domain import Domain
from thresher.generate.recipes.self_instruct import SelfInstruct
from thresher.generate.seeds import read_seeds
from thresher.generate.session import generate

if TYPE_CHECKING:
    import os

    from thresher.generate.options import Endpoints
    from thresher.generate.sources import Rows

F = TypeVar("F", bound=Callable[..., Any])
_INDENT = " " * 8


def _documented(function: F) -> F:
    """Writes the options of every generation into the docstring and the signature of a function."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    defaults = {
        "near_duplicates": 0.8,
        "strict_recipe": False,
        "retry_failed": False,
        "batch": False,
        "overwrite": False,
        "checks": (),
    }
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind)
        for name, kind in GenerateOptions.__annotations__.items()
        if name not in signature.parameters
    ]
    function.__signature__ = signature.replace(parameters=own + options)  # type: ignore[attr-defined]
    if function.__doc__:
        head, returns, rest = function.__doc__.partition("\n\n    Returns:")
        lines = "\n".join(f"{_INDENT}{line}" for line in DOCUMENTATION.splitlines())
        function.__doc__ = f"{head}\n{lines}{returns}{rest}"
    return function


@_documented
def run(recipe: Recipe, *, endpoint: Endpoints, **options: Unpack[GenerateOptions]) -> Generated:
    """Rows by a recipe of your own.

    It gets what every recipe has: journal, budgets, retries, checks, rejections by rule, lineage, card and
    report. The same journal gives the same rows if `work` depends on its slot and its answers alone, and
    `slots` on what was kept and a seed.

    Args:
        recipe: A `Recipe`.
        endpoint: Where to ask: an `Endpoint`, an address, `local:PATH.gguf`, or several, over which slots are
            spread by their weights.

    Returns:
        The rows, with `id` and the fields of the recipe, and the report.

    Raises:
        ParameterError: An endpoint or a parameter cannot be used.
        EndpointError: An endpoint answers nothing, refuses the key, or has no quota left.
        BusyError: Another run has the output or the journal.
        FileError: The system refused a file operation.
    """
    given: object = recipe
    if not isinstance(given, Recipe):
        message = (
            f"recipe is `{given!r}`, but it is an object of a class of your own below th.generate.Recipe"
        )
        raise ParameterError(message)
    for name in ("name", "fields"):
        if not getattr(recipe, name, None):
            message = f"the recipe {type(recipe).__name__} has no `{name}`; set it in the class"
            raise ParameterError(message)
    if options.get("prompts"):
        message = "prompts is for the recipes of thresher; a recipe of your own has its prompts already"
        raise ParameterError(message)
    return generate(recipe, checked(endpoint, options))


@_documented
def domain_instructions(
    domain: str,
    num_examples: int = 10,
    task_types: Sequence[str] | None = None,
    *,
    endpoint: Endpoints,
    per_request: int = 5,
    temperature: float = 0.9,
    max_tokens: int = 3000,
    seed: int = 0,
    **options: Unpack[GenerateOptions],
) -> Generated:
    """Instruction-response pairs for a domain.

    A request asks for a few pairs, with the task types in an order of its own and with some of the
    instructions that were kept before, to be avoided. An answer is read whatever shape its JSON has, and
    topped up if it is short.

    Args:
        domain: The domain, in words.
        num_examples: Rows to be kept.
        task_types: The task types. Default: explain, summarize, compare, give example, list steps for.
        endpoint: Where to ask: an `Endpoint`, an address, `local:PATH.gguf`, or several, over which slots are
            spread by their weights.
        per_request: Pairs that a request asks for.
        temperature: Temperature of the sampling.
        max_tokens: Tokens of an answer at most.
        seed: Seed of everything that is drawn at random.

    Returns:
        The rows, with `id`, `instruction`, `response` and `task_type`, and the report.

    Raises:
        ParameterError: An endpoint or a parameter cannot be used.
        EndpointError: An endpoint answers nothing, refuses the key, or has no quota left.
        BusyError: Another run has the output or the journal.
        FileError: The system refused a file operation.
    """
    options.setdefault("target", num_examples)
    settings = checked(endpoint, options)
    recipe = Domain(
        domain,
        task_types,
        per_request=per_request,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        is_completion=settings.is_completion,
        own_prompts=settings.prompts,
    )
    return generate(recipe, settings)


@_documented
def self_instruct(
    seeds: Rows,
    *,
    endpoint: Endpoints,
    threshold: float = 0.7,
    tokens: str = "rouge",
    round_size: int = 5,
    holdout_share: float = 0.0,
    seed: int = 0,
    **options: Unpack[GenerateOptions],
) -> Generated:
    """Instructions with inputs and outputs, bootstrapped from tasks that people wrote (Wang et al. 2023).

    Each request shows eight tasks, six of people and two that the model wrote before, and has the model
    continue the list. New instructions pass the paper's filters and its novelty rule; then each is told to be
    a classification or not, and gets instances, labels first or inputs first. A base model behind
    `/v1/completions` (`Endpoint(api="completion")`) is what the method was made for; a chat model is asked in
    words, and the card says so.

    Args:
        seeds: A JSONL file of seed tasks with `instruction` (and `instances`), or texts or rows.
        endpoint: Where to ask: an `Endpoint`, an address, `local:PATH.gguf`, or several, over which slots are
            spread by their weights.
        threshold: ROUGE-L above which an instruction repeats a seed or one of the pool.
        tokens: `rouge` cuts texts as rouge-score does, into runs of a-z and 0-9; `word` into words of any
            script.
        round_size: Requests for instructions that see the same pool.
        holdout_share: Share of the seeds that is held out, in whole clusters of near-duplicates: no prompt
            shows them, and no row may repeat them. `run.json` names them.
        seed: Seed of everything that is drawn at random.

    Returns:
        The rows, with `id`, `instruction`, `input`, `output` and `is_classification`, and the report.

    Raises:
        ParameterError: An endpoint or a parameter cannot be used.
        DataError: A seed has no instruction.
        EndpointError: An endpoint answers nothing, refuses the key, or has no quota left.
        BusyError: Another run has the output or the journal.
        FileError: The system refused a file operation.
    """
    settings = checked(endpoint, options, sources.files_of(seeds))
    tasks = read_seeds(seeds)
    held = split([one.instruction for one in tasks], _params.share("holdout_share", holdout_share), seed)
    held_out = [one for one, is_held in zip(tasks, held, strict=True) if is_held]
    tasks = [one for one, is_held in zip(tasks, held, strict=True) if not is_held]
    if not tasks:
        message = f"holdout_share is `{holdout_share:g}`, which leaves no seed to start from"
        raise ParameterError(message)
    if held_out:
        texts = held_texts(
            "seeds", [{"instruction": one.texts[0], "more": one.texts[1:]} for one in held_out]
        )
        settings = replace(settings, holdout=(*settings.holdout, *texts))
    recipe = SelfInstruct(
        tasks,
        held_out=[one.id for one in held_out],
        is_completion=settings.is_completion,
        threshold=threshold,
        tokens=tokens,
        round_size=round_size,
        seed=seed,
        own_prompts=settings.prompts,
    )
    overlap = Overlap("seed_overlap", (text for task in tasks for text in task.texts))
    return generate(recipe, settings, (overlap,))


@_documented
def distill(
    tasks: Rows,
    *,
    endpoint: Endpoints,
    choose: str = "map",
    strategies: Mapping[str, str] | None = None,
    dev: Rows | None = None,
    temperature: float = 0.7,
    max_tokens: int = 2048,
    seed: int = 0,
    **options: Unpack[GenerateOptions],
) -> Generated:
    """Answers of a teacher, each by a strategy that fits the task, without the teacher's system prompt.

    After Orca 2: the strategy is told to the teacher in a system prompt, and the row gets the student's
    instead (prompt erasing). Answers that mention their instructions are rejected.

    Args:
        tasks: A JSONL file of tasks with `instruction`, and perhaps `input` and `task_type`; or texts or
            rows.
        endpoint: Where to ask: an `Endpoint`, an address, `local:PATH.gguf`, or several, over which slots are
            spread by their weights.
        choose: How a strategy is chosen: `map` by `strategies`; `dev` by the teacher's accuracy on `dev`, for
            each kind of task; `random`, as the older Orca does.
        strategies: The strategy of each `task_type`; that of the empty one is for all others. There are
            step_by_step, recall_then_generate, recall_reason_generate, extract_then_generate and
            direct_answer.
        dev: Tasks with known answers as `output`.
        temperature: Temperature of the sampling.
        max_tokens: Tokens of an answer at most.
        seed: Seed of everything that is drawn at random.

    Returns:
        The rows, with `id`, `instruction`, `input`, `output`, `system`, `task_type` and `strategy`, and the
        report.

    Raises:
        ParameterError: An endpoint or a parameter cannot be used.
        DataError: A task has no instruction.
        EndpointError: An endpoint answers nothing, refuses the key, or has no quota left.
        BusyError: Another run has the output or the journal.
        FileError: The system refused a file operation.
    """
    settings = checked(endpoint, options, sources.files_of(tasks, dev))
    recipe = Distill(
        sources.tasks_of("tasks", tasks),
        choose=choose,
        strategies=strategies,
        dev=() if dev is None else sources.tasks_of("dev", dev),
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        own_prompts=settings.prompts,
    )
    return generate(recipe, settings)


@_documented
def document_qa(
    documents: Rows | Iterable[str | os.PathLike[str]],
    *,
    endpoint: Endpoints,
    per_passage: int = 3,
    passage_chars: int = 3000,
    temperature: float = 0.7,
    max_tokens: int = 2048,
    **options: Unpack[GenerateOptions],
) -> Generated:
    """Questions and answers about documents, each with the words of the document that hold the answer.

    Args:
        documents: Text files, a JSONL file with `text`, or texts.
        endpoint: Where to ask: an `Endpoint`, an address, `local:PATH.gguf`, or several, over which slots are
            spread by their weights.
        per_passage: Pairs that a passage is asked for.
        passage_chars: Characters of a passage at most; passages end with paragraphs where they can.
        temperature: Temperature of the sampling.
        max_tokens: Tokens of an answer at most.

    Returns:
        The rows, with `id`, `question`, `answer`, `quote`, `document`, and `start` and `end` of the quote in
        characters, and the report.

    Raises:
        ParameterError: An endpoint or a parameter cannot be used.
        DataError: A document has no text.
        EndpointError: An endpoint answers nothing, refuses the key, or has no quota left.
        BusyError: Another run has the output or the journal.
        FileError: The system refused a file operation.
    """
    settings = checked(endpoint, options, sources.files_of(documents))
    recipe = DocumentQA(
        sources.documents_of(documents),
        per_passage=per_passage,
        passage_chars=passage_chars,
        temperature=temperature,
        max_tokens=max_tokens,
        own_prompts=settings.prompts,
    )
    return generate(recipe, settings)
