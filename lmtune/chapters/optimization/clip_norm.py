"""The exercise "clip by the global norm", held against torch's clip_grad_norm_."""

from __future__ import annotations

import inspect
import random
import sys
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from lmtune.exercises.cases import Feedback
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal


def _inputs(rng: random.Random) -> list:
    cases = []
    for scale, limit in ((2.0, 1.5), (0.7, 2.0), (0.01, 1.0), (0.0, 1.0)):
        shapes = ((1.0, (3, 4)), (0.4, (4,)), (0.1, (2, 2, 2)))
        cases.append([[scale * k * normal(rng, *shape) for k, shape in shapes], limit])
    cases[1][0][2].zero_()  # a layer that the batch did not reach
    return cases


def _truth(gradients, limit):
    holders = [torch.nn.Parameter(g) for g in gradients]
    for holder, g in zip(holders, gradients):
        holder.grad = g
    clip_grad_norm_(holders, limit)
    return [holder.grad for holder in holders]


def _observe(answer, gradients, limit) -> Any:
    """What comes back, unless torch's function made it, under whatever name it was called."""
    ran, before = set(), sys.getprofile()
    sys.setprofile(lambda frame, event, argument: ran.add(frame.f_code))
    try:
        value = answer(gradients, limit)
    finally:
        sys.setprofile(before)
    if inspect.unwrap(clip_grad_norm_).__code__ not in ran:
        return value
    return Feedback(
        "a gradient clipped by torch's clip_grad_norm_",
        "the same by your own lines",
        "torch's function is what the check compares with, so this compares it with itself: write its "
        "steps yourself, the norm, the factor and the product",
    )


def _by(length):
    """A mistake in the norm: ``length`` of all values in one row, and of the norms of the tensors."""

    def clipped(gradients, limit):
        values = torch.cat([g.flatten() for g in gradients])
        return _scaled(gradients, min(1.0, limit / length(values, torch.stack([g.norm() for g in gradients]))))

    return clipped


def _times(factor):
    """A mistake in the factor, made of the true norm and the limit."""
    return lambda gradients, limit: _scaled(
        gradients, factor(torch.cat([g.flatten() for g in gradients]).norm(), limit)
    )


def _scaled(gradients, factor):
    return [g * factor for g in gradients]


_MISTAKES = [
    (
        lambda gradients, limit: [g * min(1.0, limit / g.norm()) for g in gradients],
        "each tensor was clipped by its own norm, which "
        "turns the whole gradient another way: there is one norm, over all of them",
    ),
    (
        lambda gradients, limit: [g.clamp(-limit, limit) for g in gradients],
        "that clips each value by itself, which turns the gradient another way: scale all of it by one factor",
    ),
    (_times(lambda norm, limit: limit / norm), "a short gradient was made longer: below the limit it stays as it is"),
    (
        _times(lambda norm, limit: max(1.0, limit / norm)),
        "long gradients stayed and short ones were made longer: the factor is at most 1, so take min, not max",
    ),
    (_times(lambda norm, limit: norm / limit), "the factor is upside down: it is limit / norm"),
    (
        _times(lambda norm, limit: min(1.0, 1 / norm)),
        "the limit is missing: the factor is limit / norm, which is 1 / norm only where the limit is 1",
    ),
    (_by(lambda values, norms: norms.sum()), "the norms of the tensors do not add up: their squares do"),
    (_by(lambda values, norms: values.pow(2).sum()), "that is the square of the norm: take its root"),
    (_by(lambda values, norms: norms.max()), "that is the norm of the largest tensor: take all of them together"),
    (_by(lambda values, norms: values.abs().max()), "that is the largest value, not the norm"),
    (_by(lambda values, norms: norms.mean()), "that is the mean of the norms: take one norm of all"),
    (
        _by(lambda values, norms: values.pow(2).mean().sqrt()),
        "that is the root of the mean of the squares: the norm is the root of their sum",
    ),
    (
        _by(lambda values, norms: values.abs().sum()),
        "that is the sum of the sizes: the norm is the root of the sum of the squares",
    ),
    (lambda gradients, limit: gradients, "the gradient came back as it was, longer than the limit"),
]

EXERCISE = Exercise(
    id="clip-norm",
    level="warm-up",
    minutes=8,
    aim="Keep one strange batch from throwing the weights away, without turning the gradient.",
    stub='''\
def clip(gradients, limit):
    """Scale the whole gradient so that its norm is at most `limit`.

    gradients: a list of tensors, the gradients of all parameters; they
    may all be zero.  Returns the list of the new tensors.  Leave torch's
    clip_grad_norm_ aside: it is what the check compares with.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    observe=_observe,
    gives="the list of all clipped gradients, in their order",
    otherwise="three steps: the root of the sum of all squares, the factor limit / norm but at most 1, "
    "and every tensor times this factor",
    mistakes=_MISTAKES,
)
