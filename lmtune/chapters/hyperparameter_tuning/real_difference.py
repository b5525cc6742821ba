"""The exercise "real difference": the paired interval of two settings."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown
from lmtune.exercises.numeric import near, number

_FORM = "difference(a, b)"


def _mistakes(a: np.ndarray, b: np.ndarray) -> list[tuple[tuple[float, float], str]]:
    d, n = a - b, len(a)
    mean, sd, t = d.mean(), d.std(ddof=1), stats.t.ppf(0.975, n - 1)
    half = t * sd / math.sqrt(n)
    unpaired = math.sqrt(a.var(ddof=1) / n + b.var(ddof=1) / n)
    return [
        ((-mean, half), "the sign: a minus b, so that a better a gives a negative mean"),
        ((mean, 1.96 * sd / math.sqrt(n)), "1.96 is for many seeds: for few, take Student's t with n - 1 degrees "
                                           "of freedom, scipy.stats.t.ppf(0.975, n - 1)"),
        ((mean, 2.776 * sd / math.sqrt(n)), "2.776 is t for five seeds, rounded: t depends on n, "
                                            "scipy.stats.t.ppf(0.975, n - 1)"),
        ((mean, stats.norm.ppf(0.975) * sd / math.sqrt(n)),
         "the normal quantile is for many seeds: for few, take Student's t with n - 1 degrees of freedom"),
        ((mean, stats.t.ppf(0.95, n - 1) * sd / math.sqrt(n)),
         "0.95 leaves five per cent on one side: for an interval with two ends it is 0.975"),
        ((mean, stats.t.ppf(0.975, n) * sd / math.sqrt(n)), "n - 1 degrees of freedom, not n: the mean took one"),
        ((mean, t * d.std() / math.sqrt(n)), "the deviation was divided by n: for a sample it is n - 1, ddof=1"),
        ((mean, t * sd), "that is the spread of single differences: the mean of n has a smaller one, by sqrt(n)"),
        ((mean, t * sd / n), "divided by n where it should be sqrt(n)"),
        ((mean, sd / math.sqrt(n)), "that is the standard error: the half-width of the interval is t times it"),
        ((mean, t * unpaired), "the two lists were taken as unrelated: the same seed stands behind a[i] and b[i], "
                               "so take the spread of their differences"),
        ((mean, stats.t.ppf(0.975, 2 * n - 2) * unpaired),
         "that is the test for two unrelated groups: here each seed has a pair, so take the differences first"),
        ((mean - half, mean + half), "those are the two ends: give back the mean and the half-width"),
        ((np.median(d), half), "the median is not the mean"),
    ]


def _judge(answer: Any) -> Feedback | None:
    for seed, n in ((0, 5), (4, 8)):
        rng = np.random.default_rng(seed)
        common = 3 + 0.2 * rng.standard_normal(n)
        a, b = (common + shift + 0.03 * rng.standard_normal(n) for shift in (0, 0.05))
        interval = stats.ttest_rel(a, b).confidence_interval(0.95)
        truth = (interval.high + interval.low) / 2, (interval.high - interval.low) / 2
        value = call(answer, a.tolist(), b.tolist(), form=_FORM)
        two = [number(v) for v in value] if isinstance(value, (tuple, list)) else []
        if len(two) != 2 or None in two:
            return Feedback(shown(value), "two numbers, (mean, half_width)",
                            "give both back: return mean, half_width")
        if not all(map(near, two, truth)):
            hint = recognise(lambda wrong: all(map(near, two, wrong)), _mistakes(a, b),
                             "go in steps: the differences, their mean, their standard deviation, the error of "
                             "the mean, and t times that" if not all(map(math.isfinite, two)) or near(two[0], truth[0])
                             else "the mean is off already: it is the mean of a[i] - b[i]")
            return Feedback(f"({two[0]:.7g}, {two[1]:.7g})", f"({truth[0]:.7g}, {truth[1]:.7g})", hint,
                            f"{n} seeds, losses around {a.mean():.2f} and {b.mean():.2f}")
    return None


EXERCISE = Exercise(
    id="real-difference", level="core", minutes=12, judge=_judge,
    aim="Say whether one setting is better than another, or whether it was chance.",
    stub='''\
def difference(a, b):
    """Mean of a - b and the half-width of its 95 % interval, as a tuple.

    a, b: the losses of two settings, lists of n floats; a[i] and b[i] have the
    same seed.  With the differences d, their mean and their standard deviation
    s (dividing by n - 1), the half-width is t * s / sqrt(n), where t is
    scipy.stats.t.ppf(0.975, n - 1): the paired t-test.
    """
    ...  # your code here
''')
