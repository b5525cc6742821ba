"""The exercise "pool last": the state of the last real token, wherever the padding stands."""

from __future__ import annotations

import random

import torch

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal

#: Padding on the right, on the left, on both sides, mixed, and a batch of one.
_MASKS = (
    [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
    [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 0, 0]],
    [[1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1]],
    [[0, 0, 0, 1, 1, 1, 1, 1, 0, 0]],
)


def _inputs(rng: random.Random) -> list:
    return [[normal(rng, len(mask), len(mask[0]), 4), torch.tensor(mask)] for mask in _MASKS]


def _last(mask):
    return torch.stack([row.nonzero().max() for row in mask])


def _at(places):
    """The states at one place for each row."""
    return lambda states, mask: states[torch.arange(len(states)), places(mask)]


def _real(states, mask):
    return states * mask[..., None]


EXERCISE = Exercise(
    id="pool-last",
    level="warm-up",
    minutes=10,
    aim="Take the state of the last real token, wherever the padding stands.",
    stub='''\
def pool_last(states, mask):
    """The state of each row's last real token.

    states: (batch, time, width); mask: (batch, time), long, 1 at real tokens and
    0 at padding, which may stand on the right, on the left or on both sides.
    Each row has a real token.  Returns (batch, width).
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_at(_last),
    gives="one tensor of the shape (batch, width)",
    otherwise="row b of the answer is states[b, t] with t the last place where mask[b] is 1",
    mistakes=[
        (
            lambda states, mask: states[:, -1],
            "that is the last column: where a row is shorter than the batch, it is padding",
        ),
        (
            _at(lambda mask: mask.sum(1) - 1),
            "counting the real tokens gives the last place only where the "
            "padding stands on the right; look for the largest place whose mask is 1",
        ),
        (
            _at(lambda mask: mask.argmin(1) - 1),
            "argmin finds the first padding, and the place before it is the last real token only where no padding "
            "stands on the left: there it is -1, the last column, which may be padding too",
        ),
        (
            _at(lambda mask: mask.sum(1) % mask.shape[1]),
            "one place too far: the count of tokens is not the place of the last",
        ),
        (_at(lambda mask: _last(mask) - 1), "one place too early: that is the token before the last real one"),
        (
            _at(lambda mask: mask.argmax(1)),
            "that is the first real token, which has read nothing but itself; argmax of a mask finds the first 1",
        ),
        (
            _at(lambda mask: mask.flip(1).argmax(1)),
            "the place was counted from the end of the row: subtract it from time - 1",
        ),
        (
            lambda states, mask: states[:, 0],
            "that is the first column, which in a causal model has read one token at most",
        ),
        (
            lambda states, mask: states[:, _last(mask)[0]],
            "every row was read at the place of the first row's last token: each row has a place of its own",
        ),
        (
            lambda states, mask: states[:, _last(mask).max()],
            "every row was read at the largest place of the whole batch: look for the largest in each row",
        ),
        (
            lambda states, mask: _real(states, mask)[:, -1],
            "the padding was set to zero and the last column taken, so that a row with padding there gives zeros",
        ),
        (
            lambda states, mask: _real(states, mask).sum(1) / mask.sum(1, keepdim=True),
            "that is the mean over real tokens: a fine pooling, but not the one asked for",
        ),
        (lambda states, mask: _real(states, mask).sum(1), "that is the sum over real tokens: one state is asked for"),
        (lambda states, mask: states.mean(1), "that is a mean, and over the padding too"),
        (
            lambda states, mask: states.masked_fill(mask[..., None] == 0, -torch.inf).amax(1),
            "that is the largest number of each column over the real tokens: the last token is asked for, "
            "not the largest value",
        ),
        (
            lambda states, mask: states[mask.bool()],
            "those are the states of all real tokens: take the last one of each row",
        ),
    ],
)
