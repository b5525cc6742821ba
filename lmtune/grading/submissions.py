"""Who handed in what: the roster, the folder of submissions, and a clean copy of each."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import stat
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from lmtune.files import sha256_of
from lmtune.grading.notebook_file import bare_name, chosen

#: Bytes of one notebook, of all files of a submission, and how many files are copied.
LARGEST, ALL, MANY = 40_000_000, 40_000_000, 200


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
    remarks: list[str] = field(default_factory=list)
    submitted: datetime | None = None
    digest: str = ""


def roster(path: Path) -> list[Student]:
    """The students of a CSV with the column ``id``, and if you like ``name``, ``folder`` and ``submitted``.

    ``submitted`` is a date and time such as 2026-11-30T23:59 (UTC where it names no zone).
    Raises ``ValueError`` when the file is no such table; two lines with one id are a
    problem of these two alone.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            rows = [
                {(k or "").strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(v, str | None)}
                for row in table
            ]
            columns = [c.strip().lower() for c in table.fieldnames or []]
    except UnicodeDecodeError as error:
        raise ValueError(f"The roster {path} is not UTF-8; save it again as CSV UTF-8.") from error
    if "id" not in columns:
        raise ValueError(f"The roster {path} has the columns {', '.join(columns) or 'none'}; it needs a column id.")
    rows = [row for row in rows if any(row.values())]
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
    names = {unicodedata.normalize("NFC", p.name): p for p in sorted(folder.iterdir()) if not p.name.startswith(".")}
    submissions = [_found(student, homework, names) for student in students]
    owned = {s.folder for s in students}
    return submissions, [name for name in names if name not in owned and bare_name(name) not in owned]


def _found(student: Student, homework: str, names: dict[str, Path]) -> Submission:
    submission = Submission(student, problem=student.problem)
    if submission.problem:
        return submission
    if Path(student.folder).name != student.folder or student.folder in ("", ".", ".."):
        submission.problem = f"the roster gives {student.folder!r} as the submission's name, which is no plain name"
        return submission
    matches = [n for n in names if n == student.folder or bare_name(n) == student.folder]
    if len(matches) != 1:
        submission.problem = (
            "nothing was handed in" if not matches else (f"both {matches[0]} and {matches[1]} were handed in; keep one")
        )
        return submission
    place = names[matches[0]]
    try:
        _choose(submission, place, homework)
    except OSError as error:
        submission.problem = f"it cannot be read ({error.strerror or error})"
    return submission


def _choose(submission: Submission, place: Path, homework: str) -> None:
    """Find the notebook, its time and its digest."""
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
    about = notebook.lstat()
    if not stat.S_ISREG(about.st_mode):
        submission.problem = "the notebook is a link or no regular file, which is not followed"
    elif about.st_size > LARGEST:
        submission.problem = (
            f"the notebook has {about.st_size / 1e6:.0f} MB, and at most "
            f"{LARGEST / 1e6:.0f} MB are read: clear its outputs and hand it in again"
        )
    else:
        submission.notebook = notebook
        submission.digest = sha256_of(notebook)
        submission.submitted = submission.student.submitted or datetime.fromtimestamp(about.st_mtime, timezone.utc)


def copy(submission: Submission, target: Path) -> list[str]:
    """Copy the student's own regular files into the new folder ``target``; remarks on what was left out.

    The notebook becomes ``notebook.ipynb``.  Links are never followed.
    """
    target.mkdir()
    shutil.copyfile(submission.notebook, target / "notebook.ipynb", follow_symlinks=False)
    if submission.folder is None:
        return []  # a single file beside those of the others
    remarks, files, size = [], 0, 0
    for here, folders, names in os.walk(submission.folder, followlinks=False):
        inside = Path(here).relative_to(submission.folder)
        linked = [f for f in folders if (Path(here) / f).is_symlink()]
        folders[:] = [f for f in folders if f not in linked and not f.startswith(".")]
        remarks += [f"{inside / name} is a link and was left out" for name in linked]
        for name in sorted(names):
            path = Path(here) / name
            about = path.lstat()
            if path == submission.notebook or (str(inside) == "." and name == "notebook.ipynb"):
                continue
            files, size = files + 1, size + about.st_size
            if not stat.S_ISREG(about.st_mode):
                remarks.append(f"{inside / name} is a link or no regular file and was left out")
            elif files > MANY or size > ALL:
                return [*remarks, f"only the first {MANY} files and {ALL / 1e6:.0f} MB were taken along"]
            else:
                (target / inside).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / inside / name, follow_symlinks=False)
    return remarks


def file_name(student_id: str) -> str:
    """A file name for an id: the id itself where it is one, else its beginning and a digest."""
    safe = re.sub(r"[^\w.-]", "_", student_id).strip(".")[:60]
    if safe == student_id and len(os.fsencode(safe)) < 200:
        return safe
    return f"{safe[:40]}-{hashlib.sha256(student_id.encode()).hexdigest()[:8]}"
