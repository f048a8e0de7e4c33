"""Personal data and secrets: where they stand in texts, and what takes their place."""

from thresher.filters.pii.files import PiiReport, pii_files
from thresher.filters.pii.texts import Action, PiiResult, Type, find_pii, redact_pii

__all__ = ["Action", "PiiReport", "PiiResult", "Type", "find_pii", "pii_files", "redact_pii"]
