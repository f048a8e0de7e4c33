"""What is known of a text, and whether it may stay.

>>> import thresher as th
>>> found = th.filters.detect_language(["Good morning, everyone.", "Guten Morgen, alle miteinander."])
>>> found["language"].to_pylist()
['en', 'de']
"""

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

__all__ = [
    "Classifier",
    "LanguageDetector",
    "LanguageReport",
    "PiiReport",
    "PiiResult",
    "QualityReport",
    "TrainedClassifier",
    "detect_language",
    "find_pii",
    "language_files",
    "pii_files",
    "quality",
    "quality_files",
    "redact_pii",
    "train_quality",
]
