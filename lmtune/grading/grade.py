"""Grade a folder of homework: each answer function on hidden inputs, in a sandbox, and a report.

The record of each submission is kept, so that a run that was stopped goes on where it
was, and new points or a new late policy need no new run.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from lmtune.exercises import exercise as ex
from lmtune.exercises.cases import feedback
from lmtune.files import write_whole
from lmtune.grading import sandbox, submissions
from lmtune.grading.homework import Homework, Part, cases, load_all
from lmtune.grading.policy import Policy, policy
from lmtune.grading.sandbox import Limits

#: Stands before the open answer in the notebook.
OPEN_MARK = "**Your answer:**"


def grade_part(part: Part, code: str | None, folder: Path, student: str, rules: Policy, unsafe: bool) -> dict:
    """Run one answer function on the student's hidden inputs; status and message, and what it cost."""
    if code is None:
        return {
            "status": ex.NOT_YET,
            "message": f"there is no function {part.function} in the notebook; it must have this name",
            "seconds": 0.0,
            "peak_mb": 0.0,
        }
    drawn = cases(part, rules.seed, student)
    request = {"code": code, "name": part.function, "cases": [case["inputs"] for case in drawn]}
    outcome = sandbox.run(request, folder, len(drawn), rules.limits, unsafe)
    status, message = judged(part, drawn, outcome)
    return {
        "status": status,
        "message": message,
        "seconds": round(outcome.seconds, 2),
        "peak_mb": round(outcome.peak_mb),
    }


def judged(part: Part, drawn: Sequence[dict], outcome: sandbox.Outcome) -> tuple[str, str]:
    """Compare what came out of the sandbox with what was expected; status and message."""
    replies = outcome.replies
    if replies and all(reply.get("stub") is True for reply in replies):
        return ex.NOT_ATTEMPTED, ex.NOT_ATTEMPTED
    for reply in replies:
        said = reply.get("failed") or reply.get("error")
        if said or "value" not in reply:
            return ex.NOT_YET, f"{part.form} stopped with an error: {str(said)[:600]}"
    if outcome.ended or len(replies) < len(drawn):
        return ex.NOT_YET, f"{part.form} {outcome.ended}"
    found = feedback(part, drawn, [reply["value"] for reply in replies])
    if found is None:
        return ex.PASSED, ex.PASSED
    return ex.NOT_YET, ex.message(found)


def grade_one(submission: submissions.Submission, homework: Homework, rules: Policy, unsafe: bool = False) -> dict:
    """The record of one submission: every part, remarks, the open answer; never raises for what a student did."""
    began = time.monotonic()
    record = {
        "id": submission.student.id,
        "digest": key(submission, homework, rules),
        "problem": submission.problem,
        "remarks": [],
        "parts": {},
        "open": None,
        "seconds": 0.0,
        "peak_mb": 0.0,
    }
    if submission.problem:
        return record
    with tempfile.TemporaryDirectory(prefix="lmtune-grade-") as place:
        folder = Path(place) / "submission"
        try:
            record["remarks"] += submissions.copy(submission, folder)
        except OSError as error:
            record["problem"] = f"its files cannot be copied ({error.strerror or error})"
            return record
        found = _taken(folder, homework, rules.limits, unsafe)
        if "unreadable" in found:
            record["problem"] = str(found["unreadable"])
            return record
        record["remarks"] += [str(r)[:400] for r in found["remarks"]][:20]
        record["open"] = found["open"]
        if found["student_id"] not in (None, submission.student.id):
            record["remarks"].append(
                f"the notebook says STUDENT_ID = {found['student_id']!r}; by the roster it is "
                f"{submission.student.id!r}, and its inputs were drawn for that"
            )
        for part in homework.parts:
            record["parts"][part.id] = grade_part(
                part, found["code"].get(part.function), folder, submission.student.id, rules, unsafe
            )
    record["peak_mb"] = max(p["peak_mb"] for p in record["parts"].values())
    record["seconds"] = round(time.monotonic() - began, 2)
    return record


def _taken(folder: Path, homework: Homework, limits: Limits, unsafe: bool) -> dict:
    """What a process in the sandbox found in the notebook; nothing of the notebook runs."""
    request = {"take": [p.function for p in homework.parts], "notebook": "notebook.ipynb", "mark": OPEN_MARK}
    outcome = sandbox.run(request, folder, 1, limits, unsafe)
    if not outcome.replies:
        return {"unreadable": f"the notebook cannot be read: reading it {outcome.ended}"}
    return outcome.replies[0]


def key(submission: submissions.Submission, homework: Homework, rules: Policy) -> str:
    """Changes when the submission, the seed, the limits, the student or the drawn cases change."""
    drawn = [cases(part, rules.seed, submission.student.id) for part in homework.parts]
    text = json.dumps([submission.digest, submission.problem, asdict(rules.limits), drawn], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


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
    """Grade a class and write the report; the records, in the roster's order.

    ``only`` grades one student anew and keeps the others' records.  Raises ``ValueError``
    when something given is wrong, or when this machine cannot isolate and ``unsafe`` is
    not set.
    """
    from lmtune.grading import gradebook, open_answers, reports

    rules, known = policy(settings), load_all(instructor)
    name = homework or rules.homework
    if name not in known:
        raise ValueError(f"There is no homework {name!r}; there are: {', '.join(known)}. Set homework in {settings}.")
    _isolated([folder, roster, out, settings, instructor], unsafe)
    students = submissions.roster(roster)
    if only is not None and only not in {s.id for s in students}:
        raise ValueError(f"There is no student {only!r} in {roster}.")
    handed_in, strangers = submissions.found(folder, students, name)
    records = _graded(handed_in, known[name], rules, out / "records", only, unsafe, say)
    marks = reports.write(out, known[name], rules, handed_in, records, strangers)
    open_answers.write(out, known[name], records, marks)
    gradebook.write(out, known[name], records, marks, roster)
    write_whole(out / ".gitignore", "*\n")  # a report says who got what, wherever in a clone it stands
    say(f"grade: {len(records)} students, report in {out}")
    return marks


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


def _graded(
    handed_in: list,
    homework: Homework,
    rules: Policy,
    folder: Path,
    only: str | None,
    unsafe: bool,
    say: Callable[[str], None],
) -> list[dict]:
    """Grade who has no record yet, or only the one asked for, and write each record at once."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for i, submission in enumerate(handed_in, 1):
        path = folder / f"{submissions.file_name(submission.student.id)}.json"
        kept = _kept(path, submission, homework, rules)
        again = only == submission.student.id
        if kept is not None and not again:
            records.append(kept)
            continue
        record = grade_one(submission, homework, rules, unsafe)
        if not submission.student.problem:  # two students with one id have one file name
            write_whole(path, json.dumps(record, ensure_ascii=True, indent=1))
        records.append(record)
        right = sum(p["status"] == ex.PASSED for p in record["parts"].values())
        say(
            f"grade: {i} of {len(handed_in)}, {submission.student.id}: "
            + (record["problem"] or f"{right} of {len(homework.parts)} parts passed, {record['seconds']:.1f} s")
        )
    return records


def _kept(path: Path, submission: submissions.Submission, homework: Homework, rules: Policy) -> dict | None:
    """The record of an earlier run, when it is of this very submission, and None otherwise."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if record.get("digest") == key(submission, homework, rules) else None
