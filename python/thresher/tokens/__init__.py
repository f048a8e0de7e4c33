"""From text to ids of tokens, and files of tokens: what `th.tokenize` and `th.tokenize_files` are made of."""

from thresher.tokens.files import TokenizeReport, tokenize_files
from thresher.tokens.merging import TokenFile, check, merge
from thresher.tokens.texts import Tokenizer, tokenize

__all__ = ["TokenFile", "TokenizeReport", "Tokenizer", "check", "merge", "tokenize", "tokenize_files"]
