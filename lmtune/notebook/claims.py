"""Claims: a sentence, the measurement behind it, and an error when it is false.

The book says nothing that a cell does not measure.  A sentence such as "a
pretrained model beats random weights" is followed by the cell that measures it,
and that cell ends in :func:`claim`.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

#: The level of every interval that the book prints.
LEVEL = 0.95


class ClaimFailed(AssertionError):
    """A claim that the measurement does not bear out."""


class PairedInterval(NamedTuple):
    """``difference`` ± ``half_width``, from ``n`` pairs, in the unit of the losses."""

    difference: float
    half_width: float
    n: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.difference - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.difference + self.half_width


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


def paired_interval(better: Sequence[float], worse: Sequence[float], level: float = LEVEL) -> PairedInterval:
    """The paired-t confidence interval of ``better[i] - worse[i]``.

    With d the n differences, it is ``mean(d) ± t * sd(d) / sqrt(n)``, where sd
    divides by n - 1 and t is the ``(1 + level) / 2`` quantile of Student's t
    with n - 1 degrees of freedom (Student 1908, "The probable error of a mean";
    the quantile from ``scipy.stats.t.ppf``).

    Args:
        better, worse: one number for each seed, the same seeds in the same order.
        level: between 0 and 1.

    Raises ``ValueError`` on fewer than two pairs, unequal lengths, a number
    that is not finite, or a level outside (0, 1); ``TypeError`` on what is no
    sequence of numbers.
    """
    from scipy import stats

    a, b = _losses("better", better), _losses("worse", worse)
    if len(a) != len(b):
        raise ValueError(
            f"better has {len(a)} losses and worse has {len(b)}; pairs need the "
            "same seeds in both: run the missing seeds"
        )
    if len(a) < 2:
        raise ValueError(f"an interval needs at least 2 pairs and got {len(a)}; run more seeds (the book uses 5)")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, for example {LEVEL}")
    d, n = a - b, len(a)
    t = stats.t.ppf((1 + level) / 2, n - 1)
    return PairedInterval(float(d.mean()), float(t * d.std(ddof=1) / math.sqrt(n)), n)


def claim(
    text: str,
    holds: bool | None = None,
    *,
    better: Sequence[float] | None = None,
    worse: Sequence[float] | None = None,
    margin: float = 0.0,
    unit: str = "nats",
    versions: Mapping[str, str | Sequence[str]] | None = None,
) -> Verdict:
    """Print whether ``text`` holds, with the figure; raise when it does not.

    Two forms.  ``claim(text, holds)`` for a fact.  ``claim(text, better=...,
    worse=...)`` for losses, one for each seed and paired by seed (lower is
    better): it holds when the 95 % paired-t interval of better minus worse
    (:func:`paired_interval`) lies below ``-margin``.

    Args:
        text: the sentence that is claimed.
        holds: a bool, numpy bool, or bool tensor of no dimensions.
        better, worse: the losses, in ``unit``.
        margin: how much better it must be at least, in ``unit``; not negative.
        unit: printed behind the difference.
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
        verdict = Verdict(text, _truth(holds))
    elif holds is not None or better is None or worse is None:
        raise TypeError("a claim takes either one truth value or both better= and worse=; give one of the two forms")
    else:
        verdict = _compare(text, better, worse, margin)
    line = verdict.text + _figures(verdict, margin, unit)
    return _report(verdict, line, _other_versions(versions or {}))


def _report(verdict: Verdict, line: str, strangers: str) -> Verdict:
    if strangers:
        outcome = "it holds here too" if verdict.holds else "it does not hold here"
        print(f"not the version this was seen in ({strangers}); {outcome}: {line}")
    elif not verdict.holds:
        raise ClaimFailed(f"claim fails: {line}")
    else:
        print(f"claim holds: {line}")
    return verdict


def _compare(text: str, better, worse, margin: float) -> Verdict:
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(
            f"margin is {margin}; it is how much better the better one must be at "
            "least, so 0 or more: for 'no worse than', look at paired_interval "
            "and claim the fact"
        )
    interval = paired_interval(better, worse)
    return Verdict(text, interval.high < -margin, *interval)


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


def _losses(name: str, values) -> np.ndarray:
    try:
        if isinstance(values, (str, Mapping)):
            raise TypeError
        numbers = np.array([float(v) for v in values], dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} is {str(values)[:60]!r}; it must be a list of numbers, one loss for each seed"
        ) from None
    if not np.isfinite(numbers).all():
        seed = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(
            f"{name}[{seed}] is {numbers[seed]}; an interval needs finite losses: "
            "see why that run diverged, and claim the divergence by itself"
        )
    return numbers


def _figures(verdict: Verdict, margin: float, unit: str) -> str:
    if verdict.n is None:
        return ""
    difference, half_width = verdict.difference, verdict.half_width
    # Two digits of the half-width, but never digits that the losses do not have.
    places = [min(_place(half_width) + 1, 6)] if half_width else []
    places += [min(_place(difference) + 4, 6)] if difference else []
    decimals = max(0, min(places, default=0))
    asked = f", {margin:g} asked" if margin else ""
    return (
        f" (difference {difference:.{decimals}f} {unit} ± {half_width:.{decimals}f}{asked}, "
        f"{100 * LEVEL:.0f} % paired t over {verdict.n} seeds)"
    )


def _place(value: float) -> int:
    """How many decimals show the first digit of ``value``."""
    return -math.floor(math.log10(abs(value)))


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
