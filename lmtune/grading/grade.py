"""Grade a folder of homework: each answer function on hidden inputs, in a sandbox, and a report.

The record of each submission is kept, so that a run that was stopped goes on where it
was, and new points or a new late policy need no new run.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lmtune.exercises import exercise as ex
from lmtune.files import write_whole
from lmtune.grading import copying, records, sandbox, submissions
from lmtune.grading.answers import OPEN_MARK, grade_part, missing, taken
from lmtune.grading.homework import Homework, cases, load_all, published
from lmtune.grading.open_points import open_points
from lmtune.grading.policy import Policy, policy
from lmtune.grading.printable import printable
from lmtune.grading.workplace import alone, remove, workplace

__all__ = ["OPEN_MARK", "grade", "ungraded"]

#: Names of files of nobody that are said at once; the class page has all.
NAMED = 5


@dataclass(frozen=True)
class Way:
    """How this run grades: the homework and its edition, the settings, and where copies are made."""

    homework: Homework
    rules: Policy
    unsafe: bool
    work: Path

    @property
    def mode(self) -> str:
        """In the sandbox or not, for the record."""
        return "unsafe" if self.unsafe else "sandbox"

    @cached_property
    def edition(self) -> str:
        """The digest of what students have of the homework: its stubs, hints, tolerances and examples."""
        return hashlib.sha256(json.dumps(published(self.homework), sort_keys=True).encode()).hexdigest()


def grade(
    folder: Path,
    roster: Path,
    out: Path,
    *,
    settings: Path,
    instructor: Path,
    only: str | None = None,
    homework: str = "",
    unsafe: bool = False,
    say: Callable[[str], None] = print,
) -> list[dict]:
    """Grade a class and write the report; the marks, in the roster's order.

    ``only`` grades one student anew and keeps the others' records.  A submission whose grading failed, by no
    fault of its own, has no marks and is graded by the next run: :func:`ungraded` names them.  Raises
    ``ValueError`` when something given is wrong, or when this machine cannot isolate and ``unsafe`` is
    not set.
    """
    from lmtune.grading import gradebook, open_answers, reports

    rules, known = policy(settings), load_all(instructor)
    name = homework or rules.homework
    if name not in known:
        raise ValueError(f"There is no homework {name!r}; there are: {', '.join(known)}. Set homework in {settings}.")
    rules.refuse_unknown_points([part.id for one in known.values() for part in one.parts], settings)
    students = submissions.roster(roster)
    if only is not None and only not in {s.id for s in students}:
        raise ValueError(f"There is no student {only!r} in {roster}.")
    handed_in, strangers = submissions.found(folder, students, name)
    _refuse_another(out, known[name])
    given = open_points(out / "open.csv", [s.id for s in students], known[name].open_points)  # refused before all work
    marked = {student for student, row in given.items() if row["points"] is not None}
    _isolated([folder, roster, out, settings, instructor], unsafe)
    with alone(out), workplace() as work:
        way = Way(known[name], rules, unsafe, work)
        found = _graded(handed_in, way, out / "records", only, marked, say)
        marks = reports.write(out, known[name], rules, handed_in, found, strangers, _protection(unsafe))
        open_answers.write(out, known[name], found, marks)
        gradebook.write(out, known[name], found, marks, roster)
        write_whole(out / ".gitignore", "*\n")  # a report says who got what, wherever in a clone it stands
    say(f"grade: {len(found)} students, report in {out}")
    if strangers:
        more = f" and {len(strangers) - NAMED} more" if len(strangers) > NAMED else ""
        say(f"grade: in the folder and not on the roster: {', '.join(strangers[:NAMED])}{more}")
    parts = [(part, record["parts"][part.id]) for record in found if record["parts"] for part in known[name].parts]
    if parts and all(made["message"] == missing(part) for part, made in parts):
        say(
            f"grade: no notebook has a function of {name!r}; to grade another homework say --homework, or set {settings}"
        )
    for record in found:
        if record["problem"].startswith(records.FAILED):
            say(f"grade: {printable(record['id'])} was {record['problem']}; run the command again")
    return marks


def ungraded(marks: Sequence[dict]) -> list[str]:
    """The ids of those whose grading failed by no fault of theirs."""
    return [row["id"] for row in marks if row["problem"].startswith(records.FAILED)]


def _refuse_another(out: Path, homework: Homework) -> None:
    """Refuse a report of another homework: its points of open answers would count here."""
    if not (out / "results.csv").exists():
        return
    with open(out / "results.csv", encoding="utf-8") as file:
        columns = file.readline().strip().split(",")
    if len(columns) > 1 and not {part.id for part in homework.parts} & set(columns):
        raise ValueError(f"The report {out} is of another homework than {homework.name!r}; give another --out.")


def _isolated(paths: Sequence[Path], unsafe: bool) -> None:
    """Refuse where submissions would run unprotected, or could read what they must not."""
    if sys.platform == "win32":
        raise ValueError("lmtune grade needs Linux (or, with --unsafe, macOS); on Windows use WSL.")
    if unsafe:
        return
    missing = sandbox.missing()
    if missing:
        raise ValueError(
            f"This machine cannot isolate submissions: {missing}. They would run with your rights; "
            "to accept that, say --unsafe."
        )
    for path in map(Path.resolve, paths):
        inside = [s for s in sandbox.shown() if path == Path(s) or path.is_relative_to(s)]
        if inside:
            raise ValueError(f"{path} lies in {inside[0]}, which submissions can read; move it elsewhere.")


def _protection(unsafe: bool) -> str:
    """What the head of the report says of how submissions ran; ``""`` where all of the sandbox was there."""
    if unsafe:
        return "Graded with --unsafe: submissions ran with the rights of whoever graded, and could read the answers."
    missing = sandbox.unfiltered()
    return f"The sandbox was not whole: {missing}; SECURITY.md says what that leaves open." if missing else ""


def _graded(
    handed_in: Sequence[submissions.Submission],
    way: Way,
    folder: Path,
    only: str | None,
    marked: set[str],
    say: Callable[[str], None],
) -> list[dict]:
    """Grade who has no record yet, or only the one asked for, and write each record at once.

    Of those who are ``marked`` it is said when the open answer is another than that of the record before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for i, submission in enumerate(handed_in, 1):
        student = submission.student
        path = folder / f"{submissions.file_name(student.id)}.json"
        before = records.open_answer(path)
        try:
            record, new = _one(submission, way, path, only == student.id, say)
        except Exception as error:  # whatever it was: the class goes on, and it is nobody's result
            record, new = _failed(submission, error), True
        found.append(record)
        if new:
            right = sum(p["status"] == ex.PASSED for p in record["parts"].values())
            done = f"{right} of {len(way.homework.parts)} parts passed, {record['seconds']:.1f} s"
            say(f"grade: {i} of {len(handed_in)}, {printable(student.id)}: {record['problem'] or done}")
        if new and student.id in marked and before not in (None, record["open"] or ""):
            say(
                f"grade: {printable(student.id)} has another open answer now, and the points in open.csv are those of "
                "the one before; mark it anew"
            )
    return found


