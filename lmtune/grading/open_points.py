"""The points of the open question, as the instructor writes them into ``open.csv``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lmtune.grading.csv_files import cell, read, written

#: What the open question is called in the column ``part``.
OPEN = "open question"
COLUMNS = ("id", "part", "points", "comment", "name")
#: Wrong lines that are named at once.
NAMED = 10


def open_points(path: Path, ids: Sequence[str], most: float) -> dict[str, dict]:
    """``points`` (a number, or None where it is empty) and ``comment`` of each id; empty where there is no file.

    Raises ``ValueError`` that names each wrong line: an id that is not on the roster or stands twice, a part
    that the homework has not, points that are no number or not from 0 to ``most``.
    """
    if not path.exists():
        return {}
    known = {cell(name): name for name in ids} | {name: name for name in ids}
    given, wrong = {}, []
    for number, row in read(path, "points", required=("id", "points"), known=COLUMNS):
        name = known.get(row["id"])
        try:
            points = _points(row["points"], most)
            if name is None:
                raise ValueError(f"there is no student {row['id']!r} on the roster")
            if name in given:
                raise ValueError(f"{row['id']!r} stands here a second time")
            if row.get("part", "") not in ("", OPEN):
                raise ValueError(f"there is no part {row['part']!r}; it is called {OPEN!r}")
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
            continue
        given[name] = {"points": points, "comment": row.get("comment", "")}
    if wrong:
        more = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise ValueError(f"{path} is not used until its lines are right: {'; '.join(wrong[:NAMED])}{more}.")
    return given


def _points(text: str, most: float) -> float | None:
    """A number as it is written, also with a comma; None where there is none."""
    if not text:
        return None
    try:
        points = float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"the points are {text!r}; write a number or nothing") from None
    if not (math.isfinite(points) and 0 <= points <= most):
        raise ValueError(f"the points are {text!r}; the rubric gives 0 to {most:g}")
    return points


def empty_table(ids: Sequence[str]) -> str:
    """An ``open.csv`` to fill in; its head alone where there is nobody."""
    head = dict.fromkeys(("id", "part", "points", "comment"), "")
    return written([head | {"id": name, "part": OPEN} for name in ids]) or f"{','.join(head)}\r\n"
