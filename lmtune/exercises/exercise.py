"""Exercises, declared: what goes in, what is right, which mistakes are known, and what is said.

One form serves practice in the chapters and graded homework.  An exercise draws cases; the truth
says what is right for each, written independently of any solution; a known mistake is a wrong
function with the hint that it deserves.  An answer is judged by what it does on all cases.
"""

from __future__ import annotations

import ast
import random
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lmtune.exercises.cases import Case, Feedback, draw, feedback
from lmtune.exercises.running import Empty, Failed, observed, shown

LEVELS = ("warm-up", "core", "challenge")
NOT_ATTEMPTED, PASSED, NOT_YET = "not attempted yet", "passed", "not yet"
#: Short enough for a screen reader's line and a phone.
WIDTH = 76
#: A known mistake: a wrong function, or what one looks like to ``observe``, and its hint.
Mistake = tuple[Callable, str]


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise.

    Args:
        id: its name within the chapter, such as ``"token-loss"``.
        aim: what one can do afterwards, one sentence.
        level: ``"warm-up"``, ``"core"`` or ``"challenge"``.
        minutes: how long it takes, 5 to 20.
        stub: the source that the student starts from, one function.
        inputs: ``inputs(rng)`` gives a list of cases, each a list of arguments.
        truth: ``truth(*arguments)`` is what ``observe`` must see for a case.
        mistakes: pairs of a wrong function (as ``truth``, or raising where the mistake does not
            show) and the hint for it; ``lmtune.exercises.plain.ANY`` stands in its value where
            the mistake says nothing.
        gives: what the function gives back, in words, for an answer of another form.
        hints: hints that :func:`lmtune.hint` opens one at a time, the vaguest first.
        otherwise: the hint where no known mistake explains the answer.
        observe: ``observe(answer, *arguments)`` gives what is compared, by default what the answer
            returns; a :class:`Feedback` ends the judgement, for an answer of the wrong kind.
        tolerance: how far numbers may be apart, relative to the larger one; a tenth of it for small ones
            beside what a usual case expects (or 1).  Whole numbers must be equal.
    """

    id: str
    aim: str
    level: str
    minutes: int
    stub: str
    inputs: Callable[[random.Random], list]
    truth: Callable
    mistakes: Sequence[Mistake]
    gives: str = "what the first lines of the function promise"
    hints: Sequence[str] = ()
    otherwise: str = "none of the usual mistakes: open a hint with lmtune.hint, and try the example by hand"
    observe: Callable | None = None
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"the level of {self.id} is {self.level!r}; it must be one of {', '.join(LEVELS)}")
        if not 5 <= self.minutes <= 20:
            raise ValueError(
                f"{self.id} takes {self.minutes} minutes; an exercise takes 5 to 20: split it, or join it with another"
            )

    @property
    def function(self) -> str:
        """The name of the function that the stub begins."""
        return self._definition.name

    @property
    def parameters(self) -> list[str]:
        """The names of its parameters."""
        return [a.arg for a in self._definition.args.args]

    @property
    def form(self) -> str:
        """How the function is called, in words."""
        return f"{self.function}({', '.join(self.parameters)})"

    @property
    def _definition(self) -> ast.FunctionDef:
        return next(n for n in ast.parse(self.stub).body if isinstance(n, ast.FunctionDef))

    def cases(self) -> list[Case]:
        """The cases of practice: the same each time."""
        return draw(self, random.Random(self.id))


@dataclass(frozen=True)
class Result:
    """What :func:`judged` found: ``status``, the whole ``message``, and its ``hint`` alone."""

    status: str
    message: str
    hint: str = ""


def judged(exercise: Exercise, answer: Any) -> Result:
    """What an answer does on the cases of ``exercise``; an error in the answer is feedback, not an error.

    ``answer`` is the student's function.  ``KeyboardInterrupt`` passes through.
    """
    if answer is None or answer is Ellipsis:
        return Result(NOT_ATTEMPTED, NOT_ATTEMPTED)
    if not callable(answer):
        return _not_yet(
            Feedback(
                f"not a function but {shown(answer)}",
                f"a function called as {exercise.form}",
                "give check the function itself, without brackets behind its name",
            )
        )
    drawn, values = exercise.cases(), []
    for case in drawn:
        outcome = observed(answer, case["inputs"], exercise.form, exercise.observe)
        if isinstance(outcome, Empty) and not outcome.begun:
            return Result(NOT_ATTEMPTED, NOT_ATTEMPTED)
        if isinstance(outcome, (Empty, Failed)):
            return _not_yet(outcome.feedback)
        values.append(outcome.value)
    found = feedback(exercise, drawn, values)
    return _not_yet(found) if found else Result(PASSED, PASSED)


def _not_yet(found: Feedback) -> Result:
    return Result(NOT_YET, message(found), found.hint)


def message(found: Feedback) -> str:
    """Plain text, one fact a line, so that it reads well aloud."""
    facts = [("for", found.given), ("your answer", found.produced), ("expected", found.expected), ("hint", found.hint)]
    lines = [NOT_YET] + [
        textwrap.fill(f"{name}: {fact}", WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        for name, fact in facts
        if fact
    ]
    return "\n".join(lines)
