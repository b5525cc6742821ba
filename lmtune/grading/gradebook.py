"""The results as CSV files that Moodle and Canvas import.

Moodle: *Grades, Import, CSV file*; the columns are mapped by hand there (https://docs.moodle.org/en/Grade_import).
Canvas: *Grades, Import*; the first columns must have these names and this order, and the row "Points Possible" gives
what the assignment is worth (https://community.canvaslms.com/, "How do I import grades in the Gradebook?").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmtune.files import write_whole
from lmtune.grading import csv_files

#: The columns before the grades that Canvas wants, in its order.
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
#: Columns of the roster that only these files use: a student's name in the other system, where it is not the id.
MORE = ("email", "canvas id", "sis id", "login", "section")


def write(out: Path, homework: Any, records: Sequence[Mapping], marks: Sequence[Mapping], roster: Path) -> None:
    """Write ``moodle.csv`` and ``canvas.csv`` into a report; ``records`` and ``marks`` are in one order.

    A grade is empty while the open answer is not marked, so that nobody imports a part of it for the whole, and
    where nothing could be graded, for a reason that the report tells.
    Students whose id stands twice on the roster are left out: their grades could go to the wrong one.
    """
    known = _roster(roster)
    ids = [mark["id"] for mark in marks]
    graded = [
        (mark, _grade(mark, record), known.get(mark["id"], {}))
        for mark, record in zip(marks, records)
        if mark["id"] and ids.count(mark["id"]) == 1
    ]
    write_whole(out / "moodle.csv", csv_files.written([_moodle(homework.title, *one) for one in graded]))
    worth = {**dict.fromkeys(CANVAS, ""), "Student": "Points Possible", homework.title: _out_of(marks)}
    write_whole(out / "canvas.csv", csv_files.written([worth, *(_canvas(homework.title, *one) for one in graded)]))


def _out_of(marks: Sequence[Mapping]) -> float | str:
    return marks[0]["out of"] if marks else ""


def _grade(mark: Mapping, record: Mapping) -> float | str:
    waits = record["open"] and mark["open question"] == ""
    return "" if waits or record["problem"] else mark["total"]


def _moodle(title: str, mark: Mapping, grade: float | str, more: Mapping[str, str]) -> dict:
    return {"ID number": mark["id"], "Email address": more.get("email", ""), "Full name": mark["name"], title: grade}


def _canvas(title: str, mark: Mapping, grade: float | str, more: Mapping[str, str]) -> dict:
    whose = (mark["name"] or mark["id"], more.get("canvas id", ""), more.get("sis id") or mark["id"])
    return {**dict(zip(CANVAS, (*whose, more.get("login") or mark["id"], more.get("section", "")))), title: grade}


def _roster(path: Path) -> dict[str, dict[str, str]]:
    """Of each student on the roster what these files need besides the marks."""
    rows = csv_files.read(path, "roster", ["id"])
    return {row["id"]: {name: row.get(name, "") for name in MORE} for _, row in rows}
