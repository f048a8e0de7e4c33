"""Personal data and secrets in the texts of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from thresher import _core, _format
from thresher._runs import RunOptions, RunReport, over_files, run

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from thresher._runs import Paths
    from thresher.filters.pii.texts import Action, Type


@dataclass(frozen=True, repr=False)
class PiiReport(RunReport):
    """What `pii_files` did, as `run.json` holds it in `report`."""

    @property
    def found(self) -> dict[str, int]:
        """How often each type was found; types that were not found are left out."""
        return {name: int(count) for name, count in self.report["found"]["spans"].items()}

    @property
    def documents_with_pii(self) -> int:
        """Documents in which something was found."""
        return int(self.report["found"]["documents"])

    def __repr__(self) -> str:
        """The counts."""
        return f"PiiReport(documents={self.documents}, kept={self.kept}, found={self.found})"

    def __str__(self) -> str:
        """What was found, and the books."""
        spans = ", ".join(f"{name} {_format.count(count)}" for name, count in self.found.items()) or "nothing"
        return f"found: {spans}, in {_format.count(self.documents_with_pii)} documents\n{super().__str__()}"


@over_files
def pii_files(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    text: str = "text",
    id: str | None = None,
    types: Type | Sequence[Type] = (),
    action: Action = "redact",
    tag: str = "<{type}>",
    key_env: str | None = None,
    reserved: bool = False,
    **options: Unpack[RunOptions],
) -> PiiReport:
    r"""Writes tags or pseudonyms in the place of personal data in the texts of files, or drops the documents.

    Every byte of a row beside the edited text stays as it is. What was found is counted by type, in the
    report and in `run.json`; the values stand in no report, in no evidence and in no message, and neither
    does the key. After an interrupt, a kill or a full disk the same call goes on behind what was done, and
    another key is refused.

    Args:
        inputs: Files (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.json`, `.parquet`, `.arrow`), patterns, folders,
            or `-` for JSONL on standard input. A folder may hold documents, one a file.
        output: A folder for the data and the evidence; a data file with the evidence beside it; or `-` for
            the data on standard output.
        text: Dotted path of the text field.
        id: Dotted path of the id field. Default: a document is named `file:row`.
        types: Types to look for, as for `th.filters.find_pii`. Default: all.
        action: `redact` writes `tag`, `pseudonym` a pseudonym under the key, and `drop` removes the document;
            its reasons in `removed.parquet` are the types that were found.
        tag: What `redact` writes; `{type}` is the type in capitals.
        key_env: The variable of the environment that holds the key of pseudonyms, of 16 bytes or more.
        reserved: Look for what is reserved for documentation too, as addresses at example.com.

    Returns:
        The report that `run.json` holds.

    Raises:
        ParameterError: The key is missing, too short, or not needed, a parameter is wrong, no record has a
            field, or there is no input.
        DataError: A bad record in a strict run, more of them than `max_quarantine`, or a file that changed
            while it was read.
        FileError: The operating system refused a file operation.
        BusyError: Another run writes to the same output.

    Example:
        >>> import pathlib, tempfile, thresher as th
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "in.jsonl").write_text('{"text": "Mail ada@lovelace.org", "n": 1}\n')
        >>> out = folder / "out.jsonl"
        >>> th.pii_files(folder / "in.jsonl", out)
        PiiReport(documents=1, kept=1, found={'email': 1})
        >>> out.read_text()
        '{"text": "Mail <EMAIL>", "n": 1}\n'
    """
    own = {
        "inputs": inputs,
        "output": output,
        "text": text,
        "id": id,
        "types": types,
        "action": action,
        "tag": tag,
        "key_env": key_env,
        "reserved": reserved,
    }
    return run(_core.runs.pii, own, options, PiiReport)
