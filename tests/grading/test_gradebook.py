"""The files for Moodle and Canvas have the columns that these ask for, and give nobody another's grade or half of one."""

import csv
from types import SimpleNamespace

import pytest

from lmtune.grading import gradebook

HOMEWORK = SimpleNamespace(title="Doubling, twice")
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Doubling, twice"]


def mark(name, called="", total=10.0, opened=1.5):
    return {"id": name, "name": called, "total": total, "out of": 12.0, "open question": opened}


def written(out, marks, answers=None, roster="id,name\n"):
    """The two tables as lists of rows."""
    (out / "roster.csv").write_text(roster, encoding="utf-8")
    records = [{"open": (answers or {}).get(m["id"]), "problem": m.get("problem", "")} for m in marks]
    gradebook.write(out, HOMEWORK, records, marks, out / "roster.csv")
    tables = []
    for name in ("moodle.csv", "canvas.csv"):
        with open(out / name, encoding="utf-8", newline="") as file:
            tables.append(list(csv.reader(file)))
    return tables


def test_the_columns_are_those_that_moodle_and_canvas_import(tmp_path):
    moodle, canvas = written(tmp_path, [mark("ada", "Example, Ada", 9.25), mark("bo")])
    assert moodle == [
        ["ID number", "Email address", "Full name", "Doubling, twice"],
        ["ada", "", "Example, Ada", "9.25"],
        ["bo", "", "", "10.0"],
    ]
    assert canvas == [
        CANVAS,
        ["Points Possible", "", "", "", "", "12.0"],
        ["Example, Ada", "", "ada", "ada", "", "9.25"],
        ["bo", "", "bo", "bo", "", "10.0"],
    ]


def test_the_roster_may_say_how_the_other_system_calls_a_student(tmp_path):
    roster = "\ufeffID , Name,Email,Canvas ID,SIS ID,login,section\nada,Ada,ada@example.org,4711,S-1,ada1,Tuesday\n"
    _, canvas = written(tmp_path, [mark("ada", "Ada")], roster=roster.replace(",", ";"))
    assert canvas[2][1] == "4711", "a spreadsheet that separates with semicolons"
    moodle, canvas = written(tmp_path, [mark("ada", "Ada")], roster=roster)
    assert moodle[1] == ["ada", "ada@example.org", "Ada", "10.0"]
    assert canvas[2] == ["Ada", "4711", "S-1", "ada1", "Tuesday", "10.0"]


def test_a_grade_waits_for_the_open_answer(tmp_path):
    marks = [mark("marked"), mark("waits", opened=""), mark("silent", opened="", total=7.0), mark("zero", opened=0.0)]
    moodle, canvas = written(tmp_path, marks, {"marked": "x", "waits": "x", "zero": "x"})
    assert [row[-1] for row in moodle[1:]] == [row[-1] for row in canvas[2:]] == ["10.0", "", "7.0", "10.0"]


def test_who_could_not_be_graded_has_no_grade(tmp_path):
    moodle, canvas = written(tmp_path, [mark("ada", total=0.0, opened="") | {"problem": "nothing was handed in"}])
    assert moodle[1][-1] == canvas[2][-1] == ""


def test_students_who_cannot_be_told_apart_get_no_line(tmp_path):
    moodle, canvas = written(tmp_path, [mark("twin", "a"), mark("twin", "b"), mark(""), mark("ada")])
    assert [row[0] for row in moodle[1:]] == ["ada"] and len(canvas) == 3


@pytest.mark.parametrize("begins", "=+-@")
def test_no_cell_is_a_formula(tmp_path, begins):
    bad = f"{begins}HYPERLINK(1)"
    roster = f"id,email,login\n{bad},{bad},{bad}\n"
    for table in written(tmp_path, [mark(bad, bad)], roster=roster):
        assert not [cell for row in table for cell in row if cell[:1] in "=+-@\t\r" and cell]


def test_a_class_without_students_is_a_file_without_students(tmp_path):
    _, canvas = written(tmp_path, [])
    assert canvas[0][:5] == CANVAS[:5] and len(canvas) == 2
