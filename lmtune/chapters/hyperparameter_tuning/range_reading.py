"""The exercise "range reading": where the smoothed loss of a range test falls fastest."""
from __future__ import annotations

from typing import Any

import numpy as np

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown
from lmtune.exercises.numeric import near, not_a_number, number

_FORM = "read_range_test(rates, losses, smoothing)"


def _curve(seed: int, n: int = 60) -> tuple[list[float], list[float]]:
    """A made-up range test: flat, a fall, a rise, and noise on top."""
    rng = np.random.default_rng(seed)
    rates = np.logspace(-5, 0, n)
    at = np.log10(rates)
    losses = 4 - 1.2 / (1 + np.exp(-3 * (at + 2.6))) + 3 * np.clip(at + 1.1, 0, None) ** 2
    return rates.tolist(), (losses + 0.12 * rng.standard_normal(n)).tolist()


def _smoothed(losses: list[float], smoothing: float, corrected: bool = True) -> np.ndarray:
    """Each value from its definition, a weighted mean of all losses so far."""
    curve = []
    for n in range(1, len(losses) + 1):
        weights = (1 - smoothing) * smoothing ** np.arange(n)[::-1]
        curve.append(weights @ np.array(losses[:n]) / (weights.sum() if corrected else 1))
    return np.array(curve)


def _steepest(curve: np.ndarray, x: np.ndarray) -> int:
    return 1 + int(np.argmin((curve[2:] - curve[:-2]) / (x[2:] - x[:-2])))


def _mistakes(rates, losses, smoothing) -> list[tuple[float, str]]:
    x, raw, curve = np.log10(rates), np.array(losses), _smoothed(losses, smoothing)
    best, low = _steepest(curve, x), int(np.argmin(curve))
    slopes = (curve[2:] - curve[:-2]) / (x[2:] - x[:-2])
    steps = np.diff(curve)
    return [
        (rates[int(np.argmin(steps))], "the slope was taken to the neighbour after it alone: take the difference "
                                       "of the two neighbours"),
        (rates[1 + int(np.argmin(steps))], "the slope was taken to the neighbour before it alone: take the "
                                           "difference of the two neighbours"),
        (float(best), "that is the position in the list: give back the rate that stands there"),
        (rates[int(np.argmin(raw))], "that is where the raw loss is least: there training is about to break "
                                     "down. Look for the steepest fall"),
        (rates[low], "that is where the smoothed loss is least, often one step before it breaks down: look "
                     "for the steepest fall"),
        (rates[low] / 10, "that is the minimum over ten, another of the three readings"),
        (rates[_steepest(raw, x)], "the slope was taken of the raw losses: one noisy batch decides. Smooth first"),
        (rates[_steepest(curve, np.array(rates))],
         "the slope was taken against the rate itself: each decade counts alike when the slope is taken "
         "against its logarithm"),
        (rates[1 + int(np.argmax(slopes))], "that is where the loss rises fastest: a fall is a negative slope"),
        (rates[1 + int(np.argmin(abs(slopes)))], "that is where the loss changes least: look for the most "
                                                 "negative slope"),
        (rates[_steepest(_smoothed(losses, smoothing, False), x)],
         "the running mean was not corrected for its start: it begins near 0 and only seems to rise. Divide "
         "by 1 - smoothing ** n"),
        (rates[_steepest(_smoothed(losses, 1 - smoothing), x)],
         "smoothing is the weight of the past, and here it became the weight of the new loss"),
        (rates[best - 1], "one place off: slopes has its first value for the second rate, because a central "
                          "difference needs a neighbour on each side"),
    ]


def _judge(answer: Any) -> Feedback | None:
    smoothing, tests = 0.8, [_curve(seed) for seed in (1719, 2427, 2181)]
    truths = [rates[_steepest(_smoothed(losses, smoothing), np.log10(rates))] for rates, losses in tests]
    produced = []
    for rates, losses in tests:
        value = call(answer, rates, losses, smoothing, form=_FORM)
        produced.append(number(value))
        if produced[-1] is None:
            return not_a_number(value)
    wrong = next((i for i, (p, t) in enumerate(zip(produced, truths)) if not near(p, t)), None)
    if wrong is None:
        return None
    # One curve alone may fit several mistakes, so all of them are asked.
    outcomes = [_mistakes(rates, losses, smoothing) for rates, losses in tests]
    together = [([rows[i][0] for rows in outcomes], hint) for i, (_, hint) in enumerate(outcomes[0])]
    otherwise = ("go in three steps: smooth, take central differences, find the least of them"
                 if any(near(produced[wrong], r) for r in tests[wrong][0]) else
                 "give back one of the rates of the test, as it stands in the list")
    hint = recognise(lambda outcome: all(map(near, produced, outcome)), together, otherwise)
    return Feedback(shown(produced[wrong]), f"the rate {truths[wrong]:.3g}", hint,
                    "a made-up test of 60 updates from 1e-5 to 1, smoothing 0.8")


EXERCISE = Exercise(
    id="range-reading", level="core", minutes=15, judge=_judge,
    aim="Read a learning rate off the noisy curve of a range test.",
    stub='''\
def read_range_test(rates, losses, smoothing):
    """The rate at which the smoothed loss falls fastest.

    rates: lists of floats, evenly spaced in their logarithm; losses: the loss
    of each update.  Smooth with m = smoothing * m + (1 - smoothing) * loss from
    m = 0, divided by 1 - smoothing ** n after n updates.  The slope at a rate
    is the difference of its two neighbours: the loss after minus the loss before.
    """
    ...  # your code here
''')
