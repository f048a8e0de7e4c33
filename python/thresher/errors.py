"""The exceptions of thresher.

Each one is also the builtin exception that people expect in its place::

    Exception
    └── ThresherError
        ├── ParameterError  (ValueError)    a parameter is outside its range
        ├── ColumnError     (TypeError)     what was given as texts or ranks is something else
        ├── DataError       (ValueError)    a file is not what its name says, or changed while it was read
        ├── FileError       (OSError)       the operating system refused a file operation
        ├── BusyError       (OSError)       another run writes to the same output
        └── InternalError   (RuntimeError)  a bug of ours; please report it

What a call cannot promise although nothing is wrong with it is a warning::

    UserWarning
    └── RecallWarning                       the recall that was asked for cannot be reached

Ctrl-C raises `KeyboardInterrupt`, as everywhere.
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "ColumnError",
    "DataError",
    "FileError",
    "InternalError",
    "ParameterError",
    "RecallWarning",
    "ThresherError",
]


class ThresherError(Exception):
    """Base of every exception that thresher raises."""


class ParameterError(ThresherError, ValueError):
    """A parameter is outside its range; the message names the value and what is allowed."""


class ColumnError(ThresherError, TypeError):
    """What was given as texts or ranks is something else; the message names the row or the type."""


class DataError(ThresherError, ValueError):
    """A file is not what its name says, changed while it was read, or has a bad record in a strict run."""


class _SystemError(ThresherError, OSError):
    """An `OSError` whose text is our message, which names the action and the path already."""

    def __str__(self) -> str:
        return str(self.strerror) if self.strerror else super().__str__()


class FileError(_SystemError):
    """The operating system refused a file operation; `errno` and `filename` say what and where."""


class BusyError(_SystemError):
    """Another run writes to the same output; `filename` is the output."""


class InternalError(ThresherError, RuntimeError):
    """A broken invariant: a bug of thresher. Please report it with the message."""


class RecallWarning(UserWarning):
    """The recall that was asked for cannot be reached; the message says which one can, and what to change."""
