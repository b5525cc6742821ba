"""The exercise "expected best": what a shorter search would have found."""
from __future__ import annotations

from typing import Any

import numpy as np

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.numeric import differs, near, not_a_number, number

_FORM = "expected_best(losses, k)"


def _of_draws(losses: list[float], k: int, with_replacement: bool = True, best: bool = True) -> float:
    """Expected least (or largest) of k draws, by going through every value that it can take."""
    values, n = np.sort(losses)[:: 1 if best else -1], len(losses)
    left = np.arange(n, -1, -1)  # how many values are no better than the i-th
    if with_replacement:
        at_least = (left / n) ** k
    else:
        at_least = np.array([np.prod([max(0, m - j) / (n - j) for j in range(k)]) for m in left])
    return float(values @ (at_least[:-1] - at_least[1:]))


def _mistakes(losses: list[float], k: int) -> list[tuple[float, str]]:
    values, n = np.sort(losses), len(losses)
    at_most = (np.arange(1, n + 1) / n) ** k
    return [
        (min(losses), "that is the best of all trials: the best of k drawn from them is worse on average"),
        (min(losses[:k]), "that is the best of the first k as they happened to come: take the mean over all "
                          "draws of k"),
        (float(np.mean(losses)), "that is the mean of one trial, whatever k is"),
        (float(np.median(losses)), "that is the median of one trial, whatever k is"),
        (float(np.mean(values[:k])), "that is the mean of the k best trials: a search does not know which they are"),
        (_of_draws(losses, k, best=False), "that is the expected worst: the least loss is the best"),
        (_of_draws(losses, k, with_replacement=False),
         "the draws were made without replacement: a trial may come twice here, so the chance that all k are at "
         "least the i-th is a power"),
        (float(values @ at_most), "those weights are the chances of at most the i-th value: the weight of a value "
                                  "is the difference of two neighbouring chances"),
        (_of_draws(losses, k - 1), "one draw too few: the power is k"),
        (_of_draws(losses, k + 1), "one draw too many: the power is k"),
        (float(np.array(losses) @ ((np.arange(n, 0, -1) / n) ** k - (np.arange(n - 1, -1, -1) / n) ** k)),
         "the weights belong to the sorted losses, and these were not sorted"),
    ]


def _judge(answer: Any) -> Feedback | None:
    for seed, n, k in ((1, 12, 4), (2, 20, 3), (3, 7, 2)):
        losses = (3 + np.random.default_rng(seed).gamma(1.5, 0.2, n)).tolist()
        truth = _of_draws(losses, k)
        value = call(answer, losses, k, form=_FORM)
        produced = number(value)
        if produced is None:
            return not_a_number(value)
        if not near(produced, truth):
            otherwise = "sort the losses; then ask of each: with which chance is it the best of the k?"
            if abs(produced - truth) < 0.02:
                otherwise = "close, but not exact: a simulation converges slowly, and there is a closed form"
            return differs(produced, truth, "nats",
                           recognise(lambda wrong: near(produced, wrong), _mistakes(losses, k), otherwise),
                           f"{n} losses from {min(losses):.2f} to {max(losses):.2f}, k = {k}")
    return None


EXERCISE = Exercise(
    id="expected-best", level="challenge", minutes=20, judge=_judge,
    aim="Say what a search of k trials finds on average, from the record of a longer one.",
    stub='''\
def expected_best(losses, k):
    """The mean of the least of k losses, drawn at random from ``losses``.

    losses: a list of n floats in no order; each draw may take any of them, so
    one may come twice.  Exact, not simulated.  Returns one number.
    """
    ...  # your code here
''')
