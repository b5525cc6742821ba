"""What the exercise "range reading" reads: made-up range tests, and their smoothed curves."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

#: Of each made-up test: its updates, the smoothing, the power of ten around which the loss falls, and how it rises.
#: In some the fall comes so early that a running mean has not yet come up from 0, in some the rise is the less steep.
_TESTS = ((60, 0.8, -2.6, 3), (60, 0.8, -2.6, 0.3), (30, 0.9, -4.5, 0.2), (30, 0.95, -4.3, 0.2), (40, 0.7, -4.2, 1))


def inputs(rng: random.Random) -> list:
    """All tests at once: one alone agrees with several mistakes."""
    all_rates, all_losses = [], []
    for updates, _, fall, rise in _TESTS:
        exponents = np.linspace(-5, 0, updates)
        losses = 4 - 1.2 / (1 + np.exp(-4 * (exponents - fall))) + rise * np.clip(exponents + 1.1, 0, None) ** 2
        losses[1] = losses[0]  # flat there, and no noise at the ends: no slope at an end is the steepest
        noise = [0, 0, *(rng.gauss(0, 0.1) for _ in exponents[4:]), 0, 0]
        all_rates.append((10**exponents).tolist())
        all_losses.append((losses + noise).tolist())
    return [[all_rates, all_losses, [smoothing for _, smoothing, *_ in _TESTS]]]


def smoothed(losses: list, smoothing: float) -> np.ndarray:
    """Each value from its definition, a weighted mean of all losses so far."""
    weights = [smoothing ** np.arange(n)[::-1] for n in range(1, len(losses) + 1)]
    return np.array([np.average(losses[: len(w)], weights=w) for w in weights])


def running(losses, smoothing, start=0.0, corrected=True, fed_back=False) -> np.ndarray:
    """The running mean, with a fault in its start or its correction."""
    mean, curve = start, []
    for n, loss in enumerate(losses, start=1):
        mean = smoothing * mean + (1 - smoothing) * loss
        curve.append(mean / (1 - smoothing**n) if corrected else mean)
        mean = curve[-1] if fed_back else mean
    return np.array(curve)


def slopes(curve: np.ndarray) -> np.ndarray:
    """Differences of the two neighbours, the first of them for the second place."""
    return curve[2:] - curve[:-2]


def each(reading: Callable) -> Callable:
    """What ``reading(rates, losses, smoothing)`` gives for every test."""
    return lambda *tests: [reading(*test) for test in zip(*tests)]


def steepest(curve: np.ndarray) -> int:
    """The place of the steepest fall."""
    return 1 + int(np.argmin(slopes(curve)))


def at(place: Callable) -> Callable:
    """A mistake in the place on the smoothed curve."""
    return each(lambda rates, losses, smoothing: rates[place(smoothed(losses, smoothing))])


def on(curve: Callable) -> Callable:
    """A mistake in the curve of which the slope is taken."""
    return each(lambda rates, losses, smoothing: rates[steepest(curve(losses, smoothing))])
