"""Near-duplicates: signatures, the search among texts in memory, and the same over files.

The package has an underscore because its functions are called from the top: `thresher.dedup` is one of them.
"""

from thresher._dedup.files import dedup_files
from thresher._dedup.minhash import minhash
from thresher._dedup.result import DedupReport, DedupResult, Summary
from thresher._dedup.texts import dedup

__all__ = ["DedupReport", "DedupResult", "Summary", "dedup", "dedup_files", "minhash"]
