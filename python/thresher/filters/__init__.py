"""What is known of a text, and whether it may stay.

>>> import thresher as th
>>> found = th.filters.detect_language(["Good morning, everyone.", "Guten Morgen, alle miteinander."])
>>> found["language"].to_pylist()
['en', 'de']
"""

from thresher.filters.catalogue import Preset, Rule, Signal, presets, rules, signal_list
from thresher.filters.files import FilterReport, filter_files
from thresher.filters.language import LanguageDetector, LanguageReport, detect_language, language_files
from thresher.filters.pii import PiiReport, PiiResult, find_pii, pii_files, redact_pii
from thresher.filters.quality import (
    Classifier,
    QualityReport,
    TrainedClassifier,
    quality,
    quality_files,
    train_quality,
)
from thresher.filters.texts import FilterResult, RuleCount, apply, signals
from thresher.filters.what_if import RuleChange, RuleTally, WhatIf, what_if

__all__ = [
    "Classifier",
    "FilterReport",
    "FilterResult",
    "LanguageDetector",
    "LanguageReport",
    "PiiReport",
    "PiiResult",
    "Preset",
    "QualityReport",
    "Rule",
    "RuleChange",
    "RuleCount",
    "RuleTally",
    "Signal",
    "TrainedClassifier",
    "WhatIf",
    "apply",
    "detect_language",
    "filter_files",
    "find_pii",
    "language_files",
    "pii_files",
    "presets",
    "quality",
    "quality_files",
    "redact_pii",
    "rules",
    "signal_list",
    "signals",
    "train_quality",
    "what_if",
]
