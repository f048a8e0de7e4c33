"""Requests in batches: files of many requests that a server answers within a day, for a part of the price.

```text
ask ─ journal? ─ collected until every slot that is under way waits ─ budget ─ journal: what goes out
                                                                                   │
     answers ─ journal <─ merged: output and errors, in any order <─ polled <─ id in the journal <─ submitted
        └ lines that may succeed later are collected again
```
`client` collects and merges, `lines` has the format, `api` the calls of OpenAI's batch API, `folder` the
files that others are to run, and `store` what the journal knows of batches that are under way.
"""

from thresher.generate.batching.client import BatchClient

__all__ = ["BatchClient"]
