"""Exercises: practice with feedback, not a grade.

``check("chapter/exercise", answer)`` runs in the student's own process and says
one of three things: not attempted yet, passed, or not yet, and then what the
answer produced, what was expected, and a hint for that very mistake.

Each chapter has a module here whose ``EXERCISES`` is a list of
:class:`Exercise`.  A judge compares an answer with a truth that does not come
from the student's code: torch, a closed form, or a recomputation.
"""
from __future__ import annotations

import ast
import copy
import dis
import linecache
import textwrap
from dataclasses import dataclass
from typing import Any, Callable, Sequence

LEVELS = ("warm-up", "core", "challenge")
NOT_ATTEMPTED, PASSED, NOT_YET = "not attempted yet", "passed", "not yet"
#: Short enough for a screen reader's line and a phone.
WIDTH = 76


@dataclass(frozen=True)
class Feedback:
    """Why an answer does not pass: what it produced, what was expected, and a hint.

    ``given`` says for which input, where that helps.
    """

    produced: str
    expected: str
    hint: str
    given: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Args:
        id: its name within the chapter, such as ``"token-loss"``.
        aim: what one can do afterwards, one sentence.
        level: ``"warm-up"``, ``"core"`` or ``"challenge"``.
        minutes: how long it takes, 5 to 20.
        stub: the source that the student starts from, one function.
        judge: ``judge(answer)`` returns ``None`` when the answer passes and a
            :class:`Feedback` when it does not; it calls the answer through
            :func:`call`.
        hints: hints that :func:`lmtune.hint` opens one at a time, the vaguest first.
    """

    id: str
    aim: str
    level: str
    minutes: int
    stub: str
    judge: Callable[[Any], Feedback | None]
    hints: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"the level of {self.id} is {self.level!r}; it must be one of "
                             f"{', '.join(LEVELS)}")
        if not 5 <= self.minutes <= 20:
            raise ValueError(f"{self.id} takes {self.minutes} minutes; an exercise takes 5 to "
                             "20: split it, or join it with another")

    @property
    def function(self) -> str:
        """The name of the function that the stub begins."""
        return next(n.name for n in ast.parse(self.stub).body if isinstance(n, ast.FunctionDef))


@dataclass(frozen=True)
class Result:
    """What :func:`assess` found: ``status``, the whole ``message``, and its ``hint`` alone."""

    status: str
    message: str
    hint: str = ""


class _Stop(Exception):
    """Ends a judge early; without feedback the exercise was not attempted."""

    def __init__(self, feedback: Feedback | None = None) -> None:
        self.feedback = feedback


def judged(exercise: Exercise, answer: Any) -> Result:
    """Let ``exercise`` judge ``answer``; an error in the answer is feedback, not an error."""
    if answer is None or answer is Ellipsis:
        return Result(NOT_ATTEMPTED, NOT_ATTEMPTED)
    try:
        feedback = exercise.judge(answer)
    except _Stop as stop:
        if stop.feedback is None:
            return Result(NOT_ATTEMPTED, NOT_ATTEMPTED)
        feedback = stop.feedback
    if feedback is None:
        return Result(PASSED, PASSED)
    return Result(NOT_YET, message(feedback), feedback.hint)


def call(answer: Any, *inputs: Any, form: str) -> Any:
    """Call the student's function on copies of ``inputs``, for a judge.

    ``form`` is how the function is called, in words, such as
    ``"token_loss(logits, ids)"``.  What the function changes in its inputs
    stays there.  A stub ends the judge with "not attempted yet"; an exception,
    an answer that is no function, or one that returns nothing ends it with
    "not yet".  ``KeyboardInterrupt`` passes through.
    """
    if not callable(answer):
        raise _Stop(Feedback(f"not a function but {shown(answer)}", f"a function called as {form}",
                             "give check the function itself, without brackets behind its name"))
    try:
        value = answer(*copy.deepcopy(inputs))
    except (Exception, SystemExit) as error:
        if isinstance(error, NotImplementedError) and _says_so(answer, error):
            raise _Stop from None
        raise _Stop(_crash(answer, error, form)) from None
    if value is None or value is Ellipsis:
        if not _begun(answer):
            raise _Stop
        raise _Stop(Feedback(str(value), f"a value from {form}",
                             "your function ends without giving its result back: does every "
                             "way through it end in a return with the value?"))
    return value


def recognise(matches: Callable[[Any], bool], mistakes: Sequence[tuple[Any, str]],
              otherwise: str) -> str:
    """The hint of the first known mistake whose outcome ``matches``, or ``otherwise``."""
    return next((hint for outcome, hint in mistakes if matches(outcome)), otherwise)


def shown(value: Any) -> str:
    """A value in a few words: its type, and its shape or the value itself."""
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) > 0:
        return f"a {type(value).__name__} of shape {tuple(shape)}"
    return f"{type(value).__name__} {textwrap.shorten(repr(value), 60)}"


def _begun(answer: Any) -> bool:
    """Whether a function reads any of its arguments: a stub reads none."""
    code = getattr(answer, "__code__", None)
    reads = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE")
    return code is not None and any(i.opname.startswith(reads) for i in dis.get_instructions(code))


def _says_so(answer: Any, error: BaseException) -> bool:
    """Whether NotImplementedError is the stub's way of saying so (torch raises it too)."""
    return not _begun(answer) or _line(answer, error)[1].startswith("raise NotImplementedError")


def _crash(answer: Any, error: BaseException, form: str) -> Feedback:
    number, source = _line(answer, error)
    where = f", at line {number}{f': {source}' if source else ''}" if number else ""
    said = textwrap.shorten(str(error), 300)
    return Feedback(f"{type(error).__name__}{f': {said}' if said else ''}{where}",
                    f"a value from {form}",
                    f"your function was called as {form} and stopped with an error; call it "
                    "yourself in a cell of its own to look closer")


def _line(answer: Any, error: BaseException) -> tuple[int, str]:
    """Number and text of the last line of the student's own that the error went through."""
    code = getattr(answer, "__code__", None)
    number, trace = 0, error.__traceback__
    while trace is not None and code is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            number = trace.tb_lineno
        trace = trace.tb_next
    return number, linecache.getline(code.co_filename, number).strip() if number else ""


def message(feedback: Feedback) -> str:
    """Plain text, one fact a line, so that it reads well aloud."""
    facts = [("for", feedback.given), ("your answer", feedback.produced),
             ("expected", feedback.expected), ("hint", feedback.hint)]
    lines = [NOT_YET] + [textwrap.fill(f"{name}: {fact}", WIDTH, initial_indent="  ",
                                       subsequent_indent="    ", break_on_hyphens=False)
                       for name, fact in facts if fact]
    return "\n".join(lines)
