"""A failure of the grader is nobody's result; a kill leaves nothing; two gradings do not meet."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time

import hostile
import pytest
from test_grading import record, results, settle, write_roster

from lmtune.cli.main import main
from lmtune.grading import copying, grade, sandbox, submissions, watching, workplace

needs_sandbox = pytest.mark.skipif(not hostile.NAMESPACES, reason=hostile.NONE)


def two(base):
    """Ada and Bo hand in the right answer."""
    given = settle(base)
    for name in ("ada", "bo"):
        (given["folder"] / f"{name}.ipynb").write_text(hostile.notebook(hostile.HONEST))
    write_roster(given["roster"], [["ada", ""], ["bo", ""]])
    return given


def command(given, *more):
    named = [f"--{name}={given[name]}" for name in ("roster", "out", "instructor", "settings")]
    return ["grade", str(given["folder"]), *named, *more]


@pytest.mark.parametrize(
    "place, error",
    [
        ((sandbox, "run"), OSError(errno.ENOSPC, "No space left on device")),
        ((copying, "copy"), RecursionError("too deep")),
        ((copying, "_keep"), OSError(errno.ENOSPC, "No space left on device")),
        ((grade, "taken"), KeyError("x")),
        ((grade, "grade_part"), MemoryError()),
    ],
)
def test_a_failure_of_the_grader_is_no_result_and_the_class_goes_on(tmp_path, monkeypatch, capsys, place, error):
    """It happens to Ada alone; Bo has his points, Ada no zero, and the next run grades her."""
    given, calls = two(tmp_path), []
    module, name = place
    true = getattr(module, name)

    def failing(*arguments, **named):
        calls.append(1)
        if len(calls) == 1:
            raise error
        return true(*arguments, **named)

    sandbox.missing()  # its own trial is over
    monkeypatch.setattr(module, name, failing)
    arguments = command(given, *([] if hostile.NAMESPACES else ["--unsafe"]))
    assert main(arguments) == 1
    assert "grade: ada was not graded: " in capsys.readouterr().out
    rows = results(given["out"])
    assert (rows["ada"]["double"], rows["ada"]["total"], float(rows["bo"]["double"])) == ("", "", 10)
    assert rows["ada"]["problem"].startswith("not graded: ") and not (given["out"] / "records" / "ada.json").exists()
    assert "no of 12 points" in (given["out"] / "students" / "ada.txt").read_text()
    assert "ada" in (given["out"] / "class.txt").read_text()
    assert main(arguments) == 0 and float(results(given["out"])["ada"]["double"]) == 10


def test_a_process_that_did_not_begin_is_no_answer(tmp_path, monkeypatch):
    request = {"code": "def f():\n    return 1", "name": "f", "cases": [[]]}
    monkeypatch.setattr(sandbox, "_command", lambda *given: [sys.executable, "-c", "raise SystemExit('no room')"])
    with pytest.raises(OSError, match="did not begin.*no room"):
        sandbox.run(request, tmp_path, 1, unsafe=True)
    monkeypatch.setattr(sandbox, "_command", lambda *given: [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(watching, "START", 0.3)
    with pytest.raises(OSError, match="did not begin"):
        sandbox.run(request, tmp_path, 1, unsafe=True)


def copies():
    return {path.name for path in workplace.Path(tempfile.gettempdir()).glob(f"{workplace.PREFIX}*")}


@needs_sandbox
def test_copies_of_a_grading_that_was_killed_are_cleared_and_a_living_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "tmp").mkdir()
    given = two(tmp_path / "class")
    (given["folder"] / "ada.ipynb").write_text(hostile.doing("import time; time.sleep(1.5)"))
    process = subprocess.Popen([sys.executable, "-m", "lmtune", *command(given)], stdout=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (found := copies()) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(found) == 1 and workplace.clear() == [], "one that lives was cleared"
    monkeypatch.setattr(workplace, "PATIENCE", 0.0)
    with pytest.raises(ValueError, match="Another grading is at work"):
        grade.grade(**given, say=lambda text: None)
    monkeypatch.setattr(workplace, "PATIENCE", 20.0)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert copies() == found, "nothing is left behind: the test proves nothing"
    (tmp_path / "tmp" / f"{workplace.PREFIX}mine").mkdir()
    (tmp_path / "tmp" / f"{workplace.PREFIX}link").symlink_to(tmp_path / "class")
    grade.grade(**given, say=lambda text: None)
    assert copies() == {f"{workplace.PREFIX}mine", f"{workplace.PREFIX}link"}, "what has no lock is not ours"
    assert not [name for name in os.listdir(tmp_path / "tmp") if name.startswith(("lmtune-sandbox", "lmtune-new"))]


def test_what_is_deeper_than_python_follows_is_removed(aside):
    start = os.open(".", os.O_RDONLY)
    (aside / "deep").mkdir()
    os.chdir(aside / "deep")
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    os.fchdir(start)
    os.close(start)
    workplace.remove(aside / "deep")
    assert not (aside / "deep").exists()


@pytest.mark.parametrize("text", ["[]", "{}", "3", "{", '{"digest": []}', "[" * 100_000])
def test_a_damaged_record_is_made_anew_and_said(tmp_path, text):
    given, said = two(tmp_path), []
    grade.grade(**given, unsafe=True, say=lambda line: None)
    (given["out"] / "records" / "ada.json").write_text(text)
    grade.grade(**given, unsafe=True, say=said.append)
    assert "ada.json is damaged" in said[0] and "ada: 1 of 1" in said[1] and len(said) == 3
    assert record(given, "ada")["parts"]["double"]["status"] == "passed"


def again(given, **changes):
    said = []
    grade.grade(**{**given, "unsafe": True, **changes}, say=said.append)
    return sum(" of 1 parts passed" in line for line in said)


def test_a_record_is_of_all_that_it_depends_on(tmp_path, monkeypatch):
    given = two(tmp_path)
    (given["folder"] / "ada.ipynb").unlink()
    (given["folder"] / "ada").mkdir()
    (given["folder"] / "ada" / "n.ipynb").write_text(hostile.notebook(hostile.HONEST))
    side = given["folder"] / "ada" / "data.txt"
    side.write_text("1")
    assert again(given) == 2 and again(given) == 0
    side.write_text("2")
    assert again(given) == 1, "a file beside the notebook"
    side.rename(side.with_name("date.txt"))
    assert again(given) == 1, "its name"
    text = given["settings"].read_text()
    given["settings"].write_text(text.replace("seconds = 2", "seconds = 3"))
    assert again(given) == 2, "the limits"
    given["settings"].write_text(given["settings"].read_text().replace(hostile.SEED, hostile.SEED[::-1]))
    assert again(given) == 2, "the seed"
    module = given["instructor"] / "homework" / "double.py"
    module.write_text(module.read_text().replace('hints=["twice"]', 'hints=["two times"]'))
    assert again(given) == 2, "the edition of the homework"
    versions = {**grade.records.versions(), "torch": "another"}
    monkeypatch.setattr(grade.records, "versions", lambda: versions)
    assert again(given) == 2 and again(given) == 0, "the versions"
    if hostile.NAMESPACES:
        assert again(given, unsafe=False) == 2, "a safe run keeps nothing of an unsafe one"


def test_a_terminal_of_ascii_shows_every_name(tmp_path):
    given = two(tmp_path)
    (given["folder"] / "ada.ipynb").rename(given["folder"] / "名前.ipynb")
    write_roster(given["roster"], [["名前", "Ünï"], ["bo", ""]])
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "lmtune", *command(given, "--unsafe")], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "\\u540d" in done.stdout and float(results(given["out"])["名前"]["double"]) == 10


def test_missing_and_wrong_rosters_are_sentences(tmp_path, capsys):
    given = two(tmp_path)
    given["roster"].unlink()
    assert main(command(given, "--unsafe")) == 2
    said = capsys.readouterr().err
    assert "roster.csv cannot be read (No such file or directory); give a CSV" in said and "Traceback" not in said
    given["roster"].write_text("id;name\nada;Ada\nbo;Bo\n")
    assert [s.name for s in submissions.roster(given["roster"])] == ["Ada", "Bo"]
    given["roster"].write_text("id,submitted\nada,30.11.2026 23:59\n")
    assert "write it as 2026-11-30T23:59" in submissions.roster(given["roster"])[0].problem


def test_lateness_by_file_times_is_said(tmp_path):
    given = two(tmp_path)
    given["settings"].write_text(given["settings"].read_text() + "[late]\ndeadline = 2026-01-01T00:00:00Z\n")
    write_roster(given["roster"], [["ada", "2025-12-31T00:00"], ["bo", ""]], "id,submitted")
    os.utime(given["folder"] / "ada.ipynb", (0, 2**31))
    grade.grade(**given, unsafe=True, say=lambda text: None)
    text = " ".join((given["out"] / "class.txt").read_text().split())
    assert "The lateness of 1 of 2 was judged by the times of their files, which students can set" in text
    assert "Graded with --unsafe" in text
    assert results(given["out"])["ada"]["late, percent off"] == "0.0", "the roster's time counts, not the file's"


def test_hidden_inputs_reach_no_student(tmp_path):
    """An answer that carries its inputs out by its value, an error or its output."""
    given = settle(tmp_path)
    bodies = {
        "value": "    return ['saw', *values]",
        "error": "    raise ValueError(repr(values))",
        "kind": "    raise type('Saw' + '_'.join(map(str, values)), (Exception,), {})()",
        "late": "    if PUBLIC.get(str(values)): return PUBLIC[str(values)]\n    raise ValueError(repr(values))",
        "wrong": "    return PUBLIC.get(str(values)) or [v * v for v in values]",
    }
    part = grade.load_all(given["instructor"])["double"].parts[0]
    public = {str(c["inputs"][0]): c["expected"] for c in grade.cases(part, "public", "example")}
    for name, body in bodies.items():
        (given["folder"] / f"{name}.ipynb").write_text(
            hostile.notebook(f"PUBLIC = {public!r}", f"def double(values):\n{body}\n")
        )
    write_roster(given["roster"], [[name, ""] for name in bodies])
    grade.grade(**given, unsafe=True, say=lambda text: None)
    students = {s.student.id: s for s in submissions.found(given["folder"], submissions.roster(given["roster"]), "")[0]}
    for name in bodies:
        digest = copying.copy(students[name], tmp_path / name).digest
        hidden = {str(v) for c in grade.cases(part, hostile.SEED, name, digest) for v in c["inputs"][0] + c["expected"]}
        said = record(given, name)["parts"]["double"]["message"]
        assert any(value in said for value in hidden), "who grades reads it: the test would see it on the page"
        for ending in ("txt", "html"):
            page = (given["out"] / "students" / f"{name}.{ending}").read_text()
            assert not [value for value in hidden if value in page], (name, page)
    told = {name: (given["out"] / "students" / f"{name}.txt").read_text() for name in bodies}
    assert "your answer: ['saw'" in told["value"] and "expected: [" in told["value"], "the example is shown in full"
    assert "right on the examples of the notebook" in told["late"] and "stopped with an error" in told["late"]
    assert "hint: each value was multiplied with itself, says the grader" in told["wrong"]
