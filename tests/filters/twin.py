"""The rules of FineWeb in plain Python (Penedo et al. 2024, as datatrove 0.10.1), words cut at blanks."""

from __future__ import annotations

ENDS = ".?!。"
"""Marks that end a line, of those on the generated pages."""


def fineweb(text: str, line_punct: float = 0.12) -> list[str]:
    """The rules of `fineweb` that a text fails."""
    lines = [line for line in text.split("\n") if line.strip()]
    failing = ["fineweb.min_lines"] * (not lines)
    if lines:
        ended = sum(line[-1] in ENDS for line in lines)
        failing += ["fineweb.line_punct"] * (ended / len(lines) < line_punct)
        failing += ["fineweb.short_lines"] * (sum(len(line) <= 30 for line in lines) / len(lines) > 0.67)
    if n_chars := len(text.replace("\n", "")):
        seen: set[str] = set()
        again = 0
        for line in lines:
            again += len(line) * (line in seen)
            seen.add(line)
        failing += ["fineweb.duplicate_chars"] * (again / n_chars > 0.01)
    if words := text.split():
        failing += ["fineweb.newlines"] * (text.count("\n") / len(words) > 0.3)
    return failing
