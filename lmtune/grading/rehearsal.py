"""A notebook judged on the public examples as the grader will judge it on hidden ones, before it is handed in.

The same code is taken from the notebook, it runs in the same kind of process, and the same words are said
of it.  Nothing of the instructor's is needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmtune.arguments import one_of
from lmtune.exercises import exercise as ex
from lmtune.exercises.exercise import Exercise
from lmtune.grading import copying, notebook_file, sandbox, submissions
from lmtune.grading.answers import OPEN_MARK, judged, missing
from lmtune.grading.limits import Limits
from lmtune.grading.sandbox import Outcome

#: The id that stands in a notebook as it is handed out.
NOBODY = "example"


@dataclass(frozen=True)
class Part:
    """What was found of one part: its function, the status, and the whole message."""

    function: str
    status: str
    message: str

    @property
    def line(self) -> str:
        """The part in one line: passed, not attempted yet, or not yet and the hint."""
        words = " ".join(self.message.removeprefix(ex.NOT_YET).split())
        hint = words.rpartition(" hint: ")[2]
        return f"{self.function}: {self.status}" + (f": {hint}" if self.status == ex.NOT_YET else "")


@dataclass(frozen=True)
class Rehearsal:
    """What was found of a notebook.

    Args:
        homework: which homework it is.
        notebook: its file.
        unprotected: why the functions ran without the sandbox, and ``""`` where they ran in it.
        cells: for each code cell its number, its first line, the functions it counts for, and why for none.
        remarks: what its author should know.
        parts: each graded part.
    """

    homework: str
    notebook: Path
    unprotected: str
    cells: Sequence[dict]
    remarks: Sequence[str]
    parts: Sequence[Part]

    @property
    def passed(self) -> bool:
        """Whether every part passed."""
        return all(part.status == ex.PASSED for part in self.parts)

    def __str__(self) -> str:
        return "\n".join([*self._head(), *self._cells(), *self._messages(), *(part.line for part in self.parts)])

    def _head(self) -> list[str]:
        where = "each function ran in the grader's sandbox"
        if self.unprotected:
            where = (
                f"each function ran in a process of its own, with limits but without the sandbox: {self.unprotected}"
            )
        return [f"{self.notebook} is homework/{self.homework}; {where}."]

    def _cells(self) -> list[str]:
        lines = []
        for cell in self.cells:
            says = f"counts for {', '.join(cell['for'])}" if cell["for"] else f"is left out: {cell['why_not']}"
            lines.append(f"  code cell {cell['cell']} {says}" + (f" | {cell['begins']}" if cell["begins"] else ""))
        return [*lines, *(f"  remark: {remark}" for remark in self.remarks)]

    def _messages(self) -> list[str]:
        long = [p for p in self.parts if p.status == ex.NOT_YET and "\n" in p.message]  # one line stands below
        done = sum(part.status == ex.PASSED for part in self.parts)
        return [
            *(f"{part.function}: {part.message}" for part in long),
            f"{done} of {len(self.parts)} parts pass the public examples; grading uses others.",
        ]


def rehearse(
    place: str | Path, known: Mapping[str, Sequence[Exercise]], homework: str = "", limits: Limits | None = None
) -> Rehearsal:
    """Judge a notebook, or a folder with one and its files, as the grader will.

    ``known`` holds the parts of each homework; which homework it is the notebook says, unless ``homework``
    does.  Raises ``ValueError`` when there is no such notebook, when it cannot be read, or when it is of no
    homework.
    """
    limits = limits or Limits()
    submission = _handed_in(Path(place), homework)
    name = one_of("homework", homework, known) if homework else _recognized(submission.notebook, known)
    unprotected = sandbox.missing()
    with tempfile.TemporaryDirectory(prefix="lmtune-rehearsal-") as outer:
        folder = Path(outer) / "submission"
        copied = copying.copy(submission, folder)
        if copied.problem:
            raise ValueError(f"{submission.notebook}: {copied.problem}.")
        request = {"take": [p.function for p in known[name]], "notebook": copying.NOTEBOOK, "mark": OPEN_MARK}
        outcome = _run(request, folder, 1, limits, bool(unprotected))
        found = outcome.replies[0] if outcome.replies else {"unreadable": f"reading it {outcome.ended}"}
        if "unreadable" in found:
            raise ValueError(f"{submission.notebook} cannot be read: {found['unreadable']}.")
        parts = [_judged(p, found["code"].get(p.function), folder, limits, bool(unprotected)) for p in known[name]]
    remarks = [*copied.remarks, *found["remarks"], *_missing(found)]
    return Rehearsal(name, submission.notebook, unprotected, found["cells"], remarks, parts)


def _handed_in(place: Path, homework: str) -> submissions.Submission:
    """The hand-in: a file comes alone, a folder with what is in it."""
    if place.is_dir():
        try:
            notebook = notebook_file.chosen(place, homework)
        except ValueError as error:
            raise ValueError(f"{place}: {error}; name the notebook itself.") from error
        return submissions.Submission(submissions.Student(NOBODY), notebook, notebook.parent)
    if not place.is_file():
        raise ValueError(f"There is no notebook {place}; save it, and give its path or that of its folder.")
    if place.stat().st_size > copying.LARGEST:
        raise ValueError(
            f"{place} has {place.stat().st_size / 1e6:.0f} MB, and at most {copying.LARGEST / 1e6:.0f} MB are "
            "read: clear its outputs and save it again."
        )
    return submissions.Submission(submissions.Student(NOBODY), place)


def _recognized(notebook: Path, known: Mapping[str, Sequence[Exercise]]) -> str:
    """The homework whose parts a notebook checks or defines most of."""
    _, cells = notebook_file.read(notebook)
    text = "\n".join(notebook_file.source_of(cell) for cell in cells if cell.get("cell_type") == "code")
    signs = {
        name: sum(f"homework/{p.id}" in text for p in parts) + sum(f"def {p.function}(" in text for p in parts)
        for name, parts in known.items()
    }
    best = max(signs, key=lambda name: (signs[name], name == notebook.stem))
    if not signs[best]:
        raise ValueError(
            f"{notebook} checks no part of a homework; say which it is with --homework: {', '.join(known)}."
        )
    return best


def _judged(part: Exercise, code: str | None, folder: Path, limits: Limits, unsafe: bool) -> Part:
    if code is None:
        return Part(part.function, ex.NOT_YET, missing(part))
    drawn = part.cases()
    request = {"code": code, "name": part.function, "cases": [case["inputs"] for case in drawn]}
    found = judged(part, drawn, _run(request, folder, len(drawn), limits, unsafe))
    return Part(part.function, found.status, found.message)


def _missing(found: dict) -> list[str]:
    """What a hand-in should have beside its functions."""
    said = []
    if found["student_id"] in (None, NOBODY):
        stands = f"still {NOBODY!r}" if found["student_id"] else "not set"
        said.append(f"STUDENT_ID is {stands}: set it to your own id")
    if not found["open"]:
        said.append(f"the open question has no answer behind {OPEN_MARK.strip('*')!r}")
    return said


def _run(request: dict, folder: Path, expected: int, limits: Limits, unsafe: bool) -> Outcome:
    if sys.platform != "win32":
        return sandbox.run(request, folder, expected, limits, unsafe)
    return _run_unwatched(request, folder, expected, limits)


def _run_unwatched(request: dict, folder: Path, expected: int, limits: Limits) -> Outcome:
    """The same program where the system cannot watch a pipe: with a limit on time alone."""
    began, ended = time.monotonic(), ""
    try:
        out = subprocess.run(
            [sys.executable, "-I", str(sandbox.HERE / "inside.py")],
            input=json.dumps(request).encode() + b"\n",
            capture_output=True,
            timeout=limits.seconds,
            cwd=folder,
        ).stdout
    except subprocess.TimeoutExpired as error:
        out, ended = error.stdout or b"", f"took more than {limits.seconds} seconds"
    replies, broken = sandbox._replies(out, expected)
    if len(replies) < expected:
        ended = ended or broken or "ended before it gave an answer"
    return Outcome(replies, ended, "", time.monotonic() - began, 0.0)
