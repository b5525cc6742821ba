"""Claims: a sentence, the measurement behind it, and an error when it is false.

The book says nothing that a cell does not measure.  A sentence such as "a
pretrained model beats random weights" is followed by the cell that measures it,
and that cell ends in :func:`claim`.  In a notebook a comparison draws itself, and a
fact is one line; what a test or another page reads is the ``text/plain`` beside it.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import torch

from lmtune import plots
from lmtune.notebook import dot_plot
from lmtune.notebook.intervals import LEVEL, PairedInterval, decimals, interval_of, paired_differences, repeated
from lmtune.notebook.intervals import paired_interval as paired_interval  # chapters import it from here

#: The mark by which a fact that held is found in a stored output.
CHECKED = 'class="lmtune-checked"'


class ClaimFailed(AssertionError):
    """A claim that the measurement does not bear out."""


@dataclass(frozen=True)
class Verdict:
    """What :func:`claim` found.

    ``difference`` (better minus worse), ``half_width`` and ``n`` are ``None``
    for a fact, which has no seeds.
    """

    text: str
    holds: bool
    difference: float | None = None
    half_width: float | None = None
    n: int | None = None

    def _ipython_display_(self) -> None:
        """Show nothing: ``claim`` has printed it, and a cell may end in a claim."""


def claim(
    text: str,
    holds: bool | None = None,
    *,
    better: Sequence[float] | None = None,
    worse: Sequence[float] | None = None,
    margin: float = 0.0,
    unit: str = "nats",
    over: str | None = None,
    versions: Mapping[str, str | Sequence[str]] | None = None,
) -> Verdict:
    """Show whether ``text`` holds, with the figure; raise when it does not.

    Two forms.  ``claim(text, holds)`` for a fact.  ``claim(text, better=...,
    worse=...)`` for losses, one for each seed and paired by seed (lower is
    better): it holds when the 95 % paired-t interval of better minus worse
    (:func:`~lmtune.notebook.intervals.paired_interval`) lies below ``-margin``,
    and is drawn: a dot for each pair, the interval, the mean and zero.

    Args:
        text: the sentence that is claimed.
        holds: a bool, numpy bool, or bool tensor of no dimensions.
        better, worse: the losses, in ``unit``.
        margin: how much better it must be at least, in ``unit``; not negative.
        unit: printed behind the difference.
        over: what the pairs are, with their number, when they are not seeds:
            ``"5 orders of the training data"``.
        versions: for a claim about a fault of a library, the versions it was
            seen in: ``{"transformers": "5.23.0"}``, or several in a tuple.
            Where another version is installed the outcome is printed, and
            nothing is raised.

    Raises:
        ClaimFailed: the claim is false; the message holds the figure.
        TypeError, ValueError: the claim cannot be judged as it was given.
    """
    if not isinstance(text, str) or not text.strip():
        raise TypeError(f'a claim starts with its sentence, and got {text!r}; write claim("what is claimed", ...)')
    if better is None and worse is None:
        if over is not None:
            raise TypeError(f"over is {over!r}, and a fact is not repeated; leave it out, or give better= and worse=")
        verdict = Verdict(text, _truth(holds))
        line, page = text, _checked(text)
    elif holds is not None or better is None or worse is None:
        raise TypeError("a claim takes either one truth value or both better= and worse=; give one of the two forms")
    else:
        _refuse_margin(margin)
        pairs = paired_differences(better, worse)
        interval, over = interval_of(pairs, LEVEL), repeated(over, len(pairs))
        verdict = Verdict(text, interval.high < -margin, *interval)
        line = f"{text} {_figures(interval, margin, unit, over)}"
        page = _picture(text, pairs, interval, margin, unit, over)
    return _report(verdict, line, page, _other_versions(versions or {}))


def _report(verdict: Verdict, line: str, page: str, strangers: str) -> Verdict:
    if strangers:
        outcome = "it holds here too" if verdict.holds else "it does not hold here"
        print(f"not the version this was seen in ({strangers}); {outcome}: {line}")
    elif not verdict.holds:
        raise ClaimFailed(f"claim fails: {line}")
    else:
        plots.publish(page, f"claim holds: {line}")
    return verdict


def _checked(text: str) -> str:
    """A fact as one line of HTML; its look stands in it, for a page shows a hundred of them."""
    return (
        f'<p {CHECKED} style="margin:.25em 0;line-height:1.4">'
        '<span aria-hidden="true">\N{CHECK MARK}</span> <i>checked:</i> '
        f"{escape(text)}</p>"
    )


def _picture(text: str, pairs: np.ndarray, interval: PairedInterval, margin: float, unit: str, over: str) -> str:
    """A comparison as HTML: the sentence, its dots on an axis, and the figure."""
    places = decimals(interval.difference, interval.half_width)
    mean, low, high, least, most = (
        dot_plot.signed(value, places)
        for value in (interval.difference, interval.low, interval.high, pairs.min(), pairs.max())
    )
    alt = (
        f"{len(pairs)} dots from {least} to {most} {unit}, mean {mean}; the {100 * LEVEL:.0f} % interval from "
        f"{low} to {high} lies below {dot_plot.signed(-margin, places) if margin else 'zero'}"
    )
    axis = dot_plot.axis_of([*pairs, interval.low, interval.high])  # what is asked lies between these and zero
    row = dot_plot.Row(pairs.tolist(), interval.difference, interval.low, interval.high)
    body = dot_plot.strip(row, axis, alt, -margin if margin else None)
    body += dot_plot.scale(axis, f"difference, {unit} (left of 0 is better)")
    asked = f"; dashed: the {margin:g} asked" if margin else ""
    caption = (
        f"{mean} {unit} ± {interval.half_width:.{places}f} over {over}. "
        f"A dot for each, paired; bar: {100 * LEVEL:.0f} % interval (paired t){asked}."
    )
    return dot_plot.framed(body, caption, text)


def _refuse_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(
            f"margin is {margin}; it is how much better the better one must be at "
            "least, so 0 or more: for 'no worse than', look at paired_interval "
            "and claim the fact"
        )


def _truth(holds) -> bool:
    if isinstance(holds, (bool, np.bool_)):
        return bool(holds)
    if isinstance(holds, torch.Tensor) and holds.ndim == 0 and holds.dtype == torch.bool:
        return bool(holds)
    # An array or a loss would be "true" by accident, and None is a forgotten argument.
    given = f"{type(holds).__name__} {holds!r}"
    raise TypeError(
        "a claim needs one truth value (a bool, or a bool tensor of no dimensions) "
        f"and got {given[:80]}; reduce it first, for example with .all()"
    )


def _figures(interval: PairedInterval, margin: float, unit: str, over: str) -> str:
    """The figure behind a claim's sentence, which other pages read."""
    places = decimals(interval.difference, interval.half_width)
    asked = f", {margin:g} asked" if margin else ""
    return (
        f"(difference {interval.difference:.{places}f} {unit} ± {interval.half_width:.{places}f}{asked}, "
        f"{100 * LEVEL:.0f} % paired t over {over})"
    )


def _other_versions(versions: Mapping[str, str | Sequence[str]]) -> str:
    """The libraries whose installed version is not among those given, as text."""
    others = []
    for name, seen in versions.items():
        seen = (seen,) if isinstance(seen, str) else tuple(seen)
        try:
            # torch adds a local label such as +cpu, which is the same version.
            here = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            here = "not installed"
        if here not in seen:
            others.append(f"{name} {' or '.join(seen)}, here {here}")
    return "; ".join(others)
