"""Training of tokenizers, on files and on texts in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from thresher import _core, _format, _params
from thresher._arrow import column
from thresher._parameters import checked, parameters
from thresher._runs import RunOptions, RunReport, over_files, run

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from thresher._runs import Paths
    from thresher._types import Texts

_END = ("<|endoftext|>",)


@over_files
def train(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    text: str = "text",
    vocab_size: int = 32_000,
    kind: str = "bpe",
    pattern: str = "o200k",
    digits: str = "pattern",
    special_tokens: str | Sequence[str] = _END,
    chat: str | None = None,
    reserved: int = 0,
    min_frequency: int = 2,
    max_token_length: int | None = None,
    limit_alphabet: int | None = None,
    by: str | None = None,
    glob: str | Sequence[str] | None = None,
    **options: Unpack[RunOptions],
) -> TrainReport:
    r"""Trains a tokenizer on files, and writes it as tokenizer.json.

    A byte-level BPE (`kind="bpe"`): every text is cut into pre-tokens by a published pattern, and the most
    frequent pair of neighbours becomes a token, again and again. The vocabulary is that of the
    `tokenizers` package for the same settings: of equally frequent pairs the one with the smaller ids is
    merged first. Text comes back byte for byte.

    A Unigram (`kind="unigram"`): pieces of words with probabilities, learned as SentencePiece does (Kudo
    2018). Line breaks are pieces of their own, and characters without a piece become bytes. `<unk>` gets id
    0 unless it is one of `special_tokens`. Text comes back, but U+2581 as a blank.

    The counts of different pre-tokens are all that is held, and the result is the same with any number of
    threads and any memory. A BPE takes about 12 bytes for each byte of different pre-tokens, a Unigram about
    30 and 200 MB; what does not fit in `memory` is refused with the figure. The inputs are read once. A run
    that is interrupted starts over. The GIL is released, and Ctrl-C stops the run.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders
            of such files or of documents, or `-` for JSONL on standard input.
        output: A folder for tokenizer.json, tokenizer_config.json and the report, which transformers loads;
            or a file whose name ends in `.json`, with the report beside it.
        text: Dotted path of the text field.
        vocab_size: Entries of the vocabulary: special tokens, 256 bytes, and what is learned.
        kind: `bpe` or `unigram`.
        pattern: How a text is cut into pre-tokens for a BPE, which no token crosses: `gpt2`, `cl100k` or
            `llama3` (the same), `qwen2` (that with single digits), or `o200k`, which keeps the marks of
            Hindi and others within their words.
        digits: What numbers are cut into: as the `pattern` says, single digits (`one`), or groups of up to
            `three`; for a Unigram `pattern`, which cuts none, or `one`.
        special_tokens: Special tokens; they get the first ids, in this order.
        chat: Chat format whose special tokens come behind these: `chatml`, `llama3`, `gemma`, `phi3` or
            `mistral`.
        reserved: How many special tokens to reserve for later: `<|reserved_0|>`, and so on.
        min_frequency: A pair that occurs less often is not merged; for a BPE.
        max_token_length: The most bytes of a token that is learned. Default: no bound.
        limit_alphabet: Characters that have a piece of their own, the most frequent ones; for a Unigram.
            Default: all that occur.
        by: Dotted path of a field, such as the language, by whose values the report counts bytes a token; at
            most 1,000 of them.
        glob: Patterns of the files of an input folder that are documents. Default: all files.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: A parameter is outside its range, there is no input or no text, no record has a
            field, or the different pre-tokens do not fit in `memory`.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "low lower lowest"}\n' * 9)
        >>> th.tokenizers.train(folder / "in.jsonl", folder / "tok", vocab_size=260)
        TrainReport(documents=9, kept=9, quarantined=0, vocab_size=260, bytes_per_token=2.00)
        >>> sorted(path.name for path in (folder / "tok").iterdir())
        ['report.html', 'run.json', 'tokenizer.json', 'tokenizer_config.json']
    """
    own = {
        "inputs": inputs,
        "output": output,
        "text": text,
        "vocab_size": vocab_size,
        "kind": kind,
        "pattern": pattern,
        "digits": digits,
        "special_tokens": special_tokens,
        "chat": chat,
        "reserved": reserved,
        "min_frequency": min_frequency,
        "max_token_length": max_token_length,
        "limit_alphabet": limit_alphabet,
        "by": by,
        "glob": glob,
    }
    return run(_core.runs.train, own, options, TrainReport, name="train")


def train_texts(
    texts: Texts,
    *,
    text: str | None = None,
    vocab_size: int = 32_000,
    kind: str = "bpe",
    pattern: str = "o200k",
    digits: str = "pattern",
    special_tokens: str | Sequence[str] = _END,
    chat: str | None = None,
    reserved: int = 0,
    min_frequency: int = 2,
    max_token_length: int | None = None,
    limit_alphabet: int | None = None,
    threads: int | None = None,
) -> TrainedTokenizer:
    """Trains a tokenizer on texts in memory; see `train` for what is learned.

    Args:
        texts: A list of str (None: missing), or an Arrow column of strings of any library, read in place.
            With `text`: a table, a frame, a list of dicts, a mapping of columns, or a Hugging Face `Dataset`.
        text: The column of `texts` to look at, if that is a table.
        vocab_size: Entries of the vocabulary: special tokens, 256 bytes, and what is learned.
        kind: `bpe` or `unigram`; see `train`.
        pattern: How a text is cut into pre-tokens; see `train`.
        digits: What numbers are cut into; see `train`.
        special_tokens: Special tokens; they get the first ids, in this order.
        chat: Chat format whose special tokens come behind these; see `train`.
        reserved: How many special tokens to reserve for later.
        min_frequency: A pair that occurs less often is not merged; for a BPE.
        max_token_length: The most bytes of a token that is learned. Default: no bound.
        limit_alphabet: Characters that have a piece of their own; see `train`.
        threads: Threads to use. Default: as many as the process may use.

    Returns:
        The tokenizer as JSON, and figures of its vocabulary.

    Raises:
        ParameterError: A parameter is outside its range, or there is no text.
        ColumnError: `texts` is not text, or there is no such column.

    Example:
        >>> import thresher as th
        >>> th.tokenizers.train_texts(["low lower lowest"] * 9, vocab_size=260)
        TrainedTokenizer(vocab_size=260, bytes_per_token=2.00)
    """
    given = {
        "vocab_size": vocab_size,
        "kind": kind,
        "pattern": pattern,
        "digits": digits,
        "special_tokens": special_tokens,
        "chat": chat,
        "reserved": reserved,
        "min_frequency": min_frequency,
        "max_token_length": max_token_length,
        "limit_alphabet": limit_alphabet,
    }
    step = checked(parameters("train"), given)
    threads = _params.optional_whole("threads", threads)
    tokenizer, figures = _core.tokenizers.train(column(texts, text), json.dumps(step), threads)
    return TrainedTokenizer(tokenizer, json.loads(figures))


@dataclass(frozen=True)
class TrainedTokenizer:
    """A tokenizer in memory.

    Attributes:
        json: The tokenizer.json; `tokenizers.Tokenizer.from_str` loads it.
        report: Figures of the vocabulary over the texts: `vocab_size`, `merges`, `words`, `bytes`,
            `tokens`, `bytes_per_token`, `unused_bytes`, `unused_tokens`, `unused`, `longest`,
            `most_frequent`.
    """

    json: str = field(repr=False)
    report: Mapping[str, Any] = field(repr=False)

    @property
    def vocab_size(self) -> int:
        """Entries of the vocabulary."""
        return int(self.report["vocab_size"])

    @property
    def bytes_per_token(self) -> float:
        """Bytes of a token, on average over the texts."""
        return float(self.report["bytes_per_token"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the tokenizer.json to `path`, replacing what is there.

        Raises:
            FileError: The operating system refused.
        """
        Path(path).write_text(self.json, "utf-8")

    def __repr__(self) -> str:
        """Its size and how far it goes."""
        return f"TrainedTokenizer(vocab_size={self.vocab_size}, bytes_per_token={self.bytes_per_token:.2f})"


