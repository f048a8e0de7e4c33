"""The native half of thresher. Private: use the functions of `thresher`."""

from typing import Any, final

from thresher._core import chat, dedup, filter, generate, results, runs, shuffle, tokens

__all__ = [
    "ArrowArray",
    "available_threads",
    "chat",
    "dedup",
    "filter",
    "generate",
    "instruction_set",
    "machine",
    "results",
    "runs",
    "scheme_version",
    "shuffle",
    "tokens",
    "version",
]

@final
class ArrowArray:
    """An Arrow array that pyarrow, polars and others take over without a copy: `pyarrow.array(this)`."""

    def __arrow_c_schema__(self) -> Any:  # noqa: ANN401 - capsules have no type
        """A capsule with the type of the array."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:  # noqa: ANN401
        """Capsules with the type and the data.

        A wish for another type is left to the consumer, as the protocol allows.
        """

    def __len__(self) -> int: ...

def version() -> str:
    """Version of thresher."""

def scheme_version() -> int:
    """Version of the hash scheme: signatures of one version compare with each other, and with no others."""

def instruction_set() -> str:
    """Name of the kernels that this processor runs; the results do not depend on it."""

def available_threads() -> int:
    """Threads that this process may use, by affinity and by quota of its control group."""

def machine() -> str:
    """What the machine and its control group allow: memory, processors and open files, as JSON."""
