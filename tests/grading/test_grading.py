"""A class of hostile, broken and honest submissions is graded, each rightly, and nobody harms another."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import hostile
import hostile_folders  # noqa: F401  (registers its cases)
import pytest

from lmtune.cli.main import main
from lmtune.grading import copying, grade, sandbox, submissions
from lmtune.grading.homework import cases, load_all
from lmtune.grading.policy import policy
from lmtune.grading.release import solved

ROOT = Path(__file__).resolve().parents[2]
needs_sandbox = pytest.mark.skipif(not hostile.NAMESPACES, reason=hostile.NONE)
HONEST = [f"honest-{i}" for i in range(5)]


def settle(base, text=""):
    """A folder with an instructor's side; the arguments for `grade`."""
    (base / "instructor" / "homework").mkdir(parents=True)
    (base / "instructor" / "homework" / "double.py").write_text(hostile.HOMEWORK)
    (base / "instructor" / "grading.toml").write_text(
        text
        or f'homework = "double"\nseed = "{hostile.SEED}"\n'
        "[limits]\nseconds = 2\nmemory_mb = 400\noutput_mb = 4\ndisk_mb = 32\n"
    )
    (base / "in").mkdir()
    return dict(
        folder=base / "in",
        roster=base / "roster.csv",
        out=base / "out",
        instructor=base / "instructor",
        settings=base / "instructor" / "grading.toml",
    )


def write_roster(path, rows, columns="id,name"):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns.split(","), *rows])


def results(out):
    with open(out / "results.csv", encoding="utf-8", newline="") as file:
        return {row["id"].removeprefix("'"): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def graded(aside, tmp_path_factory):
    if not hostile.NAMESPACES:
        pytest.skip(hostile.NONE)
    given = settle(aside)
    ids = hostile.write_class(given["folder"])
    rows = [[i, f"=Student {i}"] for i in ids]
    write_roster(given["roster"], [*rows, ["twin", "Castor"], ["twin", "Pollux"], ["absent", ""], ["../up", ""]])
    (given["folder"] / "twin.ipynb").write_text(hostile.notebook(hostile.HONEST))
    (given["folder"] / "nobody.ipynb").write_text(hostile.notebook(hostile.HONEST))
    own = tmp_path_factory.mktemp("places")  # what these processes work in: another test's have other places
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(own))
        grade.grade(**given, say=lambda text: None)
    return given, own


def record(given, name):
    path = given["out"] / "records" / f"{submissions.file_name(name)}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", hostile.CASES)
def test_a_hostile_or_broken_submission_is_reported_rightly(graded, name):
    given, _ = graded
    _, status, words = hostile.CASES[name]
    made = record(given, name)
    if status == hostile.UNREADABLE:
        assert made["parts"] == {} and words in made["problem"], made
    else:
        part = made["parts"]["double"]
        assert part["status"] == status and made["problem"] == "", made
        assert words in part["message"] + "; ".join(made["remarks"]), made
    assert float(results(given["out"])[name.replace("‮", " ")]["double"]) == (10 if status == hostile.PASSED else 0)


def test_there_are_enough_of_them():
    assert len(hostile.CASES) > 80  # the instructor's page says so


@pytest.mark.parametrize("name", HONEST)
def test_the_rest_of_the_class_is_unharmed(graded, name):
    given, _ = graded
    assert float(results(given["out"])[name]["double"]) == 10
    assert "double: passed" in (given["out"] / "students" / f"{name}.txt").read_text()


def test_the_class_page_has_what_was_remarked_or_wrong_of_each(graded):
    given, _ = graded
    page = " ".join((given["out"] / "class.txt").read_text(encoding="utf-8").split())
    remarked = [one for one in map(record, [given] * len(hostile.CASES), hostile.CASES) if one["remarks"]]
    alone = [one for one in remarked if not one["problem"]]
    assert len(alone) > 3
    for one in alone:
        assert one["remarks"][0].split()[0] in page and " ".join(one["remarks"][0].split()[:3]) in page, one


def test_problems_of_the_roster_are_told(graded):
    given, _ = graded
    text = (given["out"] / "class.txt").read_text(encoding="utf-8")
    assert text.count("gives the id 'twin' to 2 students") == 2
    assert "nothing was handed in" in results(given["out"])["absent"]["problem"]
    assert "no plain name" in results(given["out"])["../up"]["problem"]
    assert "nobody.ipynb" in text


