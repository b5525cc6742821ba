"""The exercise "fit a model into a memory": the largest micro-batch, on paper."""

from __future__ import annotations

import itertools
import math
import random

from lmtune.exercises.exercise import Exercise


def _inputs(rng: random.Random) -> list:
    return [
        [124_000_000, 124_000_000, 790_000, 256, 14.5],
        [355_000_000, 355_000_000, 1_780_000, 48, 6.0],
        [774_000_000, 6_000_000, 3_000_000, 100, 14.5],
        [2**26, 2**26, 2**20, 64, 5],  # full to the last byte
        [3 * 2**29, 3 * 2**29, 2**22, 512, 16],  # too large by four rows exactly, whichever way one rounds
    ]


def _truth(parameters, trained, bytes_per_token, context, gib):
    """Rows are put in one by one, until the next does not fit."""

    def needed(rows):
        return 4 * parameters + 3 * 4 * trained + rows * context * bytes_per_token

    return next(rows for rows in itertools.count() if needed(rows + 1) > gib * 1024**3)


def _fixed(held):
    """A mistake in what does not depend on the batch: ``held`` bytes of all parameters and the trained ones."""
    return lambda n, k, token, context, gib: max(0, (gib * 2**30 - held(n, k)) // (token * context))


def _row(size):
    """A mistake in the bytes of one row."""
    return lambda n, k, token, context, gib: max(0, (gib * 2**30 - 4 * n - 12 * k) // size(token, context))


def _rows(rounded):
    """A mistake in the last step: what is made of the room in rows, with its fraction."""
    return lambda n, k, token, context, gib: rounded((gib * 2**30 - 4 * n - 12 * k) / (token * context))


_MISTAKES = [
    (_rows(lambda rows: max(0.0, rows)), "that many rows is no whole number: round down"),
    (_rows(lambda rows: max(0, math.ceil(rows))), "rounded up, which does not fit: round down"),
    (
        _rows(lambda rows: max(0, round(rows))),
        "rounded to the nearest whole number, which does not fit where that is above: round down",
    ),
    (
        _rows(lambda rows: max(0, math.ceil(rows) - 1)),
        "a memory that is full to the last byte still fits: one row more has room there",
    ),
    (
        _fixed(lambda n, k: 4 * n),
        "only the weights were counted: each trained parameter also has a gradient and AdamW's two running means",
    ),
    (
        _fixed(lambda n, k: 4 * n + 4 * k),
        "4 bytes for each trained parameter are one number, and there are three: a gradient and AdamW's "
        "two running means",
    ),
    (
        _fixed(lambda n, k: 4 * n + 8 * k),
        "8 bytes for each trained parameter are two numbers, and "
        "there are three: a gradient and AdamW's two running means",
    ),
    (
        _fixed(lambda n, k: 4 * n + 16 * k),
        "the trained weights were counted twice: they are among all the weights, so each trained one needs 12 bytes "
        "more, not 16",
    ),
    (
        _fixed(lambda n, k: 16 * n),
        "frozen parameters have no gradient and no running means: those cost for the trained ones alone",
    ),
    (_fixed(lambda n, k: 16 * k), "the frozen weights lie in memory too: 4 bytes for each of all parameters"),
    (_fixed(lambda n, k: 16 * (n + k)), "trained parameters were counted on top of all: they are among them"),
    (_fixed(lambda n, k: 0), "weights, gradients and the optimizer take their part first"),
    (_fixed(lambda n, k: 2 * n + 6 * k), "numbers of 2 bytes were counted: fp32 has 4"),
    (
        lambda n, k, token, context, gib: max(0, (gib * 1e9 - 4 * n - 12 * k) // (token * context)),
        "a GiB is 2 ** 30 bytes, more than 10 ** 9",
    ),
    (_row(lambda token, context: token), "that counts tokens: a row has `context` of them"),
    (_row(lambda token, context: 4 * token * context), "bytes_per_token are bytes already: do not multiply them by 4"),
    (_row(lambda token, context: token / 4 * context), "bytes_per_token are bytes already: do not divide them by 4"),
    (lambda *case: max(1, _truth(*case)), "not even the fixed part fits, and so 0 rows, not 1"),
    (_rows(math.floor), "not even the fixed part fits, and the answer became negative: 0 rows fit"),
]

EXERCISE = Exercise(
    id="fit-memory",
    level="core",
    minutes=10,
    aim="Say before the run whether it will fit, and with how many rows.",
    stub='''\
def largest_batch(parameters, trained, bytes_per_token, context, gib):
    """The most rows of `context` tokens that one micro-batch can have.

    Everything is fp32 and the optimizer is AdamW; `trained` of all the
    `parameters` are trained, the others frozen; the activations of one token
    take bytes_per_token; the memory has `gib` GiB.  0 when nothing fits.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="one number, the rows: an int, a float or a tensor without dimensions",
    otherwise="first what does not depend on the batch: 4 bytes for each weight, 12 more for each trained one; the "
    "rest is shared by the rows",
    mistakes=_MISTAKES,
)
