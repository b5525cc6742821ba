"""The exercise "ablation": which rows of a table have really shown something."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from math import sqrt
from statistics import mean, stdev
from typing import Any

from lmtune.chapters.regularization.ablation_mistakes import BOUNDS, PAIRS, truth
from lmtune.exercises.exercise import Exercise

#: By how many standard errors a row lies below the baseline: one between any two bounds of the mistakes.
_BELOW = {
    **{"frozen": 30.0, "average": 9.4, "merged": 6.9, "dropout": 2.95, "decay": 2.66, "mixing": 2.53, "noise": 2.3},
    **{"smooth": 2.05, "anchor": 1.5, "early": 0.4, "labels": -0.5, "worse": -5.0},
}
#: Differences: better at each seed, though mostly by little; at all but one, which costs more than the others gain;
#: better at all but one; and nearly the same at each.
_LUCKY, _COSTLY = [-0.02, -0.01, -0.01, -0.02, -0.6], [-0.02, -0.01, -0.02, -0.03, 0.5]
_MOSTLY, _EVEN = [-0.2, -0.21, -0.19, -0.2, 0.01], [-0.22, -0.25, -0.23, -0.24, -0.26]


def _inputs(rng: random.Random) -> list:
    same = [2.0, 2.1, 2.2, 2.3, 2.4]
    return [
        [_table(rng, "none", lucky=_LUCKY, costly=_COSTLY), "none"],
        [_table(rng, "plain", none=_EVEN, mostly=_MOSTLY), "plain"],
        [{"none": same, "same": same}, "none"],
    ]


def _five(rng: random.Random) -> list[float]:
    """Five numbers of mean 0 and spread 1."""
    drawn = [rng.gauss(0, 1) for _ in range(5)]
    return [(x - mean(drawn)) / stdev(drawn) for x in drawn]


def _table(rng: random.Random, baseline: str, **more: list) -> dict:
    """Losses of five seeds, which differ more than the techniques do, so that pairing matters."""
    base = [4 + 0.2 * x for x in _five(rng)]
    differences = more | {baseline: [0.0] * 5}
    for name, below in _BELOW.items():
        differences[name] = [0.1 * (x - below / sqrt(5)) for x in _five(rng)]
    names = rng.sample(list(differences), len(differences))
    return {name: [round(b + d, 3) for b, d in zip(base, differences[name])] for name in names}


def _observed(answer: Callable, table: dict, baseline: str) -> Any:
    """The names in one order: any will do."""
    value = answer(table, baseline)
    value = value.tolist() if hasattr(value, "tolist") else value
    listed = isinstance(value, Collection) and not isinstance(value, (str, bytes, dict))
    return sorted(value, key=str) if listed else value


EXERCISE = Exercise(
    id="ablation",
    level="core",
    minutes=12,
    aim="Read an ablation table honestly.",
    stub='''\
def really_better(table, baseline):
    """The rows of an ablation table that are better than its baseline.

    table: name -> losses of five seeds, the same seeds in the same order, lower
    is better; baseline: the name of one row.  A row counts when the 95 %
    interval of its paired differences, mean(d) -+ 2.776 * sd(d) / sqrt(5) with
    sd dividing by 4, lies wholly below zero.  Returns a list of names, in any
    order.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=truth,
    observe=_observed,
    gives="the names as a list, an empty one if there is none",
    otherwise="for each row: d = row - baseline seed by seed; it counts if mean(d) + 2.776 * sd(d) / sqrt(5) < 0",
    mistakes=[*PAIRS, *BOUNDS],
)
