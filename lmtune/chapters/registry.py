"""The exercises of all chapters by name, and :func:`check`, which a reader calls."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from typing import Any

from lmtune import chapters as rooms
from lmtune.chapters import kept
from lmtune.exercises.exercise import Exercise, Result, judged

#: What :func:`check` said last of each exercise since Python started; the progress card reads it.
LAST: dict[str, str] = {}


def check(exercise: str, answer: Any) -> None:
    """Print whether ``answer`` passes ``exercise`` (``"chapter/exercise"``), and why not.

    Feedback, not a grade.  ``answer`` is the student's function.  In a notebook the
    verdict, and never the answer, is kept for :func:`lmtune.card`.  Raises
    ``ValueError`` when there is no such exercise.
    """
    result = assess(exercise, answer)
    LAST[exercise] = result.status
    kept.keep(exercise, result.status)
    print(result.message)


def assess(exercise: str, answer: Any) -> Result:
    """What :func:`check` prints, as a :class:`Result`."""
    return judged(find(exercise), answer)


def find(exercise: str) -> Exercise:
    """The exercise of that name; ``ValueError`` with the nearest names when there is none."""
    known = catalogue()
    if exercise in known:
        return known[exercise]
    near = difflib.get_close_matches(str(exercise), known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"there is no exercise {exercise!r}{meant} There are: {', '.join(known)}")


@functools.cache
def catalogue() -> dict[str, Exercise]:
    """Every exercise of every chapter by its full name, ``"chapter/exercise"``."""
    return {f"{chapter}/{e.id}": e for chapter in chapters() for e in exercises(chapter)}


def chapters() -> list[str]:
    """The chapters that have exercises, such as ``"first-fine-tune"``."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(rooms.__path__) if m.ispkg)


def exercises(chapter: str) -> list[Exercise]:
    """The exercises of one chapter, in their order on the page."""
    module = importlib.import_module(f"{rooms.__name__}.{chapter.replace('-', '_')}")
    return list(module.EXERCISES)
