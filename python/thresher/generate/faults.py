"""What can go wrong with a request, by what follows: try again, give the row up, or end the run."""

from __future__ import annotations

import email.utils
import errno
import time

from thresher.errors import FileError, ThresherError
from thresher.generate.request import Failure

__all__ = ["EndpointError", "Final", "Stopped", "Transient", "retry_after_s"]


class EndpointError(FileError):
    """An endpoint cannot be used: no key, no quota, no such model, or no answer at all.

    What was answered is in the journal; the same call goes on behind it.
    """

    def __init__(self, message: str, url: str) -> None:
        super().__init__(errno.EIO, message, url)


class Stopped(ThresherError):
    """A run ends before its target: by a budget, by the user, or since nothing new comes.

    Attributes:
        reason: `budget`, `interrupted`, `stalled`, or `batch` if others are to answer a batch in files.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Transient(Exception):
    """A request that failed and may succeed later.

    Attributes:
        kind: `rate_limited`, `server_error`, `timeout`, `unreachable`, `connection`, `broken_body`,
            `garbage`, `error_body`, `no_choices` or `empty`.
        detail: What was seen.
        wait_s: Seconds that the server asks to wait; None if it does not say.
    """

    def __init__(self, kind: str, detail: str, wait_s: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail, self.wait_s = kind, detail, wait_s


class Final(Exception):
    """A request that has no answer, whenever it is sent.

    Attributes:
        failure: Why.
        detail: What the server said.
        parameter: The parameter that the server refused, if it names one.
    """

    def __init__(self, failure: Failure, detail: str, parameter: str | None = None) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure, self.detail, self.parameter = failure, detail, parameter


def retry_after_s(value: str | None) -> float | None:
    """Seconds of a `Retry-After` header: a number, or a date (RFC 9110, 10.2.3).

    >>> retry_after_s("1.5"), retry_after_s("soon"), retry_after_s(None)
    (1.5, None, None)
    """
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
