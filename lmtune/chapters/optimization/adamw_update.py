"""The exercise "AdamW's update": one step, held against torch.optim.AdamW."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.tensors_plain import few, not_these, same, tensors

_FORM = "adamw_step(w, g, m, v, t, lr, beta1, beta2, eps, decay)"


def _step(w, g, m, v, t, lr, beta1, beta2, eps, decay, *, decayed="before", corrected="both", root="outside",
          square=True, share=True):
    """AdamW, with switches for what people get wrong."""
    if decayed == "gradient":
        g = g + decay * w
    m = beta1 * m + ((1 - beta1) if share else 1) * g
    v = beta2 * v + (1 - beta2) * (g * g if square else g.abs())
    a, b = (1 - beta1 * t, 1 - beta2 * t) if corrected == "times t" else (1 - beta1**t, 1 - beta2**t)
    m_hat, v_hat = m if corrected in ("v", "none") else m / a, v if corrected in ("m", "none") else v / b
    if decayed == "before":
        w = w * (1 - lr * decay)
    elif decayed == "without rate":
        w = w * (1 - decay)
    divisor = {"outside": v_hat.sqrt() + eps, "inside": (v_hat + eps).sqrt(), "none": v_hat + eps}[root]
    w = w - lr * m_hat / divisor
    return [w * (1 - lr * decay) if decayed == "after" else w, m, v]


def _mistakes(w, g, m, v, t, lr, beta1, beta2, eps, decay) -> list[tuple[list, str]]:
    given = (w, g, m, v, t, lr, beta1, beta2, eps, decay)
    true = _step(*given)
    return [
        (_step(*given, corrected="none"), "m and v start at zero and are too small at first: divide them by "
         "1 - beta1 ** t and 1 - beta2 ** t before the step"),
        (_step(*given, corrected="v"), "v was corrected and m was not: m starts at zero too, divide it by "
         "1 - beta1 ** t"),
        (_step(*given, corrected="m"), "m was corrected and v was not: v starts at zero too, divide it by "
         "1 - beta2 ** t"),
        (_step(*given, corrected="times t"), "the correction is 1 - beta ** t, a power: 1 - beta * t becomes "
         "negative"),
        (_step(*given, share=False), "m is a running mean, so the new gradient comes in with the share 1 - beta1; "
         "without it m is momentum's running sum"),
        (_step(*given, decayed="after"), "the step is decayed too: shrink the old w by 1 - lr * decay "
         "first, then move"),
        (_step(*given, decayed="gradient"), "the decay was added to the gradient, where it is divided by the "
         "root of v too: that is Adam with an L2 penalty. AdamW shrinks w itself, apart from the gradient"),
        (_step(*given, decayed="no"), "the weights do not decay: multiply w by 1 - lr * decay"),
        (_step(*given, decayed="without rate"), "the decay lacks the rate: it is lr * decay"),
        (_step(*given, root="inside"), "eps stands under the root: add it to the root"),
        (_step(*given, root="none"), "v holds squares: divide by its root"),
        (_step(*given, square=False), "v is the running mean of the gradient's square, not of its size"),
        (_step(w, g, m, v, t, lr, beta2, beta1, eps, decay), "beta1 and beta2 are exchanged: beta1 belongs to m"),
        (_step(w, g, m, v, t, -lr, beta1, beta2, eps, -decay), "the step goes uphill: subtract it"),
        (_step(w, g, m, v, t + 1, lr, beta1, beta2, eps, decay), "t counts from 1 already: do not add 1"),
        ([true[0], true[1] / (1 - beta1**t), true[2] / (1 - beta2**t)], "give m and v back as they are: "
         "the correction is for the step alone, and would be made anew each time"),
        ([true[0], m, v], "the step is right, but the old m and v came back: give the new ones"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(3)
    w = torch.nn.Parameter(torch.randn(2, 3, generator=made, dtype=torch.float64))
    setting = dict(lr=0.05, betas=(0.9, 0.97), eps=1e-2, weight_decay=0.3)
    optimizer = torch.optim.AdamW([w], **setting)
    m = v = torch.zeros_like(w.detach())
    for t in (1, 2, 3):
        before, g = w.detach().clone(), torch.randn(2, 3, generator=made, dtype=torch.float64)
        given = (before, g, m, v, t, setting["lr"], *setting["betas"], setting["eps"], setting["weight_decay"])
        w.grad = g.clone()
        optimizer.step()
        state = optimizer.state[w]
        truth = [w.detach().clone(), state["exp_avg"].clone(), state["exp_avg_sq"].clone()]
        value = call(answer, *given, form=_FORM)
        produced = tensors(value, truth)
        if produced is None:
            return not_these(value, "three tensors (w, m, v), each of shape (2, 3)",
                             "give the new weights and both new moments back: return w, m, v")
        if not same(produced, truth):
            # A root of a negative number is nan, in the answer as in the mistake.
            hint = recognise(lambda wrong: same(*([x.nan_to_num() for x in one] for one in (produced, wrong))),
                             _mistakes(*given),
                             "go in this order: the new m, the new v, both corrected, w decayed, w moved")
            which = next(i for i in range(3) if not same(produced[i:i + 1], truth[i:i + 1]))
            return Feedback(f"{'wmv'[which]} = {few(produced[which])}", f"{'wmv'[which]} = {few(truth[which])}",
                            hint, f"step t = {t}, eps = {setting['eps']}")
        m, v = truth[1], truth[2]
    return None


EXERCISE = Exercise(
    id="adamw-update", level="core", minutes=15, judge=_judge,
    aim="Write the update that nearly every language model is trained with.",
    stub='''\
def adamw_step(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    """One update of AdamW.

    w: weights; g: their gradient; m, v: the running means of the gradient and
    of its square, zero at first; t: the number of this update, from 1.
    The rest are numbers.  Returns (w, m, v), the new ones.
    """
    ...  # your code here
''')
