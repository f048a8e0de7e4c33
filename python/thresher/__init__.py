"""Clean training data on one machine: duplicates out of text, data made with models, chat data in any format.

>>> import thresher as th
>>> r = th.dedup(["to be or not to be, that", "To be or not to be - that!", "something else"])
>>> r.keep.to_pylist(), r.duplicate_of.to_pylist()
([True, False, True], [None, 0, None])
"""

from thresher import chat, filters, generate, tokenizers, tokens
from thresher._core import version as _version
from thresher._decontaminate import (
    BenchmarkFound,
    DecontaminateReport,
    DecontaminateResult,
    decontaminate,
    decontaminate_files,
)
from thresher._dedup import DedupReport, DedupResult, Summary, dedup, dedup_files, minhash
from thresher._explain import explain
from thresher._mix import MixReport, mix_files
from thresher._pack import PackAccounts, PackPlan, PackReport, pack, pack_files
from thresher._pipeline import Pipeline, PipelineReport
from thresher._runs import RunOptions, RunReport
from thresher._shuffle import Permutation, shuffle_files
from thresher.errors import (
    BusyError,
    ColumnError,
    DataError,
    FileError,
    InternalError,
    ParameterError,
    RecallWarning,
    ThresherError,
)
from thresher.estimate import Estimate, plan
from thresher.explanation import Explanation
from thresher.filters import FilterReport, FilterResult, PiiReport, WhatIf, filter_files, pii_files, what_if
from thresher.results import FileCheck, VerifyReport, verify
from thresher.tokens import TokenizeReport, tokenize, tokenize_files

__version__ = _version()

__all__ = [
    "BenchmarkFound",
    "BusyError",
    "ColumnError",
    "DataError",
    "DecontaminateReport",
    "DecontaminateResult",
    "DedupReport",
    "DedupResult",
    "Estimate",
    "Explanation",
    "FileCheck",
    "FileError",
    "FilterReport",
    "FilterResult",
    "InternalError",
    "MixReport",
    "PackAccounts",
    "PackPlan",
    "PackReport",
    "ParameterError",
    "Permutation",
    "PiiReport",
    "Pipeline",
    "PipelineReport",
    "RecallWarning",
    "RunOptions",
    "RunReport",
    "Summary",
    "ThresherError",
    "TokenizeReport",
    "VerifyReport",
    "WhatIf",
    "__version__",
    "chat",
    "decontaminate",
    "decontaminate_files",
    "dedup",
    "dedup_files",
    "explain",
    "filter_files",
    "filters",
    "generate",
    "minhash",
    "mix_files",
    "pack",
    "pack_files",
    "pii_files",
    "plan",
    "shuffle_files",
    "tokenize",
    "tokenize_files",
    "tokenizers",
    "tokens",
    "verify",
    "what_if",
]
