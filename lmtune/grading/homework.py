"""Homework as an instructor writes it: graded parts, each with inputs, a truth and known mistakes.

A part's ``inputs`` draw fresh cases; its ``truth`` says what is right and is written
independently of its ``reference``, the solution.  From both come the cases that students'
checks use (published as data, without code) and the hidden ones that grading uses.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmtune.exercises.cases import Case, draw
from lmtune.exercises.exercise import Exercise

#: The seed and the name with which the published cases are drawn.
PUBLIC = ("public", "example")


@dataclass(frozen=True, kw_only=True)
class Part(Exercise):
    """One graded part: an exercise whose inputs are plain data, with its solution.

    Args:
        reference: the solution, ``reference_`` and the name that a student's function has.
        points: what it is worth unless the grading file says otherwise.
    """

    reference: Callable
    points: float = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.observe is not None:
            raise ValueError(
                f"{self.id} observes more than what a function returns, which a graded part cannot: "
                "its inputs and values leave the sandbox as plain data"
            )


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


def cases(part: Part, seed: str, student: str, *handed_in: str) -> list[Case]:
    """Cases drawn for one student: inputs, what is expected, and what known mistakes give.

    The draw depends on ``seed``, which only the grader has, on the student, on the part, and in grading on the
    digest of what was ``handed_in``: what one hand-in learns of its cases says nothing of the next one's.
    """
    digest = hashlib.sha256(json.dumps([seed, student, *handed_in, part.id]).encode()).hexdigest()
    return draw(part, random.Random(int(digest, 16)))


def published(homework: Homework) -> dict:
    """What students' checks need of a homework, as plain data: no code but the stubs."""
    return {
        "name": homework.name,
        "title": homework.title,
        "parts": [
            {
                "id": p.id,
                "aim": p.aim,
                "level": p.level,
                "minutes": p.minutes,
                "points": p.points,
                "stub": p.stub,
                "tolerance": p.tolerance,
                "hints": list(p.hints),
                "cases": cases(p, *PUBLIC),
            }
            for p in homework.parts
        ],
    }


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
            for i, (_, hint) in enumerate(part.mistakes):
                head = (f"{name}: {part.function}", part.level, part.minutes, f"{part.points:g}")
                head = head if i == 0 else ("",) * 4
                lines.append("| " + " | ".join(map(str, (*head, hint))) + " |")
    return "\n".join(lines)
