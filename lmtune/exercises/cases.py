"""Cases of an exercise: how they are drawn, and what an answer's values for them say about it."""

from __future__ import annotations

import copy
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from lmtune.exercises.plain import difference, few, form, plain, size

if TYPE_CHECKING:
    from lmtune.exercises.exercise import Exercise

#: Draws of inputs that are tried until they tell all mistakes apart.
DRAWS = 200


class Case(TypedDict):
    """Arguments, the right value, and for each known mistake its value (None where it shows nothing) and hint."""

    inputs: list
    expected: Any
    mistakes: list[list]


@dataclass(frozen=True)
class Feedback:
    """Why an answer does not pass: what it produced, what was expected, and a hint.

    ``given`` says for which input, where that helps.
    """

    produced: str
    expected: str
    hint: str
    given: str = ""


def draw(exercise: Exercise, rng: random.Random) -> list[Case]:
    """Cases that tell every known mistake from the truth and from the other mistakes.

    Where the exercise has a solution beside its truth, the two agree on each case: at a tie either may be right.
    Raises ``ValueError`` when none of :data:`DRAWS` draws does.
    """
    for _ in range(DRAWS):
        drawn = [_case(exercise, inputs) for inputs in exercise.inputs(rng)]
        if _telling(drawn, exercise.tolerance) and _agreed(exercise, drawn):
            return drawn
    raise ValueError(
        f"The inputs of {exercise.id} told its mistakes apart, with one right answer, in none of {DRAWS} draws; "
        "make them more varied."
    )


def _case(exercise: Exercise, inputs: list) -> Case:
    def value_of(function: Callable) -> Any:
        try:
            return plain(function(*copy.deepcopy(inputs)))
        except Exception:  # a mistake that fails on this input says nothing about it
            return None

    return {
        "inputs": inputs,
        "expected": plain(exercise.truth(*copy.deepcopy(inputs))),
        "mistakes": [[value_of(wrong), hint] for wrong, hint in exercise.mistakes],
    }


def _scale(drawn: Sequence[Case]) -> float:
    """How large the numbers of a usual case are: beside it the rounding of float32 is no mistake, even at 0."""
    sizes = [found for case in drawn if (found := size(case["expected"]))]
    return statistics.median(sizes) if sizes else 0.0


def _agreed(exercise: Exercise, drawn: Sequence[Case]) -> bool:
    """Whether the solution, where there is one, gives what the truth expects."""
    reference = getattr(exercise, "reference", None)
    if reference is None:
        return True
    near = _scale(drawn)
    return all(
        not difference(plain(reference(*copy.deepcopy(c["inputs"]))), c["expected"], exercise.tolerance, near=near)
        for c in drawn
    )


def _telling(drawn: Sequence[Case], tolerance: float) -> bool:
    """Whether each mistake shows in some case, and no two are the same in all of them."""
    mistakes = [[c["mistakes"][i][0] for c in drawn] for i in range(len(drawn[0]["mistakes"]))]
    if any(all(value is None for value in column) for column in mistakes):  # one that fails everywhere
        return False
    columns = [[c["expected"] for c in drawn], *mistakes]
    near = _scale(drawn)
    return all(
        any(difference(x, y, tolerance, near=near) for x, y in zip(a, b))
        for i, a in enumerate(columns)
        for b in columns[:i]
    )


def feedback(exercise: Exercise, drawn: Sequence[Case], values: Sequence[Any]) -> Feedback | None:
    """What is wrong with the values that an answer gave for its cases; None when nothing is.

    A mistake that explains every value speaks; else the first that explains a wrong value; else, where the
    value is of another form than the right one, what the function gives back.
    """

    near = _scale(drawn)

    def same(value: Any, expected: Any) -> bool:
        return not difference(value, expected, exercise.tolerance, near=near)

    wrong = [i for i, (case, value) in enumerate(zip(drawn, values)) if not same(value, case["expected"])]
    if not wrong:
        return None
    hints = [hint for _, hint in drawn[0]["mistakes"]]

    def explained(mistake: int, places: Sequence[int]) -> list[int]:
        return [i for i in places if same(values[i], drawn[i]["mistakes"][mistake][0])]

    everywhere = [m for m in range(len(hints)) if len(explained(m, range(len(values)))) == len(values)]
    somewhere = [m for m in range(len(hints)) if explained(m, wrong)]
    chosen = (everywhere or somewhere or [None])[0]
    shown = wrong[0] if chosen is None else next(i for i in wrong if i in explained(chosen, wrong))
    case, value = drawn[shown], values[shown]
    given = ", ".join(f"{name} = {told(v)}" for name, v in zip(exercise.parameters, case["inputs"]))
    produced, expected = few(value), few(case["expected"])
    if len(produced) >= 60 or produced == expected:  # what is long or looks alike says where it differs
        produced = f"{produced}; {difference(value, case['expected'], exercise.tolerance, near=near)}"
    if chosen is not None:
        return Feedback(produced, expected, hints[chosen], given)
    unlike = form(value) != form(case["expected"])
    return Feedback(produced, expected, f"give back {exercise.gives}" if unlike else exercise.otherwise, given)


def told(argument: Any) -> str:
    """An argument in a few characters; what is no plain data by its name or type."""
    try:
        return few(plain(argument), 70)
    except Exception:
        return getattr(argument, "__name__", type(argument).__name__)
