"""Tokenizers."""

from thresher._types import Texts

__all__ = ["train"]

def train(texts: Texts, config_json: str, threads: int | None) -> tuple[str, str]:
    """A tokenizer trained on texts in memory.

    Args:
        texts: The texts; a missing one has no words.
        config_json: The parameters of a training, as a JSON object.
        threads: Threads to use; all that the process may use if None.

    Returns:
        The tokenizer.json, and the figures of its vocabulary, as JSON.

    Raises:
        ParameterError: A parameter is outside its range, or there is no text.
        ColumnError: `texts` is not text.
        KeyboardInterrupt: Ctrl-C.
    """
