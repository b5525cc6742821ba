"""The exercise "LoRA": the forward pass beside a frozen matrix, and the merge."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown
from lmtune.exercises.matrices import near, told, wrong_kind

_FORM = "lora(x, weight, a, b, alpha)"


def _hints(truth_of, weight, a, b, alpha) -> list[tuple[torch.Tensor, str]]:
    """What each known mistake makes of the merged matrix, or of the output through it."""
    rank, update = len(a), b @ a
    return [
        (truth_of(weight + update), "the scale is missing: the update is multiplied by alpha / rank"),
        (truth_of(weight + alpha * update), "multiplied by alpha alone: divide by the rank too"),
        (truth_of(weight + alpha / a.shape[1] * update), "divided by the number of columns: the rank is the "
         "number of rows of a"),
        (truth_of(weight + rank / alpha * update), "the scale is upside down: it is alpha / rank"),
        (truth_of(alpha / rank * update), "the frozen matrix is missing: the update is added to it"),
        (truth_of(weight), "nothing was added to the frozen matrix"),
        (truth_of(weight - alpha / rank * update), "the update was subtracted: it is added"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(9)

    def draw(*shape):
        return torch.randn(*shape, generator=made, dtype=torch.float64)

    for rank, alpha in ((2, 6.0), (3, 5.0)):
        x, weight, a, b = draw(5, 7), draw(4, 7), draw(rank, 7), draw(4, rank)
        merged = weight + alpha / rank * b @ a
        value = call(answer, x, weight, a, b, alpha, form=_FORM)
        if not (isinstance(value, (tuple, list)) and len(value) == 2):
            return Feedback(shown(value), "a pair (output, merged)", "give both back: return output, merged")
        for name, got, truth, of in (("output", value[0], x @ merged.T, lambda w: x @ w.T),
                                     ("merged", value[1], merged, lambda w: w)):
            trouble = wrong_kind(got, truth, name)
            if trouble:
                return trouble
            if not near(got, truth):
                hint = recognise(lambda wrong: near(got, wrong), _hints(of, weight, a, b, alpha),
                                 "merged is weight + alpha / rank * b @ a, and output is x @ merged.T")
                return Feedback(f"{name} {told(got)}", told(truth), hint, f"rank {rank}, alpha {alpha:g}")
    return None


EXERCISE = Exercise(
    id="lora", level="core", minutes=12, judge=_judge,
    aim="Write LoRA's forward pass, and the matrix that replaces it after training.",
    stub='''\
def lora(x, weight, a, b, alpha):
    """The output of a linear layer with a LoRA update, and the merged matrix.

    x: (batch, n); weight: (m, n), frozen; a: (rank, n); b: (m, rank); alpha: a
    number.  The update is alpha / rank times b @ a.  Returns (output, merged):
    (batch, m), and (m, n) such that x @ merged.T is the output.
    """
    ...  # your code here
''')
