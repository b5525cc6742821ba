"""The exercise "cosine with warm-up": the rate of one update."""
from __future__ import annotations

import math
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.numeric import differs, near, not_a_number, number

_FORM = "rate(step, total, warmup, peak, floor)"


def _cosine(share: float, peak: float, floor: float) -> float:
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * share))


def _truth(step: int, total: int, warmup: int, peak: float, floor: float) -> float:
    if step < warmup:
        return peak * (step + 1) / warmup
    return _cosine((step - warmup) / (total - warmup), peak, floor)


def _mistakes(step: int, total: int, warmup: int, peak: float, floor: float) -> list[tuple[float, str]]:
    if step < warmup:
        return [
            (peak * step / warmup, "the first update would have the rate 0 and teach nothing: the warm-up "
             "counts step + 1"),
            (floor + (peak - floor) * (step + 1) / warmup, "the warm-up rises from zero, not from the floor"),
            (_cosine(step / total, peak, floor), "there is no warm-up yet: before step warmup the rate rises "
             "in a straight line"),
            (_cosine(step / total, peak, floor) * (step + 1) / warmup, "the warm-up was multiplied with the "
             "cosine: the cosine begins where the warm-up ends"),
            (peak, "during the warm-up the rate rises to the peak and is not there yet"),
        ]
    share = (step - warmup) / (total - warmup)
    too_long = [(peak * (step + 1) / warmup, "the warm-up goes on for one update too many, above the peak: it is for "
                 "step < warmup, because updates count from 0")] if step == warmup > 0 else []
    return too_long + [
        (_cosine(step / total, peak, floor), "the cosine runs from update 0, and jumps where the warm-up ends: "
         "count its steps from the end of the warm-up"),
        (_cosine((step - warmup) / total, peak, floor), "the cosine does not reach its end: after the warm-up "
         "only total - warmup updates are left for it"),
        (_cosine((step - warmup) / (total - warmup - 1), peak, floor), "the cosine ends one update early: the floor is "
         "for update `total`, one after the last, so divide by total - warmup"),
        (_cosine((step + 1 - warmup) / (total - warmup), peak, floor), "the cosine begins one update early: update "
         "warmup has the peak, so its share is (step - warmup), without + 1"),
        (_cosine(share, peak, 0.0), "the floor is missing: the cosine ends at floor, not at 0"),
        (floor + _cosine(share, peak, 0.0), "the floor was added on top: the cosine goes from peak to floor, so "
         "its height is peak - floor"),
        (max(floor, _cosine(share, peak, 0.0)), "the cosine is cut off at the floor: it should end there, so its "
         "height is peak - floor"),
        (_cosine(share, peak, peak * floor), "floor is a rate, not a share of the peak"),
        (_cosine(2 * share, peak, floor), "that is a whole wave, down and up again: half a cosine ends at pi"),
        (floor + (peak - floor) * math.cos(math.pi * share / 2), "that is a quarter of a wave: half of one goes "
         "from 1 to -1, which 0.5 * (1 + cos) brings to 1 and 0"),
        (floor + (peak - floor) * math.cos(math.pi * share), "cos goes from 1 to -1, so the rate becomes negative: "
         "take 0.5 * (1 + cos)"),
        (floor + (peak - floor) * (1 - share), "that is a straight line: the decay is half a cosine"),
        (_cosine(share / math.pi, peak, floor), "the angle lacks pi: math.cos takes radians"),
        (peak, "the rate does not fall after the warm-up"),
    ]


def _judge(answer: Any) -> Feedback | None:
    unknown = None
    for step, total, warmup, peak, floor in ((6, 100, 10, 3e-3, 2e-4), (0, 100, 10, 3e-3, 2e-4),
                                             (83, 100, 10, 3e-3, 2e-4), (37, 100, 10, 3e-3, 2e-4),
                                             (10, 100, 10, 3e-3, 2e-4), (5, 50, 0, 1.0, 0.0)):
        inputs = (step, total, warmup, peak, floor)
        value = call(answer, *inputs, form=_FORM)
        produced, truth = number(value), _truth(*inputs)
        if produced is None:
            return not_a_number(value)
        if math.isclose(produced, truth, rel_tol=1e-6, abs_tol=1e-12):
            continue
        hint = recognise(lambda wrong: near(produced / peak, wrong / peak), _mistakes(*inputs), "")
        feedback = differs(produced, truth, "as the rate", hint or "two cases: before step warmup a straight line "
                           "through zero, from there half a cosine from peak to floor",
                           f"step {step} of {total}, warmup {warmup}, peak {peak:g}, floor {floor:g}")
        if hint:
            return feedback
        unknown = unknown or feedback
    return unknown


EXERCISE = Exercise(
    id="warmup-cosine", level="warm-up", minutes=10, judge=_judge,
    aim="Write a schedule as a function of the update, with nothing to remember between updates.",
    stub='''\
def rate(step, total, warmup, peak, floor):
    """The learning rate of update `step`, counted from 0, in a run of `total`.

    Over the first `warmup` updates it rises in a straight line: the first has
    peak / warmup and the last of them peak.  From update `warmup` on it falls
    as half a cosine from peak towards floor, which update `total` would have.
    """
    ...  # your code here
''')
