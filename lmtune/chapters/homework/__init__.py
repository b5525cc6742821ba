"""The exercises of the homework: their checks compare with published examples, which are data.

The truths and the solutions are the instructor's; see :mod:`lmtune.grading.homework`.  Grading uses other
inputs than these.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, shown
from lmtune.exercises.plain import plain

_FILES = {path.stem: json.loads(path.read_text(encoding="utf-8"))
          for path in sorted(Path(__file__).parent.glob("*.json"))}


def _judge_for(part: dict):
    names = [n.strip() for n in part["form"].partition("(")[2].rstrip(")").split(",")]

    def judge(answer: Any) -> Feedback | None:
        from lmtune.exercises.cases import feedback

        values = []
        for case in part["cases"]:
            value = call(answer, *case["inputs"], form=part["form"])
            try:
                values.append(plain(value))
            except (TypeError, RuntimeError) as error:
                return Feedback(shown(value), "numbers, text, lists, arrays or tensors", str(error))
        return feedback(part["cases"], values, names, "none of the usual mistakes: open a hint with "
                        f'lmtune.hint("homework/{part["id"]}"), and try the example by hand')
    return judge


#: The graded parts of each homework, by its name.
HOMEWORK = {name: [Exercise(id=p["id"], aim=p["aim"], level=p["level"], minutes=p["minutes"], stub=p["stub"],
                            judge=_judge_for(p), hints=tuple(p["hints"])) for p in data["parts"]]
            for name, data in _FILES.items()}
EXERCISES = [exercise for parts in HOMEWORK.values() for exercise in parts]
