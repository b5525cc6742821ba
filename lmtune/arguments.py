"""How arguments are judged and refused: the same in all modules.

NumPy's numbers count as numbers and come back as Python's, which can be saved; ``True`` is no number.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
#: Ranges of numbers for :func:`finite`: whether a number lies in one, and what the range is called.
Range = tuple[Callable[[Any], bool], str]
POSITIVE: Range = (lambda v: v > 0, "a finite number above 0")
NOT_NEGATIVE: Range = (lambda v: v >= 0, "a finite number of at least 0")
SHARE: Range = (lambda v: 0 <= v <= 1, "from 0 to 1")
BELOW_ONE: Range = (lambda v: 0 <= v < 1, "from 0 up to but not including 1")
ABOVE_ZERO_TO_ONE: Range = (lambda v: 0 < v <= 1, "above 0 and at most 1")
BETWEEN_ZERO_AND_ONE: Range = (lambda v: 0 < v < 1, "above 0 and below 1")


def refuse(wrong: bool, name: str, given: object, allowed: str) -> None:
    """Raise ``ValueError`` when ``wrong``, saying what was given and what is allowed."""
    if wrong:
        raise ValueError(f"{name} is {given!r}; allowed: {allowed}.")


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether a value is a number, whole or not, and neither infinite nor nan."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def whole(name: str, value: Any, least: int = 1, most: int | None = None, unit: str = "") -> int:
    """``value`` as an ``int`` where it is a whole number from ``least`` to ``most``; else ``ValueError``.

    ``unit`` says for the message what is counted: ``"tokens"``.
    """
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    wrong = not is_whole(value) or value < least or (most is not None and value > most)
    refuse(wrong, name, value, f"a whole number {bounds} {unit}".rstrip())
    return int(value)


def finite(name: str, value: Any, within: Callable[[Any], bool], allowed: str) -> float:
    """``value`` as a ``float`` where it is a finite number ``within`` the range; else ``ValueError``.

    ``allowed`` is the range in words: ``finite("rate", rate, *POSITIVE)``.
    """
    refuse(not (is_finite(value) and within(value)), name, value, allowed)
    return float(value)


def refuse_wrong_texts(texts: Any, what: str = "text") -> None:
    """Refuse what is no list of ``str``, and text that Unicode cannot store (half of a surrogate pair)."""
    if isinstance(texts, str):
        raise TypeError(f"A list of {what}s is needed, and one string was given; write [{what}].")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{what.capitalize()} number {i} is a {type(text).__name__}; each {what} must be a str.")
        refuse_unstorable(text, f"{what.capitalize()} number {i}")


def refuse_unstorable(text: str, where: str) -> None:
    """Refuse text that holds half of a surrogate pair, which no file and no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where} is no text that Unicode can store: character {error.start} is {text[error.start]!r}, half of a "
            "pair or a byte that is not UTF-8. Take it out, or save the text as UTF-8."
        ) from None


def one_of(name: str, value: T, choices: Iterable[T]) -> T:
    """``value`` where it is one of the choices; else ``ValueError`` that lists them."""
    known = list(choices)
    refuse(value not in known, name, value, f"one of {', '.join(map(repr, known))}")
    return value
