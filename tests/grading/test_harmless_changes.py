"""No point is lost by an honest change: every homework, solved, with each of them, and many at once in the sandbox."""

import json
import time

import harmless
import hostile
import pytest

from book.cells.places import ROOT
from lmtune.chapters.homework import HOMEWORK
from lmtune.exercises import exercise as ex
from lmtune.grading import inside, notebook_code, notebook_file
from lmtune.grading.answers import judged
from lmtune.grading.homework import load_all
from lmtune.grading.rehearsal import rehearse
from lmtune.grading.release import solution, solved
from lmtune.grading.sandbox import Outcome

pytest.importorskip("instructor", reason="a public copy has no instructor's side")
KNOWN = load_all(ROOT / "instructor")
CHANGES = [*harmless.CELLS, *harmless.FILES]
each = pytest.mark.parametrize("homework", KNOWN)
#: Changes of how a solution is written: each part of a notebook gets another one.
REWRITING = [
    "conditional_definitions",
    "annotated",
    "prints_and_displays",
    "decorated_by_their_own",
    "methods_of_a_class",
    "made_by_a_factory",
    "helpers_below_the_check",
    "a_helper_that_a_cell_writes",
]
#: Changes around the solutions, which go together in one notebook.
AROUND = [
    "plots",
    "an_experiment_with_the_names_of_locals",
    "magics",
    "shell",
    "pip_without_a_sign",
    "magics_within_graded_cells",
    "cells_of_other_languages",
    "results_that_hide_their_function",
    "stubs_left_above",
    "colab",
    "vs_code",
    "newer_f_strings",
    "cells_that_fail",
    "tables_filled_by_loops",
    "modulo_at_line_starts",
    "a_star_import",
    "other_cells",
    "the_id_and_the_open_answer",
    "timed_cells",
]
#: How the notebook is written then; the last is a folder with a file of the student's in it.
WRITTEN = ["a_byte_order_mark", "thirty_megabytes_of_outputs", "helpers_in_a_file_beside"]


def of(name):
    """A homework's notebook, solved, and its solutions by their functions."""
    given = json.loads((ROOT / "chapters" / "homework" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return solved(given, KNOWN[name]), {part.function: solution(part) for part in KNOWN[name].parts}


def test_there_are_thirty_changes():
    assert len(CHANGES) >= 30 and {*AROUND, *REWRITING, *WRITTEN} <= set(CHANGES)


@each
def test_each_change_keeps_every_right_answer(homework, as_inside):
    book, solutions = of(homework)
    for change in CHANGES:
        folder = as_inside / change
        folder.mkdir()
        place = harmless.changed(change, book, solutions, folder)
        notebook = notebook_file.chosen(place) if place.is_dir() else place
        began = time.process_time()
        found = notebook_code.taken({"take": list(solutions), "notebook": str(notebook)})
        spent = time.process_time() - began
        assert spent < 1, f"{change}: taking the code took {spent:.2f} s"
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(notebook.parent)
            for part in KNOWN[homework].parts:
                status, message = ran(part, found["code"][part.function])
                assert status == ex.PASSED, f"{change}: {part.function}: {message}\n{found['code'][part.function]}"


def ran(part, code):
    """A part judged by what its code gives here, in the tests' own process."""
    drawn, replies = part.cases(), []
    cases = [case["inputs"] for case in drawn]
    inside.run({"code": code, "name": part.function, "cases": cases, "empty": False}, replies.append)
    found = judged(part, drawn, Outcome(replies, "", "", 0.0, 0.0))
    return found.status, found.message


@pytest.mark.skipif(not hostile.NAMESPACES, reason=hostile.NONE)
@each
@pytest.mark.parametrize("way", WRITTEN)
def test_many_changes_at_once_pass_in_the_sandbox(homework, way, tmp_path):
    book, solutions = of(homework)
    for change in AROUND:
        harmless.CELLS[change](book, solutions)
    first = len(solutions) * WRITTEN.index(way)
    beside = list(solutions)[-1:] if way == "helpers_in_a_file_beside" else []
    for i, function in enumerate(f for f in solutions if f not in beside):
        harmless.CELLS[REWRITING[(first + i) % len(REWRITING)]](book, {function: solutions[function]})
    place = harmless.FILES[way](book, {f: solutions[f] for f in beside}, tmp_path)
    found = rehearse(place, HOMEWORK, homework)
    assert found.unprotected == "" and found.passed, str(found)
