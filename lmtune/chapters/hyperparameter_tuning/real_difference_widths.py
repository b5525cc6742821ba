"""What goes wrong in the half-width of the exercise "real difference", whatever the mean is, with hints."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from lmtune.exercises.plain import ANY


def _half(wrong):
    """A mistake in the half-width, from the deviation of the differences, n and the right t."""

    def half(a, b):
        n = len(a)
        return ANY, wrong(np.subtract(a, b).std(ddof=1), n, stats.t.ppf(0.975, n - 1))

    return half


def _unrelated(degrees):
    """The half-width for two lists that have nothing to do with each other."""
    return lambda a, b: (
        ANY,
        stats.t.ppf(0.975, degrees(len(a))) * math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(a)),
    )


WIDTHS = [
    (
        _half(lambda s, n, t: 1.96 * s / math.sqrt(n)),
        "1.96, the normal quantile, is for many seeds: for few, take Student's t with n - 1 degrees "
        "of freedom, scipy.stats.t.ppf(0.975, n - 1)",
    ),
    (
        _half(lambda s, n, t: 1.96 * s * math.sqrt(n - 1) / n),
        "two faults: 1.96 is for many seeds, so take scipy.stats.t.ppf(0.975, n - 1); and the deviation was divided "
        "by n, so take ddof=1",
    ),
    (_half(lambda s, n, t: 2 * s / math.sqrt(n)), "2 is a rule of thumb for many seeds: t depends on n"),
    (
        _half(lambda s, n, t: 2.776 * s / math.sqrt(n)),
        "2.776 is t for five seeds, rounded: t depends on n, scipy.stats.t.ppf(0.975, n - 1)",
    ),
    (
        _half(lambda s, n, t: 2.132 * s / math.sqrt(n)),
        "2.132 is t for five seeds and one side: for two ends take scipy.stats.t.ppf(0.975, n - 1)",
    ),
    (
        _half(lambda s, n, t: stats.t.ppf(0.95, n - 1) * s / math.sqrt(n)),
        "0.95 leaves five per cent on one side: for an interval with two ends it is 0.975",
    ),
    (
        _half(lambda s, n, t: stats.t.ppf(0.975, n) * s / math.sqrt(n)),
        "n - 1 degrees of freedom, not n: the mean took one",
    ),
    (_half(lambda s, n, t: -t * s / math.sqrt(n)), "the half-width is negative: t belongs to 0.975, not to 0.025"),
    (
        _half(lambda s, n, t: t * s * math.sqrt(n - 1) / n),
        "the deviation was divided by n: for a sample it is n - 1, ddof=1",
    ),
    (
        _half(lambda s, n, t: t * s),
        "that is the spread of single differences: the mean of n has a smaller one, by sqrt(n)",
    ),
    (_half(lambda s, n, t: t * s / n), "divided by n where it should be sqrt(n)"),
    (_half(lambda s, n, t: t * s / 5), "divided by 5 whatever n is: the error of the mean is s / sqrt(n)"),
    (_half(lambda s, n, t: t * s / math.sqrt(5)), "the root of 5 is for five seeds: take the root of n = len(a)"),
    (_half(lambda s, n, t: t * s / math.sqrt(n - 1)), "the root is that of n; n - 1 belongs in the deviation s"),
    (
        _half(lambda s, n, t: s / math.sqrt(n)),
        "that is the standard error: the half-width of the interval is t times it",
    ),
    (_half(lambda s, n, t: s), "that is the deviation s itself: the half-width is t * s / sqrt(n)"),
    (_half(lambda s, n, t: 2 * t * s / math.sqrt(n)), "that is the width from end to end: give back half of it"),
    (
        _unrelated(lambda n: n - 1),
        "the two lists were taken as unrelated: the same seed stands behind a[i] and b[i], so take the spread "
        "of their differences",
    ),
    (
        _unrelated(lambda n: 2 * n - 2),
        "that is the test for two unrelated groups: here each seed has a pair, so take the differences first",
    ),
]
