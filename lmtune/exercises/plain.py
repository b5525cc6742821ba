"""Answers as plain data: what a submission may give back, and how it is compared.

Only numbers, text, lists and dictionaries travel out of the process that runs a
submission; arrays and tensors become lists.  Standard library alone, because that
process starts once for each graded part.
"""

from __future__ import annotations

import json
import math
import numbers
import textwrap
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

#: Agrees with every value: where a known mistake says nothing of a part of the answer.
ANY = "any value at all"
#: Nested deeper than this an answer is no plain data.
DEEPEST = 20
#: Beside the largest number, how far a small one may be off, in units of the tolerance.
SMALL = 0.1
#: How far a float may be from the whole number that it stands for.
ROUNDING = 1e-6
#: Characters of JSON that one answer may have.
LONGEST = 1_000_000


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` as plain data; ``TypeError`` when it holds anything else.

    Numbers, text and lists of any library count.  Of what a student's own class overrides nothing is asked.
    """
    if depth > DEEPEST:
        raise TypeError(f"the value is nested more than {DEEPEST} deep")
    if value is None or type(value) in (bool, int, float, str):
        return value
    for kind, pure in ((int, int.__index__), (float, float.__float__), (str, str.__str__)):
        if isinstance(value, kind):  # an enumeration, NumPy's float64 and str_
            return pure(value)
    if isinstance(value, (list, tuple, range, deque)):
        return [plain(v, depth + 1) for v in _entries(value)]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in dict.keys(value)):
            raise TypeError("a dictionary has keys that are no text")
        return {str.__str__(key): plain(v, depth + 1) for key, v in dict.items(value)}
    if isinstance(value, (numbers.Real, Decimal)):  # a fraction, NumPy's longdouble
        return _number(value)
    if callable(getattr(value, "tolist", None)):  # arrays, tensors, series
        return plain((value.detach() if hasattr(value, "detach") else value).tolist(), depth + 1)
    raise TypeError(
        f"the value is or holds a {type(value).__name__}; give numbers, text, lists, arrays or tensors back"
    )


def _entries(value: Any) -> Iterator[Any]:
    if isinstance(value, range) and len(value) > LONGEST:
        raise TypeError(f"a range has more than {LONGEST} entries")
    return next(kind for kind in (list, tuple, range, deque) if isinstance(value, kind)).__iter__(value)


def _number(value: Any) -> Any:
    told = value.tolist() if hasattr(value, "tolist") else None
    return told if type(told) in (bool, int, float) else float(value)


def difference(value: Any, truth: Any, tolerance: float = 1e-6, where: str = "", near: float | None = None) -> str:
    """Where two plain values differ first, in words, and ``""`` where they agree.

    Numbers agree within ``tolerance``, relative to the larger one, or within a tenth of it in units of
    ``near``, by default :func:`size` of the truth: so float32 passes also where the truth is 0.  Whole
    numbers must be equal; a float where a whole number is expected may be off by its own rounding.
    """
    near = size(truth) if near is None else near
    place = f" at {where}" if where else ""
    if truth == ANY:
        return ""
    while isinstance(value, list) and len(value) == 1 and isinstance(truth, (int, float)):
        value = value[0]  # a tensor with one number in it is a number
    if isinstance(truth, list) or isinstance(value, list):
        if not isinstance(value, list) or not isinstance(truth, list):
            return f"{kind(value)}{place} where {kind(truth)} is expected"
        if len(value) != len(truth):
            return f"{len(value)} entries{place} where {len(truth)} are expected"
        pairs = ((f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(value, truth)))
        return next((d for w, a, b in pairs if (d := difference(a, b, tolerance, w, near))), "")
    if isinstance(truth, dict) or isinstance(value, dict):
        if not isinstance(value, dict) or not isinstance(truth, dict):
            return f"{kind(value)}{place} where {kind(truth)} is expected"
        if value.keys() != truth.keys():
            return f"the keys {few(sorted(value))}{place} where {few(sorted(truth))} are expected"
        pairs = ((f"{where}[{key!r}]", value[key], truth[key]) for key in truth)
        return next((d for w, a, b in pairs if (d := difference(a, b, tolerance, w, near))), "")
    if _same(value, truth, tolerance, near):
        return ""
    told = (few(value), few(truth)) if few(value) != few(truth) else (repr(value), repr(truth))
    return f"{told[0]}{place} where {told[1]} is expected"


def size(value: Any) -> float:
    """The largest number in plain data, at most 1: what counts as small beside it."""
    if isinstance(value, (list, dict)):
        return max(map(size, value.values() if isinstance(value, dict) else value), default=0.0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return 0.0
    return float(min(1, abs(value)))


def _same(value: Any, truth: Any, tolerance: float, near: float) -> bool:
    numeric = [isinstance(v, (int, float)) and not isinstance(v, bool) for v in (value, truth)]
    if not all(numeric):
        return type(value) is type(truth) and value == truth
    if isinstance(truth, int):
        if isinstance(value, int):
            return value == truth
        tolerance, near = min(tolerance, ROUNDING), 1 / SMALL
    try:
        if math.isnan(value) or math.isnan(truth):
            return math.isnan(value) and math.isnan(truth)
        return math.isclose(value, truth, rel_tol=tolerance, abs_tol=max(1e-9, SMALL * tolerance * near))
    except OverflowError:  # a whole number beyond every float
        return value == truth


def kind(value: Any) -> str:
    """What sort of plain data a value is, in words."""
    names = {
        bool: "True or False",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a dictionary",
        type(None): "None",
    }
    return names.get(type(value), type(value).__name__)


def form(value: Any) -> str:
    """What sort of plain data a value is, lists by their first entry: ``"a list of a number"``."""
    if isinstance(value, list) and value:
        return f"{kind(value)} of {form(value[0])}"
    return kind(value)


def few(value: Any, width: int = 110) -> str:
    """A value in at most ``width`` characters, numbers rounded to six digits."""
    return textwrap.shorten(_digits(value), width, placeholder=" ...") or repr(value)[:width]


def _digits(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return repr(value[:300])
    if isinstance(value, list):
        return "[" + ", ".join(_digits(v) for v in value[:40]) + (", ..." if len(value) > 40 else "") + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_digits(v)}" for k, v in list(value.items())[:40]) + "}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return "a number of more than 30 digits"
    return repr(value)


def read(line: bytes | str) -> Any:
    """Plain data from one line of JSON; ``ValueError`` when it is none, too long or nested too deep.

    Whoever goes on with it may follow its lists and dictionaries without a bound of his own.
    """
    if len(line) > LONGEST:
        raise ValueError(f"the answer is longer than {LONGEST} characters")
    try:
        return plain(json.loads(line), depth=-1)  # a reply is a dictionary around the value
    except (RecursionError, TypeError) as error:
        raise ValueError("the answer is nested too deep") from error
