"""Several arms against one baseline: a dot plot, and verdicts that hold for all rows together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from lmtune import plots
from lmtune.notebook import dot_plot
from lmtune.notebook.intervals import (
    LEVEL,
    decimals,
    holm,
    paired_differences,
    paired_p,
    repeated,
    simultaneous_intervals,
)


@dataclass(frozen=True)
class Arm:
    """One row of a comparison, in its unit."""

    name: str
    mean: float
    difference: float
    """The arm minus the baseline, the mean over the pairs."""
    low: float
    """The lower end of the simultaneous interval of the difference."""
    high: float
    resolved: bool
    """Whether the difference has a sign, by Holm's test over all rows."""

    @property
    def half_width(self) -> float:
        """Half the interval: the figure behind ±."""
        return (self.high - self.low) / 2

    @property
    def verdict(self) -> str:
        """ "lower", "higher" or "not resolved"."""
        if not self.resolved:
            return "not resolved"
        return "lower" if self.difference < 0 else "higher"


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found: a row for each arm but the baseline, in the order given."""

    baseline: str
    baseline_mean: float
    rows: tuple[Arm, ...]

    def __getitem__(self, name: str) -> Arm:
        """The row of an arm."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no row {name!r}; there are: {', '.join(row.name for row in self.rows)}")

    def _ipython_display_(self) -> None:
        """Show nothing: ``compare`` has drawn it, and a cell may end in a comparison."""


def compare(
    arms: Mapping[str, Sequence[float]],
    *,
    baseline: str,
    unit: str = "nats",
    better: str = "lower",
    over: str | None = None,
) -> Comparison:
    """Draw each arm's difference from a baseline, with intervals that hold for all arms together.

    The numbers are paired by seed.  The intervals are paired-t at Bonferroni's level
    (:func:`~lmtune.notebook.intervals.simultaneous_intervals`); whether a row says
    "lower", "higher" or "not resolved" is decided by Holm's test of the same
    differences (:func:`~lmtune.notebook.intervals.holm`), so that with probability
    0.95 or more none of these words is false.  Holm's test may resolve a row whose
    interval just reaches zero; the picture says so where it happens.

    Args:
        arms: a name for each arm, and its numbers, one for each seed, the same seeds
            in the same order; the baseline among them.
        baseline: the name of the arm that the others are compared with.
        unit: of the numbers, printed behind them.
        better: "lower" or "higher", whichever is better; said below the picture.
        over: what the pairs are, with their number, when they are not seeds:
            ``"5 orders of the training data"``.

    Raises:
        TypeError, ValueError: the arms cannot be compared as they were given.
    """
    _refuse(arms, baseline, better)
    names = [name for name in arms if name != baseline]
    pairs = [paired_differences(arms[n], arms[baseline], (f"arm {n!r}", f"baseline {baseline!r}")) for n in names]
    middle = float(np.mean([float(v) for v in arms[baseline]]))
    # A difference of rounding alone is none: two equal arms must not be "higher" by 1e-16.
    pairs = [np.where(np.abs(d) <= 1e-14 * abs(middle), 0.0, d) for d in pairs]
    adjusted = holm([paired_p(d) for d in pairs])
    rows = tuple(
        Arm(name, middle + i.difference, i.difference, i.low, i.high, p < 1 - LEVEL)
        for name, i, p in zip(names, simultaneous_intervals(pairs), adjusted)
    )
    found = Comparison(baseline, middle, rows)
    over = repeated(over, len(pairs[0]))
    plots.publish(_picture(found, pairs, unit, better, over), _table(found, unit, better, over))
    return found


