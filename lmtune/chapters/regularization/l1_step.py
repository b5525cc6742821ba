"""The exercise "L1 step": the gradient of L1, and the step that makes weights zero."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown
from lmtune.exercises.tensors import near, not_a_tensor, tensor, told

_FORM = "l1_step(w, gradient, lr, strength)"


def _prox(w: torch.Tensor, by: float) -> torch.Tensor:
    return torch.nn.functional.softshrink(w, by)


def _gradient_mistakes(w: torch.Tensor, strength: float) -> list[tuple[torch.Tensor, str]]:
    return [
        (strength * w, "that is the gradient of an L2 penalty: of |w| only the sign is left"),
        (strength * w.abs(), "that is the penalty itself, weight by weight, and not its gradient"),
        (w.sign(), "the strength is missing from the penalty's gradient"),
        (-strength * w.sign(), "the sign of the penalty's gradient is wrong: |w| grows away from zero"),
        (strength * torch.where(w >= 0, 1.0, -1.0).to(w),
         "at zero the gradient must be 0, as torch takes it: a weight that is zero is not pushed"),
    ]


def _step_mistakes(w, gradient, lr, strength) -> list[tuple[torch.Tensor, str]]:
    moved = w - lr * gradient
    return [
        (moved - lr * strength * w.sign(),
         "that is a plain subgradient step: it passes over zero, so no weight ever stays there. "
         "Move by lr * gradient first, then shrink towards zero and stop at it"),
        (moved - lr * strength * moved.sign(),
         "the shrinking passes over zero: a weight nearer to it than lr * strength must become "
         "exactly 0"),
        (_prox(moved, strength), "shrunk by strength alone: the step's length is lr * strength"),
        (_prox(w, lr * strength), "the gradient of the loss is missing: move by lr * gradient first"),
        (_prox(w, lr * strength) - lr * gradient,
         "the two are the wrong way round: first the step of the loss, then the shrinking, so that "
         "zeros are still there at the end"),
        (torch.where(moved.abs() > lr * strength, moved, 0.0),
         "small weights are set to zero and large ones kept as they are: L1 shrinks those too, by "
         "lr * strength"),
        (torch.where(moved.sign() == w.sign(), _prox(moved, lr * strength), 0.0),
         "every weight whose sign changed became zero: the loss may carry a weight across zero, and only "
         "what then lies nearer to it than lr * strength stays there"),
        (_prox(w + lr * gradient, lr * strength), "the step of the loss goes uphill: it is minus lr * "
         "gradient"),
        (moved, "nothing was shrunk: the proximal step comes behind the step of the loss"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(3)
    for lr, strength in ((0.1, 2.0), (0.5, 0.7)):
        w = torch.randn(8, generator=made, dtype=torch.float64)
        w[1], w[4] = 0.0, 0.05
        gradient = 0.5 * torch.randn(8, generator=made, dtype=torch.float64)
        gradient[4] = 0.0
        gradient[1] = -3 * strength  # enough to leave zero
        value = call(answer, w, gradient, lr, strength, form=_FORM)
        if not (isinstance(value, (tuple, list)) and len(value) == 2):
            return Feedback(shown(value), "a pair (penalty_gradient, stepped)",
                            "give two tensors back: return penalty_gradient, stepped")
        truths = (strength * w.sign(), _prox(w - lr * gradient, lr * strength))
        known = (_gradient_mistakes(w, strength), _step_mistakes(w, gradient, lr, strength))
        otherwise = ("the derivative of |w| is its sign", "soft thresholding: sign(z) * max(|z| - lr * "
                     "strength, 0) with z = w - lr * gradient")
        for name, got, truth, mistakes, words in zip(("penalty_gradient", "stepped"), value, truths, known, otherwise):
            produced = tensor(got, truth)
            if produced is None:
                return not_a_tensor(got, truth, name)
            if not near(produced, truth):
                return Feedback(f"{name} {told(produced)}", told(truth),
                                recognise(lambda wrong: near(produced, wrong), mistakes, words),
                                f"w {told(w)}, lr {lr}, strength {strength}")
    return None


EXERCISE = Exercise(
    id="l1-step", level="core", minutes=12, judge=_judge,
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
''')
