"""Random orders of numbers."""

from typing import final

from thresher._core import ArrowArray

__all__ = ["Permutation"]

@final
class Permutation:
    """A random order of the numbers below `n`."""

    def __new__(cls, n: int, seed: int, epoch: int) -> Permutation:
        """The order of `n` numbers for a seed and an epoch.

        Args:
            n: How many numbers there are.
            seed: Names the order.
            epoch: Another one is another order.
        """

    def one(self, place: int, inverse: bool) -> int:
        """The number at a place.

        Args:
            place: The place; below `n`.
            inverse: The place of a number instead.

        Raises:
            ParameterError: There is no such place.
        """

    def at(self, start: int, step: int, count: int, inverse: bool) -> ArrowArray:
        """The numbers at `count` places.

        Args:
            start: The first place.
            step: From each place to the next.
            count: How many places; all of them are below `n`.
            inverse: The places of numbers instead.

        Returns:
            `uint64`, one a place.

        Raises:
            ParameterError: There is no such place.
            KeyboardInterrupt: Ctrl-C, for more than 100,000 places; the GIL is released meanwhile.
        """
