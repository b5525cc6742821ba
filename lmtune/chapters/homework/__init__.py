"""The exercises of the homework: their checks compare with published examples, which are data.

The truths and the solutions are the instructor's; see :mod:`lmtune.grading.homework`.  Grading uses
other inputs than these.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from lmtune.exercises.cases import Case
from lmtune.exercises.exercise import Exercise


def _looked_up(cases: list[Case], pick: Callable[[Case], Any]) -> Callable:
    """A function that knows its values for the published inputs."""
    known = {json.dumps(case["inputs"]): pick(case) for case in cases}
    return lambda *inputs: known[json.dumps(list(inputs))]


def _exercise(part: dict) -> Exercise:
    cases = part["cases"]
    return Exercise(
        id=part["id"],
        aim=part["aim"],
        level=part["level"],
        minutes=part["minutes"],
        stub=part["stub"],
        hints=tuple(part["hints"]),
        tolerance=part["tolerance"],
        inputs=lambda rng: [case["inputs"] for case in cases],
        truth=_looked_up(cases, lambda case: case["expected"]),
        mistakes=[
            (_looked_up(cases, lambda case, i=i: case["mistakes"][i][0]), hint)
            for i, (_, hint) in enumerate(cases[0]["mistakes"])
        ],
        otherwise="none of the usual mistakes: open a hint with "
        f'lmtune.hint("homework/{part["id"]}"), and try the example by hand',
    )


_FILES = sorted((path for path in files(__name__).iterdir() if path.name.endswith(".json")), key=lambda p: p.name)
#: The graded parts of each homework, by its name.
HOMEWORK = {
    path.name[:-5]: [_exercise(part) for part in json.loads(path.read_text(encoding="utf-8"))["parts"]]
    for path in _FILES
}
EXERCISES = [exercise for parts in HOMEWORK.values() for exercise in parts]
