"""The exercise "AdamW's update": one step, held against torch.optim.AdamW."""

from __future__ import annotations

import random
from functools import partial

import torch

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal
from lmtune.exercises.plain import ANY


def _inputs(rng: random.Random) -> list:
    cases = []
    for t in (1, 2, 5):
        g = normal(rng, 4, 2)
        m, v = (normal(rng, 4, 2) / 4, normal(rng, 4, 2) ** 2 / 9) if t > 1 else (0 * g, 0 * g)
        g[0, 1] = m[0, 1] = v[0, 1] = 0.0  # a weight that has had no gradient yet: only eps keeps it from 0 / 0
        cases.append([normal(rng, 4, 2), g, m, v, t, 0.05, 0.9, 0.97, 1e-2, 0.3])
    return cases


def _truth(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    w = torch.nn.Parameter(w)
    optimizer = torch.optim.AdamW([w], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay)
    optimizer.state[w] = {"step": torch.tensor(t - 1.0), "exp_avg": m, "exp_avg_sq": v}
    w.grad = g
    optimizer.step()
    return w, optimizer.state[w]["exp_avg"], optimizer.state[w]["exp_avg_sq"]


def _step(
    *case,
    late=0,
    corrected="mv",
    power=True,
    share=True,
    square=True,
    old=False,
    decayed="before",
    shrink=lambda by, lr: 1 - lr * by,
    below=lambda v, b, eps: (v / b).sqrt() + eps,
):
    """AdamW, with switches for what people get wrong."""
    w, g, m, v, t, lr, beta1, beta2, eps, decay = case
    if decayed == "gradient":
        g, decay = g + decay * w, 0
    new_m = beta1 * m + (1 - beta1 if share else 1) * g
    new_v = beta2 * v + (1 - beta2) * (g * g if square else g.abs())
    m, v = (m, v) if old else (new_m, new_v)
    a, b = (1 - beta ** (t + late) if power else 1 - beta * t for beta in (beta1, beta2))
    a, b = a if "m" in corrected else 1, b if "v" in corrected else 1
    move, kept = lr * m / a / below(v, b, eps), shrink(decay, lr)
    return ((w - move) * kept if decayed == "after" else w * kept - move), new_m, new_v


def _corrected_moments(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    w, m, v = _step(w, g, m, v, t, lr, beta1, beta2, eps, decay)
    return w, m / (1 - beta1**t), v / (1 - beta2**t)


_MISTAKES = [
    (
        partial(_step, corrected=""),
        "m and v start at zero and are too small at first: divide them by "
        "1 - beta1 ** t and 1 - beta2 ** t before the step",
    ),
    (partial(_step, corrected="v"), "v was corrected and m was not: m starts at zero too, divide it by 1 - beta1 ** t"),
    (partial(_step, corrected="m"), "m was corrected and v was not: v starts at zero too, divide it by 1 - beta2 ** t"),
    (partial(_step, power=False), "the correction is 1 - beta ** t, a power: 1 - beta * t becomes negative"),
    (
        partial(_step, share=False),
        "m is a running mean, so the new gradient comes in with the share 1 - beta1; "
        "without it m is momentum's running sum",
    ),
    (partial(_step, decayed="after"), "the step is decayed too: shrink the old w by 1 - lr * decay first, then move"),
    (
        partial(_step, decayed="gradient"),
        "the decay was added to the gradient, where it is divided by the "
        "root of v too: that is Adam with an L2 penalty. AdamW shrinks w itself, apart from the gradient",
    ),
    (partial(_step, shrink=lambda by, lr: 1), "the weights do not decay: multiply w by 1 - lr * decay"),
    (partial(_step, shrink=lambda by, lr: 1 - by), "the decay lacks the rate: it is lr * decay"),
    (
        partial(_step, shrink=lambda by, lr: 1 + lr * by),
        "the weights grow: decay shrinks them, by the factor 1 - lr * decay",
    ),
    (partial(_step, below=lambda v, b, eps: (v / b + eps).sqrt()), "eps stands under the root: add it to the root"),
    (partial(_step, below=lambda v, b, eps: v / b + eps), "v holds squares: divide by its root"),
    (
        partial(_step, below=lambda v, b, eps: (v / b).sqrt()),
        "eps is missing: add it to the root of v, or a weight without a gradient becomes 0 / 0, which is nan",
    ),
    (
        partial(_step, below=lambda v, b, eps: (v.sqrt() + eps) / b**0.5),
        "eps was added before v was corrected: correct v, take its root, then add eps",
    ),
    (partial(_step, square=False), "v is the running mean of the gradient's square, not of its size"),
    (partial(_step, old=True), "the step was made with the old m and v: renew them first, then move"),
    (
        lambda w, g, m, v, t, lr, b1, b2, *rest: _step(w, g, m, v, t, lr, b2, b1, *rest),
        "beta1 and beta2 are exchanged: beta1 belongs to m",
    ),
    (partial(_step, below=lambda v, b, eps: -(v / b).sqrt() - eps), "the step goes uphill: subtract it"),
    (partial(_step, late=1), "t counts from 1 already: do not add 1"),
    (partial(_step, late=-1), "t counts from 1, so the first correction divides by 1 - beta: do not subtract 1 from t"),
    (
        _corrected_moments,
        "give m and v back as they are: the correction is for the step alone, and would be made anew each time",
    ),
    (
        lambda w, g, m, v, *rest: (_step(w, g, m, v, *rest)[0], m, v),
        "the step is right, but the old m and v came back: give the new ones",
    ),
    (lambda *case: [_step(*case)[i] for i in (1, 2, 0)], "the weights come first: return w, m, v in this order"),
    (lambda *case: (ANY, ANY), "two came back, and there are three: the weights and both moments"),
]

EXERCISE = Exercise(
    id="adamw-update",
    level="core",
    minutes=15,
    aim="Write the update that nearly every language model is trained with.",
    stub='''\
def adamw_step(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    """One update of AdamW.

    w: weights; g: their gradient; m, v: the running means of the gradient and
    of its square, zero at first; t: the number of this update, from 1.
    The rest are numbers.  Returns (w, m, v), the new ones.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="the new weights and both new moments: return w, m, v",
    otherwise="go in this order: the new m, the new v, both corrected, w decayed, w moved",
    mistakes=_MISTAKES,
)
