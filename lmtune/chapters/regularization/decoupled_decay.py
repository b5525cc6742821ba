"""The exercise "decoupled decay": one update of AdamW, with the decay where it belongs."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal

_B1, _B2, _EPS = 0.9, 0.99, 1e-8


def _inputs(rng: random.Random) -> list:
    cases = []
    for t, lr, decay in ((3, 0.1, 0.5), (10, 0.02, 2.0)):
        w, gradient, m, v = normal(rng, 7), normal(rng, 7), 0.1 * normal(rng, 7), normal(rng, 7) ** 2
        gradient[0] *= 100
        gradient[5], m[5], v[5] = 0.0, 0.0, 0.0  # a weight that was never used: 0 / 0 without epsilon
        gradient[6], m[6], v[6] = 1e-6, 0.0, 0.0  # so small that it matters where epsilon stands
        cases.append([w, gradient, m, v, t, lr, decay])
    return cases


def _torch_step(w, gradient, m, v, t, lr, decay, kind=torch.optim.AdamW) -> torch.Tensor:
    """The update as torch makes it, from the same state."""
    p = torch.nn.Parameter(w.clone())
    optimizer = kind([p], lr=lr, betas=(_B1, _B2), eps=_EPS, weight_decay=decay)
    optimizer.state[p] = {"step": torch.tensor(float(t - 1)), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    p.grad = gradient.clone()
    optimizer.step()
    return p.detach()


def _moves(change: Callable) -> Callable:
    """A mistake in how the step of rate 1 is made of the weight, the gradient, both moments and t."""
    return lambda w, gradient, m, v, t, lr, decay: w - lr * decay * w - lr * change(gradient, m, v, t)


def _direction(change: Callable, b2: float = _B2) -> Callable:
    """A mistake in what is made of both moments with the gradient in them, and of t."""
    return _moves(lambda g, m, v, t: change(_B1 * m + (1 - _B1) * g, b2 * v + (1 - b2) * g**2, t))


def _corrected(m, v, t, b2: float = _B2):
    return m / (1 - _B1**t), v / (1 - b2**t)


def _adam(m, v, t, b2: float = _B2):
    m, v = _corrected(m, v, t, b2)
    return m / (v.sqrt() + _EPS)


def _decayed(change: Callable) -> Callable:
    """A mistake in what the decay makes of the new weight; it gets w, lr and decay too."""
    return lambda w, g, m, v, t, lr, decay: change(_torch_step(w, g, m, v, t, lr, 0.0), w, lr, decay)


_DECAY = [
    (
        lambda *case: _torch_step(*case, torch.optim.Adam),
        "the decay was added to the gradient: that is an L2 penalty under Adam, divided by the gradient's scale like "
        "the rest. Take it from the weight itself",
    ),
    (
        _decayed(lambda new, w, lr, decay: new),
        "there is no decay in it: the weight is also multiplied by 1 - lr * decay",
    ),
    (_decayed(lambda new, w, lr, decay: new - decay * w), "the decay lacks the rate: it is lr * decay of the weight"),
    (_decayed(lambda new, w, lr, decay: new + lr * decay * w), "the weight grows by the decay: it should shrink"),
    (
        _decayed(lambda new, w, lr, decay: new * (1 - lr * decay)),
        "the new weight was decayed: torch takes lr * decay of the weight before the step",
    ),
]
_STEP = [
    (
        _direction(lambda m, v, t: m / (v.sqrt() + _EPS)),
        "the moments were not corrected for their start at zero: divide by 1 - 0.9 ** t and 1 - 0.99 ** t",
    ),
    (
        _direction(lambda m, v, t: m / (1 - _B1**t) / (v.sqrt() + _EPS)),
        "only m was corrected for its start at zero: divide v by 1 - 0.99 ** t too",
    ),
    (_direction(lambda m, v, t: _adam(m, v, t + 1)), "t counts from 1 already: the power is t, not t + 1"),
    (
        _direction(lambda m, v, t: (m / (1 - _B1**t)) / (v / (1 - _B2**t) + _EPS)),
        "the root is missing: the direction is m over the root of v",
    ),
    (
        _direction(lambda m, v, t: m / (1 - _B1**t) / (v / (1 - _B2**t)).sqrt()),
        "there is no epsilon: where the gradient has always been zero that is 0 / 0, not a number; add it to the root",
    ),
    (
        _direction(lambda m, v, t: m / (1 - _B1**t) / (v / (1 - _B2**t) + _EPS).sqrt()),
        "epsilon stands inside the root, where it is a far larger number: add it behind the root",
    ),
    (
        _direction(lambda m, v, t: m / (1 - _B1**t) * (1 - _B2**t) ** 0.5 / (v.sqrt() + _EPS)),
        "epsilon was added before v was corrected for its start at zero: correct v, take the root, then add it",
    ),
    (
        _direction(lambda m, v, t: -_adam(m, v, t)),
        "the step goes uphill: the direction is taken from the weight, not added to it",
    ),
    (
        _direction(lambda m, v, t: _adam(m, v, t, 0.999), 0.999),
        "v was taken with 0.999, as torch does unless told otherwise: its decay rate is 0.99 here",
    ),
    (
        _moves(lambda g, m, v, t: g),
        "that is plain gradient descent with decay: Adam divides the mean of the gradient by its scale",
    ),
    (_moves(lambda g, m, v, t: _adam(m, v, t)), "the old moments were used: take the new gradient into m and v first"),
]

EXERCISE = Exercise(
    id="decoupled-decay",
    level="challenge",
    minutes=15,
    aim="Write one update of AdamW, and know where its decay acts.",
    stub='''\
def adamw_step(w, gradient, m, v, t, lr, decay):
    """The weights after one update of AdamW.

    w, gradient: tensors of one shape; m, v: the running means of the gradient
    and of its square before this update, with decay rates 0.9 and 0.99; t: the
    number of this update, counted from 1; epsilon is 1e-8.  The check compares
    with torch.optim.AdamW.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_torch_step,
    gives="the new weights: a tensor of the shape of w, one number for each of them",
    otherwise="three steps: the new moments, the corrected direction, and w - lr * direction - lr * decay * w",
    mistakes=[*_DECAY, *_STEP],
)
