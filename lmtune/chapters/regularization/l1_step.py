"""The exercise "L1 step": the gradient of L1, and the step that makes weights zero."""

from __future__ import annotations

import random

import torch
from torch.nn.functional import softshrink

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal
from lmtune.exercises.plain import ANY


def _inputs(rng: random.Random) -> list:
    cases = []
    for lr, strength in ((0.1, 2.0), (0.5, 0.7)):
        w, gradient = normal(rng, 8), normal(rng, 8) / 2
        w[1], gradient[1] = 0.0, -3 * strength  # zero, with enough gradient to leave it
        w[4], gradient[4] = 0.05, 0.0  # small, and only shrunk
        cases.append([w, gradient, lr, strength])
    return cases


def _truth(w, gradient, lr, strength):
    return strength * w.sign(), softshrink(w - lr * gradient, lr * strength)


def _gradient(wrong):
    """A mistake in the penalty's gradient, whatever the step is."""
    return lambda w, gradient, lr, strength: (wrong(w, strength), ANY)


def _step(wrong):
    """A mistake in the step, whatever the penalty's gradient is."""
    return lambda *case: (ANY, wrong(*case))


def _moved(change):
    """A mistake in what follows the step of the loss."""
    return _step(lambda w, gradient, lr, strength: change(w, w - lr * gradient, lr * strength))


EXERCISE = Exercise(
    id="l1-step",
    level="core",
    minutes=12,
    aim="Write the gradient of an L1 penalty, and the step that makes weights exactly zero.",
    stub='''\
def l1_step(w, gradient, lr, strength):
    """The L1 penalty strength * sum(|w|): its gradient, and a proximal step.

    w, gradient: tensors of one shape, gradient that of the loss without the
    penalty.  Returns (penalty_gradient, stepped): the gradient of the penalty
    at w (0 where w is 0), and the weights after one step of the loss followed
    by a shrinking towards zero of lr * strength that stops at zero.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="two tensors: return penalty_gradient, stepped",
    otherwise="the derivative of |w| is its sign; the step is soft thresholding: sign(z) * max(|z| - lr * strength, 0) "
    "with z = w - lr * gradient",
    mistakes=[
        (_gradient(lambda w, s: s * w), "that is the gradient of an L2 penalty: of |w| only the sign is left"),
        (_gradient(lambda w, s: s * w.abs()), "that is the penalty itself, weight by weight, and not its gradient"),
        (_gradient(lambda w, s: w.sign()), "the strength is missing from the penalty's gradient"),
        (
            _gradient(lambda w, s: -s * w.sign()),
            "the sign of the penalty's gradient is wrong: |w| grows away from zero",
        ),
        (
            _gradient(lambda w, s: s * torch.where(w >= 0, 1.0, -1.0)),
            "at zero the gradient must be 0, as torch takes it: a weight that is zero is not pushed",
        ),
        (
            _moved(lambda w, z, by: z - by * w.sign()),
            "that is a plain subgradient step: it passes over zero, so no weight ever stays there. "
            "Move by lr * gradient first, then shrink towards zero and stop at it",
        ),
        (
            _moved(lambda w, z, by: z - by * z.sign()),
            "the shrinking passes over zero: a weight nearer to it than lr * strength must become exactly 0",
        ),
        (
            _step(lambda w, g, lr, s: softshrink(w - lr * g, s)),
            "shrunk by strength alone: the step's length is lr * strength",
        ),
        (
            _step(lambda w, g, lr, s: softshrink(w, lr * s)),
            "the gradient of the loss is missing: move by lr * gradient first",
        ),
        (
            _step(lambda w, g, lr, s: softshrink(w, lr * s) - lr * g),
            "the two are the wrong way round: first the step of the loss, then the shrinking, so that "
            "zeros are still there at the end",
        ),
        (
            _moved(lambda w, z, by: torch.where(z.abs() > by, z, 0.0)),
            "small weights are set to zero and large ones kept as they are: L1 shrinks those too, by lr * strength",
        ),
        (
            _moved(lambda w, z, by: torch.where(z.sign() == w.sign(), softshrink(z, by), 0.0)),
            "every weight whose sign changed became zero: the loss may carry a weight across zero, and only "
            "what then lies nearer to it than lr * strength stays there",
        ),
        (
            _step(lambda w, g, lr, s: softshrink(w + lr * g, lr * s)),
            "the step of the loss goes uphill: it is minus lr * gradient",
        ),
        (_moved(lambda w, z, by: z), "nothing was shrunk: the proximal step comes behind the step of the loss"),
    ],
)
