"""The students' edition holds no line of a solution, anywhere, and it runs to its end."""

import json
import shutil
import zipfile

import nbformat
import pytest

from book.cells import execute, places
from lmtune.cli.main import main
from lmtune.grading.homework import load_all
from lmtune.grading.release import bare, leaks, release, solution, solved

pytest.importorskip("instructor", reason="a public copy has no instructor's side")
NOTEBOOKS, INSTRUCTOR = places.ROOT / "chapters" / "homework", places.ROOT / "instructor"
KNOWN = load_all(INSTRUCTOR)
#: The longest line of a solution, without marks that JSON or repr would write otherwise; it stands in no file of tests.
SECRET = max(
    (line.strip() for line in solution(KNOWN["fine-tune"].parts[0]).splitlines() if not set(line) & set("\"'\\")),
    key=len,
)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    out = tmp_path_factory.mktemp("release") / "students"
    release(NOTEBOOKS, INSTRUCTOR, out)
    return out


def test_folder_and_zip_hold_the_same(released):
    names = {path.name for path in released.iterdir()}
    assert names == {*(f"{name}.ipynb" for name in KNOWN), "README.txt"}
    with zipfile.ZipFile(f"{released}.zip") as packed:
        assert set(packed.namelist()) == {f"students/{name}" for name in names}
        for name in names:
            assert packed.read(f"students/{name}") == (released / name).read_bytes()


def test_no_line_of_a_solution_is_in_it(released):
    shutil.copy(f"{released}.zip", released / "students.zip")
    try:
        assert leaks(released, KNOWN) == []
    finally:
        (released / "students.zip").unlink()
    text = "".join(path.read_text(encoding="utf-8") for path in released.iterdir())
    assert SECRET not in text and "instructor/" not in text


def test_outputs_and_metadata_are_left_out(released):
    for path in released.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        assert set(notebook.metadata) == {"kernelspec"}
        for cell in notebook.cells:
            assert set(cell.metadata) <= {"tags"}
            assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)


@pytest.mark.parametrize("place", ["source", "lines", "output", "metadata", "prose in code", "other file", "zip"])
def test_a_line_of_a_solution_is_found_wherever_it_hides(released, tmp_path, place):
    shutil.copytree(released, tmp_path / "out")
    path = tmp_path / "out" / "fine-tune.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = next(c for c in notebook["cells"] if c["cell_type"] == "code")
    if place == "source":
        code["source"] += f"\n    {SECRET}\n"
    elif place == "lines":
        code["source"] = [SECRET[:20], SECRET[20:]]
    elif place == "output":
        code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [f"  {SECRET}\n"]}]
    elif place == "metadata":
        notebook["metadata"]["answers"] = {"macro": {SECRET: 1}}
    elif place == "prose in code":
        code["source"] += f"\n# {SECRET.replace(' ', '  ')}"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    if place == "other file":
        (tmp_path / "out" / "notes.txt").write_text(SECRET)
    elif place == "zip":
        with zipfile.ZipFile(tmp_path / "out" / "more.zip", "w") as packed:
            packed.writestr("a.ipynb", json.dumps({"x": SECRET}))
    assert any("".join(SECRET.split()) in found for found in leaks(tmp_path / "out", KNOWN))


def test_a_notebook_with_a_solution_is_not_released(tmp_path):
    shutil.copytree(NOTEBOOKS, tmp_path / "in")
    path = tmp_path / "in" / "fine-tune.ipynb"
    given = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(solved(given, KNOWN["fine-tune"])), encoding="utf-8")
    with pytest.raises(ValueError, match="lines of solutions"):
        release(tmp_path / "in", INSTRUCTOR, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"], "something half-made was left"


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    assert (
        main(
            ["release", "--out", str(tmp_path / "out"), "--instructor", str(INSTRUCTOR), "--notebooks", str(NOTEBOOKS)]
        )
        == 2
    )
    assert "exists already" in capsys.readouterr().err


def test_outputs_alone_are_removed_by_the_release(tmp_path):
    made = bare(
        {
            "nbformat": 4,
            "metadata": {"x": SECRET},
            "cells": [
                {
                    "cell_type": "code",
                    "source": ["a\n", "b"],
                    "metadata": {"x": SECRET, "tags": ["t"]},
                    "outputs": [SECRET],
                    "execution_count": 3,
                }
            ],
        }
    )
    assert SECRET not in json.dumps(made) and made["cells"][0]["source"] == "a\nb"


@pytest.mark.parametrize("name", KNOWN)
def test_the_released_notebook_runs_to_its_end(released, tmp_path, name):
    notebook = nbformat.read(released / f"{name}.ipynb", as_version=4)
    execute.run(notebook, tmp_path, name, tell=lambda line: None)
    said = "".join(o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs)
    assert f"0 of {len(KNOWN[name].parts)} passed." in said


@pytest.mark.parametrize("name", KNOWN)
def test_a_solution_stands_alone(name):
    for part in KNOWN[name].parts:
        space = {}
        exec(solution(part), space)
        assert callable(space[part.function])


@pytest.mark.slow
def test_a_solved_notebook_trains_to_its_end(tmp_path):
    given = json.loads((NOTEBOOKS / "fine-tune.ipynb").read_text(encoding="utf-8"))
    notebook = nbformat.from_dict(solved(given, KNOWN["fine-tune"]))
    execute.run(notebook, tmp_path, "solved", tell=lambda line: None)
    said = "".join(o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs)
    assert "at random minus by customer: " in said and "3 of 3 passed." in said
