"""Bar charts and curves as SVG, drawn with text: a report is one file that opens anywhere and needs no plot library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 720
_ROW = 22
_LABEL_MIN = 200
_BARS = 400
_CHAR = 7  # of a character in pixels, on the wide side: a sans-serif font of 12
# Exporters write paths of a hundred characters: what is longer loses its middle, and is told whole by a tooltip.
_LABEL_CHARS = 72
_COLOURS = {"kept": "#6b7280", "shipped": "#2563eb", "refused": "#dc2626", "layer": "#2563eb", "float": "#d97706"}


@dataclass(frozen=True, slots=True)
class Bar:
    """``kind``: a key of the colours; ``shown``: the figure beside the bar."""

    label: str
    value: float
    shown: str
    kind: str = "shipped"


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a curve; ``good``: within the budget."""

    x: float
    y: float
    note: str
    good: bool


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from zero; values below zero draw nothing. As wide as its longest label needs."""
    largest = max((bar.value for bar in bars), default=0.0) or 1.0
    height = 34 + _ROW * len(bars)
    beside = 12 + _CHAR * max((len(bar.shown) for bar in bars), default=0)
    label = max(_LABEL_MIN, 16 + _CHAR * max((len(_shortened(bar.label)) for bar in bars), default=0))
    rows = []
    for index, bar in enumerate(bars):
        top = 30 + index * _ROW
        length = max(0.0, bar.value) / largest * _BARS
        short = _shortened(bar.label)
        whole = "" if short == bar.label else f"<title>{escape(bar.label)}</title>"
        rows.append(
            f'<text x="{label - 8}" y="{top + 13}" text-anchor="end">{escape(short)}{whole}</text>'
            f'<rect x="{label}" y="{top}" width="{length:.1f}" height="{_ROW - 6}" fill="{_COLOURS[bar.kind]}"/>'
            f'<text x="{label + length + 6:.1f}" y="{top + 13}">{escape(bar.shown)}</text>'
        )
    return _svg(title, label + _BARS + beside, height, "".join(rows))


def _shortened(label: str) -> str:
    """Both ends of a long label: paths of layers differ there."""
    if len(label) <= _LABEL_CHARS:
        return label
    half = (_LABEL_CHARS - 1) // 2
    return f"{label[:half]}\N{HORIZONTAL ELLIPSIS}{label[-half:]}"


def curve(title: str, dots: Sequence[Dot], *, x_name: str, y_name: str, bar: float | None = None) -> str:
    """Points joined from left to right; ``bar``: a horizontal line that must be reached."""
    ordered = sorted(dots, key=lambda dot: dot.x)
    x_max = max((dot.x for dot in ordered), default=1.0) or 1.0
    values = [dot.y for dot in ordered] + ([bar] if bar is not None else [])
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 1.0
    left, bottom, plot_w, plot_h = 60, 250, WIDTH - 90, 200

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x / x_max * plot_w, bottom - (y - low) / span * plot_h

    parts = [
        f'<line x1="{left}" y1="{bottom}" x2="{left + plot_w}" y2="{bottom}" stroke="#9ca3af"/>',
        f'<line x1="{left}" y1="{bottom - plot_h}" x2="{left}" y2="{bottom}" stroke="#9ca3af"/>',
        f'<text x="{left + plot_w / 2}" y="{bottom + 34}" text-anchor="middle">{escape(x_name)}</text>',
        f'<text x="{left}" y="{bottom + 16}">0</text>',
        f'<text x="{left + plot_w}" y="{bottom + 16}" text-anchor="end">{x_max:g}</text>',
        f'<text x="{left - 6}" y="{bottom}" text-anchor="end">{low:.2f}</text>',
        f'<text x="{left - 6}" y="{bottom - plot_h + 4}" text-anchor="end">{high:.2f}</text>',
        f'<text x="{left + 6}" y="{bottom - plot_h - 8}">{escape(y_name)}</text>',
    ]
    if bar is not None:
        _, y = at(0, bar)
        parts.append(
            f'<line x1="{left}" y1="{y:.1f}" x2="{left + plot_w}" y2="{y:.1f}" stroke="#16a34a" '
            'stroke-dasharray="5 4"/>'
        )
    points = [at(dot.x, dot.y) for dot in ordered]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#93c5fd"/>')
    for dot, (x, y) in zip(ordered, points, strict=True):
        colour = "#16a34a" if dot.good else "#dc2626"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(dot.note)}</title></circle>'
        )
    return _svg(title, WIDTH, bottom + 44, "".join(parts))


def _svg(title: str, width: int, height: int, inner: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" font-size="12" font-family="sans-serif">'
        f'<text x="0" y="14" font-weight="bold">{escape(title)}</text>{inner}</svg>'
    )
