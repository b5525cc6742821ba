"""Homework as an instructor writes it: graded parts, each with inputs, a truth and known mistakes.

A part's ``inputs`` draw fresh cases; its ``truth`` says what is right and is written
independently of its ``reference``, the solution.  From both come the cases that students'
checks use (published as data, without code) and the hidden ones that grading uses.
"""
from __future__ import annotations

import copy
import hashlib
import importlib.util
import inspect
import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

from lmtune.exercises.plain import difference, plain

#: The seed and the name with which the published cases are drawn.
PUBLIC = ("public", "example")
#: Draws of inputs that are tried until they tell all mistakes apart.
DRAWS = 200


@dataclass(frozen=True)
class Part:
    """One graded part.

    Args:
        id: its name among all homework, such as ``"macro-f1"``.
        aim: what one can do afterwards, one sentence.
        level: ``"warm-up"``, ``"core"`` or ``"challenge"``.
        minutes: how long it takes, 5 to 20.
        stub: what the student starts from, one function.
        hints: hints that open one at a time, the vaguest first.
        inputs: ``inputs(rng)`` gives a list of cases, each a list of arguments, all plain data.
        truth: the right value for one case.
        reference: the solution.
        mistakes: pairs of a wrong function and the message for it.
        points: what it is worth unless the grading file says otherwise.
    """

    id: str
    aim: str
    level: str
    minutes: int
    stub: str
    hints: Sequence[str]
    inputs: Callable[[random.Random], list]
    truth: Callable
    reference: Callable
    mistakes: Sequence[tuple[Callable, str]]
    points: float = 10

    @property
    def function(self) -> str:
        """The name of the function that a student writes."""
        return self.reference.__name__.removeprefix("reference_")

    @property
    def form(self) -> str:
        """How the function is called, in words."""
        return f"{self.function}({', '.join(inspect.signature(self.reference).parameters)})"


@dataclass(frozen=True)
class Homework:
    """One homework: its parts, and an open question with a rubric of pairs (points, what for)."""

    name: str
    title: str
    parts: Sequence[Part]
    question: str
    rubric: Sequence[tuple[float, str]]

    @property
    def open_points(self) -> float:
        """The points of the open question."""
        return sum(points for points, _ in self.rubric)


def load_all(instructor: Path) -> dict[str, Homework]:
    """Every homework in ``instructor/homework``, by name; ``ValueError`` when there is none."""
    folder = Path(instructor) / "homework"
    paths = sorted(p for p in folder.glob("*.py") if p.stem != "__init__")
    if not paths:
        raise ValueError(f"There is no homework in {folder}; give the instructor's folder with --instructor.")
    found = [_module(path).HOMEWORK for path in paths]
    return {homework.name: homework for homework in found}


def _module(path: Path) -> Any:
    name = f"lmtune_instructor_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # inspect.getsource finds a file through its module
    spec.loader.exec_module(module)
    return module


def cases(part: Part, seed: str, student: str) -> list[dict]:
    """Cases drawn for one student: inputs, what is expected, and what known mistakes give.

    The draw depends on ``seed``, which only the grader has, on the student and on the part.
    """
    digest = hashlib.sha256(json.dumps([seed, student, part.id]).encode()).hexdigest()
    rng = random.Random(int(digest, 16))
    for _ in range(DRAWS):
        drawn = [_case(part, plain(inputs)) for inputs in part.inputs(rng)]
        if _telling(drawn):
            return drawn
    raise ValueError(f"The inputs of {part.id} told its mistakes apart in none of {DRAWS} draws; "
                     "make them more varied.")


def _case(part: Part, inputs: list) -> dict:
    """Inputs, the right value, and for each mistake its value (None where it fails) and message."""
    def value_of(function: Callable) -> Any:
        try:
            return plain(function(*copy.deepcopy(inputs)))
        except Exception:  # a mistake that fails on this input says nothing about it
            return None

    return {"inputs": inputs, "expected": plain(part.truth(*copy.deepcopy(inputs))),
            "mistakes": [[value_of(wrong), hint] for wrong, hint in part.mistakes]}


def _telling(drawn: list[dict]) -> bool:
    """Whether each mistake shows in some case, and no two are the same in all of them."""
    columns = [[c["expected"] for c in drawn]]
    columns += [[c["mistakes"][i][0] for c in drawn] for i in range(len(drawn[0]["mistakes"]))]
    return all(difference(a, b) for i, a in enumerate(columns) for b in columns[:i])


def published(homework: Homework) -> dict:
    """What students' checks need of a homework, as plain data: no code but the stubs."""
    return {"name": homework.name, "title": homework.title, "parts": [
        {"id": p.id, "aim": p.aim, "level": p.level, "minutes": p.minutes, "points": p.points, "stub": p.stub,
         "form": p.form, "hints": list(p.hints), "cases": cases(p, *PUBLIC)} for p in homework.parts]}


def published_path(name: str) -> Path:
    """Where the published part of one homework stands in this package."""
    return Path(__file__).parent.parent / "chapters" / "homework" / f"{name}.json"


def publish(instructor: Path) -> list[Path]:
    """Write the published part of every homework; the files that were written."""
    written = []
    for name, homework in load_all(instructor).items():
        path = published_path(name)
        path.write_text(json.dumps(published(homework), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def table(instructor: Path) -> str:
    """Every exercise and graded part with its level, minutes and planted mistakes, as a Markdown table."""
    lines = ["| graded part | level | minutes | points | mistake and its message |", "|---|---|---|---|---|"]
    for name, homework in load_all(instructor).items():
        for part in homework.parts:
            for i, (wrong, hint) in enumerate(part.mistakes):
                head = (f"{name}: {part.function}", part.level, part.minutes, f"{part.points:g}")
                head = head if i == 0 else ("",) * 4
                lines.append("| " + " | ".join(map(str, (*head, hint))) + " |")
    return "\n".join(lines)
