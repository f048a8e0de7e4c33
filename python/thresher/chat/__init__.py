"""Chat formats: convert rows from one to another, without silent loss, and render them as a model sees them.

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
from thresher.chat.fit import (
    ArgumentForm,
    Mismatch,
    PartDifference,
    Probe,
    RowDifference,
    SideError,
    check_mismatch,
    detect_template,
    probe,
)
from thresher.chat.render import Rendered, mask_tokens, render

__all__ = [
    "ArgumentForm",
    "ConvertReport",
    "Converted",
    "FileLoss",
    "Loss",
    "Mismatch",
    "PartDifference",
    "Probe",
    "Rendered",
    "RowDifference",
    "RowError",
    "SideError",
    "check_mismatch",
    "convert",
    "convert_files",
    "detect_template",
    "formats",
    "mask_tokens",
    "probe",
    "render",
]
