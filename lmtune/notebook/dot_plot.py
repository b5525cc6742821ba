"""Dot plots as HTML with inline SVG: numbers in, text out.

They stand alone in a notebook (no stylesheet, script or other file is needed) and
keep their size of text at every width: the SVG has no view box to be scaled by, but
gives places across in percent and places down in pixels.  Text takes the colour of
the page around it, so it is dark on light and light on dark by itself; the blue of
the dots has a contrast of at least 3 to 1 with both, and dots, bar and mean differ
in shape and darkness too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

#: The mark by which a picture is found in a stored output.
MARK = 'class="lmtune-plot"'
BLUE = "#2f80d0"
#: Pixels from the middle of a row to each dot, one after the other, so that equal ones stay apart.
LANES = (0, -4, 4, -8, 8)
STEPS = (1, 2, 2.5, 5, 10)
# What a host lays over figures, paragraphs and pictures is not known: everything that matters is set.
# A dark page says so itself, in the book, Colab, JupyterLab and VS Code in this order, and gets a lighter blue.
# What the system prefers is not asked: a light notebook on a dark system stays light.
STYLE = """<style>
.lmtune-plot{container-type:inline-size;box-sizing:border-box;max-width:44rem;min-width:15rem;margin:1rem 0;
padding:.8rem 1.2rem;border-radius:8px;background:rgba(128,128,128,.08);color:inherit;line-height:1.4;break-inside:avoid}
.lmtune-plot .say{font-weight:600;margin:0 0 .5rem}
.lmtune-plot figcaption{font-size:.875em;font-style:normal;font-weight:400;text-align:left;color:inherit;margin:.5rem 0 0;padding:0}
.lmtune-plot .strip{position:relative;align-self:stretch;min-height:32px}
.lmtune-plot .axis{font-size:12px;text-align:center;opacity:.8;margin:0}
:is(html[data-theme=dark],html[theme=dark],[data-jp-theme-light=false],.vscode-dark) .lmtune-plot :is(circle,.bar)
{fill:#64aef5}
.lmtune-rows{display:grid;grid-template-columns:fit-content(36%) minmax(7rem,1fr) auto;grid-auto-flow:row dense;
column-gap:1rem;align-items:center;font-size:.9375em}
.lmtune-rows>*{grid-column:2}
.lmtune-rows .name{grid-column:1;overflow-wrap:anywhere;padding:.2rem 0}
.lmtune-rows .figures{grid-column:3;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.lmtune-rows .word{display:inline-block;width:6.2em;margin-left:.6em;text-align:left}
.lmtune-rows .good{font-weight:600}
@container (max-width:560px){.lmtune-rows{grid-template-columns:1fr auto}.lmtune-rows>*{grid-column:1/-1}
.lmtune-rows .name{grid-column:1}.lmtune-rows .figures{grid-column:2}
.lmtune-rows :is(.name,.figures){align-self:start;padding:.5rem 0 0;line-height:1.25}
.lmtune-rows .word{display:block;width:auto;margin:0;text-align:right}}
</style>"""


class Row(NamedTuple):
    """What one row shows, all in one unit: the dots, and ``mean`` in its interval from ``low`` to ``high``."""

    dots: Sequence[float]
    mean: float
    low: float
    high: float


class Axis(NamedTuple):
    """A horizontal axis from ``low`` to ``high`` with a tick at each multiple of ``step``."""

    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        """Where a value stands, in percent from the left, to a tenth."""
        return round(100 * (value - self.low) / (self.high - self.low), 1)

    def ticks(self) -> list[float]:
        """The multiples of ``step`` on the axis, from low to high."""
        first, last = math.ceil(self.low / self.step), math.floor(self.high / self.step)
        return [k * self.step for k in range(first, last + 1)]

    def label(self, tick: float) -> str:
        """A tick's number, as short as it stays exact."""
        if not 1e-4 <= self.step < 1e5:
            return minus(f"{tick:+.3g}") if tick else "0"
        places = next(p for p in range(7) if math.isclose(round(self.step, p), self.step))
        return signed(tick, places) if tick else "0"


def axis_of(values: Iterable[float]) -> Axis:
    """An axis with two to six ticks that holds all finite ``values`` and zero, and ends at quarters of a step."""
    values = [0.0, *values]
    low, high = min(values), max(values)
    if low == high:  # nothing but zeros
        low, high = -1.0, 1.0
    span = high - low
    size = 10.0 ** math.floor(math.log10(span / 4))
    step = size * next(s for s in STEPS if s * size >= span / 4 * (1 - 1e-9))
    margin, quarter = 0.05 * span, step / 4
    return Axis(math.floor((low - margin) / quarter) * quarter, math.ceil((high + margin) / quarter) * quarter, step)


def strip(row: Row, axis: Axis, alt: str, asked: float | None = None) -> str:
    """One row as an SVG: ticks, zero, interval, mean and dots.

    Args:
        row: its numbers, on the axis.
        axis: the axis, the same for all rows.
        alt: the alternative text.
        asked: a value to mark with a dashed line.
    """
    lines = [_upright(axis.at(tick), 'stroke-opacity=".16"') for tick in axis.ticks() if tick]
    lines.append(_upright(axis.at(0), 'class="zero" stroke-opacity=".7" stroke-width="1.5"'))
    if asked is not None:
        lines.append(_upright(axis.at(asked), 'class="asked" stroke-opacity=".7" stroke-dasharray="4 3"'))
    left, mean = axis.at(row.low), axis.at(row.mean)
    wide = round(axis.at(row.high) - left, 1)
    marks = [
        f'<rect class="bar" x="{left}%" y="-7" width="{wide}%" height="14" fill="{BLUE}" fill-opacity=".3"/>',
        f'<line class="mean" x1="{mean}%" x2="{mean}%" y1="-10" y2="10" stroke="currentColor" stroke-width="2"/>',
        *(
            f'<circle cx="{axis.at(dot)}%" cy="{LANES[i % len(LANES)]}" r="3" fill="{BLUE}"/>'
            for i, dot in enumerate(row.dots)
        ),
    ]
    # The inner svg has its zero in the middle of the row, however high the row is.
    return (
        f'<div class="strip"><svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(alt)}" '
        'style="position:absolute;left:0;top:0;width:100%;height:100%;max-width:none;overflow:visible">'
        f'{"".join(lines)}<svg y="50%" style="overflow:visible">{"".join(marks)}</svg></svg></div>'
    )


def scale(axis: Axis, title: str) -> str:
    """The numbers below the rows as an SVG, and the ``title`` of the axis."""
    ticks = "".join(
        f'<text x="{axis.at(tick)}%" y="14" text-anchor="middle" font-size="12" fill="currentColor">'
        f"{axis.label(tick)}</text>"
        for tick in axis.ticks()
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="scale" aria-hidden="true" '
        'style="display:block;width:100%;height:18px;max-width:none;overflow:visible">'
        f'{ticks}</svg><p class="axis">{escape(title)}</p>'
    )


def framed(body: str, caption: str, sentence: str = "") -> str:
    """A figure that stands alone: style, a ``sentence`` if there is one, HTML ``body``, and plain ``caption``."""
    says = f'<p class="say">{escape(sentence)}</p>' if sentence else ""
    return f"<figure {MARK}>{STYLE}{says}{body}<figcaption>{escape(caption)}</figcaption></figure>"


def signed(value: float, places: int) -> str:
    """A number with its sign, as print sets it: a true minus, and none for a rounded zero."""
    text = f"{value:+.{places}f}"
    return minus(text) if float(text) else text[1:]


def minus(text: str) -> str:
    """``text`` with a true minus sign for each hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")


def hyphened(text: str) -> str:
    """``text`` with a hyphen for each true minus sign, as plain text has it."""
    return text.replace("\N{MINUS SIGN}", "-")


def _upright(x: float, look: str) -> str:
    return f'<line x1="{x}%" x2="{x}%" y1="0" y2="100%" stroke="currentColor" {look}/>'
