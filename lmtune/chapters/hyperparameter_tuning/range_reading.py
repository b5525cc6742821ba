"""The exercise "range reading": where the smoothed loss of a range test falls fastest."""

from __future__ import annotations

import numpy as np

from lmtune.chapters.hyperparameter_tuning.range_reading_curves import (
    at,
    each,
    inputs,
    on,
    running,
    slopes,
    smoothed,
    steepest,
)
from lmtune.exercises.exercise import Exercise


def _against_rate(rates, losses, smoothing):
    return rates[1 + int(np.argmin(slopes(smoothed(losses, smoothing)) / slopes(np.array(rates))))]


EXERCISE = Exercise(
    id="range-reading",
    level="core",
    minutes=15,
    aim="Read a learning rate off the noisy curve of a range test.",
    stub='''\
def read_range_test(rates, losses, smoothing):
    """The rate at which the smoothed loss falls fastest.

    rates: a list of floats, evenly spaced in their logarithm; losses: the loss
    of each update.  Smooth with m = smoothing * m + (1 - smoothing) * loss from
    m = 0, divided by 1 - smoothing ** n after n updates.  The slope at a rate
    is the difference of its two neighbours: the loss after minus the loss before.
    """
    ...  # your code here
''',
    inputs=inputs,
    observe=lambda answer, *tests: each(answer)(*tests),
    truth=at(steepest),
    gives="one number for each test: the rate, as it stands in the list",
    otherwise="go in three steps: smooth, take central differences, find the least of them; then give back one of the "
    "rates of the test, as it stands in the list",
    mistakes=[
        (
            at(lambda curve: np.argmin(np.diff(curve))),
            "the slope was taken to the neighbour after it alone: take the difference of the two neighbours",
        ),
        (
            at(lambda curve: 1 + np.argmin(np.diff(curve))),
            "the slope was taken to the neighbour before it alone: take the difference of the two neighbours",
        ),
        (
            each(lambda rates, losses, smoothing: steepest(smoothed(losses, smoothing))),
            "that is the position in the list: give back the rate that stands there",
        ),
        (
            each(lambda rates, losses, smoothing: np.argmin(slopes(smoothed(losses, smoothing)))),
            "that is the position in the list of slopes: give back the rate to which that slope belongs",
        ),
        (
            each(lambda rates, losses, smoothing: rates[np.argmin(losses)]),
            "that is where the raw loss is least: there training is about to break down. Look for the steepest fall",
        ),
        (
            at(np.argmin),
            "that is where the smoothed loss is least, often one step before it breaks down: look for the steepest "
            "fall",
        ),
        (
            each(lambda rates, losses, smoothing: rates[np.argmin(smoothed(losses, smoothing))] / 10),
            "that is the minimum over ten, another of the three readings",
        ),
        (
            on(lambda losses, smoothing: np.array(losses)),
            "the slope was taken of the raw losses: one noisy batch decides. Smooth first",
        ),
        (
            each(_against_rate),
            "the slope was taken against the rate itself: each decade counts alike when the slope is taken against "
            "its logarithm",
        ),
        (
            each(lambda rates, losses, smoothing: rates[np.argmin(np.gradient(smoothed(losses, smoothing), rates))]),
            "np.gradient was given the rates themselves: give it their logarithms, or nothing",
        ),
        (
            each(lambda rates, losses, smoothing: rates[1 + np.argmin(smoothed(slopes(np.array(losses)), smoothing))]),
            "the slopes were smoothed, and not the losses: smooth first",
        ),
        (
            at(lambda curve: 1 + np.argmax(slopes(curve))),
            "that is where the loss rises fastest: a fall is a negative slope",
        ),
        (
            at(lambda curve: 1 + np.argmin(abs(slopes(curve)))),
            "that is where the loss changes least: look for the most negative slope",
        ),
        (
            at(lambda curve: 1 + np.argmax(abs(slopes(curve)))),
            "that is where the loss changes most, up or down: a rise counts too there. Look for the most negative "
            "slope",
        ),
        (
            on(lambda losses, smoothing: running(losses, smoothing, corrected=False)),
            "the running mean was not corrected for its start: it begins near 0 and only seems to rise. Divide by "
            "1 - smoothing ** n",
        ),
        (
            on(lambda losses, smoothing: running(losses, smoothing, start=losses[0], corrected=False)),
            "the running mean began at the first loss, which then weighs more than any other: begin at 0, and divide "
            "by 1 - smoothing ** n",
        ),
        (
            on(lambda losses, smoothing: running(losses, smoothing, fed_back=True)),
            "the corrected value went on into the next mean: keep m as it is, and correct a copy of it",
        ),
        (
            on(lambda losses, smoothing: smoothed(losses, 1 - smoothing)),
            "smoothing is the weight of the past, and here it became the weight of the new loss",
        ),
        (
            at(lambda curve: steepest(curve) - 1),
            "one place off: slopes has its first value for the second rate, because a central difference needs a "
            "neighbour on each side",
        ),
        (
            at(lambda curve: steepest(curve) - 2),
            "two places off: the first slope belongs to the second rate, so 1 is added to its position and not taken "
            "away",
        ),
        (at(lambda curve: steepest(curve) + 1), "one place too far: one neighbour alone lies before each rate"),
    ],
)