@dataclass(frozen=True, repr=False)
class TrainReport(RunReport):
    """What a training read and learned.

    Attributes:
        report: Everything, as it stands in `run.json`: beside what each run has, `vocabulary` (its figures
            over all texts), `sources` and `by` (how well it fits each source, and each value of the field
            `by`), `encoder` (what encodes with it).
    """

    @property
    def vocab_size(self) -> int:
        """Entries of the vocabulary."""
        return int(self.report["vocabulary"]["vocab_size"])

    @property
    def bytes_per_token(self) -> float:
        """Bytes of a token, on average over all texts."""
        return float(self.report["vocabulary"]["bytes_per_token"])

    @property
    def unused_tokens(self) -> list[str]:
        """Tokens that no text ends up with, since they were only steps to longer ones; the first twenty."""
        return [str(token) for token in self.report["vocabulary"]["unused"]]

    @property
    def longest_tokens(self) -> list[str]:
        """The longest tokens, the longest first; the first twenty."""
        return [str(token["text"]) for token in self.report["vocabulary"]["longest"]]

    @property
    def fit(self) -> dict[str, float]:
        """Bytes of a token in each source and each value of `by`, over samples of 256 KiB."""
        groups = [*self.report["sources"], *self.report["by"]]
        return {str(group["name"]): float(group["bytes_per_token"]) for group in groups}

    def __repr__(self) -> str:
        """The counts that matter."""
        return (
            f"TrainReport(documents={self.documents}, kept={self.kept}, quarantined={self.quarantined}, "
            f"vocab_size={self.vocab_size}, bytes_per_token={self.bytes_per_token:.2f})"
        )

    def __str__(self) -> str:
        """The vocabulary, how well it fits what, and the accounting line."""
        figures = self.report["vocabulary"]
        names = ("vocab_size", "merges", "words", "unused_tokens", "unused_bytes")
        size, merges, words, tokens, n_bytes = (_format.count(figures[name]) for name in names)
        lines = [
            f"vocabulary of {size}: {merges} merges from {words} different pre-tokens; "
            f"{figures['bytes_per_token']:.2f} bytes a token",
            f"unused: {tokens} tokens, {n_bytes} bytes",
        ]
        for title, groups in (("source", self.report["sources"]), ("by value", self.report["by"])):
            shown = [f"{group['name']} {group['bytes_per_token']:.2f}" for group in groups[:10]]
            if len(groups) > 1 or title != "source":
                more = f" and {len(groups) - 10} more" if len(groups) > 10 else ""
                lines += [f"bytes a token by {title}: {', '.join(shown)}{more}"] if shown else []
        return "\n".join([*lines, super().__str__()])
