"""The exercise "decoupled decay": one update of AdamW, with the decay where it belongs."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.tensors import near, not_a_tensor, tensor, told

_FORM = "adamw_step(w, gradient, m, v, t, lr, decay)"
_B1, _B2, _EPS = 0.9, 0.99, 1e-8


def _torch_step(w, gradient, m, v, t, lr, decay, kind=torch.optim.AdamW) -> torch.Tensor:
    """The update as torch makes it, from the same state."""
    p = torch.nn.Parameter(w.clone())
    optimizer = kind([p], lr=lr, betas=(_B1, _B2), eps=_EPS, weight_decay=decay)
    optimizer.state[p] = {"step": torch.tensor(float(t - 1)), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    p.grad = gradient.clone()
    optimizer.step()
    return p.detach()


def _mistakes(w, gradient, m, v, t, lr, decay) -> list[tuple[torch.Tensor, str]]:
    m1, v1 = _B1 * m + (1 - _B1) * gradient, _B2 * v + (1 - _B2) * gradient**2
    direction = (m1 / (1 - _B1**t)) / ((v1 / (1 - _B2**t)).sqrt() + _EPS)
    plain = w - lr * direction
    return [
        (_torch_step(w, gradient, m, v, t, lr, decay, torch.optim.Adam),
         "the decay was added to the gradient: that is an L2 penalty under Adam, divided by the "
         "gradient's scale like the rest. Take it from the weight itself"),
        (plain, "there is no decay in it: the weight is also multiplied by 1 - lr * decay"),
        (plain - decay * w, "the decay lacks the rate: it is lr * decay of the weight"),
        (plain + lr * decay * w, "the weight grows by the decay: it should shrink"),
        (plain * (1 - lr * decay), "the new weight was decayed: torch takes lr * decay of the weight "
         "before the step"),
        (w - lr * decay * w - lr * m1 / (v1.sqrt() + _EPS),
         "the moments were not corrected for their start at zero: divide by 1 - 0.9 ** t and 1 - 0.99 "
         "** t"),
        (w - lr * decay * w - lr * (m1 / (1 - _B1**t)) / (v1 / (1 - _B2**t) + _EPS),
         "the root is missing: the direction is m over the root of v"),
        (w - lr * decay * w - lr * gradient, "that is plain gradient descent with decay: Adam divides "
         "the "
         "mean of the gradient by its scale"),
        (w - lr * decay * w - lr * (m / (1 - _B1**t)) / ((v / (1 - _B2**t)).sqrt() + _EPS),
         "the old moments were used: take the new gradient into m and v first"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(5)
    for t, lr, decay in ((3, 0.1, 0.5), (10, 0.02, 2.0)):
        w, gradient, m = (torch.randn(6, generator=made, dtype=torch.float64) for _ in range(3))
        gradient[0] *= 100
        v = torch.rand(6, generator=made, dtype=torch.float64)
        inputs = (w, gradient, 0.1 * m, v, t, lr, decay)
        truth = _torch_step(*inputs)
        value = call(answer, *inputs, form=_FORM)
        produced = tensor(value, w)
        if produced is None:
            return not_a_tensor(value, w, "the new weights")
        if not near(produced, truth):
            hint = recognise(lambda wrong: near(produced, wrong), _mistakes(*inputs),
                             "three steps: the new moments, the corrected direction, and w - lr * "
                             "direction "
                             "- lr * decay * w")
            return Feedback(told(produced), told(truth), hint, f"t = {t}, lr = {lr}, decay = {decay}")
    return None


EXERCISE = Exercise(
    id="decoupled-decay", level="challenge", minutes=15, judge=_judge,
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
''')
