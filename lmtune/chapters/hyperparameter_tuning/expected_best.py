"""The exercise "expected best": what a shorter search would have found."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from lmtune.exercises.cases import Feedback
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.plain import difference, few, plain


def _inputs(rng: random.Random) -> list:
    cases = []
    for n, k in ((12, 4), (20, 3), (8, 2)):  # few enough that whoever goes through all n**k draws is done soon
        losses = [3 + rng.gammavariate(1.5, 0.2) for _ in range(n)]
        best = losses.index(min(losses))
        losses[best - 1] = losses[best - 2]  # a loss that two trials share
        cases.append([losses, k])
    return cases


def _observe(answer: Callable, losses: list, k: int) -> Any:
    first, again = answer(list(losses), k), answer(list(losses), k)
    if difference(plain(first), plain(again), 0):
        return Feedback(
            f"{few(plain(first))}, and called again {few(plain(again))}",
            "the same number each time",
            "a simulation converges slowly and is never exact, and there is a closed form",
        )
    return first


def _truth(losses, k):
    return float(np.mean([min(draw) for draw in itertools.product(losses, repeat=k)]))


def _weighted(losses, power):
    """The sum of losses, each by the chance that all ``power`` draws are it or later ones, less the next chance."""
    n = len(losses)
    return sum(x * (((n - i) / n) ** power - ((n - i - 1) / n) ** power) for i, x in enumerate(losses))


def _first_places(losses, k):
    n, ordered = len(losses), sorted(losses)
    places = [ordered.index(x) for x in ordered]
    return sum(x * (((n - i) / n) ** k - ((n - i - 1) / n) ** k) for x, i in zip(ordered, places))


EXERCISE = Exercise(
    id="expected-best",
    level="challenge",
    minutes=20,
    aim="Say what a search of k trials finds on average, from the record of a longer one.",
    stub='''\
def expected_best(losses, k):
    """The mean of the least of k losses, drawn at random from ``losses``.

    losses: a list of n floats in no order; each draw may take any of them, so
    one may come twice.  Exact, not simulated.  Returns one number.
    """
    ...  # your code here
''',
    inputs=_inputs,
    observe=_observe,
    truth=_truth,
    tolerance=1e-5,  # all losses are near 3, so a long simulation would lie within more
    gives="one number",
    otherwise="sort the losses; then ask of each: with which chance is it the best of the k? These chances add up to "
    "1, and they are exact: nothing is drawn, and nothing rounded",
    mistakes=[
        (
            lambda losses, k: min(losses),
            "that is the best of all trials: the best of k drawn from them is worse on average",
        ),
        (
            lambda losses, k: min(losses[:k]),
            "that is the best of the first k as they happened to come: take the mean over all draws of k",
        ),
        (
            lambda losses, k: np.mean([min(losses[i : i + k]) for i in range(0, len(losses), k)]),
            "those are the best of one group of k after another, as they happened to come: take the mean over all "
            "draws of k",
        ),
        (lambda losses, k: np.mean(losses), "that is the mean of one trial, whatever k is"),
        (lambda losses, k: np.median(losses), "that is the median of one trial, whatever k is"),
        (
            lambda losses, k: np.mean(sorted(losses)[:k]),
            "that is the mean of the k best trials: a search does not know which they are",
        ),
        (lambda losses, k: sorted(losses)[k - 1], "that is the k-th best trial: a search of k finds more, or less"),
        (
            lambda losses, k: _weighted(sorted(losses, reverse=True), k),
            "that is the expected worst: the least loss is the best",
        ),
        (
            lambda losses, k: np.mean([min(draw) for draw in itertools.combinations(losses, k)]),
            "the draws were made without replacement: a trial may come twice here, so the chance that all k are at "
            "least the i-th is a power",
        ),
        (
            lambda losses, k: np.mean([min(d) for d in itertools.combinations_with_replacement(losses, k)]),
            "each collection of k was counted once: one of different trials comes in more orders, so it is likelier "
            "than one that has a trial twice",
        ),
        (
            lambda losses, k: sum(x * ((i + 1) / len(losses)) ** k for i, x in enumerate(sorted(losses))),
            "those weights are the chances of at most the i-th value: the weight of a value is the difference of two "
            "neighbouring chances",
        ),
        (
            lambda losses, k: sum(x * (1 - i / len(losses)) ** k for i, x in enumerate(sorted(losses))),
            "those weights are the chances of at least the i-th value, and add up to more than 1: the weight of a "
            "value is its chance less the next one",
        ),
        (lambda losses, k: _weighted(sorted(losses), k - 1), "one draw too few: the power is k"),
        (lambda losses, k: _weighted(sorted(losses), k + 1), "one draw too many: the power is k"),
        (_weighted, "the weights belong to the sorted losses, and these were not sorted"),
        (
            lambda losses, k: _truth(sorted(set(losses)), k),
            "two trials have the same loss, and one of them was dropped: each of the n is drawn with chance 1 / n",
        ),
        (
            _first_places,
            "two trials have the same loss, and both were given the place of the first: count the places, for "
            "instance with enumerate",
        ),
        (lambda losses, k: round(_truth(losses, k), 3), "rounded to three digits: give the number back as it is"),
    ],
)
