"""Chat data: convert rows without silent loss, say what is wrong with them, and render them for a model.

>>> import thresher as th
>>> th.chat.convert([{"instruction": "Say yes.", "output": "Yes."}], to="sharegpt").rows[0]["conversations"]
[{'from': 'human', 'value': 'Say yes.'}, {'from': 'gpt', 'value': 'Yes.'}]
"""

from thresher.chat.conversation import ABSENT, Call, Conversation, Ending, Message, ReadRows, read
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
from thresher.chat.render import Rendered, RenderReport, mask_tokens, render, render_files
from thresher.chat.stream import ConvertStream, convert_stream
from thresher.chat.validate import (
    Check,
    CodeCount,
    Problem,
    Validated,
    ValidateReport,
    checks,
    targets,
    validate,
    validate_files,
)

__all__ = [
    "ABSENT",
    "ArgumentForm",
    "Call",
    "Check",
    "CodeCount",
    "Conversation",
    "ConvertReport",
    "ConvertStream",
    "Converted",
    "Ending",
    "FileLoss",
    "Loss",
    "Message",
    "Mismatch",
    "PartDifference",
    "Probe",
    "Problem",
    "ReadRows",
    "RenderReport",
    "Rendered",
    "RowDifference",
    "RowError",
    "SideError",
    "ValidateReport",
    "Validated",
    "check_mismatch",
    "checks",
    "convert",
    "convert_files",
    "convert_stream",
    "detect_template",
    "formats",
    "mask_tokens",
    "probe",
    "read",
    "render",
    "render_files",
    "targets",
    "validate",
    "validate_files",
]
