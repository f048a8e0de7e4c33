"""Packing: plans for lengths, sequences in memory, and the same over files.

The package has an underscore because its functions are called from the top: `thresher.pack` is one of them.
"""

from thresher._pack.files import PackReport, pack_files
from thresher._pack.pack import pack
from thresher._pack.plan import PackAccounts, PackPlan

__all__ = ["PackAccounts", "PackPlan", "PackReport", "pack", "pack_files"]