def _one(
    submission: submissions.Submission, way: Way, path: Path, again: bool, say: Callable[[str], None]
) -> tuple[dict, bool]:
    """The record of one submission, and whether it is new."""
    folder, student = way.work / "submission", submission.student.id
    remove(folder)
    copied = copying.copy(submission, folder)
    parts = () if copied.problem else way.homework.parts
    drawn = {part.id: cases(part, way.rules.seed, student, copied.digest) for part in parts}
    wanted = records.key(
        f"{copied.digest} {copied.problem} {copied.remarks}", student, drawn, way.rules.limits, way.edition, way.mode
    )
    record = None if again else records.kept(path, wanted, say)
    if record is not None:
        return record, False
    record = grade_one(submission, copied, folder, drawn, way) | {"digest": wanted}
    if not submission.student.problem:  # two students with one id have one file name
        records.keep(path, record)
    return record, True


def _blank(submission: submissions.Submission, problem: str) -> dict:
    return {
        "id": submission.student.id,
        "digest": "",
        "problem": problem,
        "remarks": [],
        "parts": {},
        "open": None,
        "seconds": 0.0,
        "peak_mb": 0.0,
    }


def _failed(submission: submissions.Submission, error: Exception) -> dict:
    """In place of a record where grading failed; it is not kept."""
    said = printable(f"{type(error).__name__}: {error}")[:300]
    return _blank(submission, records.FAILED + said)


def grade_one(submission: submissions.Submission, copied: copying.Copied, folder: Path, drawn: dict, way: Way) -> dict:
    """The record of one submission: every part, remarks, the open answer.

    Raises for a failure of the grader's own alone; what a student did is a result.
    """
    began = time.monotonic()
    record = _blank(submission, copied.problem) | {"mode": way.mode, "versions": records.versions()}
    if copied.problem:
        return record
    found = taken(folder, way.homework, way.rules.limits, way.unsafe, way.work)
    if found.unreadable:
        return record | {"problem": found.unreadable}
    record["remarks"] = [*copied.remarks, *found.remarks]
    record["open"] = found.open
    if found.student_id not in (None, submission.student.id):
        record["remarks"].append(
            f"the notebook says STUDENT_ID = {found.student_id!r}; by the roster it is "
            f"{submission.student.id!r}, and its inputs were drawn for that"
        )
    for part in way.homework.parts:
        code = found.code.get(part.function)
        record["parts"][part.id] = grade_part(
            part, code, drawn[part.id], folder, way.rules.limits, way.unsafe, way.work
        )
    record["peak_mb"] = max((p["peak_mb"] for p in record["parts"].values()), default=0.0)
    record["seconds"] = round(time.monotonic() - began, 2)
    return record
