"""Texts as ids of tokens, and files of tokens."""

from collections.abc import Callable
from typing import final

from thresher._core import ArrowArray
from thresher._types import Progress, Texts

__all__ = ["Tokenizer", "info", "merge"]

@final
class Tokenizer:
    """A tokenizer.json, loaded; see `thresher.tokens.Tokenizer`."""

    def __new__(cls, path: str) -> Tokenizer: ...
    @property
    def vocab_size(self) -> int:
        """One more than the highest id, added tokens included."""

    @property
    def encoder(self) -> str:
        """What encodes, and why it is not an encoder of thresher."""

    def id_of(self, token: str) -> int | None:
        """The id of a token."""

    def encode(
        self,
        texts: Texts,
        *,
        add_special_tokens: bool,
        special_in_text: bool,
        bos: str | None,
        eos: str | None,
        offsets: bool,
        threads: int | None,
    ) -> tuple[ArrowArray, ArrowArray | None]:
        """Ids of texts, and with `offsets` the bytes that they stand for.

        Raises:
            ParameterError: There is no such token, or there are more tokens than one column holds.
            ColumnError: `texts` is not text.
            KeyboardInterrupt: Ctrl-C.
        """

def info(path: str, check: bool) -> tuple[str, str, int, int, int]:
    """The `.bin` of a token file, its type, sequences, documents and tokens; with `check` after a full check.

    Raises:
        DataError: It is not what the layout says.
        FileError: The operating system refused a file operation.
    """

def merge(config_json: str, progress: Callable[[Progress], object] | None) -> str:
    """Token files as one: `inputs`, `output` and `overwrite` as a JSON object; the report, as JSON.

    Raises:
        ParameterError: There is no input, or the output is there already or is an input.
        DataError: An input is not what its index says.
        FileError: The operating system refused a file operation.
        KeyboardInterrupt: Ctrl-C.
    """
