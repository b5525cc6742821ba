"""The exercise "ablation": which rows of a table have really shown something."""
from __future__ import annotations

import math
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown

_FORM = "really_better(table, baseline)"
_T = 2.776  # the 0.975 quantile of Student's t with 4 degrees of freedom

#: Losses of five seeds.  The seeds differ more than the techniques do, so pairing matters.
_TABLES = (
    {"none": [4.10, 4.40, 4.00, 4.60, 4.30], "dropout": [4.00, 4.32, 3.89, 4.51, 4.21],
     "decay": [4.13, 4.30, 4.05, 4.45, 4.31], "worse": [4.20, 4.51, 4.12, 4.70, 4.41],
     "close": [4.06, 4.33, 4.01, 4.515, 4.29], "noisy": [4.00, 4.56, 4.10, 4.55, 4.38],
     "small": [4.08, 4.35, 3.97, 4.56, 4.24], "edge": [4.00, 4.38, 3.92, 4.59, 4.27]},
    {"mix": [3.00, 3.20, 3.10, 3.40, 3.30], "none": [3.02, 3.21, 3.13, 3.41, 3.32],
     "lucky": [2.40, 3.22, 3.14, 3.42, 3.31]},
    {"none": [2.0, 2.1, 2.2, 2.3, 2.4], "same": [2.0, 2.1, 2.2, 2.3, 2.4]},
)


def _better(table, baseline, rule) -> list[str]:
    return sorted(n for n in table if n != baseline and rule([a - b for a, b in zip(table[n], table[baseline])],
                                                             table[n], table[baseline]))


def _mean(values) -> float:
    return sum(values) / len(values)


def _sd(values, less=1) -> float:
    return math.sqrt(sum((v - _mean(values)) ** 2 for v in values) / (len(values) - less))


def _paired(times: float, less: int = 1, root: bool = True):
    return lambda d, a, b: _mean(d) + times * _sd(d, less) / (math.sqrt(len(d)) if root else 1) < 0


_right = _paired(_T)


def _mistakes(table, baseline) -> list[tuple[list[str], str]]:
    def unpaired(d, a, b):
        return _mean(d) + _T * math.sqrt((_sd(a) ** 2 + _sd(b) ** 2) / len(a)) < 0

    def either(d, a, b):
        half = _T * _sd(d) / math.sqrt(len(d))
        return abs(_mean(d)) > half

    return [
        (_better(table, baseline, lambda d, a, b: _mean(d) < 0), "a lower mean is not enough: the "
         "whole interval of the "
         "differences must lie below zero"),
        (_better(table, baseline, unpaired), "the runs were not paired: take the difference seed by "
         "seed first, and its "
         "spread; the seeds differ from each other more than the techniques do"),
        (_better(table, baseline, either), "what is reliably worse was counted too: a difference above "
         "zero is a loss"),
        (_better(table, baseline, lambda d, a, b: _mean(d) - _T * _sd(d) / math.sqrt(len(d)) < 0),
         "the lower end of the interval was asked: it is the upper end that must lie below zero"),
        (_better(table, baseline, _paired(_T, root=False)), "the spread was not divided by the root of "
         "the number of seeds: "
         "that is the spread of one difference, not of their mean"),
        (_better(table, baseline, _paired(_T, less=0)), "the spread divides by 5 here: for a sample it "
         "is one less, 4 (statistics.stdev, or ddof=1)"),
        (_better(table, baseline, _paired(1.0)), "that is one standard error: the 95 % interval of "
         "five pairs reaches "
         "2.776 of them"),
        (_better(table, baseline, lambda d, a, b: all(x < 0 for x in d)), "better at every seed is "
         "another question: five of "
         "five happen by chance once in 32"),
        (sorted([*_better(table, baseline, _right), baseline]), "the baseline is not better than "
         "itself: leave it out"),
    ]


def _judge(answer: Any) -> Feedback | None:
    for table in _TABLES:
        truth = _better(table, "none", _right)
        value = call(answer, table, "none", form=_FORM)
        if isinstance(value, (set, tuple)):
            value = list(value)
        if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
            return Feedback(shown(value), "a list of names", "give the names back as a list, an empty "
                "one if there is none")
        if sorted(value) != truth:
            hint = recognise(lambda wrong: sorted(value) == wrong, _mistakes(table, "none"),
                             "for each row: d = row - baseline seed by seed; it counts if mean(d) + "
                             "2.776 * sd(d) / "
                             "sqrt(5) < 0")
            return Feedback(str(sorted(value)), str(truth), hint, f"the table with the rows {', '.join(table)}")
    return None


EXERCISE = Exercise(
    id="ablation", level="core", minutes=12, judge=_judge,
    aim="Read an ablation table honestly.",
    stub='''\
def really_better(table, baseline):
    """The rows of an ablation table that are better than its baseline.

    table: name -> losses of five seeds, the same seeds in the same order, lower
    is better; baseline: the name of one row.  A row counts when the 95 %
    interval of its paired differences, mean(d) -+ 2.776 * sd(d) / sqrt(5) with
    sd dividing by 4, lies wholly below zero.  Returns a list of names.
    """
    ...  # your code here
''')
