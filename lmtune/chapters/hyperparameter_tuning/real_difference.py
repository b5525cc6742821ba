"""The exercise "real difference": the paired interval of two settings."""

from __future__ import annotations

import random

import numpy as np
from scipy import stats

from lmtune.chapters.hyperparameter_tuning.real_difference_widths import WIDTHS
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.plain import ANY


def _inputs(rng: random.Random) -> list:
    """No case of five seeds: what is written for five is right there."""
    cases = []
    for n, shift in ((6, 0.1), (8, -0.1), (12, 0.07)):
        common = [rng.gauss(3, 0.2) for _ in range(n)]
        cases.append([[c + rng.gauss(0, 0.03) for c in common], [c + rng.gauss(shift, 0.03) for c in common]])
    return cases


def _truth(a, b):
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    return (interval.high + interval.low) / 2, (interval.high - interval.low) / 2


def _mean(wrong):
    """A mistake in the mean, whatever the half-width is."""
    return lambda a, b: (wrong(np.subtract(a, b)), ANY)


def _ends(a, b):
    mean, half = _truth(a, b)
    return mean - half, mean + half


EXERCISE = Exercise(
    id="real-difference",
    level="core",
    minutes=12,
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
''',
    inputs=_inputs,
    truth=_truth,
    gives="both, two numbers: return mean, half_width",
    otherwise="go in steps: the differences a[i] - b[i], their mean, their standard deviation, the error of the mean, "
    "and t times that",
    mistakes=[
        (_ends, "those are the two ends: give back the mean and the half-width"),
        (
            lambda a, b: tuple(stats.ttest_rel(a, b)),
            "those are the statistic and the p-value of the test: give back the mean of a - b and the half-width",
        ),
        (lambda a, b: _truth(a, b)[::-1], "the two are the wrong way round: the mean first, then the half-width"),
        (_mean(lambda d: -d.mean()), "the sign: a minus b, so that a better a gives a negative mean"),
        (lambda a, b: (abs(_truth(a, b)[0]), _truth(a, b)[1]), "the sign is lost: a better a gives a negative mean"),
        (
            lambda a, b: (np.abs(np.subtract(a, b)).mean(), _truth(a, b)[1]),
            "each difference lost its sign: a minus b may have either",
        ),
        (np.subtract, "those are the differences themselves: give back their mean and the half-width"),
        (_mean(np.median), "the median is not the mean"),
        (_mean(sum), "that is the sum of the differences: divide by n"),
        (
            lambda a, b: (ANY, _truth(sorted(a), sorted(b))[1]),
            "the lists were sorted, each for itself, and a[i] and b[i] no longer have the same seed",
        ),
        *WIDTHS,
    ],
)
