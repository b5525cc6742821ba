"""The exercise "early stopping": when a run ends, and which weights it gives back."""
from __future__ import annotations

import math
from typing import Any

from lmtune.exercises import Exercise, Feedback, call, recognise, shown

_FORM = "early_stop(losses, patience)"


def _run(losses, patience, *, more=False, last=False, total=False, nan="ignored", equal=False) -> tuple[int, int] | str:
    """Stop and best of one history; the options are the known mistakes."""
    best, waited, kept = math.inf, 0, 0
    for i, loss in enumerate(losses):
        better = loss <= best if equal else loss < best
        if nan == "kept" and i == 0:
            better = True
        if better:
            best, kept = loss, i
            waited = waited if total else 0
        else:
            waited += 1
        if waited > patience if more else waited >= patience:
            return i, i if last else kept
    return len(losses) - 1, len(losses) - 1 if last else kept


_HISTORIES = (
    ([3.0, 2.5, 2.6, 2.4, 2.5, 2.45, 2.3], 2), ([3.0, 2.9, 2.95, 2.8, 2.85, 2.7, 2.75, 2.65], 2),
    ([math.nan, 2.0, 1.8, 1.9, 1.7, 1.9, 2.0], 2), ([2.0, 1.9, 1.8, 1.7], 3),
    ([2.0, 1.9, 1.9, 1.9, 1.9, 1.8], 2), ([2.0, 2.1, 2.2, 2.3, 1.0], 3),
)


def _mistakes(losses, patience) -> list[tuple[tuple[int, int], str]]:
    stop, kept = _run(losses, patience)
    fresh = ("a loss that is not a number was taken for the best: nothing is less than it afterwards. "
        "Begin "
             "with infinity as the best, and ask whether the new loss is less")
    return [
        (_run(losses, patience, nan="kept"), fresh),
        (_run(losses, patience, last=True), "the weights of the last evaluation are given back: the "
         "second number is "
         "the evaluation with the least loss so far"),
        (_run(losses, patience, more=True), "it waits one evaluation too long: stop as soon as "
         "patience evaluations in a "
         "row have brought nothing new"),
        (_run(losses, patience - 1) if patience > 1 else (-1, -1), "it stops one evaluation too soon"),
        (_run(losses, patience, total=True), "the counter never goes back: an improvement sets it to 0"),
        (_run(losses, patience, equal=True), "a loss that only equals the best counts as an "
         "improvement here: it must be "
         "less"),
        ((kept, stop), "the two numbers are right and stand in the wrong order"),
        ((stop + 1, kept + 1), "counted from 1: the first evaluation is number 0"),
        ((len(losses) - 1, min(range(len(losses)), key=lambda i: (losses[i] != losses[i], losses[i]))),
         "that looks at the whole history, also at what comes behind the stop: a run that has stopped "
         "never sees it"),
    ]


def _judge(answer: Any) -> Feedback | None:
    unknown = None
    for losses, patience in _HISTORIES:
        truth = _run(losses, patience)
        value = call(answer, losses, patience, form=_FORM)
        pair = isinstance(value, (tuple, list)) and len(value) == 2
        if not pair or not all(isinstance(i, int) and not isinstance(i, bool) for i in value):
            return Feedback(shown(value), "a pair (stopped, kept) of whole numbers",
                            "give two positions in losses back: return stopped, kept")
        if tuple(value) == truth:
            continue
        hint = recognise(lambda wrong: tuple(value) == wrong, _mistakes(losses, patience), "")
        feedback = Feedback(str(tuple(value)), str(truth),
                            hint or "go through the losses one by one with three variables: the best "
                                "loss, where it "
                            "was, and how many evaluations have passed since", f"losses {losses}, "
                                f"patience {patience}")
        if hint:
            return feedback
        unknown = unknown or feedback
    return unknown


EXERCISE = Exercise(
    id="early-stopping", level="core", minutes=12, judge=_judge,
    aim="Say when a run stops, and which of its weights are worth keeping.",
    stub='''\
def early_stop(losses, patience):
    """When early stopping ends a run, and the evaluation whose weights it restores.

    losses: validation losses, oldest first; one may be nan, which improves
    nothing.  patience: the run ends after so many evaluations in a row without a
    loss below the best so far.  Returns (stopped, kept), positions counted from 0;
    a run that is never stopped ends with its last evaluation.
    """
    ...  # your code here
''')
