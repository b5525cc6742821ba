"""How an arm's settings are tuned: lists that grow until the best lies inside.

One setting is tuned at a time, the others at their best so far, in turns, until no setting moves. At the end
each setting is the best of its list given the others, and the list says how far it was looked.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from studies.design import Arm

#: How often one list may grow, and how many turns over all settings there may be.
GROWTH, TURNS = 8, 6
INTERIOR, EDGE = "interior", "edge"
Settings = dict[str, float]
#: Yields the settings whose loss is wanted, and is sent the losses in that order.
Search = Generator[list[Settings], list[float], "Tuned"]


@dataclass(frozen=True)
class Tuned:
    """What was tried, what was best, and where the best stands in each list."""

    best: Settings
    tried: list[tuple[Settings, float]]
    stands: dict[str, str]
    """Setting -> "interior", "nothing" (the arm is best at the value that does nothing), "bound: why", or "edge"."""

    @property
    def loss(self) -> float:
        """The loss that chose."""
        return next(loss for settings, loss in self.tried if settings == self.best)


def search(arm: Arm, start: Mapping[str, float] | None = None) -> Search:
    """Tune ``arm``; ``start`` moves the middle of each list there (the best at another budget).

    A generator, so that the runs of many arms can wait for two processors together. Losses may be infinite.
    """
    lists = {setting: _around(arm, setting, (start or {}).get(setting)) for setting in arm.tuned}
    # Before a setting's own turn it has the middle of its list, so a strength is not judged at nothing.
    at = {setting: values[len(values) // 2] for setting, values in lists.items()}
    known: dict[tuple, float] = {}
    for _ in range(TURNS):
        before = dict(at)
        for setting in arm.tuned:
            yield from _tune_one(arm, setting, lists[setting], at, known)
        if at == before:
            break
    if not arm.tuned:
        known[()] = (yield [{}])[0]
    tried = [(dict(zip(arm.tuned, key)), loss) for key, loss in known.items()]
    return Tuned(dict(at), tried, {setting: stands(arm, setting, lists[setting], at[setting]) for setting in at})


def _tune_one(arm: Arm, setting: str, values: list[float], at: Settings, known: dict) -> Generator:
    """Move ``at[setting]`` to the best of its list, which grows in place."""
    for _ in range(GROWTH + 1):
        points = [{**at, setting: value} for value in values]
        asked = [point for point in points if _key(point) not in known]
        if asked:
            known |= zip(map(_key, asked), (yield asked))
        at[setting] = min(values, key=lambda value: known[_key({**at, setting: value})])
        grown = _grown(arm, setting, values, at[setting])
        if grown is None:
            return
        values.append(grown)
        values.sort()
    values.remove(grown)  # never tried


def stands(arm: Arm, setting: str, values: list[float], best: float) -> str:
    """Where ``best`` stands in the values that were tried."""
    if best == arm.nothing.get(setting):
        return "nothing"
    if min(values) < best < max(values):
        return INTERIOR
    if _grown(arm, setting, values, best) is None:
        return f"bound: {arm.bounds[setting][2]}"
    return EDGE


def _grown(arm: Arm, setting: str, values: list[float], best: float) -> float | None:
    """The value to try beyond the edge on which ``best`` stands; None where it is inside, or at what ends a list."""
    if best == arm.nothing.get(setting) or min(values) < best < max(values):
        return None
    low, high, _ = arm.bounds.get(setting, (0.0, math.inf, ""))
    first, second = list(arm.tuned[setting])[:2]
    beyond = best * second / first if best == max(values) else best * first / second
    beyond = float(f"{beyond:.6g}")
    return beyond if low <= beyond <= high else None


def _around(arm: Arm, setting: str, middle: float | None) -> list[float]:
    """The list to begin with, in rising order, with the value that does nothing."""
    values = [float(v) for v in arm.tuned[setting]]
    nothing = arm.nothing.get(setting)
    if middle is not None and middle != nothing:
        ratio = values[1] / values[0]
        low, high, _ = arm.bounds.get(setting, (0.0, math.inf, ""))
        values = [float(f"{middle * ratio**k:.6g}") for k in (-1, 0, 1)]
        values = [value for value in values if low <= value <= high]
    return sorted({*values, *([] if nothing is None else [float(nothing)])})


def _key(settings: Settings) -> tuple:
    return tuple(settings.values())
