"""Synthetic data: rows made by models; answers are kept, rejections counted, rows traced to their answers.

>>> import thresher as th
>>> [name for name in th.generate.__all__ if name.islower()]
['distill', 'document_qa', 'domain_instructions', 'judge', 'run', 'self_instruct']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thresher.generate.budget import Budget
    from thresher.generate.endpoint import Endpoint, Price
    from thresher.generate.faults import EndpointError
    from thresher.generate.functions import distill, document_qa, domain_instructions, run, self_instruct
    from thresher.generate.generated import Generated
    from thresher.generate.judging.judge import judge
    from thresher.generate.recipe import Candidate, Idea, Recipe, Rejection, Slot
    from thresher.generate.request import Message, Request, Sampling

__all__ = [
    "Budget",
    "Candidate",
    "Endpoint",
    "EndpointError",
    "Generated",
    "Idea",
    "Message",
    "Price",
    "Recipe",
    "Rejection",
    "Request",
    "Sampling",
    "Slot",
    "distill",
    "document_qa",
    "domain_instructions",
    "judge",
    "run",
    "self_instruct",
]

_HOMES = {
    "Budget": "budget",
    "Endpoint": "endpoint",
    "EndpointError": "faults",
    "endpoints_of": "options",
    "read_endpoints": "options",
    "journal_beside": "work",
    "Generated": "generated",
    "Candidate": "recipe",
    "Idea": "recipe",
    "Message": "request",
    "Price": "endpoint",
    "Recipe": "recipe",
    "Rejection": "recipe",
    "Request": "request",
    "Sampling": "request",
    "Slot": "recipe",
    "distill": "functions",
    "document_qa": "functions",
    "domain_instructions": "functions",
    "judge": "judging.judge",
    "run": "functions",
    "self_instruct": "functions",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is there
    """Loads what is asked for: a generation needs an HTTP client, and importing thresher does not."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
