"""How an arm's settings are tuned: lists that grow until the best lies inside.

One setting is tuned at a time, the others at their best so far, in turns, until no setting moves. At the end
each setting is the best of its list given the others. The list of a strength, which has a value that does nothing,
grows until its far end clearly harms: an arm that seems useless at the strengths one thought of may help at ten
times as much.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from studies.design import Arm

#: How often one list may grow, and how many turns over all settings there may be.
GROWTH, TURNS = 8, 6
#: What clearly harms is worse under every seed, and by this share of the loss in the mean.
HARM = 0.01
INTERIOR, NOTHING, EDGE = "interior", "nothing", "edge"
Settings = dict[str, float]
Losses = Sequence[float]
#: Yields the settings whose losses are wanted, and is sent them in that order, one for each choosing seed.
Search = Generator[list[Settings], list[Losses], "Tuned"]


@dataclass(frozen=True)
class Tuned:
    """What was tried, what was best, and where the best stands in each list."""

    best: Settings
    tried: list[tuple[Settings, Losses]]
    stands: dict[str, str]
    """Setting -> "interior", "nothing" (the arm is best where it does nothing), "bound: why", or "edge"."""


def search(arm: Arm, start: Mapping[str, float] | None = None) -> Search:
    """Tune ``arm``; ``start`` moves the middle of each list there (the best at another budget).

    A generator, so that the runs of many arms can wait for the processors together. Losses may be infinite.
    """
    lists = {setting: _around(arm, setting, (start or {}).get(setting)) for setting in arm.tuned}
    # Before a setting's own turn it has the middle of its list, so a rate is not chosen for an arm that does nothing.
    at = {setting: values[len(values) // 2] for setting, values in lists.items()}
    known: dict[tuple, Losses] = {}
    for _ in range(TURNS if arm.tuned else 0):
        before = dict(at)
        for setting in arm.tuned:
            yield from _tune_one(arm, setting, lists[setting], at, known)
        if at == before:
            break
    if not arm.tuned:
        known[()] = (yield [{}])[0]
    tried = [(dict(zip(arm.tuned, key)), losses) for key, losses in known.items()]
    return Tuned(dict(at), tried, {setting: stands(arm, setting, _along(tried, at, setting)) for setting in at})


def _tune_one(arm: Arm, setting: str, values: list[float], at: Settings, known: dict) -> Generator:
    """Move ``at[setting]`` to the best of its list, which grows in place."""
    for _ in range(GROWTH + 1):
        points = [{**at, setting: value} for value in values]
        asked = [point for point in points if _key(point) not in known]
        if asked:
            known |= zip(map(_key, asked), (yield asked))
        found = {value: known[_key({**at, setting: value})] for value in values}
        at[setting] = best_of(found)
        beyond = _beyond(arm, setting, found)
        if beyond is None:
            return
        values.append(beyond)
    values.remove(beyond)  # it may not grow any more, and this one was not tried


def best_of(found: Mapping[float, Losses]) -> float:
    """The value whose mean loss is least; of equal ones the smallest."""
    return min(sorted(found), key=lambda value: mean(found[value]))


def stands(arm: Arm, setting: str, found: Mapping[float, Losses]) -> str:
    """Where the best of the values tried stands; ``found`` has the losses of each under the same seeds."""
    best = best_of(found)
    if _beyond(arm, setting, found) is not None:
        return EDGE
    if best == arm.nothing.get(setting):
        return NOTHING
    return INTERIOR if min(found) < best < max(found) else f"bound: {arm.bounds[setting][2]}"


def _beyond(arm: Arm, setting: str, found: Mapping[float, Losses]) -> float | None:
    """The next value to try; None where the best lies inside, and a strength was followed until it harms."""
    best, nothing = best_of(found), arm.nothing.get(setting)
    values = sorted(value for value in found if value != nothing)
    first, second = list(arm.tuned[setting])[:2]
    ratio, low, high = second / first, *arm.bounds.get(setting, (0.0, math.inf))[:2]
    up, down = (float(f"{value:.6g}") for value in (values[-1] * ratio, values[0] / ratio))
    if nothing is None:
        wanted = up if best == values[-1] else down if best == values[0] else None
    else:
        far, farther = (values[-1], up) if nothing < values[0] else (values[0], down)
        wanted = None if harms(found[far], found[best]) else farther
    return wanted if wanted is not None and low <= wanted <= high else None


def harms(losses: Losses, best: Losses) -> bool:
    """Whether a strength is clearly worse than the best: under every seed, and by a share of the loss in the mean."""
    return all(a > b for a, b in zip(losses, best)) and mean(losses) > mean(best) + HARM * abs(mean(best))


def mean(losses: Losses) -> float:
    """The mean; infinite where a run diverged."""
    return sum(losses) / len(losses)


def _along(tried: Sequence[tuple[Settings, Losses]], at: Settings, setting: str) -> dict[float, Losses]:
    """The losses along one setting, the others being those of ``at``."""
    return {one[setting]: losses for one, losses in tried if {**one, setting: None} == {**at, setting: None}}


def _around(arm: Arm, setting: str, middle: float | None) -> list[float]:
    """The list to begin with, with the value that does nothing first."""
    values, nothing = [float(v) for v in arm.tuned[setting]], arm.nothing.get(setting)
    if middle is not None and middle != nothing:
        ratio, (low, high) = values[1] / values[0], arm.bounds.get(setting, (0.0, math.inf))[:2]
        values = [float(f"{middle * ratio**k:.6g}") for k in (-1, 0, 1)]
        values = [value for value in values if low <= value <= high]
    return [*([] if nothing is None else [float(nothing)]), *values]


def _key(settings: Settings) -> tuple:
    return tuple(settings.values())
