"""The exercise "LoRA": the forward pass beside a frozen matrix, and the merge."""

from __future__ import annotations

import math
import random

import torch

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal
from lmtune.exercises.plain import ANY


def _inputs(rng: random.Random) -> list:
    return [
        [normal(rng, batch, n), normal(rng, m, n), normal(rng, rank, n), normal(rng, m, rank), alpha]
        for batch, m, n, rank, alpha in ((3, 4, 7, 2, 6.0), (2, 6, 5, 3, 8.0))
    ]


def _truth(x, weight, a, b, alpha):
    scale = alpha / a.shape[0]
    merged = torch.add(weight, torch.einsum("mr,rn->mn", b, a), alpha=scale)
    return x @ weight.T + scale * (x @ a.T) @ b.T, merged


def _output(wrong):
    """A mistake in the matrix that the output goes through, whatever merged is."""
    return lambda x, weight, a, b, alpha: (x @ wrong(weight, b @ a, alpha, a, b).T, ANY)


def _scaled(scale):
    return _output(lambda weight, update, alpha, a, b: weight + scale(alpha, a, b) * update)


def _merged(wrong):
    """A mistake in the merged matrix, behind a right output."""
    return lambda x, weight, a, b, alpha: (
        _truth(x, weight, a, b, alpha)[0],
        wrong(weight, alpha / len(a), b @ a, alpha),
    )


EXERCISE = Exercise(
    id="lora",
    level="core",
    minutes=12,
    aim="Write LoRA's forward pass, and the matrix that replaces it after training.",
    stub='''\
def lora(x, weight, a, b, alpha):
    """The output of a linear layer with a LoRA update, and the merged matrix.

    x: (batch, n); weight: (m, n), frozen; a: (rank, n); b: (m, rank); alpha: a
    number.  The update is alpha / rank times b @ a.  Returns (output, merged):
    (batch, m), and (m, n) such that x @ merged.T is the output.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="two tensors: return output, merged",
    otherwise="merged is weight + alpha / rank * b @ a, and output is x @ merged.T",
    mistakes=[
        (lambda *case: _truth(*case)[::-1], "the two are the wrong way round: return output, merged"),
        (_scaled(lambda alpha, a, b: 1), "the scale is missing: the update is multiplied by alpha / rank"),
        (_scaled(lambda alpha, a, b: alpha), "multiplied by alpha alone: divide by the rank too"),
        (_scaled(lambda alpha, a, b: 1 / len(a)), "divided by the rank alone: multiply by alpha too"),
        (
            _scaled(lambda alpha, a, b: alpha / a.shape[1]),
            "divided by the number of columns: the rank is the number of rows of a",
        ),
        (
            _scaled(lambda alpha, a, b: alpha / len(b)),
            "divided by the number of rows of b, which is m: the rank is the number of its columns",
        ),
        (
            _scaled(lambda alpha, a, b: alpha / math.sqrt(len(a))),
            "divided by the root of the rank, as a variant of LoRA does: here it is the rank itself",
        ),
        (_scaled(lambda alpha, a, b: len(a) / alpha), "the scale is upside down: it is alpha / rank"),
        (_scaled(lambda alpha, a, b: -alpha / len(a)), "the update was subtracted: it is added"),
        (
            _output(lambda weight, update, alpha, a, b: alpha / len(a) * update),
            "the frozen matrix is missing: the update is added to it",
        ),
        (_output(lambda weight, update, alpha, a, b: weight), "nothing was added to the frozen matrix"),
        (
            _output(lambda weight, update, alpha, a, b: alpha / len(a) * (weight + update)),
            "the frozen matrix was scaled too: alpha / rank multiplies the update alone",
        ),
        (
            _merged(lambda weight, scale, update, alpha: weight + update),
            "the output is right, and in merged the scale is missing: x @ merged.T must be the output",
        ),
        (
            _merged(lambda weight, scale, update, alpha: weight + alpha * update),
            "the output is right, and in merged the update is multiplied by alpha without the division by the rank",
        ),
        (
            _merged(lambda weight, scale, update, alpha: weight),
            "the output is right, and merged is the frozen matrix alone: add the scaled update to it",
        ),
        (
            _merged(lambda weight, scale, update, alpha: scale * update),
            "the output is right, and merged is the update alone: add it to the frozen matrix",
        ),
        (
            _merged(lambda weight, scale, update, alpha: (weight + scale * update).T),
            "merged is transposed: it has the shape of weight, (m, n), so that it can stand in its place",
        ),
    ],
)
