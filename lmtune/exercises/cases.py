"""Cases of an exercise, and what an answer's values for them say about it."""
from __future__ import annotations

from typing import Any, Sequence

from lmtune.exercises.exercise import Feedback
from lmtune.exercises.plain import difference, few


def feedback(drawn: Sequence[dict], values: Sequence[Any], parameters: Sequence[str],
             otherwise: str) -> Feedback | None:
    """What is wrong with the values that an answer gave for its cases; None when nothing is.

    A mistake that explains every value speaks; else one that explains a wrong value.
    """
    wrong = [i for i, (case, value) in enumerate(zip(drawn, values)) if difference(value, case["expected"])]
    if not wrong:
        return None
    hints = [hint for _, hint in drawn[0]["mistakes"]]

    def explained(mistake: int, places: Sequence[int]) -> list[int]:
        return [i for i in places if not difference(values[i], drawn[i]["mistakes"][mistake][0])]

    everywhere = [m for m in range(len(hints)) if len(explained(m, range(len(values)))) == len(values)]
    somewhere = [m for m in range(len(hints)) if explained(m, wrong)]
    chosen = (everywhere or somewhere or [None])[0]
    shown = wrong[0] if chosen is None else next(i for i in wrong if i in explained(chosen, wrong))
    case, value = drawn[shown], values[shown]
    given = ", ".join(f"{name} = {few(v, 70)}" for name, v in zip(parameters, case["inputs"]))
    produced = few(value) if len(few(value)) < 60 else f"{few(value)}; {difference(value, case['expected'])}"
    return Feedback(produced, few(case["expected"]), otherwise if chosen is None else hints[chosen], given)
