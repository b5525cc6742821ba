"""What goes wrong in the exercise "ablation": functions of a table and its baseline, each with its hint."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from statistics import mean, pstdev, stdev, variance

import numpy as np

_T = 2.776  # the 0.975 quantile of Student's t with 4 degrees of freedom


def _error(d) -> float:
    """The standard error of the mean."""
    return np.std(d, ddof=1) / np.sqrt(len(d))


def _rows(rule: Callable) -> Callable:
    """The rows for which a rule holds of the paired differences, the row, and the baseline."""
    return lambda table, baseline: sorted(
        name
        for name in table
        if name != baseline
        and rule([a - b for a, b in zip(table[name], table[baseline])], table[name], table[baseline])
    )


def _bound(times: float, spread: Callable = stdev, root: float = sqrt(5)) -> Callable:
    return _rows(lambda d, a, b: mean(d) + times * spread(d) / root < 0)


truth = _rows(lambda d, a, b: mean(d) + _T * _error(d) < 0)


def _resorted(table, baseline):
    return truth({name: sorted(losses) for name, losses in table.items()}, baseline)


PAIRS = [
    (
        _rows(lambda d, a, b: mean(d) + _T * sqrt((variance(a) + variance(b)) / 5) < 0),
        "the runs were not paired: take the difference seed by seed first, and its spread; the seeds differ from each "
        "other more than the techniques do",
    ),
    (
        _rows(lambda d, a, b: mean(a) + _T * _error(a) < mean(b) - _T * _error(b)),
        "two intervals that do not overlap are another question, and a harder one: pair the runs, and take one "
        "interval of their differences",
    ),
    (
        _resorted,
        "the losses were sorted before they were paired: the first of each row belongs to the same seed, so keep their "
        "order",
    ),
    (
        lambda table, baseline: truth(table, "none" if "none" in table else baseline),
        "the row called 'none' was taken for the baseline: it may have another name, the one in the argument baseline",
    ),
    (
        lambda table, baseline: truth(table, next(iter(table))),
        "the first row was taken for the baseline: it may stand anywhere, under the name in the argument baseline",
    ),
    (lambda table, baseline: [], "no row at all was counted: those whose interval lies wholly below zero are better"),
    (lambda *case: sorted([*truth(*case), case[1]]), "the baseline is not better than itself: leave it out"),
]
BOUNDS = [
    (
        _rows(lambda d, a, b: mean(d) < 0),
        "a lower mean is not enough: the whole interval of the differences must lie below zero",
    ),
    (
        _rows(lambda d, a, b: abs(mean(d)) > _T * _error(d)),
        "what is reliably worse was counted too: a difference above zero is a loss",
    ),
    (
        _rows(lambda d, a, b: mean(d) > _T * _error(d)),
        "these rows are reliably worse: lower is better, and the difference is the row less the baseline",
    ),
    (
        _rows(lambda d, a, b: mean(d) - _T * _error(d) < 0),
        "the lower end of the interval was asked: it is the upper end that must lie below zero",
    ),
    (
        _rows(lambda d, a, b: mean(d) + _T * _error(d) <= 0),
        "an interval that ends at zero was counted: a row that is the same as the baseline is not better",
    ),
    (
        _bound(_T, root=1),
        "the spread was not divided by the root of the number of seeds: that is the spread of one difference, not of "
        "their mean",
    ),
    (_bound(_T, root=2), "the spread was divided by the root of 4: only sd divides by 4, the mean is one of 5"),
    (_bound(_T, root=5), "the spread was divided by 5: it is the root of 5, because chances partly cancel"),
    (_bound(_T, pstdev), "the spread divides by 5 here: for a sample it is one less, 4 (statistics.stdev, or ddof=1)"),
    (_bound(1.0), "that is one standard error: the 95 % interval of five pairs reaches 2.776 of them"),
    (
        _bound(1.96),
        "1.96 is for a spread that is known: five pairs only estimate it, and their 95 % interval reaches 2.776 "
        "standard errors",
    ),
    (
        _bound(2.132),
        "2.132 leaves 5 % on one side: an interval of 95 % leaves 2.5 % on each, and reaches 2.776 standard errors",
    ),
    (_bound(2.571), "2.571 is for six pairs: five have 4 degrees of freedom, and 2.776"),
    (
        _rows(lambda d, a, b: max(d) < 0),
        "better at every seed is another question: five of five happen by chance once in 32",
    ),
    (
        _rows(lambda d, a, b: sorted(d)[2] < 0),
        "better at most seeds is another question: the whole interval of the differences must lie below zero",
    ),
]
