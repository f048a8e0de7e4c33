"""A horizontal bar chart as a small SVG file with a background of its own.

A page may be dark while the system is light, and an image in a page learns only of the system. So the chart
follows neither: it brings a light card with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_WIDTH, _LABELS, _ROW, _BAR, _TOP, _CAPTION = 860, 170, 40, 16, 52, 18
# Room right of the longest bar for its value.
_BARS = _WIDTH - _LABELS - 90

_STYLE = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .note, .caption { font-size: 11px; fill: #59636e; }
  .card { fill: #ffffff; stroke: #d1d9e0; } .axis { stroke: #d1d9e0; }
  .bar { fill: #9aa4af; } .own { fill: #1a7f5a; }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, length, printed value, the line under it, and whether it is drawn in colour."""

    label: str
    value: float
    printed: str
    note: str
    own: bool


def render(title: str, bars: list[Bar], caption: list[str]) -> str:
    """Returns the chart.

    Args:
        title: One line at the top; names the unit.
        bars: From top to bottom; lengths start at zero and are linear.
        caption: Lines under the chart: machine and command.

    Returns:
        The text of an SVG file without scripts, fonts or links.
    """
    longest = max((bar.value for bar in bars), default=1.0) or 1.0
    bottom = _TOP + _ROW * len(bars)
    height = bottom + 14 + _CAPTION * len(caption)
    alternative = "; ".join(f"{bar.label} {bar.printed}" for bar in bars)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" role="img" aria-label="{escape(f"{title}: {alternative}")}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="12" y="26">{escape(title)}</text>',
        f'<line class="axis" x1="{_LABELS}" x2="{_LABELS}" y1="{_TOP - 8}" y2="{bottom - 6}"/>',
    ]
    for number, bar in enumerate(bars):
        top = _TOP + _ROW * number
        length = max(1.0, bar.value / longest * _BARS)
        kind = "own" if bar.own else "bar"
        out += [
            f'<text x="{_LABELS - 10}" y="{top + 13}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_BAR}" rx="2"/>',
            f'<text x="{_LABELS + length + 8:.1f}" y="{top + 13}">{escape(bar.printed)}</text>',
            f'<text class="note" x="{_LABELS + 4}" y="{top + 29}">{escape(bar.note)}</text>',
        ]
    for number, text in enumerate(caption):
        out.append(
            f'<text class="caption" x="12" y="{bottom + 14 + _CAPTION * number}">{escape(text)}</text>'
        )
    return "\n".join([*out, "</svg>", ""])
