"""A model in this process: a llama.cpp server on any GGUF, so a recipe needs no key and no other server.

Needs the extra `local` (xllamacpp). The server listens on the loopback only, on a free port, and ends with
the run. The model is known by the SHA-256 of its file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thresher.errors import FileError, ParameterError

if TYPE_CHECKING:
    from thresher.generate.endpoint import Endpoint

PREFIX = "local:"
CONTEXT = 4096
"""Tokens of question and answer together, unless the endpoint says otherwise."""
TIMEOUT_S = 1800.0
"""Seconds until a request is given up, at least."""
IN_FLIGHT = 4
"""Requests at a time, unless the endpoint asks for fewer; each takes a context of its own."""


def resolved(endpoint: Endpoint) -> Endpoint:
    """A local endpoint with the name of its file as its model, and the file's hash as its revision.

    Raises:
        ParameterError: The path is no file.
    """
    path = Path(endpoint.base_url.removeprefix(PREFIX))
    if not path.is_file():
        message = f"`{path}` is no file; an endpoint in this process is `local:PATH.gguf`"
        raise ParameterError(message)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileError(
            error.errno, f"cannot read the model `{path}`: {error.strerror}", str(path)
        ) from error
    return replace(
        endpoint,
        model=endpoint.model or path.name,
        revision=f"sha256:{digest}",
        max_in_flight=min(endpoint.max_in_flight, IN_FLIGHT),
        context=endpoint.context or CONTEXT,
        # What was given up would still be computed.
        timeout_s=max(endpoint.timeout_s, TIMEOUT_S),
    )


class LocalServer:
    """A llama.cpp server in this process.

    Args:
        endpoint: A local endpoint, as `resolved` gives it.
        threads: Threads to use; None for what llama.cpp takes.

    Raises:
        ParameterError: The extra is not installed, or the model cannot be loaded.
    """

    def __init__(self, endpoint: Endpoint, threads: int | None = None) -> None:
        try:
            import xllamacpp
        except ImportError as error:
            message = (
                "an endpoint in this process needs llama.cpp; install it with `pip install thresher[local]`"
            )
            raise ParameterError(message) from error
        path = endpoint.base_url.removeprefix(PREFIX)
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx = (endpoint.context or CONTEXT) * endpoint.max_in_flight
        params.n_parallel = endpoint.max_in_flight
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.offline = True
        params.verbosity = 0
        # Else answers would name the path of the file.
        params.model_alias = {endpoint.model}
        params.endpoint_metrics = False
        # More than there are cores wait for each other all the time.
        threads = threads or len(os.sched_getaffinity(0))
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        try:
            self._server: Any = xllamacpp.Server(params)
        except Exception as error:
            message = f"llama.cpp cannot load `{path}`: {error}"
            raise ParameterError(message) from error
        self.base_url = f"{self._server.listening_address}/v1"

    def close(self) -> None:
        """Ends the server."""
        self._server = None
