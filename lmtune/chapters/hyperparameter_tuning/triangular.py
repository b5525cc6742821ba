"""The exercise "triangular": the cyclical schedule as a formula."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import torch

from lmtune.exercises.exercise import Exercise


def _inputs(rng: random.Random) -> list:
    """Three cycles each: an update alone agrees with many a wrong schedule."""
    cases = []
    for half_cycle, top in ((4, 0.5), (7, 3e-3)):
        high = top * rng.uniform(0.8, 1)
        cases.append([list(range(6 * half_cycle)), half_cycle, high / rng.uniform(4, 12), high])
    return cases


def _observe(answer: Callable, steps, half_cycle, low, high) -> list:
    return [answer(step, half_cycle, low, high) for step in steps]


def _truth(steps, half_cycle, low, high):
    """The rates of torch's own scheduler."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=low)
    scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, low, high, step_size_up=half_cycle, cycle_momentum=False)
    rates = []
    for _ in steps:
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def _up(step: float, half: float) -> float:
    """0 in the troughs and 1 at the peaks."""
    return 1 - abs(step % (2 * half) / half - 1)


def _rate(wrong):
    """A mistake in the rate, from the right height of each update."""
    return lambda steps, half, low, high: [wrong(_up(s, half), low, high) for s in steps]


def _height(wrong):
    """A mistake in the height between 0 and 1."""
    return lambda steps, half, low, high: [low + (high - low) * wrong(s, half) for s in steps]


EXERCISE = Exercise(
    id="triangular",
    level="warm-up",
    minutes=8,
    aim="Write the triangular schedule as a function of the update alone.",
    stub='''\
def triangular(step, half_cycle, low, high):
    """The learning rate of update ``step``, counted from 0.

    It rises in a straight line from low to high in half_cycle updates, comes
    down to low in as many, and begins again.  Returns one number.
    """
    ...  # your code here
''',
    inputs=_inputs,
    observe=_observe,
    truth=_truth,
    gives="one number for each update: step is a whole number, and the rate a float",
    otherwise="write down by hand the rates of updates 0, half_cycle and 2 * half_cycle, and compare with what "
    "your function gives there",
    mistakes=[
        (
            _rate(lambda up, low, high: high - (high - low) * up),
            "it begins at the top: update 0 has the rate low, and the peak comes half a cycle later",
        ),
        (
            _rate(lambda up, low, high: up),
            "that is the height between 0 and 1: stretch it so that it lies between low and high",
        ),
        (
            _rate(lambda up, low, high: high * up),
            "the troughs come out at 0: they are at low, so add low and stretch by high - low",
        ),
        (
            _rate(lambda up, low, high: (high - low) * up),
            "low was not added: stretched by high - low, the height still has to be lifted by low",
        ),
        (_rate(lambda up, low, high: low + high * up), "the peaks come out at low + high: stretch by high - low"),
        (
            _height(lambda s, half: _up(s, half / 2)),
            "the cycle is too short: half_cycle is the way up alone, and the way down takes as long again",
        ),
        (
            _height(lambda s, half: _up(s, half * 2)),
            "the cycle is too long: the way up alone takes half_cycle updates, not twice as many",
        ),
        (
            _height(lambda s, half: s % half / half),
            "a saw-tooth: after the peak the rate must come down in as many updates as it went up, not jump",
        ),
        (
            _height(lambda s, half: s % (2 * half) / (2 * half)),
            "it climbs for the whole cycle and then jumps: it must turn after half_cycle updates",
        ),
        (_height(lambda s, half: s / half), "it goes on rising after the peak: it must turn there"),
        (_height(lambda s, half: min(1, s / half)), "it stays at the peak: it must come down in as many updates"),
        (
            _height(lambda s, half: max(0, 1 - abs(s / half - 1))),
            "only the first cycle is there: fold the step into its cycle first, for instance with %",
        ),
        (
            _height(lambda s, half: 1 - abs(s / half - 1)),
            "it goes on falling below low: fold the step into its cycle first, so that it turns there again",
        ),
        (
            _height(lambda s, half: (1 - math.cos(math.pi * s / half)) / 2),
            "that is a cosine wave: between trough and peak the rate is a straight line",
        ),
        (
            _rate(lambda up, low, high: low * (high / low) ** up),
            "it is straight in the logarithm of the rate; it should be straight in the rate itself",
        ),
        (_height(lambda s, half: _up(s + 1, half)), "one update ahead: update 0 has the rate low"),
        (
            _height(lambda s, half: _up(s - 1, half)),
            "one update late: steps are counted from 0, and 0 has the rate low",
        ),
        (
            _height(lambda s, half: min(s % (2 * half), 2 * half - 1 - s % (2 * half)) / (half - 1)),
            "peak and trough last two updates each: update half_cycle alone is the peak, and 2 * half_cycle the trough",
        ),
    ],
)
