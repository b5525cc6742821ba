"""The exercise "early stopping": when a run ends, and which weights it gives back."""
from __future__ import annotations

import math
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown

_FORM = "early_stop(losses, patience, min_delta)"


def _run(losses, patience, min_delta, wrong: str = "") -> tuple[int, int]:
    """Stop and best of one history; ``wrong`` names one of the known mistakes."""
    best = counted = math.inf
    waited = kept = 0
    for i, loss in enumerate(losses):
        lower = loss < best or (wrong == "nan" and i == 0)
        if wrong == "from the one before":
            counts = loss < (losses[i - 1] if i else math.inf) - min_delta
        else:
            base = best if wrong == "from the best" else counted
            counts = loss < base - (0 if wrong == "no delta" else min_delta)
            counts = counts or (wrong == "equal" and loss <= base - min_delta) or (wrong == "nan" and i == 0)
        if lower if wrong != "kept counts" else counts:
            best, kept = loss, i
        if counts:
            counted, waited = loss, waited if wrong == "total" else 0
        else:
            waited += 1
        if waited >= patience + {"late": 1, "soon": -1}.get(wrong, 0):
            return i, i if wrong == "last" else kept
    return len(losses) - 1, len(losses) - 1 if wrong == "last" else kept


_HISTORIES = (
    ([3.0, 2.5, 2.6, 2.4, 2.5, 2.45, 2.3], 2, 0.0), ([3.0, 2.9, 2.95, 2.8, 2.85, 2.7, 2.75, 2.65], 2, 0.0),
    ([math.nan, 2.0, 1.8, 1.9, 1.7, 1.9, 2.0], 2, 0.0), ([2.0, 1.9, 1.8, 1.7], 3, 0.0),
    ([2.0, 1.5, 1.75, 1.5, 1.75, 1.25], 2, 0.0), ([2.0, 2.1, 2.2, 2.3, 1.0], 3, 0.0),
    ([3.0, 2.94, 2.88, 2.82, 2.76, 2.75, 2.74, 2.73], 2, 0.1), ([3.0, 2.8, 2.75, 2.72, 2.71, 2.5], 3, 0.1),
    ([3.0, 2.0, 2.8, 2.6, 2.4, 2.2, 2.0], 3, 0.1),
)
_HINTS = {
    "nan": "a loss that is not a number was taken for the best: nothing is less than it afterwards. Begin with "
           "infinity as the best, and ask whether the new loss is less",
    "last": "the weights of the last evaluation are given back: the second number is the evaluation with the "
            "least loss so far",
    "late": "it waits one evaluation too long: stop as soon as patience evaluations in a row have not counted",
    "soon": "it stops one evaluation too soon",
    "total": "the counter never goes back: an improvement that counts sets it to 0",
    "equal": "a loss that only equals the one to beat counts as an improvement here: it must be less",
    "from the one before": "each loss is compared with the one before it: compare with the last that counted",
    "from the best": "min_delta is measured from the best loss, so many small improvements never count: measure "
                     "it from the last loss that counted",
    "no delta": "min_delta is not used: a loss counts only when it is more than min_delta below the last that "
                "counted",
    "kept counts": "the weights are kept only when an improvement counts: the best ones are those of the least "
                   "loss, however small the step",
}


def _mistakes() -> list[tuple[list[tuple[int, int]], str]]:
    """What each known mistake gives for all histories: one history alone may fit several."""
    right = [_run(*history) for history in _HISTORIES]
    unseen = [(len(losses) - 1, min(range(len(losses)), key=lambda i: (losses[i] != losses[i], losses[i])))
              for losses, *_ in _HISTORIES]
    return [
        *(([_run(*history, wrong) for history in _HISTORIES], hint) for wrong, hint in _HINTS.items()),
        ([(kept, stop) for stop, kept in right], "the two numbers are right and stand in the wrong order"),
        ([(stop + 1, kept + 1) for stop, kept in right], "counted from 1: the first evaluation is number 0"),
        (unseen, "that looks at the whole history, also at what comes behind the stop: a run that has stopped "
                 "never sees it"),
    ]


def _judge(answer: Any) -> Feedback | None:
    values = []
    for losses, patience, min_delta in _HISTORIES:
        value = call(answer, losses, patience, min_delta, form=_FORM)
        pair = isinstance(value, (tuple, list)) and len(value) == 2
        if not pair or not all(isinstance(i, int) and not isinstance(i, bool) for i in value):
            return Feedback(shown(value), "a pair (stopped, kept) of whole numbers",
                            "give two positions in losses back: return stopped, kept")
        values.append(tuple(value))
    for value, (losses, patience, min_delta) in zip(values, _HISTORIES):
        truth = _run(losses, patience, min_delta)
        if value != truth:
            otherwise = ("go through the losses one by one with four variables: the least loss and where it was, the "
                         "last loss that counted, and how many evaluations have passed since")
            return Feedback(str(value), str(truth), recognise(lambda wrong: values == wrong, _mistakes(), otherwise),
                            f"losses {losses}, patience {patience}, min_delta {min_delta}")
    return None


EXERCISE = Exercise(
    id="early-stopping", level="core", minutes=15, judge=_judge,
    aim="Say when a run stops if tiny improvements do not count, and which of its weights are worth keeping.",
    stub='''\
def early_stop(losses, patience, min_delta):
    """When early stopping ends a run, and the evaluation whose weights it restores.

    losses: validation losses, oldest first; one may be nan, which improves
    nothing.  A loss counts as an improvement when it is more than min_delta below
    the last loss that counted (the first finite one counts).  The run ends after
    patience evaluations in a row that do not count; without that, with its last.
    The weights kept are those of the least loss, whether it counted or not.
    Returns (stopped, kept), positions counted from 0.
    """
    ...  # your code here
''')
