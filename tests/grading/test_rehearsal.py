"""What a student runs before handing in says what the grader would say."""

import json

import hostile
import pytest

import lmtune
from book.cells.places import ROOT
from lmtune.chapters.homework import HOMEWORK
from lmtune.cli.main import main
from lmtune.grading import copying, rehearsal, sandbox, submissions
from lmtune.grading.homework import load_all
from lmtune.grading.release import solution, solved

pytest.importorskip("instructor", reason="a public copy has no instructor's side")
NAME = "schedule"
PARTS = load_all(ROOT / "instructor")[NAME].parts
needs_sandbox = pytest.mark.skipif(not hostile.NAMESPACES, reason=hostile.NONE)


@pytest.fixture
def notebook(tmp_path):
    """The first part right, the second wrong, the third a stub; the experiment's cells as they are handed out."""
    given = json.loads((ROOT / "chapters" / "homework" / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    for cell in given["cells"]:
        text = "".join(cell["source"])
        text = text.replace(PARTS[0].stub.strip(), solution(PARTS[0]))
        wrong = f"def {PARTS[1].form}:\n    return len({PARTS[1].parameters[0]!r}) / 0\n"
        cell["source"] = text.replace(PARTS[1].stub.strip(), wrong)
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(given), encoding="utf-8")
    return path


@needs_sandbox
def test_it_ends_with_a_line_for_each_part(notebook, capsys):
    assert main(["homework", "check", str(notebook)]) == 1
    said = capsys.readouterr().out
    first, second, third = said.splitlines()[-3:]
    assert f"homework/{NAME}; each function ran in the grader's sandbox" in said.splitlines()[0]
    assert first == f"{PARTS[0].function}: passed"
    assert second.startswith(f"{PARTS[1].function}: not yet: ") and "ZeroDivisionError" in second
    assert third == f"{PARTS[2].function}: not attempted yet"
    assert "1 of 3 parts pass the public examples" in said
    assert f"counts for {PARTS[0].function}" in said and "is left out: no graded function needs it" in said
    assert "set it to your own id" in said and "the open question has no answer" in said


def test_a_solved_notebook_passes_without_the_sandbox_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "missing", lambda: "no namespaces here")
    given = json.loads((ROOT / "chapters" / "homework" / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    (tmp_path / "n.ipynb").write_text(json.dumps(solved(given, load_all(ROOT / "instructor")[NAME])))
    assert main(["homework", "check", str(tmp_path)]) == 0
    assert "with limits but without the sandbox: no namespaces here" in capsys.readouterr().out
    monkeypatch.setattr(rehearsal.sys, "platform", "win32")
    assert lmtune.check_notebook(tmp_path / "n.ipynb") is True


def test_where_pipes_cannot_be_watched_an_endless_answer_ends(tmp_path):
    request = {"code": "def f():\n    while True: pass", "name": "f", "cases": [[]]}
    outcome = rehearsal._run_unwatched(request, tmp_path, 1, sandbox.Limits(seconds=1))
    assert outcome.replies == [] and outcome.ended == "took more than 1 seconds"
    request = {"code": "import os\ndef f():\n    os._exit(3)", "name": "f", "cases": [[]]}
    assert "ended before" in rehearsal._run_unwatched(request, tmp_path, 1, sandbox.Limits(seconds=20)).ended


def test_the_hint_of_a_known_mistake_stands_in_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "missing", lambda: "no namespaces here")
    exercise = HOMEWORK[NAME][0]
    drawn = exercise.cases()
    known = [[case["inputs"], case["mistakes"][0][0]] for case in drawn]
    code = f"KNOWN = {known!r}\ndef {exercise.form}:\n    given = [{', '.join(exercise.parameters)}]\n"
    code += "    return next(value for inputs, value in KNOWN if inputs == given)\n"
    (tmp_path / "n.ipynb").write_text(hostile.notebook(code))
    found = rehearsal.rehearse(tmp_path / "n.ipynb", HOMEWORK)
    assert (
        found.homework == NAME and found.parts[0].line == f"{exercise.function}: not yet: {drawn[0]['mistakes'][0][1]}"
    )
    assert "there is no function" in found.parts[1].line
    assert str(found).count(f"there is no function {HOMEWORK[NAME][1].function}") == 1, (
        "what takes one line is said once"
    )


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda folder: folder / "absent.ipynb", "There is no notebook"),
        (lambda folder: folder, "there is no notebook in the folder"),
        (lambda folder: written(folder / "n.ipynb", "dear teacher"), "not JSON"),
        (lambda folder: written(folder / "n.ipynb", hostile.notebook("x = 1")), "say which it is with --homework"),
        (lambda folder: written(folder / "n.ipynb", " " * (copying.LARGEST + 1)), "clear its outputs"),
    ],
)
def test_what_is_no_homework_is_refused_in_a_sentence(tmp_path, capsys, make, words):
    assert main(["homework", "check", str(make(tmp_path))]) == 2
    assert words in capsys.readouterr().err


def written(path, text):
    path.write_text(text)
    return path


def test_an_unknown_homework_is_refused(notebook, capsys):
    assert main(["homework", "check", str(notebook), "--homework", "cooking"]) == 2
    assert "allowed: one of" in capsys.readouterr().err


def test_a_file_comes_alone_and_a_folder_with_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "missing", lambda: "no namespaces here")
    (tmp_path / "mine.py").write_text(solution(PARTS[0]))
    cell = f"from mine import {PARTS[0].function}\ncheck('homework/{PARTS[0].id}', {PARTS[0].function})"
    (tmp_path / "n.IPYNB").write_text(hostile.notebook(cell))
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "n-checkpoint.ipynb").write_text("{}")
    assert rehearsal.rehearse(tmp_path, HOMEWORK).parts[0].line.endswith(": passed")
    alone = rehearsal.rehearse(tmp_path / "n.IPYNB", HOMEWORK).parts[0].line
    assert "hand in a folder with it and the notebook" in alone


def test_a_class_may_hand_in_capital_letters_and_a_folder_deeper(tmp_path):
    (tmp_path / "ada.IPYNB").write_text("{}")
    (tmp_path / "bo" / "homework" / "data").mkdir(parents=True)
    (tmp_path / "bo" / "homework" / "n.ipynb").write_text("{}")
    (tmp_path / "bo" / "homework" / "mine.py").write_text("K = 2")
    (tmp_path / "eve.ipynb").write_text("{}")
    students = [submissions.Student(name, folder=name) for name in ("ada", "bo")]
    (ada, bo), strangers = submissions.found(tmp_path, students, NAME)
    assert ada.notebook.name == "ada.IPYNB" and bo.problem == "" and strangers == ["eve.ipynb"]
    copying.copy(bo, tmp_path / "copied")
    assert sorted(p.name for p in (tmp_path / "copied").iterdir()) == ["mine.py", "notebook.ipynb"]
