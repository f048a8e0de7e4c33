"""Chat data: convert rows between formats without silent loss, and say everything that is wrong with them.

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
from thresher.chat.stream import ConvertStream, convert_stream
from thresher.chat.validate import (
    Check,
    CodeCount,
    Problem,
    ValidateReport,
    ValidationReport,
    checks,
    targets,
    validate,
    validate_files,
)

__all__ = [
    "Check",
    "CodeCount",
    "ConvertReport",
    "ConvertStream",
    "Converted",
    "FileLoss",
    "Loss",
    "Problem",
    "RowError",
    "ValidateReport",
    "ValidationReport",
    "checks",
    "convert",
    "convert_files",
    "convert_stream",
    "formats",
    "targets",
    "validate",
    "validate_files",
]
