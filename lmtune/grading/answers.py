"""One answer: taken from the notebook and run on hidden inputs in the sandbox; what is true of it, and what is told.

Who graded reads all.  The student never reads of hidden inputs, nor what an answer made of them: an answer
could carry them out, for another hand-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmtune.exercises import exercise as ex
from lmtune.exercises.cases import Case, Feedback, feedback
from lmtune.exercises.exercise import Exercise
from lmtune.grading import sandbox
from lmtune.grading.copying import NOTEBOOK
from lmtune.grading.homework import PUBLIC, Homework, Part, cases
from lmtune.grading.limits import Limits
from lmtune.grading.printable import printable

#: Stands before the open answer in the notebook.
OPEN_MARK = "**Your answer:**"
#: Remarks of a notebook, characters of one, of the open answer and of a stated id that are kept.
REMARKS, REMARK, OPEN, ID = 20, 400, 20_000, 200


@dataclass(frozen=True)
class Taken:
    """What was found in a notebook: code for each function (None where it is missing), remarks, the open answer."""

    code: dict[str, str | None] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    open: str | None = None
    student_id: str | None = None
    unreadable: str = ""


def taken(folder: Path, homework: Homework, limits: Limits, unsafe: bool, work: Path) -> Taken:
    """What a process in the sandbox found in the notebook; nothing of the notebook runs."""
    request = {"take": [p.function for p in homework.parts], "notebook": NOTEBOOK, "mark": OPEN_MARK}
    outcome = sandbox.run(request, folder, 1, limits, unsafe, work)
    if not outcome.replies:
        return Taken(unreadable=f"the notebook cannot be read: reading it {outcome.ended}")
    found = outcome.replies[0]
    if "unreadable" in found:
        return Taken(unreadable=printable(str(found["unreadable"]))[:REMARK])
    code, remarks = found.get("code"), found.get("remarks")
    if not isinstance(code, dict) or not isinstance(remarks, list):
        return Taken(unreadable="the notebook cannot be read: reading it gave no code")
    more = [f"and {len(remarks) - REMARKS} more remarks"] if len(remarks) > REMARKS else []
    return Taken(
        {str(name): text for name, text in code.items() if isinstance(text, str)},
        [printable(str(one))[:REMARK] for one in remarks[:REMARKS]] + more,
        _text(found.get("open"), OPEN),
        _text(found.get("student_id"), ID),
    )


def _text(value: Any, most: int) -> str | None:
    return value[:most] if isinstance(value, str) and value else None


def missing(part: Exercise) -> str:
    """What is said where the notebook has no function of that name."""
    return f"there is no function {part.function} in the notebook; it must have this name"


@dataclass(frozen=True)
class Judgement:
    """Whether an answer is right on some cases, and why not; ``hint`` is the planted mistake's, in our words."""

    status: str
    message: str
    hint: str = ""


def grade_part(
    part: Part, code: str | None, drawn: Sequence[Case], folder: Path, limits: Limits, unsafe: bool, work: Path
) -> dict:
    """Run one answer function on hidden inputs; status, ``message`` for who grades, ``told`` for the student."""
    if code is None:
        message = missing(part)
        return {"status": ex.NOT_YET, "message": message, "told": message, "seconds": 0.0, "peak_mb": 0.0}

    def outcome_for(some: Sequence[Case]) -> sandbox.Outcome:
        request = {"code": code, "name": part.function, "cases": [case["inputs"] for case in some]}
        return sandbox.run(request, folder, len(some), limits, unsafe, work)

    outcome = outcome_for(drawn)
    hidden = judged(part, drawn, outcome)
    told = hidden.hint or hidden.status
    if hidden.status == ex.NOT_YET and not outcome.passed_limit:  # the examples would cost as much again
        public = cases(part, *PUBLIC)
        told = told_of(hidden, judged(part, public, outcome_for(public)))
    return {
        "status": hidden.status,
        "message": hidden.message,
        "told": told,
        "seconds": round(outcome.seconds, 2),
        "peak_mb": round(outcome.peak_mb),
    }


def judged(part: Part, drawn: Sequence[Case], outcome: sandbox.Outcome) -> Judgement:
    """Compare what came out of the sandbox with what was expected."""
    replies = outcome.replies
    if replies and all(reply.get("stub") is True for reply in replies):
        return Judgement(ex.NOT_ATTEMPTED, ex.NOT_ATTEMPTED)
    for reply in replies:
        said = reply.get("failed") or reply.get("error")
        if said or "value" not in reply:
            message = f"{part.form} stopped with an error: {str(said)[:600]}"
            return Judgement(ex.NOT_YET, message, f"{part.form} stopped with an error")
    if outcome.ended or len(replies) < len(drawn):
        why = outcome.ended if outcome.passed_limit else "ended before it gave all its answers"
        return Judgement(ex.NOT_YET, f"{part.form} {outcome.ended}", f"{part.form} {why}")
    found: Feedback | None = feedback(part, drawn, [reply["value"] for reply in replies])
    if found is None:
        return Judgement(ex.PASSED, ex.PASSED)
    return Judgement(ex.NOT_YET, ex.message(found), found.hint)


def told_of(hidden: Judgement, public: Judgement) -> str:
    """What a student reads of an answer that is not right yet: the example that fails, else the hint alone."""
    if public.status == ex.NOT_YET:
        return public.message
    return f"right on the examples of the notebook, and not on all the other inputs\nhint: {hidden.hint}"
