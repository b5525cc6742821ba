"""The exercise "triangular": the cyclical schedule as a formula."""
from __future__ import annotations

import math
from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.numeric import differs, near, not_a_number, number

_FORM = "triangular(step, half_cycle, low, high)"


def _rates(half_cycle: int, low: float, high: float, steps: int) -> list[float]:
    """The rates of torch's own scheduler, one for each update."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=low, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, low, high, step_size_up=half_cycle,
                                                  cycle_momentum=False)
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def _height(step: float, half_cycle: float) -> float:
    """0 in the troughs and 1 at the peaks."""
    return 1 - abs(step % (2 * half_cycle) / half_cycle - 1)


def _mistakes(step: int, half: int, low: float, high: float) -> list[tuple[float, str]]:
    up, span = _height(step, half), high - low
    return [
        (high - span * up, "it begins at the top: update 0 has the rate low, and the peak comes half a "
                           "cycle later"),
        (up, "that is the height between 0 and 1: stretch it so that it lies between low and high"),
        (high * up, "the troughs come out at 0: they are at low, so add low and stretch by high - low"),
        (low + high * up, "the peaks come out at low + high: stretch by high - low"),
        (low + span * _height(step, half / 2), "the cycle is too short: half_cycle is the way up alone, and "
                                               "the way down takes as long again"),
        (low + span * (step % half) / half, "a saw-tooth: after the peak the rate must come down in as many "
                                            "updates as it went up, not jump"),
        (low + span * (step % (2 * half)) / (2 * half),
         "it climbs for the whole cycle and then jumps: it must turn after half_cycle updates"),
        (low + span * step / half, "it goes on rising after the peak: it must turn there"),
        (low + span * max(0.0, 1 - abs(step / half - 1)),
         "only the first cycle is there: fold the step into its cycle first, for instance with %"),
        (low + span * 0.5 * (1 - math.cos(math.pi * step / half)),
         "that is a cosine wave: between trough and peak the rate is a straight line"),
        (low * (high / low) ** up, "it is straight in the logarithm of the rate; it should be straight in "
                                   "the rate itself"),
        (low + span * _height(step + 1, half), "one update ahead: update 0 has the rate low"),
    ]


def _judge(answer: Any) -> Feedback | None:
    for half, low, high in ((4, 0.1, 0.5), (7, 1e-4, 3e-3)):
        # The first of these updates that tells two mistakes apart decides which hint is given.
        rates = _rates(half, low, high, 3 * 2 * half)
        produced = []
        for step in range(len(rates)):
            value = call(answer, step, half, low, high, form=_FORM)
            produced.append(number(value))
            if produced[-1] is None:
                return not_a_number(value)
        wrong = [s for s, rate in enumerate(rates) if not near(produced[s], rate)]
        if not wrong:
            continue
        known = [[(made, hint) for made, hint in _mistakes(s, half, low, high)] for s in range(len(rates))]
        whole = [([row[i][0] for row in known], known[0][i][1]) for i in range(len(known[0]))]
        hint = recognise(lambda made: all(near(a, b) for a, b in zip(made, produced)), whole,
                         "write down by hand the rates of updates 0, half_cycle and 2 * half_cycle, and "
                         "compare with what your function gives there")
        at = wrong[0]
        return differs(produced[at], rates[at], "at this update", hint,
                       f"step {at}, half_cycle {half}, low {low}, high {high}")
    return None


EXERCISE = Exercise(
    id="triangular", level="warm-up", minutes=8, judge=_judge,
    aim="Write the triangular schedule as a function of the update alone.",
    stub='''\
def triangular(step, half_cycle, low, high):
    """The learning rate of update ``step``, counted from 0.

    It rises in a straight line from low to high in half_cycle updates, comes
    down to low in as many, and begins again.  Returns one number.
    """
    ...  # your code here
''')
