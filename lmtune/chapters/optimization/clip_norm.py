"""The exercise "clip by the global norm", held against torch's clip_grad_norm_."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.tensors_plain import few, not_these, same, tensors

_FORM = "clip(gradients, limit)"


def _mistakes(gradients: list[torch.Tensor], limit: float) -> list[tuple[list, str]]:
    norms = [g.norm() for g in gradients]
    whole = torch.stack(norms).norm()

    def scaled(factor) -> list:
        return [g * factor for g in gradients]

    return [
        ([g * min(1.0, limit / n) for g, n in zip(gradients, norms)], "each tensor was clipped by its own norm, which "
         "turns the whole gradient another way: there is one norm, over all of them"),
        ([g.clamp(-limit, limit) for g in gradients], "that clips each value by itself, which turns the gradient "
         "another way: scale all of it by one factor"),
        (scaled(limit / whole), "a short gradient was made longer: below the limit it stays as it is"),
        (scaled(min(1.0, limit / sum(norms))), "the norms of the tensors do not add up: their squares do"),
        (scaled(min(1.0, limit / whole**2)), "that is the square of the norm: take its root"),
        (scaled(whole / limit), "the factor is upside down: it is limit / norm"),
        (scaled(min(1.0, limit / max(norms))), "that is the norm of the largest tensor: take all of them together"),
        (scaled(min(1.0, limit / max(g.abs().max() for g in gradients))), "that is the largest value, not the norm"),
        (scaled(min(1.0, limit / torch.stack(norms).mean())), "that is the mean of the norms: take one norm of all"),
        (scaled(min(1.0, limit / sum(g.abs().sum() for g in gradients))), "that is the sum of the sizes: the norm is "
         "the root of the sum of the squares"),
        (gradients, "the gradient came back as it was, longer than the limit"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(5)
    for scale, limit in ((2.0, 1.0), (0.7, 2.0), (0.01, 1.0)):
        gradients = [scale * k * torch.randn(shape, generator=made, dtype=torch.float64)
                     for k, shape in ((1.0, (3, 4)), (0.4, (4,)), (0.1, (2, 2, 2)))]
        holders = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
        for holder, g in zip(holders, gradients):
            holder.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(holders, limit)
        truth = [h.grad for h in holders]
        value = call(answer, gradients, limit, form=_FORM)
        produced = tensors(value, truth)
        if produced is None:
            return not_these(value, "a list of three tensors, shaped as the gradients",
                             "give the list of all clipped gradients back, in their order")
        if not same(produced, truth):
            hint = recognise(lambda wrong: same(produced, wrong), _mistakes(gradients, limit),
                             "three steps: the root of the sum of all squares, the factor limit / norm but at most 1, "
                             "and every tensor times this factor")
            return Feedback(f"first tensor {few(produced[0])}", few(truth[0]), hint,
                            f"a gradient of norm {norm:.4g}, limit {limit:g}")
    if "clip_grad_norm_" in getattr(getattr(answer, "__code__", None), "co_names", ()):
        return Feedback("right, by torch's clip_grad_norm_", "the same by your own lines",
                        "torch's function is what the check compares with, so this compares it with itself: write its "
                        "steps yourself, the norm, the factor and the product")
    return None


EXERCISE = Exercise(
    id="clip-norm", level="warm-up", minutes=8, judge=_judge,
    aim="Keep one strange batch from throwing the weights away, without turning the gradient.",
    stub='''\
def clip(gradients, limit):
    """Scale the whole gradient so that its norm is at most `limit`.

    gradients: a list of tensors, the gradients of all parameters.
    Returns the list of the new tensors.  Leave torch's clip_grad_norm_ aside:
    it is what the check compares with.
    """
    ...  # your code here
''')
