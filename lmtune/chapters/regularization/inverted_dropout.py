"""The exercise "inverted dropout": the mask, and the scale that keeps the mean."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal


def _inputs(rng: random.Random) -> list:
    cases = []
    for rate, training in ((0.25, True), (0.4, True), (0.4, False), (0.0, True)):
        u = torch.special.ndtr(normal(rng, 3, 4))  # evenly from 0 to 1
        u[1, 2] = rate  # not below it, so kept
        cases.append([normal(rng, 3, 4) + 2, u, rate, training])
    return cases


def _truth(x, u, rate, training):
    """Dropped places are zero, and the others weigh 1 / (1 - rate)."""
    return torch.where(u < rate, 0.0, x / (1 - rate)) if training else x


def _trained(change: Callable) -> Callable:
    """A mistake in training alone: what it makes of x, of the mask (1 where kept), and of the rate."""
    return lambda x, u, rate, training: change(x, (u >= rate).to(x), rate) if training else x


def _evaluated(change: Callable) -> Callable:
    """A mistake at evaluation alone."""
    return lambda x, u, rate, training: _truth(x, u, rate, training) if training else change(x, (u >= rate).to(x), rate)


def _masked(keep: Callable) -> Callable:
    """A mistake in what is kept in training."""
    return lambda x, u, rate, training: x * keep(u, rate) / (1 - rate) if training else x


EXERCISE = Exercise(
    id="inverted-dropout",
    level="warm-up",
    minutes=8,
    aim="Drop activations so that evaluation needs no correction.",
    stub='''\
def dropout(x, u, rate, training):
    """Inverted dropout with given random numbers.

    x: a float tensor; u: numbers drawn evenly from [0, 1), of the same shape; a
    place is dropped where u is below rate (from 0 up to but not including 1).
    training: False at evaluation, where nothing is dropped.  Returns a tensor
    of the shape of x, with 0 at the dropped places.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="x with some places zero: a tensor of the shape of x, one number for each of its places",
    otherwise="in training: zero where u is below rate, the rest divided by 1 - rate; else x itself",
    mistakes=[
        (
            _trained(lambda x, keep, rate: x * keep),
            "the scale is missing: what is kept must be divided by 1 - rate, or the next layer meets smaller numbers "
            "in training than at evaluation",
        ),
        (_trained(lambda x, keep, rate: x * keep * (1 - rate)), "multiplied by 1 - rate where it should be divided"),
        (_trained(lambda x, keep, rate: x * keep / rate), "divided by the rate: the share that is kept is 1 - rate"),
        (_masked(lambda u, rate: u < rate), "the mask is the wrong way round: dropped is what has u below the rate"),
        (
            _trained(lambda x, keep, rate: x * (1 - keep) / rate),
            "rate was taken for the share that is kept: it is the share that is dropped, where u is below it",
        ),
        (
            _masked(lambda u, rate: u < 1 - rate),
            "this keeps where u is below 1 - rate: as often, but not the places asked for, which are dropped where u "
            "is below rate",
        ),
        (
            _masked(lambda u, rate: u > rate),
            "a place whose u equals the rate is dropped: only those below it go, so that a rate of 0 drops nothing",
        ),
        (
            _masked(lambda u, rate: u[:1] >= rate),
            "the mask of the first row was used for all: each place has a u of its own",
        ),
        (
            _trained(lambda x, keep, rate: x * keep * x.numel() / keep.sum()),
            "scaled by the share that this mask happens to keep: divide by 1 - rate, which is the same for every mask",
        ),
        (
            _trained(lambda x, keep, rate: torch.where(keep > 0, x / (1 - rate), x)),
            "the dropped places keep their value: they must become 0",
        ),
        (_trained(lambda x, keep, rate: x / (1 - rate)), "x is scaled in training, and nothing is dropped"),
        (_trained(lambda x, keep, rate: x), "nothing is dropped in training"),
        (
            _evaluated(lambda x, keep, rate: x * keep / (1 - rate)),
            "it drops when training is False too: at evaluation x comes back as it is",
        ),
        (
            _evaluated(lambda x, keep, rate: x * (1 - rate)),
            "x is scaled down at evaluation, as in the first papers: with the inverted form the scale stands in "
            "training, and evaluation does nothing",
        ),
        (_evaluated(lambda x, keep, rate: x / (1 - rate)), "x is scaled at evaluation too: it comes back as it is"),
        (_evaluated(lambda x, keep, rate: x * keep), "the mask is applied when training is False too"),
        (
            lambda x, u, rate, training: x * (u >= rate) if training else x * (1 - rate),
            "that is dropout as in the first papers, with the scale at evaluation: in the inverted form what is kept "
            "is divided by 1 - rate in training, and evaluation does nothing",
        ),
        (
            lambda x, u, rate, training: _truth(x, u, rate, not training),
            "training is the wrong way round: it drops at evaluation, and not in training",
        ),
    ],
)
