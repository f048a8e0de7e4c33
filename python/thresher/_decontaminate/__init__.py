"""Contamination: documents that hold items of benchmarks, dropped or cut, with what each of them holds.

The package has an underscore because its functions are called from the top: `thresher.decontaminate` is one.
"""

from thresher._decontaminate.files import DecontaminateReport, decontaminate_files
from thresher._decontaminate.found import BenchmarkFound
from thresher._decontaminate.texts import DecontaminateResult, decontaminate

__all__ = [
    "BenchmarkFound",
    "DecontaminateReport",
    "DecontaminateResult",
    "decontaminate",
    "decontaminate_files",
]
