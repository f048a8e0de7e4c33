"""Judging: models score rows, experts check some of them, and that says how far scores can be trusted.

```text
rows ─ cases ─> score, checklist or pairwise: what is asked, how it is read ─> recipe ─> columns of scores
sheets for experts <─ review ─┘      scores: expectation, jury ─┘         └─ findings: flips, agreement
```
"""
