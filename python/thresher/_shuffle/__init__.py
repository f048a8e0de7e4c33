"""Random orders: of numbers, computed where they are asked for, and of the rows of files.

The package has an underscore because its functions are called from the top: `thresher.shuffle_files` is one.
"""

from thresher._shuffle.files import shuffle_files
from thresher._shuffle.permutation import Permutation

__all__ = ["Permutation", "shuffle_files"]
