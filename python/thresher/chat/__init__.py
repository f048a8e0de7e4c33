"""Chat formats: convert rows from one to another, without silent loss.

>>> import thresher as th
>>> th.chat.convert([{"instruction": "Say yes.", "output": "Yes."}], to="sharegpt").rows[0]["conversations"]
[{'from': 'human', 'value': 'Say yes.'}, {'from': 'gpt', 'value': 'Yes.'}]
"""

from thresher.chat.convert import (
    Converted,
    ConvertReport,
    FileLoss,
    Loss,
    RowError,
    convert,
    convert_files,
    formats,
)
from thresher.chat.render import Rendered, mask_tokens, render

__all__ = [
    "ConvertReport",
    "Converted",
    "FileLoss",
    "Loss",
    "Rendered",
    "RowError",
    "convert",
    "convert_files",
    "formats",
    "mask_tokens",
    "render",
]