def test_no_process_is_left_behind(graded):
    _, own = graded
    assert sandboxes_below(own) == []
    assert os.listdir(own) == []


def test_a_process_left_behind_would_be_seen(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "input()", str(tmp_path)], stdin=subprocess.PIPE)
    try:
        assert len(sandboxes_below(tmp_path)) == 1
    finally:
        child.communicate()
    assert sandboxes_below(tmp_path) == []


def sandboxes_below(place):
    """The command lines of living processes that were started for a folder below `place`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it ended meanwhile
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if str(place).encode() in command and int(pid) != os.getpid():
                found.append(command)
    return found


def test_pages_hold_nothing_that_a_student_wrote_unescaped(graded):
    given, _ = graded
    for path in given["out"].rglob("*.html"):
        if path.name != "open.html":  # it has one script, and tests of its own
            assert "<script" not in path.read_text(encoding="utf-8"), path
    first = (given["out"] / "results.csv").read_text(encoding="utf-8").splitlines()[1]
    assert ",'=Student" in first, "a spreadsheet would run it as a formula"


def test_no_name_forges_a_line_of_the_class_page(graded):
    given, _ = graded
    rows = [row for row in (given["out"] / "class.txt").read_text().splitlines() if row.startswith("id: ")]
    assert len(rows) == len(results(given["out"])) + 1, "the twins are two lines of one id"
    assert all(row.count("; total: ") == 1 for row in rows) and not [row for row in rows if "; total: 99" in row]
    for name in ("results.csv", "class.html", "class.txt"):
        assert "\x1b" not in (given["out"] / name).read_text()
    assert ";=1" not in (given["out"] / "results.csv").read_text(), "a spreadsheet of another country splits there"


def test_each_mistake_gets_its_own_message_through_the_sandbox(graded, tmp_path):
    given = settle(tmp_path)
    wrong = {
        "square": "[v * v for v in values]",
        "same": "values",
        "two": "[v + 2 for v in values]",
        "odd": "[1, 2, 3]",
    }
    for name, value in wrong.items():
        (given["folder"] / f"{name}.ipynb").write_text(hostile.notebook(f"def double(values):\n    return {value}\n"))
    write_roster(given["roster"], [[n, ""] for n in wrong])
    grade.grade(**given, say=lambda text: None)
    messages = [record(given, n)["parts"]["double"]["message"] for n in wrong]
    told = ["each value was multiplied with itself", "nothing was doubled", "two was added", "none of the usual"]
    for message, words in zip(messages, told):
        assert words in " ".join(message.split())


@needs_sandbox
@pytest.mark.parametrize("name", load_all(ROOT / "instructor") if (ROOT / "instructor" / "homework").is_dir() else [])
def test_every_homework_passes_its_solution_and_does_not_attempt_its_stub(tmp_path, name):
    instructor, known = ROOT / "instructor", load_all(ROOT / "instructor")[name]
    given = dict(
        folder=tmp_path / "in",
        roster=tmp_path / "roster.csv",
        out=tmp_path / "out",
        instructor=instructor,
        settings=tmp_path / "grading.toml",
    )
    given["folder"].mkdir()
    given["settings"].write_text((instructor / "grading.example.toml").read_text().replace("change-me", hostile.SEED))
    stub = json.loads((ROOT / "chapters" / "homework" / f"{name}.ipynb").read_text(encoding="utf-8"))
    (given["folder"] / "stub.ipynb").write_text(json.dumps(stub))
    (given["folder"] / "solved.ipynb").write_text(json.dumps(solved(stub, known)))
    write_roster(given["roster"], [["stub", ""], ["solved", ""]])
    grade.grade(**given, homework=name, say=lambda text: None)
    assert {p["status"] for p in record(given, "stub")["parts"].values()} == {"not attempted yet"}
    assert {p["status"] for p in record(given, "solved")["parts"].values()} == {"passed"}
    row = results(given["out"])["solved"]
    assert float(row["total"]) == sum(p.points for p in known.parts) == float(row["out of"]) - known.open_points


def test_what_one_hand_in_learns_helps_no_other(tmp_path):
    """Not a neighbour's, nor one's own next: the draw depends on the student and on all that was handed in."""
    given = settle(tmp_path)
    seen = tmp_path / "seen.txt"
    harvest = f"    open({str(seen)!r}, 'a').write(repr(values) + '\\n')\n    return [2 * v for v in values]\n"
    (given["folder"] / "ada.ipynb").write_text(hostile.notebook(f"def double(values):\n{harvest}"))
    write_roster(given["roster"], [["ada", ""], ["bo", ""]])
    grade.grade(**given, unsafe=True, say=lambda text: None)  # without the sandbox an answer can carry its inputs out
    known = {line: [2 * v for v in json.loads(line)] for line in seen.read_text().splitlines()}
    assert float(results(given["out"])["ada"]["double"]) == 10 and len(known) == 3
    for name in ("ada", "bo"):
        (given["folder"] / f"{name}.ipynb").write_text(
            hostile.notebook(
                f"KNOWN = {known!r}", "def double(values):\n    return KNOWN.get(repr(values), [0, 0, 0])\n"
            )
        )
    grade.grade(**given, unsafe=True, say=lambda text: None)
    assert [float(results(given["out"])[n]["double"]) for n in ("ada", "bo")] == [0, 0]


def test_the_same_hand_in_gets_the_same_inputs(tmp_path):
    part = load_all(settle(tmp_path)["instructor"])["double"].parts[0]
    drawn = cases(part, hostile.SEED, "ada", "digest")
    assert drawn == cases(part, hostile.SEED, "ada", "digest")
    others = [("ada", "other"), ("bo", "digest"), ("ada",)]
    assert all(drawn != cases(part, hostile.SEED, *other) for other in others)


@needs_sandbox
def test_a_run_that_was_stopped_goes_on_and_repeats_nothing(tmp_path):
    given = settle(tmp_path)
    names = [f"s{i}" for i in range(6)]
    for name in names:
        (given["folder"] / f"{name}.ipynb").write_text(hostile.notebook(hostile.HONEST))
    write_roster(given["roster"], [[n, ""] for n in names])
    command = [
        sys.executable,
        "-m",
        "lmtune",
        "grade",
        str(given["folder"]),
        "--roster",
        str(given["roster"]),
        "--out",
        str(given["out"]),
        "--instructor",
        str(given["instructor"]),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = sorted(p.stem for p in (given["out"] / "records").glob("*.json"))
    assert 2 <= len(done) < 6
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    again = [n for n in names if f", {n}: " in said]
    assert sorted([*again, *done]) == names, "something was lost or repeated"
    assert all(float(row["double"]) == 10 for row in results(given["out"]).values())


@needs_sandbox
def test_one_is_graded_anew_and_a_new_submission_is_noticed(tmp_path):
    given = settle(tmp_path)
    for name in ("ada", "bo"):
        (given["folder"] / f"{name}.ipynb").write_text(hostile.notebook(hostile.STUB))
    write_roster(given["roster"], [["ada", ""], ["bo", ""]])
    said = []
    grade.grade(**given, say=said.append)
    grade.grade(**given, only="bo", say=said.append)
    assert [s.split(",")[1].split(":")[0].strip() for s in said if ": 0 of" in s] == ["ada", "bo", "bo"]
    (given["folder"] / "ada.ipynb").write_text(hostile.notebook(hostile.HONEST))
    said.clear()
    grade.grade(**given, say=said.append)
    assert len(said) == 2 and "ada: 1 of 1" in said[0]
    with pytest.raises(ValueError, match="no student 'eve'"):
        grade.grade(**given, only="eve", say=said.append)


def write_answer(path, text, *cells):
    made = json.loads(hostile.notebook(*cells))
    made["cells"].append({"cell_type": "markdown", "metadata": {}, "source": f"{grade.OPEN_MARK} {text}"})
    path.write_text(json.dumps(made))


@needs_sandbox
def test_a_new_open_answer_behind_old_points_is_said(tmp_path):
    given, said = settle(tmp_path), []
    write_roster(given["roster"], [["ada", ""], ["bo", ""]])
    for name in ("ada", "bo"):
        write_answer(given["folder"] / f"{name}.ipynb", "At first.", hostile.HONEST)
    grade.grade(**given, say=said.append)
    (given["out"] / "open.csv").write_text("id,points\nada,1\nbo,\n")
    grade.grade(**given, say=said.append)
    grade.grade(**given, only="ada", say=said.append)
    assert not any("mark it anew" in one for one in said), "the answer is still the same, or has no points yet"
    for name in ("ada", "bo"):
        write_answer(given["folder"] / f"{name}.ipynb", "On second thoughts.", hostile.HONEST)
    grade.grade(**given, say=said.append)
    assert [one.split()[1] for one in said if "mark it anew" in one] == ["ada"]


@needs_sandbox
def test_another_homework_is_noticed_and_has_a_report_of_its_own(tmp_path):
    given, said = settle(tmp_path), []
    text = hostile.HOMEWORK.replace('"double"', '"triple"').replace("double", "triple")
    (given["instructor"] / "homework" / "triple.py").write_text(text)
    (given["folder"] / "ada.ipynb").write_text(hostile.notebook(hostile.HONEST))
    (given["folder"] / "ada (1).ipynb").write_text(hostile.notebook(hostile.HONEST))
    write_roster(given["roster"], [["ada", ""]])
    grade.grade(**given, say=said.append)
    assert said[-1] == "grade: in the folder and not on the roster: ada (1).ipynb"
    with pytest.raises(ValueError, match="is of another homework than 'triple'; give another --out"):
        grade.grade(**given, homework="triple", say=said.append)
    grade.grade(**given | {"out": tmp_path / "other"}, homework="triple", say=said.append)
    assert "no notebook has a function of 'triple'" in said[-1]


@needs_sandbox
def test_points_lateness_and_the_open_question(tmp_path):
    given = settle(
        tmp_path,
        f'homework = "double"\nseed = "{hostile.SEED}"\n[points]\ndouble = 8\n'
        "[late]\ndeadline = 2026-01-01T00:00:00Z\ngrace_minutes = 10\nper_day = 0.25\nmost = 0.5\n",
    )
    for name in ("early", "grace", "late", "later"):
        (given["folder"] / f"{name}.ipynb").write_text(hostile.notebook(hostile.HONEST))
    write_roster(
        given["roster"],
        [
            ["early", "", "2025-12-31T23:00"],
            ["grace", "", "2026-01-01T00:09Z"],
            ["late", "", "2026-01-01T05:00"],
            ["later", "", "2026-02-01T05:00"],
        ],
        "id,name,submitted",
    )
    grade.grade(**given, say=lambda text: None)
    assert [float(r["total"]) for r in results(given["out"]).values()] == [8, 8, 6, 4]
    opened = given["out"] / "open.csv"
    opened.write_text(opened.read_text().replace("early,open question,,", "early,open question,1.5,because"))
    said = []
    grade.grade(**given, say=said.append)
    assert len(said) == 1, "new points must need no new run"
    assert float(results(given["out"])["early"]["total"]) == 9.5
    assert "1.5 points. because" in (given["out"] / "students" / "early.txt").read_text()
    opened.write_text("id,points,comment\nearly,7,\n")
    with pytest.raises(ValueError, match="the rubric gives 0 to 2"):
        grade.grade(**given, say=said.append)


def test_grading_refuses_where_it_cannot_isolate(tmp_path, monkeypatch, capsys):
    given = settle(tmp_path)
    (given["folder"] / "ada.ipynb").write_text(hostile.notebook(hostile.HONEST))
    write_roster(given["roster"], [["ada", ""]])
    monkeypatch.setattr(sandbox, "missing", lambda: "no namespaces here")
    arguments = [
        "grade",
        str(given["folder"]),
        "--roster",
        str(given["roster"]),
        "--out",
        str(given["out"]),
        "--instructor",
        str(given["instructor"]),
    ]
    assert main(arguments) == 2
    assert "no namespaces here" in capsys.readouterr().err and not given["out"].exists()
    assert main([*arguments, "--unsafe"]) == 0
    assert float(results(given["out"])["ada"]["double"]) == 10


@pytest.mark.parametrize(
    "text, words",
    [
        ('homework = "double"\n', "no seed of its own"),
        ('seed = "change-me"\n', "no seed of its own"),
        ('seed = "s"\n', "weak: it has 1 characters"),
        ('seed = "introduction-to-machine-learning-2026"\n', "made of words"),
        ('seed = "fine-tuning in the autumn of 2026 at our university"\n', "has blanks"),
        ('seed = "0123456789012345678901234567890123456789"\n', "made of words, dates or repetitions"),
        ('seed = "SEED"\nsede = 1\n', "'sede'"),
        ('seed = "SEED"\n[late]\nper_day = 2\n', "from 0 to 1"),
        ('seed = "SEED"\n[late]\nper_dya = 0.2\n', "'per_dya'"),
        ('seed = "SEED"\n[late]\nper_day = nan\n', "0 or more"),
        ('seed = "SEED"\n[late]\ndeadline = "30.11.2026 23:59"\n', "write it as 2026-11-30T23:59:00Z"),
        ('seed = "SEED"\n[late]\ndeadline = 2026-11-30\n', "must be a date and time such as"),
        ('seed = "SEED"\npoints = 3\n', "points is 3; it must be a table"),
        ('seed = "SEED"\n[points]\nx = -1\n', "0 or more"),
        ('seed = "SEED"\n[limits]\nhours = 1\n', "hours"),
        ('seed = "SEED"\n[limits]\nseconds = 0\n', "from 1 on"),
        ('seed = "SEED"\n[limits]\nseconds = 1000000000000\n', "at most"),
        ("seed = \n", "no TOML"),
    ],
)
def test_a_wrong_grading_file_is_refused(tmp_path, text, words):
    path = tmp_path / "grading.toml"
    path.write_text(text.replace("SEED", hostile.SEED))
    with pytest.raises(ValueError, match=words):
        policy(path)


def test_a_missing_grading_file_is_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="lmtune release makes one"):
        policy(tmp_path / "grading.toml")


def test_points_of_a_part_that_is_none_are_refused(tmp_path):
    given = settle(tmp_path, f'homework = "double"\nseed = "{hostile.SEED}"\n[points]\ndoubel = 8\n')
    write_roster(given["roster"], [["ada", ""]])
    with pytest.raises(ValueError, match="no part 'doubel'; did you mean 'double'"):
        grade.grade(**given, say=lambda text: None)


def test_a_wrong_roster_is_refused(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("name\nAda\n")
    with pytest.raises(ValueError, match="needs a column id"):
        submissions.roster(path)
    path.write_text("id,submitted\nada,yesterday\n")
    assert "2026-11-30T23:59" in submissions.roster(path)[0].problem
    path.write_bytes("id\nJos\xe9\n".encode("latin-1"))
    with pytest.raises(ValueError, match="UTF-8"):
        submissions.roster(path)


def test_a_name_written_in_two_ways_is_one_name(tmp_path):
    (tmp_path / "José.ipynb").write_text("{}")
    student = submissions.Student("José", folder="José")
    (found,), strangers = submissions.found(tmp_path, [student], "double")
    assert found.notebook is not None and strangers == []


def test_endings_in_capitals_and_times_beyond_the_calendar(tmp_path):
    (tmp_path / "ada.IPYNB").write_text("{}")
    (tmp_path / "bo").mkdir()
    (tmp_path / "bo" / "N.IPYNB").write_text("{}")
    students = [submissions.Student(name, folder=name) for name in ("ada", "bo")]
    found, strangers = submissions.found(tmp_path, students, "double")
    assert [one.problem for one in found] == ["", ""] and strangers == []

    class Strange:
        def lstat(self):
            return os.stat_result((0o100644, 0, 0, 1, 0, 0, 0, 0, 2**60, 0))

    assert submissions._changed(Strange()) is None


def test_one_name_in_two_spellings_is_told(tmp_path):
    for name in ("Jos\u00e9.ipynb", "Jose\u0301.ipynb"):
        (tmp_path / name).write_text("{}")
    (found,), _ = submissions.found(tmp_path, [submissions.Student("Jos\u00e9", folder="Jos\u00e9")], "double")
    assert "keep one" in found.problem


def test_what_cannot_be_read_is_left_out_and_told(tmp_path, monkeypatch):
    (tmp_path / "ada").mkdir()
    for name in ("n.ipynb", "mine.txt", "locked.txt"):
        (tmp_path / "ada" / name).write_text("{}")
    (found,), _ = submissions.found(tmp_path, [submissions.Student("ada", folder="ada")], "double")
    true = os.open

    def refusing(path, *given, **named):
        if str(path).endswith(refused):
            raise PermissionError(13, "Permission denied")
        return true(path, *given, **named)

    monkeypatch.setattr(copying.os, "open", refusing)
    refused = "locked.txt"
    made = copying.copy(found, tmp_path / "copy")
    assert made.remarks == ["left out, because it cannot be read (Permission denied): locked.txt"]
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["mine.txt", "notebook.ipynb"]
    refused = "n.ipynb"
    assert "the notebook cannot be read (Permission denied)" in copying.copy(found, tmp_path / "again").problem
