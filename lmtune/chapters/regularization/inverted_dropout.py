"""The exercise "inverted dropout": the mask, and the scale that keeps the mean."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.tensors import near, not_a_tensor, tensor, told

_FORM = "dropout(x, u, rate, training)"


def _truth(x: torch.Tensor, u: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
    """Dropped places are zero, and the others weigh 1 / (1 - rate)."""
    return x * (u >= rate).to(x) / (1 - rate) if training else x.clone()


def _mistakes(x, u, rate, training) -> list[tuple[torch.Tensor, str]]:
    keep = (u >= rate).to(x)
    if not training:
        return [
            (x * keep / (1 - rate), "it drops when training is False too: at evaluation x comes back "
             "as it is"),
            (x * (1 - rate), "x is scaled down at evaluation, as in the first papers: with the "
             "inverted form "
             "the scale stands in training, and evaluation does nothing"),
            (x * keep, "the mask is applied when training is False too"),
        ]
    return [
        (x * keep, "the scale is missing: what is kept must be divided by 1 - rate, or the next layer "
         "meets smaller numbers in training than at evaluation"),
        (x * keep * (1 - rate), "multiplied by 1 - rate where it should be divided"),
        (x * keep / rate, "divided by the rate: the share that is kept is 1 - rate"),
        (x * (1 - keep) / (1 - rate), "the mask is the wrong way round: dropped is what has u below "
         "the rate"),
        (x * (u < 1 - rate).to(x) / (1 - rate), "this keeps where u is below 1 - rate: as often, but "
         "not the "
         "places asked for, which are dropped where u is below rate"),
        (x * keep * x.numel() / keep.sum(), "scaled by the share that this mask happens to keep: "
         "divide by "
         "1 - rate, which is the same for every mask"),
        (x, "nothing is dropped in training"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(11)
    for rate, training in ((0.25, True), (0.4, True), (0.4, False), (0.0, True)):
        x = torch.randn(4, 6, generator=made, dtype=torch.float64) + 2
        u = torch.rand(4, 6, generator=made, dtype=torch.float64)
        truth, value = _truth(x, u, rate, training), call(answer, x, u, rate, training, form=_FORM)
        produced = tensor(value, truth)
        if produced is None:
            return not_a_tensor(value, truth, "x with some places zero")
        if not near(produced, truth):
            hint = recognise(lambda wrong: near(produced, wrong), _mistakes(x, u, rate, training),
                             "in training: zero where u is below rate, the rest divided by 1 - rate; "
                             "else x itself")
            return Feedback(told(produced), told(truth), hint, f"rate {rate}, training {training}, x "
                f"{told(x)}, "
                            f"u {told(u)}")
    return None


EXERCISE = Exercise(
    id="inverted-dropout", level="warm-up", minutes=8, judge=_judge,
    aim="Drop activations so that evaluation needs no correction.",
    stub='''\
def dropout(x, u, rate, training):
    """Inverted dropout with given random numbers.

    x: a float tensor; u: numbers drawn evenly from [0, 1), of the same shape; a
    place is dropped where u is below rate (from 0 up to but not including 1).
    training: False at evaluation, where nothing is dropped.
    """
    ...  # your code here
''')
