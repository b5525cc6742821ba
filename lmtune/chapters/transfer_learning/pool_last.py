"""The exercise "pool last": the state of the last real token, wherever the padding stands."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.matrices import near, told, wrong_kind

_FORM = "pool_last(states, mask)"
_MASKS = ([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 0, 0]])


def _take(states: torch.Tensor, places: list[int]) -> torch.Tensor:
    return torch.stack([row[place] for row, place in zip(states, places)])


def _last(mask: list[list[int]]) -> list[int]:
    return [max(t for t, real in enumerate(row) if real) for row in mask]


def _mistakes(states: torch.Tensor, mask: list[list[int]]) -> list[tuple[torch.Tensor, str]]:
    real = torch.tensor(mask, dtype=states.dtype)[..., None]
    sums, width = [sum(row) for row in mask], len(mask[0])
    return [
        (states[:, -1], "that is the last column: where a row is shorter than the batch, it is padding"),
        (_take(states, [n - 1 for n in sums]), "counting the real tokens gives the last place only where the "
         "padding stands on the right; look for the largest place whose mask is 1"),
        (_take(states, [n % width for n in sums]), "one place too far: the count of tokens is not the "
         "place of the last"),
        (_take(states, [row.index(1) for row in mask]), "that is the first real token, which has read nothing "
         "but itself; argmax of a mask finds the first 1"),
        (states[:, 0], "that is the first column, which in a causal model has read one token at most"),
        ((states * real).sum(1) / real.sum(1), "that is the mean over real tokens: a fine pooling, but not the "
         "one asked for"),
        (states.mean(1), "that is a mean, and over the padding too"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(5)
    for mask in _MASKS:
        states = torch.randn(3, 5, 4, generator=made, dtype=torch.float64)
        truth = _take(states, _last(mask))
        value = call(answer, states, torch.tensor(mask), form=_FORM)
        trouble = wrong_kind(value, truth, "the pooled states")
        if trouble:
            return trouble
        if not near(value, truth):
            hint = recognise(lambda wrong: near(value, wrong), _mistakes(states, mask),
                             "row b of the answer is states[b, t] with t the last place where mask[b] is 1")
            return Feedback(told(value), told(truth), hint, f"mask {mask}")
    return None


EXERCISE = Exercise(
    id="pool-last", level="warm-up", minutes=10, judge=_judge,
    aim="Take the state of the last real token, wherever the padding stands.",
    stub='''\
def pool_last(states, mask):
    """The state of each row's last real token.

    states: (batch, time, width); mask: (batch, time), long, 1 at real tokens and
    0 at padding, which may stand on the right or on the left.  Each row has a
    real token.  Returns (batch, width).
    """
    ...  # your code here
''')
