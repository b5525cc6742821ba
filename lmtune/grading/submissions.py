"""Who handed in what: the roster, and the folder of submissions."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from lmtune.grading.csv_files import read
from lmtune.grading.notebook_file import chosen
from lmtune.grading.printable import printable


@dataclass
class Student:
    """A line of the roster.

    Args:
        id: decides identity; a notebook's own STUDENT_ID does not.
        name: as it is shown.
        folder: the name of the student's file or folder, when it is not the id.
        submitted: when it was handed in; the file's time of change where the roster is silent.
        problem: why this line cannot be graded, in words.
    """

    id: str
    name: str = ""
    folder: str = ""
    submitted: datetime | None = None
    problem: str = ""


@dataclass
class Submission:
    """What one student handed in: the notebook and its folder, or in words why there is none to grade."""

    student: Student
    notebook: Path | None = None
    folder: Path | None = None
    problem: str = ""
    submitted: datetime | None = None


def roster(path: Path) -> list[Student]:
    """The students of a CSV with the column ``id``, and if you like ``name``, ``folder`` and ``submitted``.

    ``submitted`` is a date and time such as 2026-11-30T23:59 (UTC where it names no zone).
    Raises ``ValueError`` when the file is no such table; two lines with one id are a
    problem of these two alone.
    """
    rows = [row for _, row in read(path, "roster", required=("id",))]
    students = [_student(row) for row in rows]
    for student in students:
        twins = sum(other.id == student.id for other in students)
        if twins > 1:
            student.problem = f"the roster gives the id {student.id!r} to {twins} students; nothing was graded for them"
    return students


def _student(row: dict[str, str]) -> Student:
    student = Student(row["id"], row.get("name", ""), row.get("folder", "") or row["id"])
    student.folder = unicodedata.normalize("NFC", student.folder)
    if not student.id:
        student.problem = "this line of the roster has no id"
    if row.get("submitted"):
        try:
            given = datetime.fromisoformat(row["submitted"].replace("Z", "+00:00"))
            student.submitted = given if given.tzinfo else given.replace(tzinfo=timezone.utc)
        except ValueError:
            student.problem = (
                f"the roster says {row['submitted']!r} for when it was handed in; write it as 2026-11-30T23:59"
            )
    return student


def found(folder: Path, students: list[Student], homework: str) -> tuple[list[Submission], list[str]]:
    """A submission for each student, and the names in ``folder`` that belong to nobody.

    A student's submission is the file ``FOLDER.ipynb`` or the folder ``FOLDER`` with one
    notebook in it, or with one of the homework's name.
    """
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder} with submissions.")
    # One name can be written in two ways, é as one character or as two; the roster's way need not be the disk's.
    names: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            names.setdefault(_plain_ending(unicodedata.normalize("NFC", path.name)), []).append(path)
    submissions = [_found(student, homework, names) for student in students]
    owned = {s.folder for s in students} | {f"{s.folder}.ipynb" for s in students}
    return submissions, [printable(name) for name in names if name not in owned]


def _plain_ending(name: str) -> str:
    """A name whose ending .IPYNB, in any letters, is written small."""
    return f"{name[:-6]}.ipynb" if name.lower().endswith(".ipynb") else name


def _found(student: Student, homework: str, names: dict[str, list[Path]]) -> Submission:
    submission = Submission(student, problem=student.problem)
    if submission.problem:
        return submission
    if Path(student.folder).name != student.folder or student.folder in ("", ".", ".."):
        submission.problem = f"the roster gives {student.folder!r} as the submission's name, which is no plain name"
        return submission
    matches = [path for name in (student.folder, f"{student.folder}.ipynb") for path in names.get(name, ())]
    if len(matches) != 1:
        both = " and ".join(printable(path.name) for path in matches[:3])
        submission.problem = f"both {both} were handed in; keep one" if matches else "nothing was handed in"
        return submission
    try:
        _choose(submission, matches[0], homework)
    except OSError as error:
        submission.problem = f"it cannot be read ({error.strerror or error})"
    return submission


def _choose(submission: Submission, place: Path, homework: str) -> None:
    """Find the notebook and its time."""
    if place.is_symlink():
        submission.problem = "the submission is a link to another place, which is not followed"
        return
    notebook = place
    if place.is_dir():
        try:
            notebook = chosen(place, homework)
        except ValueError as error:
            submission.problem = str(error)
            return
        submission.folder = notebook.parent
    submission.notebook = notebook
    submission.submitted = submission.student.submitted or _changed(notebook)


def _changed(path: Path) -> datetime | None:
    """When a file was changed last, None where its time is beyond every calendar; a student can set it."""
    changed = path.lstat().st_mtime
    try:
        return datetime.fromtimestamp(changed, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def file_name(student_id: str) -> str:
    """A file name for an id: the id itself where it is one, else its beginning and a digest."""
    safe = re.sub(r"[^\w.-]", "_", student_id).strip(".")[:60]
    try:
        short = len(os.fsencode(safe)) < 200
    except UnicodeEncodeError:  # this system's file names cannot hold it
        safe, short = safe.encode("ascii", "replace").decode().replace("?", "_"), False
    if safe == student_id and short:
        return safe
    return f"{safe[:40]}-{hashlib.sha256(student_id.encode(errors='surrogatepass')).hexdigest()[:8]}"
