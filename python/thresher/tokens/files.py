"""Texts of files as ids of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

from thresher import _core, _format
from thresher._runs import RunOptions, RunReport, over_files, run
from thresher.chat.render import origin

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from thresher._runs import Paths
    from thresher.chat.render import Template

Format: TypeAlias = Literal["auto", "parquet", "arrow", "jsonl", "megatron", "npy"]
Dtype: TypeAlias = Literal["auto", "uint16", "uint32", "int32", "int64"]


@dataclass(frozen=True, repr=False)
class TokenizeReport(RunReport):
    """What `tokenize_files` did, as `run.json` holds it in `report`."""

    @property
    def tokens(self) -> int:
        """Tokens written."""
        return int(self.report["tokens"]["tokens"])

    @property
    def empty(self) -> int:
        """Documents of no token."""
        return int(self.report["tokens"]["empty"])

    @property
    def encoder(self) -> str:
        """What encoded, and why it was the crate `tokenizers` if it was no encoder of thresher."""
        return str(self.report["tokenizer"]["encoder"])

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text a token stands for; 0 if there is none."""
        return float(self.report["tokens"]["text_bytes"]) / self.tokens if self.tokens else 0.0

    def __repr__(self) -> str:
        """The counts."""
        return f"TokenizeReport(documents={self.kept}, tokens={self.tokens}, quarantined={self.quarantined})"

    def __str__(self) -> str:
        """The tokens, and the books."""
        rate = f"{self.bytes_per_token:.2f} bytes a token, longest {self.report['tokens']['longest']:,}"
        return f"{_format.count(self.tokens)} tokens ({rate}) by {self.encoder}\n{super().__str__()}"


@over_files
def tokenize_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    tokenizer: str | os.PathLike[str],
    text: str = "text",
    id: str | None = None,
    add_special_tokens: bool = False,
    bos: str | None = None,
    eos: str | None = None,
    special_in_text: bool = False,
    offsets: bool = False,
    keep_columns: bool = False,
    format: Format = "auto",
    dtype: Dtype = "auto",
    template: Template | None = None,
    name: str | None = None,
    from_format: str | Mapping[str, Any] | None = None,
    **options: Unpack[RunOptions],
) -> TokenizeReport:
    r"""Turns the texts of files into ids of tokens, the same that the crate `tokenizers` gives.

    Each document becomes a row of `document` (its id), `input_ids` (`list<uint32>`) and `length` (`uint32`),
    in one pass that streams: ids go from the encoder to the output as Arrow buffers. With `keep_columns` the
    columns stand beside all others instead, which takes a second pass. A record without a text goes to
    quarantine; an empty text is a row of no ids. After an interrupt, a kill or a full disk the same call goes
    on behind what was done, and the bytes do not depend on threads, memory or interruptions.

    With `format="megatron"` there are `NAME.bin` and `NAME.idx` for each input, each document a sequence, as
    Megatron-LM reads them; with `npy` shards `NAME-00000.npy`, ... of 256 MiB, and `NAME.documents.npy`, the
    places where documents begin, one more than there are documents.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders,
            or `-` for JSONL on standard input. A folder may hold documents, one a file.
        output: A folder for the data and the evidence; a data file (`.parquet`, `.arrow`, `.jsonl`) with the
            evidence beside it; or `-` for JSONL on standard output.
        tokenizer: A tokenizer.json, or a folder that holds one.
        text: Dotted path of the text field.
        id: Dotted path of the id field. Default: a document is named `file:row`.
        add_special_tokens: Put the special tokens of the tokenizer around each text, as its file says.
        bos: A token before each text, as `<s>`.
        eos: A token behind each text, as `</s>`.
        special_in_text: Text that spells a special token is that token. Default: it is text, so no document
            can end itself.
        offsets: Write `offsets` too: start and end of each token in bytes of its text, 0 and 0 for a token
            that is not in it.
        keep_columns: Write the other columns too, in the format of the inputs.
        format: What is written; `auto` is what the name of the output says, else `parquet`.
        dtype: What `megatron` and `npy` store ids as. `auto` is the narrowest type that holds the vocabulary
            with its added tokens; of Megatron-LM `uint16` below 65,500 ids, else `int32`.
        template: For chat rows, the template that makes a text of each; see `th.chat.render`. The special
            tokens that it writes are those, also where a message spells them, and `assistant_masks`
            (`list<uint8>`) says which tokens the model is to learn.
        name: Which template, if a configuration has several.
        from_format: The format of chat rows, or a mapping of fields. Default: found out from the first rows.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: The tokenizer or the template cannot be used, the vocabulary does not fit in `dtype`,
            a parameter is wrong, no record has a field, or there is no input.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import json, pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
        >>> tokenizer = {"version": "1.0", "added_tokens": [], "model": model}
        >>> _ = (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        >>> _ = (folder / "in.jsonl").write_text('{"text": "abba"}\n')
        >>> out = folder / "out.jsonl"
        >>> th.tokenize_files(folder / "in.jsonl", out, tokenizer=folder / "tokenizer.json")
        TokenizeReport(documents=1, tokens=3, quarantined=0)
        >>> out.read_text()
        '{"document":"in.jsonl:0","input_ids":[2,1,0],"length":3}\n'
    """
    own = {
        "inputs": inputs,
        "output": output,
        "tokenizer": tokenizer,
        "text": text,
        "id": id,
        "add_special_tokens": add_special_tokens,
        "bos": bos,
        "eos": eos,
        "special_in_text": special_in_text,
        "offsets": offsets,
        "keep_columns": keep_columns,
        "format": format,
        "dtype": dtype,
        "template": None if template is None else origin(template, name),
        "name": name,
        "from_format": from_format,
    }
    return run(_core.runs.tokenize, own, options, TokenizeReport)
