"""Calling a student's function so that nothing it does is an error of the one who asks."""

from __future__ import annotations

import copy
import dis
import linecache
import reprlib
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lmtune.exercises.cases import Feedback
from lmtune.exercises.plain import plain


@dataclass(frozen=True)
class Value:
    """What was observed, as plain data."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """The answer stopped with an error, or gave what cannot be compared."""

    feedback: Feedback


@dataclass(frozen=True)
class Empty:
    """The answer gave nothing back; ``begun`` says whether it is more than a stub."""

    begun: bool
    feedback: Feedback


class _Watched:
    """The student's function, and what it gave last; what it changes in its arguments stays with it."""

    def __init__(self, function: Callable):
        self.function, self.empty, self.error = function, False, None
        self.__name__ = asked(lambda: str(function.__name__), "answer")

    def __call__(self, *inputs: Any) -> Any:
        try:
            value = self.function(*inputs)
        except BaseException as error:
            self.error = error
            raise
        self.empty |= value is None or value is Ellipsis
        return value


def observed(answer: Callable, inputs: list, form: str, observe: Callable | None) -> Value | Failed | Empty:
    """What ``observe`` sees of an answer on copies of ``inputs``; ``form`` is how it is called, in words."""
    watched = _Watched(answer)
    try:
        seen = observe(watched, *copy.deepcopy(inputs)) if observe else watched(*copy.deepcopy(inputs))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also an exit, and errors of the student's own that are no Exception
        return _ended(answer, watched, error, form)
    if watched.empty:
        return _empty(answer, form)
    if isinstance(seen, Feedback):
        return Failed(seen)
    try:
        return Value(plain(seen))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Failed(Feedback(shown(seen), f"a value from {form}", said(error, 300) or type(error).__name__))


def _ended(answer: Callable, watched: _Watched, error: BaseException, form: str) -> Failed | Empty:
    if watched.empty:  # whoever looked at it stumbled over the nothing that came back
        return _empty(answer, form)
    if watched.error is None:
        return Failed(
            Feedback(
                f"a value that cannot be used ({type(error).__name__}: {said(error, 200)})",
                f"a value from {form}",
                "give back what the first lines of the function promise: its type, its parts, their number",
            )
        )
    if isinstance(error, NotImplementedError) and _says_so(answer, error):
        return Empty(False, _nothing(form))
    return Failed(_crash(answer, error, form))


def _empty(answer: Callable, form: str) -> Empty:
    return Empty(_begun(answer), _nothing(form))


def _nothing(form: str) -> Feedback:
    return Feedback(
        "None",
        f"a value from {form}",
        "your function ends without giving its result back: does every way through it end in a return with the value?",
    )


def _begun(answer: Any) -> bool:
    """Whether a function reads any of its arguments: a stub reads none."""
    code = _code(answer)
    reads = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE")
    return code is not None and any(i.opname.startswith(reads) for i in dis.get_instructions(code))


def _code(answer: Any) -> types.CodeType | None:
    code = asked(lambda: answer.__code__, None)
    return code if isinstance(code, types.CodeType) else None


def _says_so(answer: Any, error: BaseException) -> bool:
    """Whether NotImplementedError is the stub's way of saying so (torch raises it too)."""
    return not _begun(answer) or _line(answer, error)[1].startswith("raise NotImplementedError")


def _crash(answer: Any, error: BaseException, form: str) -> Feedback:
    number, source = _line(answer, error)
    where = f", at line {number}{f': {source}' if source else ''}" if number else ""
    words = said(error, 300)
    return Feedback(
        f"{type(error).__name__}{f': {words}' if words else ''}{where}",
        f"a value from {form}",
        f"your function was called as {form} and stopped with an error; call it "
        "yourself in a cell of its own to look closer",
    )


def _line(answer: Any, error: BaseException) -> tuple[int, str]:
    """Number and text of the last line of the student's own that the error went through."""
    code = _code(answer)
    number, trace = 0, error.__traceback__
    while trace is not None and code is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            number = trace.tb_lineno
        trace = trace.tb_next
    return number, linecache.getline(code.co_filename, number).strip() if number else ""


def asked(question: Callable[[], Any], otherwise: Any) -> Any:
    """What an object of the student's says of itself; ``otherwise`` where that fails."""
    try:
        return question()
    except KeyboardInterrupt:
        raise
    except BaseException:
        return otherwise


def said(error: BaseException, width: int) -> str:
    """An error's own words, at most so many characters."""
    return textwrap.shorten(asked(lambda: str(error), "")[: 4 * width], width)


def shown(value: Any) -> str:
    """A value in a few words: its type, and its shape or the value itself."""
    shape = asked(lambda: tuple(map(int, value.shape)), ())
    if shape:
        return f"a {type(value).__name__} of shape {shape}"
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 60
    text = asked(lambda: short.repr(value)[:200], "")
    return f"{type(value).__name__} {textwrap.shorten(text, 60)}".rstrip()
