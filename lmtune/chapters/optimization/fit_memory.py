"""The exercise "fit a model into a memory": the largest micro-batch, on paper."""
from __future__ import annotations

import math
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.numeric import not_a_number, number

_FORM = "largest_batch(parameters, trained, bytes_per_token, context, gib)"
_OTHERWISE = ("first what does not depend on the batch: 4 bytes for each weight, 12 more for each trained one; the "
              "rest is shared by the rows")


def _rows(room: float, row: float) -> int:
    return max(0, math.floor(room / row))


def _mistakes(parameters: int, trained: int, per_token: int, context: int, gib: float) -> list[tuple[float, str]]:
    memory, fixed, row = gib * 2**30, 4 * parameters + 12 * trained, per_token * context
    room = memory - fixed
    return [
        (room / row, "that many rows is no whole number: round down"),
        (math.ceil(room / row), "rounded up, which does not fit: round down"),
        (math.floor(room / row), "not even the fixed part fits, and the answer became negative: 0 rows fit"),
        (_rows(memory - 4 * parameters, row), "only the weights were counted: each trained parameter also has a "
         "gradient and AdamW's two running means"),
        (_rows(memory - 4 * parameters - 8 * trained, row), "8 bytes for each trained parameter are two numbers, and "
         "there are three: a gradient and AdamW's two running means"),
        (_rows(memory - 16 * parameters, row), "frozen parameters have no gradient and no running means: those cost "
         "for the trained ones alone"),
        (_rows(memory - 4 * trained - 12 * trained, row), "the frozen weights lie in memory too: 4 bytes for each of "
         "all parameters"),
        (_rows(memory - 16 * (parameters + trained), row), "trained parameters were counted on top of all: they are "
         "among them"),
        (_rows(gib * 1e9 - fixed, row), "a GiB is 2 ** 30 bytes, more than 10 ** 9"),
        (_rows(room, per_token), "that counts tokens: a row has `context` of them"),
        (_rows(memory, row), "weights, gradients and the optimizer take their part first"),
        (_rows(room, 4 * row), "bytes_per_token are bytes already: do not multiply them by 4"),
        (_rows(room, row / 4), "bytes_per_token are bytes already: do not divide them by 4"),
        (_rows(memory - fixed / 2, row), "numbers of 2 bytes were counted: fp32 has 4"),
    ]


def _judge(answer: Any) -> Feedback | None:
    cases = [(124_000_000, 124_000_000, 790_000, 256, 14.5), (355_000_000, 355_000_000, 1_780_000, 48, 6.0),
             (774_000_000, 6_000_000, 3_100_000, 100, 14.5), (1_558_000_000, 1_558_000_000, 5_000_000, 512, 14.5)]
    truths = [_rows(gib * 2**30 - 4 * n - 12 * k, each * context) for n, k, each, context, gib in cases]
    produced = []
    for case in cases:
        value = call(answer, *case, form=_FORM)
        produced.append(number(value))
        if produced[-1] is None:
            return not_a_number(value)
    wrong = next((i for i, (p, t) in enumerate(zip(produced, truths)) if p != t), None)
    if wrong is None:
        return None

    def alike(outcome: list[float]) -> bool:  # where nothing fits, a mistake may end at 0 or below
        return all(math.isclose(max(0, p), max(0, o)) for p, o in zip(produced, outcome))

    # One case alone may fit several mistakes (0 rows are easily had), so all of them are asked.
    outcomes = [_mistakes(*case) for case in cases]
    together = [([rows[i][0] for rows in outcomes], hint) for i, (_, hint) in enumerate(outcomes[0])]
    parameters, trained, per_token, context, gib = cases[wrong]
    return Feedback(f"{produced[wrong]:g}", f"{truths[wrong]} rows", recognise(alike, together, _OTHERWISE),
                    f"{parameters:,} parameters, {trained:,} trained, {per_token:,} bytes a token, "
                    f"context {context}, {gib:g} GiB")


EXERCISE = Exercise(
    id="fit-memory", level="core", minutes=10, judge=_judge,
    aim="Say before the run whether it will fit, and with how many rows.",
    stub='''\
def largest_batch(parameters, trained, bytes_per_token, context, gib):
    """The most rows of `context` tokens that one micro-batch can have.

    Everything is fp32 and the optimizer is AdamW; `trained` of all the
    `parameters` are trained, the others frozen; the activations of one token
    take bytes_per_token; the memory has `gib` GiB.  0 when nothing fits.
    """
    ...  # your code here
''')
