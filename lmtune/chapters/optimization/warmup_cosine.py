"""The exercise "cosine with warm-up": the rate of one update."""

from __future__ import annotations

import random
from math import cos, pi

from lmtune.exercises.exercise import Exercise


def _inputs(rng: random.Random) -> list:
    run = (100, 10, 3e-3, 2e-4)
    return [[step, *run] for step in (6, 0, 9, 83, 37, 10, 99)] + [[5, 50, 0, 1.0, 0.0]]


def _truth(step, total, warmup, peak, floor):
    """By the half angle, so that it is no copy of what the student writes."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return floor + (peak - floor) * cos(pi / 2 * (step - warmup) / (total - warmup)) ** 2


def _cosine(share, peak, floor):
    return floor + (peak - floor) * 0.5 * (1 + cos(pi * share))


def _rising(wrong):
    """A mistake in the warm-up alone."""
    return lambda step, total, warmup, *ends: (wrong if step < warmup else _truth)(step, total, warmup, *ends)


def _falling(wrong):
    """A mistake behind the warm-up alone."""
    return lambda step, total, warmup, *ends: (wrong if step >= warmup else _truth)(step, total, warmup, *ends)


def _wave(height):
    """Another form of the fall: ``height`` of the share of it that is done."""
    return _falling(lambda s, n, w, peak, floor: floor + (peak - floor) * height((s - w) / (n - w)))


_MISTAKES = [
    (
        _rising(lambda s, n, w, peak, floor: peak * s / w),
        "the first update would have the rate 0 and teach nothing: the warm-up counts step + 1",
    ),
    (
        _rising(lambda s, n, w, peak, floor: peak * (s + 1) / (w + 1)),
        "the warm-up ends below the peak: its last update has the peak, so divide by warmup, without + 1",
    ),
    (
        _rising(lambda s, n, w, peak, floor: floor + (peak - floor) * (s + 1) / w),
        "the warm-up rises from zero, not from the floor",
    ),
    (
        _rising(lambda s, n, w, *ends: _cosine(s / n, *ends) * (s + 1) / w),
        "the warm-up was multiplied with the cosine: the cosine begins where the warm-up ends",
    ),
    (
        _rising(lambda s, n, w, *ends: _cosine((s - w) / (n - w), *ends) * (s + 1) / w),
        "the warm-up was multiplied with a cosine that runs backwards there: before step warmup "
        "the rate is the straight line alone",
    ),
    (_rising(lambda s, n, w, peak, floor: peak), "during the warm-up the rate rises to the peak and is not there yet"),
    (
        lambda s, n, w, peak, floor: peak * (s + 1) / w if s == w > 0 else _truth(s, n, w, peak, floor),
        "the warm-up goes on for one update too many, above the peak: it is for "
        "step < warmup, because updates count from 0",
    ),
    (
        _falling(lambda s, n, w, *ends: _cosine(s / n, *ends)),
        "the cosine runs from update 0, and jumps where the warm-up ends: count its steps from the end of the warm-up",
    ),
    (
        _falling(lambda s, n, w, *ends: _cosine((s - w) / n, *ends)),
        "the cosine does not reach its end: after the warm-up only total - warmup updates are left for it",
    ),
    (
        _falling(lambda s, n, w, *ends: _cosine((s - w) / (n - w - 1), *ends)),
        "the cosine ends one update early: the floor is "
        "for update `total`, one after the last, so divide by total - warmup",
    ),
    (
        _falling(lambda s, n, w, *ends: _cosine((s + 1 - w) / (n - w), *ends)),
        "the cosine begins one update early: update warmup has the peak, so its share is (step - warmup), without + 1",
    ),
    (
        _falling(lambda s, n, w, peak, floor: _cosine((s - w) / (n - w), peak, 0.0)),
        "the floor is missing: the cosine ends at floor, not at 0",
    ),
    (
        _falling(lambda s, n, w, peak, floor: floor + _cosine((s - w) / (n - w), peak, 0.0)),
        "the floor was added on top: the cosine goes from peak to floor, so its height is peak - floor",
    ),
    (
        _falling(lambda s, n, w, peak, floor: max(floor, _cosine((s - w) / (n - w), peak, 0.0))),
        "the cosine is cut off at the floor: it should end there, so its height is peak - floor",
    ),
    (
        _falling(lambda s, n, w, peak, floor: _cosine((s - w) / (n - w), peak, peak * floor)),
        "floor is a rate, not a share of the peak",
    ),
    (_wave(lambda x: (1 + cos(2 * pi * x)) / 2), "that is a whole wave, down and up again: half a cosine ends at pi"),
    (_wave(lambda x: (1 - cos(pi * x)) / 2), "the cosine rises from floor to peak: it is 1 + cos, not 1 - cos"),
    (_wave(lambda x: 1 + cos(pi * x)), "the cosine begins at twice its height: 1 + cos goes from 2 to 0, so halve it"),
    (
        _wave(lambda x: cos(pi * x / 2)),
        "that is a quarter of a wave: half of one goes from 1 to -1, which 0.5 * (1 + cos) brings to 1 and 0",
    ),
    (_wave(lambda x: cos(pi * x)), "cos goes from 1 to -1, so the rate becomes negative: take 0.5 * (1 + cos)"),
    (_wave(lambda x: 1 - x), "that is a straight line: the decay is half a cosine"),
    (_wave(lambda x: (1 + cos(x)) / 2), "the angle lacks pi: math.cos takes radians"),
    (_wave(lambda x: 1), "the rate does not fall after the warm-up"),
    # Last, because behind the warm-up it is the cosine from update 0, which others write too.
    (
        lambda s, n, w, *ends: _cosine(s / n, *ends),
        "there is no warm-up yet: before step warmup the rate rises in a straight line",
    ),
]

EXERCISE = Exercise(
    id="warmup-cosine",
    level="warm-up",
    minutes=10,
    aim="Write a schedule as a function of the update, with nothing to remember between updates.",
    stub='''\
def rate(step, total, warmup, peak, floor):
    """The learning rate of update `step`, counted from 0, in a run of `total`.

    Over the first `warmup` updates it rises in a straight line: the first has
    peak / warmup and the last of them peak.  From update `warmup` on it falls
    as half a cosine from peak towards floor, which update `total` would have.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="one number, such as a float or a tensor without dimensions",
    otherwise="two cases: before step warmup a straight line through zero, from there half a cosine from peak to floor",
    mistakes=_MISTAKES,
)
