"""Paired differences and how sure they are: one interval, several at once, and Holm's verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

#: The level of every interval that the book prints.
LEVEL = 0.95


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
    d = paired_differences(better, worse)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, for example {LEVEL}")
    return interval_of(d, level)


def paired_differences(
    first: Sequence[float], second: Sequence[float], names: tuple[str, str] = ("better", "worse")
) -> np.ndarray:
    """``first[i] - second[i]`` as float64 of shape (n,), n at least 2; ``names`` are for errors, as in paired_interval."""
    a, b = _losses(names[0], first), _losses(names[1], second)
    if len(a) != len(b):
        raise ValueError(
            f"{names[0]} has {len(a)} losses and {names[1]} has {len(b)}; pairs need the "
            "same seeds in both: run the missing seeds"
        )
    if len(a) < 2:
        raise ValueError(f"an interval needs at least 2 pairs and got {len(a)}; run more seeds (the book uses 5)")
    return a - b


def interval_of(differences: np.ndarray, level: float) -> PairedInterval:
    """The paired-t interval of differences of shape (n,) that are known to be finite."""
    from scipy import stats

    n = len(differences)
    t = stats.t.ppf((1 + level) / 2, n - 1)
    return PairedInterval(float(differences.mean()), float(t * differences.std(ddof=1) / math.sqrt(n)), n)


def simultaneous_intervals(differences: Sequence[np.ndarray], level: float = LEVEL) -> list[PairedInterval]:
    """Paired-t intervals that hold for all k arms together with probability ``level`` or more.

    Each has the level ``1 - (1 - level) / k``: Bonferroni's inequality, which asks
    nothing about how the arms depend on each other (Dunn 1961, "Multiple comparisons
    among means"). Arms that share a baseline depend on each other strongly.

    Args:
        differences: k arrays of shape (n,), in one unit.
        level: between 0 and 1, for all k together.
    """
    return [interval_of(d, 1 - (1 - level) / len(differences)) for d in differences]


def paired_p(differences: np.ndarray) -> float:
    """The two-sided p-value of the paired t-test that the mean of ``differences`` (n,) is zero."""
    from scipy import stats

    mean, spread = differences.mean(), differences.std(ddof=1)
    if spread == 0:  # scipy's test is 0/0 here
        return 1.0 if mean == 0 else 0.0
    n = len(differences)
    return float(2 * stats.t.sf(abs(mean) / spread * math.sqrt(n), n - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted by Holm's method, in the order given.

    Those below 0.05 are the verdicts of which, with probability 0.95 or more, none
    is false. The smallest p is multiplied by k, the next by k - 1 and so on, none
    ends below the one before it, and none above 1 (Holm 1979, "A simple sequentially
    rejective multiple test procedure"). It never resolves less than Bonferroni's
    intervals do, and sometimes more.
    """
    adjusted, largest, k = [0.0] * len(p_values), 0.0, len(p_values)
    for rank, arm in enumerate(sorted(range(k), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (k - rank) * p_values[arm]))
        adjusted[arm] = largest
    return adjusted


def repeated(over: str | None, n: int) -> str:
    """What ``n`` pairs are: ``over`` itself, or "5 seeds"; ValueError when it begins with another number."""
    if over is None:
        return f"{n} seeds"
    if not isinstance(over, str) or not over.startswith(f"{n} ") or not over[len(str(n)) :].strip():
        raise ValueError(
            f"over is {over!r}; it must say what the {n} pairs are and begin with their number, "
            f"for example '{n} orders of the training data'"
        )
    return over


def decimals(difference: float, half_width: float) -> int:
    """How many decimals of ``difference ± half_width`` to print, from 0 to 6.

    Two digits of the half-width, but never digits that the losses do not have.
    """
    places = [_place(half_width) + 1] if half_width else []
    places += [_place(difference) + 4] if difference else []
    return min(6, max(0, min(places, default=0)))


def _place(value: float) -> int:
    """How many decimals show the first digit of ``value``."""
    return -math.floor(math.log10(abs(value)))


def _losses(name: str, values: Any) -> np.ndarray:
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