def _refuse(arms: Any, baseline: str, better: str) -> None:
    if not isinstance(arms, Mapping):
        raise TypeError(
            f"arms is a {type(arms).__name__}; it must map each arm's name to its numbers, "
            'one for each seed: {"plain": [...], "dropout": [...]}'
        )
    for name in arms:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"an arm is named {name!r}; give it a name that a reader understands, as text")
    if baseline not in arms:
        raise ValueError(f"baseline is {baseline!r}, which is no arm; the arms are: {', '.join(arms) or 'none'}")
    if len(arms) < 2:
        raise ValueError(f"the only arm is the baseline {baseline!r}; give at least one more to compare it with")
    if better not in ("lower", "higher"):
        raise ValueError(f'better is {better!r}; it must be "lower" or "higher", whichever is better in this unit')


def _places(found: Comparison) -> int:
    """The decimals of all rows: those that suit the row with the middle half-width."""
    half_widths = sorted(row.half_width for row in found.rows)
    largest = max((row.difference for row in found.rows), key=abs)
    return decimals(largest, half_widths[len(half_widths) // 2])


def _figures(row: Arm, places: int) -> str:
    # A row that is far surer than the others shows at least one digit of its half-width.
    places = max(places, decimals(row.difference, row.half_width) - 1)
    return f"{dot_plot.signed(row.difference, places)} ± {row.half_width:.{places}f}"


def _method(found: Comparison) -> str:
    """How the intervals and the words were found, and the rows in which the two seem to disagree."""
    k = len(found.rows)
    if k == 1:
        return f"{100 * LEVEL:.0f} % interval (paired t)"
    beyond = [row.name for row in found.rows if row.resolved and row.low <= 0 <= row.high]
    stronger = f", which resolves {' and '.join(beyond)} too, though the interval holds zero" if beyond else ""
    return (
        f"{100 * LEVEL:.0f} % intervals for all {k} rows together (paired t, Bonferroni); words: Holm's test{stronger}"
    )


def _table(found: Comparison, unit: str, better: str, over: str) -> str:
    """The comparison as an aligned table of plain text."""
    places = _places(found)
    cells = []
    for row in found.rows:
        difference, half_width = dot_plot.hyphened(_figures(row, places)).split(" ± ")
        cells.append((row.name, f"{row.mean:.{places}f}", difference, half_width, row.verdict))
    a, b, c, d, _ = (max(map(len, column)) for column in zip(*cells))
    lines = [f"{n:<{a}}  {m:>{b}}  {diff:>{c}} ± {half:<{d}}  {word}" for n, m, diff, half, word in cells]
    head = (
        f"mean, and difference from {found.baseline} (mean {found.baseline_mean:.{places}f}), "
        f"{unit}, over {over}; {better} is better"
    )
    return "\n".join([head, *lines, _method(found)])


def _picture(found: Comparison, pairs: Sequence[np.ndarray], unit: str, better: str, over: str) -> str:
    """The comparison as HTML: a strip for each row between its name and its figures."""
    places = _places(found)
    axis = dot_plot.axis_of(v for row, d in zip(found.rows, pairs) for v in (row.low, row.high, *d))
    parts = []
    for row, d in zip(found.rows, pairs):
        ends = [dot_plot.signed(v, places) for v in (d.min(), d.max(), row.low, row.high)]
        alt = f"{row.name}: {len(d)} dots from {ends[0]} to {ends[1]} {unit}, interval from {ends[2]} to {ends[3]}"
        good = " good" if row.verdict == better else ""
        parts += [
            f'<div class="name">{escape(row.name)}</div>',
            dot_plot.strip(dot_plot.Row(d.tolist(), row.difference, row.low, row.high), axis, alt),
            f'<div class="figures">{_figures(row, places)} <span class="word{good}">{row.verdict}</span></div>',
        ]
    title = f"difference from {found.baseline}, {unit}"
    caption = (
        f"Baseline: {found.baseline}, mean {found.baseline_mean:.{places}f} {unit}; {better} is better. "
        f"Dots: {over}, paired. Bars: {_method(found)}."
    )
    return dot_plot.framed(f'<div class="lmtune-rows">{"".join(parts)}{dot_plot.scale(axis, title)}</div>', caption)
