"""The exercise "early stopping": when a run ends, and which weights it gives back."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf, isnan, nan

from lmtune.exercises.exercise import Exercise


def _inputs(rng: random.Random) -> list:
    return [
        [[3.0, 2.5, 2.6, 2.4, 2.5, 2.45, 2.3], 2, 0.0],
        [[3.0, 2.9, 2.95, 2.8, 2.85, 2.7, 2.75, 2.65], 2, 0.0],
        [[nan, 2.0, 1.8, 1.9, 1.7, 1.9, 2.0], 2, 0.0],
        [[2.0, 1.9, 1.8, 1.7], 3, 0.0],
        [[2.0, 1.5, 1.75, 1.5, 1.75, 1.25], 2, 0.0],
        [[2.0, 2.1, 2.2, 2.3, 1.0], 3, 0.0],
        [[3.0, 2.94, 2.88, 2.82, 2.76, 2.75, 2.74, 2.73], 2, 0.1],
        [[3.0, 2.8, 2.75, 2.72, 2.71, 2.5], 3, 0.1],
        [[3.0, 2.0, 2.8, 2.6, 2.4, 2.2, 2.0], 3, 0.1],
        [[2.0, 1.5, 1.6, nan, 1.7, 1.8, 1.9, 1.4], 3, 0.0],
        [[2.0, 1.75, 1.5, 1.5, 1.25, 1.0, 1.25, 0.75], 2, 0.25],
        [[2.0, 1.75, 1.875, 1.8, 1.9, 1.5], 3, 0.25],
    ]


def _truth(losses, patience, min_delta):
    """From where the losses that count stand: the run ends patience evaluations after one with no other so soon."""
    counting = [-1]
    for i, loss in enumerate(losses):
        if loss < (losses[counting[-1]] if len(counting) > 1 else inf) - min_delta:
            counting.append(i)
    ends = (i + patience for i, following in zip(counting, [*counting[1:], inf]) if following - i > patience)
    stopped = min(next(ends), len(losses) - 1)
    return stopped, _least(losses[: stopped + 1])


def _least(losses) -> int:
    return min(range(len(losses)), key=lambda i: (isnan(losses[i]), losses[i]))


def _run(wrong: str) -> Callable:
    """Early stopping as a loop, with one of the known mistakes in it."""

    def answer(losses, patience, min_delta):
        least = counted = losses[0] if wrong == "itself" else inf
        margin = {"no delta": 0, "above": -min_delta}.get(wrong, min_delta)
        waited = kept = 0
        for i, loss in enumerate(losses):
            spoilt = wrong == "nan first" and i == 0
            if wrong == "nan passed over" and isnan(loss):
                continue
            beat = {"from least": least, "from before": losses[i - 1] if i else inf}.get(wrong, counted)
            counts = loss < beat - margin or spoilt or (wrong == "equal" and loss == beat - margin)
            counts |= wrong == "nan counts" and not loss >= beat - margin
            if counts if wrong == "kept counts" else loss < least or spoilt or (wrong == "tie" and loss == least):
                least, kept = loss, i
            waited = 0 if counts and wrong != "total" else waited + (not counts)
            counted = loss if counts else counted
            if wrong == "nan resets" and isnan(loss):
                waited = 0
            if waited >= patience + {"late": 1, "soon": -1}.get(wrong, 0) or (wrong == "nan ends" and isnan(loss)):
                break
        return i, i if wrong == "last" else kept

    return answer


_HINTS = {
    "nan first": "a loss that is not a number was taken for the best: nothing is less than it afterwards. Begin with "
    "infinity as the best, and ask whether the new loss is less",
    "nan counts": "a loss that is not a number counts as an improvement: it is neither less nor more than another, so "
    "ask whether the new loss is less, and leave all else to the other branch",
    "nan resets": "a loss that is not a number sets the counter back: it improves nothing, so it is one more "
    "evaluation that does not count",
    "nan passed over": "a loss that is not a number is passed over: it is an evaluation too, one that does not count, "
    "and the counter goes on",
    "total": "the counter never goes back: an improvement that counts sets it to 0",
    "nan ends": "the run ends at a loss that is not a number: that one only does not count, and the run goes on",
    "itself": "the first loss is compared with itself, so that it does not count: begin with infinity as the best",
    "equal": "a loss that only equals the one to beat counts as an improvement here: it must be less",
    "tie": "of two equal losses the weights of the later are kept: keep those of the first, and ask for less",
    "from before": "each loss is compared with the one before it: compare with the last that counted",
    "from least": "min_delta is measured from the best loss, so many small improvements never count: measure it from "
    "the last loss that counted",
    "no delta": "min_delta is not used: a loss counts only when it is more than min_delta below the last that counted",
    "above": "min_delta is added to the loss to beat: subtract it, for a loss counts only when it is that far below",
    "kept counts": "the weights are kept only when an improvement counts: the best ones are those of the least loss, "
    "however small the step",
    "last": "the weights of the last evaluation are given back: the second number is the evaluation with the least "
    "loss so far",
    "late": "it waits one evaluation too long: stop as soon as patience evaluations in a row have not counted",
    "soon": "it stops one evaluation too soon",
}

EXERCISE = Exercise(
    id="early-stopping",
    level="core",
    minutes=15,
    aim="Say when a run stops if tiny improvements do not count, and which of its weights are worth keeping.",
    stub='''\
def early_stop(losses, patience, min_delta):
    """When early stopping ends a run, and the evaluation whose weights it restores.

    losses: validation losses, oldest first; one may be nan, which improves
    nothing.  A loss counts as an improvement when it is more than min_delta below
    the last loss that counted (the first finite one counts).  The run ends after
    patience evaluations in a row that do not count; without that, with its last.
    The weights kept are those of the least loss, the first of equal ones, whether
    it counted or not.  Returns (stopped, kept), positions counted from 0.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="two positions in losses, whole numbers: return stopped, kept",
    otherwise="go through the losses one by one with four variables: the least loss and where it was, the last loss "
    "that counted, and how many evaluations have passed since",
    mistakes=[
        *((_run(wrong), hint) for wrong, hint in _HINTS.items()),
        (lambda *case: _truth(*case)[::-1], "the two numbers are right and stand in the wrong order"),
        (lambda *case: [i + 1 for i in _truth(*case)], "counted from 1: the first evaluation is number 0"),
        (
            lambda losses, *more: (_truth(losses, *more)[0], losses[_truth(losses, *more)[1]]),
            "the second is the least loss itself: give back where it stands",
        ),
        (
            lambda losses, *more: (_truth(losses, *more)[0], _least(losses)),
            "the weights kept come from behind the stop: a run that has stopped never sees those",
        ),
        (
            lambda losses, patience, min_delta: (len(losses) - 1, _least(losses)),
            "that looks at the whole history, also at what comes behind the stop: a run that has stopped never sees it",
        ),
    ],
)
