"""`thresher generate`: rows made by models, by the recipes of `th.generate`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import thresher
from thresher import _core
from thresher.cli._run import EXIT_DATA, note, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thresher.generate.generated import Generated
    from thresher.generate.status import Status

EXIT_STOPPED = 130
"""Stopped before the target, by the user or by a budget; the same command goes on."""
Command = TypeVar("Command", bound="Callable[..., Any]")
_SAMPLE_ROWS = 10
_EVERY_S = 5.0

_ENDPOINT = (
    click.option(
        "--endpoint",
        "endpoint",
        multiple=True,
        required=True,
        metavar="URL",
        help="OpenAI-compatible address (http://HOST/v1), local:PATH.gguf, or a YAML or JSON file of them."
        " Repeatable.",
    ),
    click.option("--model", default="", metavar="NAME", help="Name of the model at the address."),
    click.option("--revision", metavar="TEXT", help="What names the weights, if the model's name does not."),
    click.option(
        "--api",
        type=click.Choice(["chat", "completion"]),
        default="chat",
        show_default=True,
        help="Chat, or texts that are continued.",
    ),
    click.option(
        "--key-env",
        metavar="NAME",
        help="Environment variable with the key. Default: OPENAI_API_KEY for api.openai.com, else none.",
    ),
    click.option(
        "--max-in-flight", type=int, default=32, show_default=True, help="Requests at a time at most."
    ),
    click.option("--rpm", type=int, help="Requests a minute at most."),
    click.option("--tpm", type=int, help="Tokens a minute at most."),
    click.option(
        "--timeout-s", type=float, default=120.0, show_default=True, help="Seconds a request may take."
    ),
    click.option(
        "--price-input", type=float, metavar="MONEY", help="Price of a million tokens of questions."
    ),
    click.option("--price-output", type=float, metavar="MONEY", help="Price of a million tokens of answers."),
    click.option("--price-cached", type=float, metavar="MONEY", help="Price of a million cached tokens."),
    click.option(
        "--price-batch",
        type=float,
        default=0.5,
        show_default=True,
        metavar="SHARE",
        help="What a batch costs of these prices.",
    ),
    click.option("--family", metavar="NAME", help="Family of the model."),
    click.option("--licence", metavar="NAME", help="Licence of the model, for the dataset card."),
    click.option("--terms", metavar="TEXT", help="Terms of its answers, for the dataset card."),
)
_RUN = (
    click.option(
        "-o",
        "--output",
        metavar="OUT",
        help="Folder, or a file ending in .jsonl, .jsonl.gz, .jsonl.zst or .parquet.",
    ),
    click.option("--target", type=int, help="Rows to be kept. Default: 10 for a domain, else all there are."),
    click.option(
        "--journal",
        metavar="FILE",
        help="Where answers are kept. Default: answers.journal beside the output.",
    ),
    click.option("--budget-money", type=float, help="Money to be spent at most, in the unit of the prices."),
    click.option("--budget-tokens", type=int, help="Tokens to be spent at most, of questions and answers."),
    click.option("--budget-requests", type=int, help="Requests to be sent at most."),
    click.option("--budget-seconds", type=float, help="Seconds that this session may take."),
    click.option(
        "--to",
        type=click.Choice(_core.chat.formats()),
        help="Chat format of the rows. Default: the recipe's fields.",
    ),
    click.option(
        "--near-duplicates",
        type=float,
        default=0.8,
        show_default=True,
        help="Jaccard similarity from which on a row is refused as a near-duplicate; 0 for no check.",
    ),
    click.option("--holdout", metavar="FILE", help="JSONL of rows that no prompt and no row may repeat."),
    click.option(
        "--prompt",
        "prompts",
        multiple=True,
        metavar="NAME=FILE",
        help="File that replaces a prompt of the recipe. Repeatable.",
    ),
    click.option(
        "--strict-recipe", is_flag=True, help="Refuse to leave out a parameter that an endpoint refuses."
    ),
    click.option(
        "--retry-failed",
        is_flag=True,
        help="Ask again what the journal says was given up after 12 tries, or had no content.",
    ),
    click.option(
        "--batch",
        is_flag=True,
        help="Ask by OpenAI's batch API: at a part of the price, and within a day. Ctrl-C leaves the batches"
        " under way.",
    ),
    click.option(
        "--batch-files",
        metavar="FOLDER",
        help="Write batches into a folder, for vLLM's run-batch, and go on from the answers there.",
    ),
    click.option("--threads", type=int, help="Threads of a model in this process."),
    click.option("--overwrite", is_flag=True, help="Replace a finished result."),
    click.option(
        "--dry-run",
        is_flag=True,
        help=f"Make {_SAMPLE_ROWS} rows into the journal, and say what the target would take.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Write the report to standard output as JSON."),
    click.option("--quiet", is_flag=True, help="Say nothing but errors."),
)


_seed = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of all that is drawn at random."
)


def model_options(command: Command) -> Command:
    for option in reversed((*_ENDPOINT, *_RUN)):
        command = option(command)
    return command


@click.group(short_help="Make rows with models, by recipes.")
def generate() -> None:
    """Make rows with models: any server with OpenAI's API, or a GGUF in this process.

    Every answer is kept in a journal before it is used: the same command again sends nothing that was
    answered, and writes the same rows. Exit code 130: stopped before the target, go on with the same command;
    65: nothing new comes any more.
    """


@generate.command(short_help="Instruction-response pairs for a domain.")
@click.argument("domain")
@click.option("--task-type", "task_types", multiple=True, metavar="TYPE", help="A task type. Repeatable.")
@click.option("--per-request", type=int, default=5, show_default=True, help="Pairs that a request asks for.")
@click.option(
    "--temperature", type=float, default=0.9, show_default=True, help="Temperature of the sampling."
)
@click.option("--max-tokens", type=int, default=3000, show_default=True, help="Tokens of an answer at most.")
@_seed
@model_options
def domain(domain: str, task_types: Sequence[str], **options: Any) -> int:  # noqa: ANN401 - they go on
    """Instruction-response pairs for a DOMAIN in words."""
    own = {name: options.pop(name) for name in ("per_request", "temperature", "max_tokens", "seed")}
    own["task_types"] = list(task_types) or None
    options["target"] = options["target"] or 10
    return run_recipe(
        lambda endpoint, given: thresher.generate.domain_instructions(
            domain, endpoint=endpoint, **own, **given
        ),
        options,
    )


@generate.command("self-instruct", short_help="Tasks, from seed tasks of people (Self-Instruct).")
@click.argument("seeds", metavar="SEEDS.jsonl")
@click.option(
    "--threshold", type=float, default=0.7, show_default=True, help="ROUGE-L above which it is a repetition."
)
@click.option(
    "--tokens",
    type=click.Choice(["rouge", "word"]),
    default="rouge",
    show_default=True,
    help="How texts are cut for ROUGE-L: as rouge-score does, or into words of any script.",
)
@click.option("--round-size", type=int, default=5, show_default=True, help="Requests that see the same pool.")
@click.option(
    "--holdout-share",
    type=float,
    default=0.0,
    show_default=True,
    help="Share of the seeds that is held out, in whole clusters of near-duplicates.",
)
@_seed
@model_options
def self_instruct(seeds: str, **options: Any) -> int:  # noqa: ANN401
    """Instructions with inputs and outputs, from seed tasks of people (Self-Instruct)."""
    own = {name: options.pop(name) for name in ("threshold", "tokens", "round_size", "holdout_share", "seed")}
    return run_recipe(
        lambda endpoint, given: thresher.generate.self_instruct(seeds, endpoint=endpoint, **own, **given),
        options,
    )


@generate.command(short_help="A teacher's answers, by strategies (Orca 2).")
@click.argument("tasks", metavar="TASKS.jsonl")
@click.option(
    "--choose",
    type=click.Choice(["map", "dev", "random"]),
    default="map",
    show_default=True,
    help="How a strategy is chosen: from --strategy, by accuracy on --dev, at random.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="TYPE=NAME",
    help="Strategy of a task type; that of an empty type is for all others. Repeatable.",
)
@click.option("--dev", metavar="FILE", help="JSONL of tasks with known answers (output).")
@click.option(
    "--temperature", type=float, default=0.7, show_default=True, help="Temperature of the sampling."
)
@click.option("--max-tokens", type=int, default=2048, show_default=True, help="Tokens of an answer at most.")
@_seed
@model_options
def distill(tasks: str, strategies: Sequence[str], **options: Any) -> int:  # noqa: ANN401
    """Answers of a teacher by explanation strategies, with its system prompt taken out (Orca 2)."""
    own = {name: options.pop(name) for name in ("choose", "dev", "temperature", "max_tokens", "seed")}
    own["strategies"] = _pairs("--strategy", strategies)
    return run_recipe(
        lambda endpoint, given: thresher.generate.distill(tasks, endpoint=endpoint, **own, **given), options
    )


@generate.command("document-qa", short_help="Questions and answers about text files.")
@click.argument("documents", nargs=-1, required=True, metavar="DOCUMENTS...")
@click.option(
    "--per-passage", type=int, default=3, show_default=True, help="Pairs that a passage is asked for."
)
@click.option(
    "--passage-chars", type=int, default=3000, show_default=True, help="Characters of a passage at most."
)
@click.option(
    "--temperature", type=float, default=0.7, show_default=True, help="Temperature of the sampling."
)
@click.option("--max-tokens", type=int, default=2048, show_default=True, help="Tokens of an answer at most.")
@model_options
def document_qa(documents: Sequence[str], **options: Any) -> int:  # noqa: ANN401
    """Questions and answers about text files, each with the words that hold the answer."""
    own = {name: options.pop(name) for name in ("per_passage", "passage_chars", "temperature", "max_tokens")}
    return run_recipe(
        lambda endpoint, given: thresher.generate.document_qa(
            list(map(Path, documents)), endpoint=endpoint, **own, **given
        ),
        options,
    )


def run_recipe(call: Callable[[Any, dict[str, Any]], Generated], options: dict[str, Any]) -> int:
    as_json, quiet, dry_run = (options.pop(name) for name in ("as_json", "quiet", "dry_run"))
    endpoint = _endpoints(options)
    batch, folder = options.pop("batch"), options.pop("batch_files")
    budget = {name: options.pop(f"budget_{name}") for name in ("money", "tokens", "requests", "seconds")}
    given = {
        **options,
        "batch": f"files:{folder}" if folder is not None else batch,
        "budget": thresher.generate.Budget(**budget),
        "prompts": _pairs("--prompt", options["prompts"]),
        "near_duplicates": options["near_duplicates"] or None,
        "progress": None if quiet else _Table(),
    }
    if dry_run:
        return _estimate(call, endpoint, given)
    if given["output"] is None:
        message = "no output is given; name a folder or a file with -o"
        raise click.UsageError(message)
    result = call(endpoint, given)
    if as_json:
        click.echo(json.dumps(result.report, ensure_ascii=False))
    if not quiet:
        for text in result.report["notes"]:
            note(printable(str(text)), quiet=False)
        if left := result.report["requests"]["batches_under_way"]:
            note(f"the journal waits for {left:,} batches; a run with --batch merges them", quiet=False)
        click.echo(str(result), err=True)
    if result.is_complete:
        return 0
    click.echo(f"thresher: {printable(str(result.stopped))}", err=True)
    return EXIT_DATA if result.report["stopped"]["reason"] == "stalled" else EXIT_STOPPED


def _estimate(
    call: Callable[[Any, dict[str, Any]], Generated], endpoint: list[Any], given: dict[str, Any]
) -> int:
    """Makes a few rows into the journal, and tells what the target would take."""
    target = given["target"]
    output, given["output"] = given["output"], None
    # A sample is asked one by one, and priced so.
    is_batch, given["batch"] = given["batch"], False
    if given["journal"] is None and output is not None:
        given["journal"] = thresher.generate.journal_beside(output)
    given["target"] = min(target or _SAMPLE_ROWS, _SAMPLE_ROWS)
    began_s = time.monotonic()
    result = call(endpoint, given)
    report = result.report
    kept, spent = len(result), report["spent"]
    click.echo(str(result), err=True)
    if not kept:
        click.echo("nothing was kept of the sample, so nothing can be told", err=True)
        return EXIT_DATA
    lines = [("rows of the sample", f"{kept:,}"), ("its requests", f"{spent['requests']:,}")]
    if target is not None:
        scale = target / kept
        lines += [
            ("rows", f"{target:,}"),
            ("requests", f"about {spent['requests'] * scale:,.0f}"),
            ("input tokens", f"about {spent['input_tokens'] * scale:,.0f}"),
            ("output tokens", f"about {spent['output_tokens'] * scale:,.0f}"),
            ("money", "unknown price" if spent["money"] is None else f"about {spent['money'] * scale:,.2f}"),
        ]
        if not is_batch:
            took_s = (time.monotonic() - began_s) * scale
            lines.append(("time", f"about {took_s:,.0f} s, as fast as the sample went"))
        elif spent["money"] is not None:
            share = max(one.price.batch for one in thresher.generate.endpoints_of(endpoint))
            lines.append(("by batches", f"about {spent['money'] * scale * share:,.2f}"))
    for name, value in lines:
        click.echo(f"{name:<20} {value}")
    return 0


def _endpoints(options: dict[str, Any]) -> list[Any]:
    """The endpoints that were named, each with the options that say more about one."""
    named = options.pop("endpoint")
    price = {name: options.pop(f"price_{name}") for name in ("input", "output", "cached", "batch")}
    names = ("model", "revision", "api", "key_env", "max_in_flight", "rpm", "tpm", "timeout_s", "family")
    more = {name: options.pop(name) for name in (*names, "licence", "terms")}
    found: list[Any] = []
    for one in named:
        if one.endswith((".yaml", ".yml", ".json")):
            found += thresher.generate.read_endpoints(one)
        else:
            found.append(thresher.generate.Endpoint(one, price=thresher.generate.Price(**price), **more))
    return found


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals:
            message = f"`{text}` is no NAME=VALUE"
            raise click.BadParameter(message, param_hint=option)
        found[name] = value
    return found


class _Table:
    """The progress: lines that stand still on a terminal, JSON every five seconds elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._lines = 0
        self._said_s = 0.0

    def __call__(self, status: Status) -> None:
        if self._is_terminal:
            lines = list(table(status))
            up = f"\x1b[{self._lines}F" if self._lines else ""
            sys.stderr.write(up + "".join(f"{line}\x1b[K\n" for line in lines))
            sys.stderr.flush()
            self._lines = len(lines)
        elif time.monotonic() - self._said_s >= _EVERY_S:
            self._said_s = time.monotonic()
            click.echo(json.dumps(status), err=True)


def table(status: Status) -> Sequence[str]:
    """The lines of the progress; always as many."""
    target = "" if status["target"] is None else f" of {status['target']:,}"
    acceptance = "" if status["acceptance"] is None else f", {status['acceptance']:.0%} of the candidates"
    eta = "" if status["eta_s"] is None else f", {status['eta_s']:,.0f} s to go"
    refused = status["retried"].get("rate_limited", 0)
    rejected = sorted(status["rejected"].items(), key=lambda pair: -pair[1])[:6]
    money = f", money {status['money']:,.4f}" if status["money"] else ""
    return [
        f"kept      {status['kept']:,}{target}{acceptance}{eta}",
        f"requests  {status['requests']:,} sent, {status['in_flight']:,} under way, {status['found']:,} from"
        f" the journal, {sum(status['retried'].values()):,} tried again ({refused:,} times 429)",
        f"tokens    {status['input_tokens']:,} in, {status['output_tokens']:,} out,"
        f" {status['tokens_per_s']:,.0f} a second{money}",
        "rejected  " + (", ".join(f"{reason} {count:,}" for reason, count in rejected) or "none"),
    ]
