"""A random order of numbers that is computed, not stored."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Self, overload

from thresher import _core, _params
from thresher._arrow import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

_MOST = 2**64 - 1
_STEP = 1 << 16
"""Numbers that are computed at once in an iteration."""


class Permutation:
    """A random order of the numbers below `n`, of which any part is computed where it is asked for.

    `order[k]` is the number at place k, and `order.inverse[i]` the place of number i. Nothing is stored, so
    an order of 10^12 rows takes as little as one of ten: a training run keeps `n`, the seed and the epoch,
    and can begin anywhere. The order of `shuffle_files` is this one, for the number of its rows.

    The order is a keyed Feistel network over two ranges with cycle walking (Black, Rogaway 2002): every
    number occurs once, and every order of few numbers is equally likely. It spreads and does not hide: do not
    use it to keep a secret. The same `n`, seed and epoch are the same order on every machine and in every
    version.

    Args:
        n: How many numbers there are, 0 to 2^64 - 1.
        seed: Names the order, 0 to 2^64 - 1.
        epoch: Number of the epoch, 0 to 2^64 - 1: another epoch is another order of the same seed.

    Raises:
        ParameterError: A parameter is outside its range.

    Example:
        >>> import thresher as th
        >>> order = th.Permutation(10, seed=1)
        >>> sorted(order[:]) == list(range(10)), order.inverse[order[3]]
        (True, 3)
        >>> th.Permutation(10**12)[999_999_999_999] < 10**12
        True
    """

    __slots__ = ("_core", "_is_inverse", "epoch", "n", "seed")

    def __init__(self, n: int, seed: int = 0, epoch: int = 0) -> None:
        self.n = _params.whole("n", n, 0, _MOST)
        self.seed = _params.whole("seed", seed, 0, _MOST)
        self.epoch = _params.whole("epoch", epoch, 0, _MOST)
        self._core = _core.shuffle.Permutation(self.n, self.seed, self.epoch)
        self._is_inverse = False

    @property
    def inverse(self) -> Self:
        """The order that leads back: `order.inverse[order[k]] == k`."""
        other = type(self)(self.n, self.seed, self.epoch)
        other._is_inverse = not self._is_inverse
        return other

    def __len__(self) -> int:
        """How many numbers there are; `n` says so where a length cannot, from 2^63 on."""
        return self.n

    @overload
    def __getitem__(self, places: int) -> int: ...

    @overload
    def __getitem__(self, places: slice | range) -> np.ndarray[Any, np.dtype[np.uint64]]: ...

    def __getitem__(self, places: int | slice | range) -> int | np.ndarray[Any, np.dtype[np.uint64]]:
        """The number at a place, or those at several.

        Args:
            places: A place, counted from the end if it is negative; or a slice or a range of places, which
                gives a numpy array of `uint64`: 8 bytes a number.

        Raises:
            IndexError: There is no such place.
            TypeError: `places` is neither a whole number nor a slice nor a range.
        """
        if isinstance(places, slice):
            places = range(self.n)[places]
        if isinstance(places, range):
            if len(places) and not (0 <= places[0] < self.n and 0 <= places[-1] < self.n):
                message = f"places `{places}` are not all below {self.n:,}"
                raise IndexError(message)
            found = self._core.at(places.start, places.step, len(places), self._is_inverse)
            array: np.ndarray[Any, np.dtype[np.uint64]] = wrap(found).to_numpy()
            return array
        place = operator.index(places)
        if not -self.n <= place < self.n:
            message = f"place `{place}` is not below {self.n:,}"
            raise IndexError(message)
        return self._core.one(place % self.n, self._is_inverse)

    def __iter__(self) -> Iterator[int]:
        """All numbers in order, some thousands at a time."""
        for start in range(0, self.n, _STEP):
            yield from self[start : start + _STEP].tolist()

    def __repr__(self) -> str:
        """What makes the same order again."""
        made = f"Permutation({self.n}, seed={self.seed}, epoch={self.epoch})"
        return f"{made}.inverse" if self._is_inverse else made
