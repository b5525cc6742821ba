"""The public edition holds nothing that students must not see, and the check of a copy finds what does."""

import ast
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import hostile
import pytest

from book.cells.places import ROOT
from lmtune.grading.homework import load_all
from lmtune.grading.release import solution

edition = pytest.importorskip("instructor.edition", reason="a public copy has no instructor's side")
from instructor.hidden_lines import hidden_lines, packed, runs  # noqa: E402
from instructor.leaks import Search, git  # noqa: E402

ANSWER = "    return [2 * v for v in values]"
NOBODY = ["-c", "user.name=N", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
PARTS = [part for homework in load_all(ROOT / "instructor").values() for part in homework.parts]
needs_clone = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no git clone")


def commit(folder, message="one"):
    git(folder, "add", "--all", "--force")
    git(folder, *NOBODY, "commit", "--quiet", "--message", message)


@pytest.fixture
def clone(tmp_path):
    """A private clone: an instructor's folder with one homework, and one page."""
    root = tmp_path / "clone"
    (root / "instructor" / "homework").mkdir(parents=True)
    (root / "instructor" / "homework" / "double.py").write_text(hostile.HOMEWORK)
    (root / "page.md").write_text(f"# Double\n\n{hostile.STUB}")
    git(tmp_path, "init", "--quiet", str(root))
    commit(root)
    return root


@pytest.fixture
def public(clone, tmp_path):
    edition.write(clone, tmp_path / "public")
    return tmp_path / "public"


def found(clone, folder):
    return edition.check(clone / "instructor", folder)[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The public edition of this repository."""
    out = tmp_path_factory.mktemp("edition") / "public"
    out.mkdir()
    edition.write(ROOT, out)
    return out


@needs_clone
def test_the_edition_of_this_repository_holds_all_but_the_instructors_side(whole):
    tracked = git(ROOT, "ls-tree", "-r", "-z", "--name-only", "HEAD").decode().strip("\0").split("\0")
    here = {path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()}
    assert here == {name for name in tracked if not name.startswith("instructor/")}
    files, objects, leaks = edition.check(ROOT / "instructor", whole)
    assert (files, objects, leaks) == (len(here), 0, [])


@pytest.mark.slow
@needs_clone
def test_the_tests_that_remain_can_be_collected(whole):
    asking = [p for p in whole.rglob("test_*.py") if "instructor" in p.read_text("utf-8") or "answers" in p.name]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *map(str, asking)],
        cwd=whole,
        env={**os.environ, "PYTHONPATH": str(whole), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert asking and run.returncode in (0, 5), run.stdout[-2000:]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.id)
@pytest.mark.parametrize("form", ["as students write it", "as the instructor wrote it"])
def test_each_answer_is_found_in_a_notebook(part, form):
    code = solution(part)
    if form == "as the instructor wrote it":
        path = Path(part.reference.__code__.co_filename)
        code = ast.get_source_segment(
            path.read_text("utf-8"),
            next(
                n for n in ast.parse(path.read_text("utf-8")).body if getattr(n, "name", "") == part.reference.__name__
            ),
        )
    cell = {"cell_type": "code", "source": code.splitlines(keepends=True), "outputs": [], "metadata": {}}
    (leak, *_) = Search(hidden_lines(ROOT / "instructor"))("x.ipynb", json.dumps({"cells": [{}, cell]}).encode())
    assert re.match(r"x\.ipynb, cell 2, line \d+: .* \(from instructor/homework/\w+\.py, line \d+\)", leak)


def as_tar(name, data):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as file:
        about = tarfile.TarInfo(name)
        about.size = len(data)
        file.addfile(about, io.BytesIO(data))
    return written.getvalue()


def as_zip(name, data):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return written.getvalue()


HIDING = {
    "plain": ("a.py", f"def double(values):\n{ANSWER}\n".encode()),
    "laid out anew": ("a.py", b"x = 1\nif x:\n  return [2*v\n     for v in values]\n"),
    "a comment": ("a.md", f"<!-- {ANSWER} -->".encode()),
    "cell": ("a.ipynb", json.dumps({"cells": [{"source": [ANSWER[:20], ANSWER[20:]]}]}).encode()),
    "output": ("a.ipynb", json.dumps({"cells": [{"source": "", "outputs": [{"text": ["x\n", ANSWER]}]}]}).encode()),
    "metadata": ("a.ipynb", json.dumps({"cells": [], "metadata": {ANSWER: 1}}).encode()),
    "a built page": ("a.html", b"<span>return</span> <b>[</b><i>2</i> * v <u>for</u> v in values]"),
    "escaped": ("a.txt", json.dumps("def double(values):\n" + ANSWER).replace("[2", "\\n[2").encode()),
    "UTF-16": ("a.txt", ANSWER.encode("utf-16")),
    "zip": ("a.whl", as_zip("in.py", ANSWER)),
    "zip in zip": ("a.zip", as_zip("b.zip", as_zip("in.ipynb", json.dumps({"cells": [{"source": ANSWER}]})))),
    "tar": ("a.tar.gz", gzip.compress(as_tar("in.zip", as_zip("in.py", ANSWER)))),
    "the truth": ("a.py", b"truth=lambda values: [v + v for v in values], reference=reference_double,"),
    "what is kept": ("a.py", b'SECRET = "the-grader-keeps-this"'),
}


@pytest.mark.parametrize("how", HIDING)
def test_a_hidden_line_is_found_wherever_it_stands(clone, public, how):
    assert found(clone, public) == []
    name, data = HIDING[how]
    (public / name).write_bytes(data)
    leaks = found(clone, public)
    assert leaks and all(leak.startswith(name) for leak in leaks), leaks


def test_the_place_of_a_leak_is_told(clone, public):
    (public / "notes.md").write_text(f"# Notes\n\nSee:\n{ANSWER}\n")
    (leak,) = found(clone, public)
    assert leak == ("notes.md, line 4: return[2*vforvinvalues] (from instructor/homework/double.py, line 7)")


def test_what_students_are_told_is_no_leak(clone, public):
    (public / "told.md").write_text(
        f"{hostile.STUB}\nDouble numbers.\nnothing was doubled\ntwo was added\nWhy?\nsays why\nimport math\n"
        "from lmtune.grading.homework import Homework, Part\nfor value in values:\n"
    )
    assert found(clone, public) == []
    (clone / "instructor" / "shown.txt").write_text("return [2 * v\n for v in values]\n")
    (public / "a.py").write_text(ANSWER)
    assert found(clone, public) == [], "a person allowed it"


def test_code_that_python_laid_out_anew_is_found(clone, public):
    path = clone / "instructor" / "homework" / "double.py"
    path.write_text(path.read_text() + '\ndef reference_more(a):\n    return (reference_more( "a, b" )) + str( a )\n')
    for text in ('return (more( "a, b" )) + str( a )', "return more('a, b') + str(a)"):
        (public / "a.py").write_text(text)
        assert len(found(clone, public)) == 1, text


def test_the_seed_is_found(clone, public):
    (clone / "instructor" / "grading.toml").write_text('seed = "Kx9-short"\n')
    (public / "notes.txt").write_text("we use Kx9-short and not change-me\n")
    (leak,) = found(clone, public)
    assert "notes.txt, line 1" in leak and "the seed" in leak
    (clone / "instructor" / "grading.toml").write_text('seed = "change-me"\n')
    assert found(clone, public) == []


def test_files_are_known_by_their_names(clone, public):
    (public / "instructor").mkdir()
    (public / "instructor" / "x.txt").write_text("x")
    (public / "roster-2026.csv").write_text("id\n")
    assert [leak.partition(":")[0] for leak in found(clone, public)] == ["instructor/x.txt", "roster-2026.csv"]


def test_an_archive_that_cannot_be_opened_is_told(clone, public):
    (public / "a.zip").write_bytes(b"PK\x03\x04 broken")
    (leak,) = found(clone, public)
    assert "a.zip is an archive that cannot be opened" in leak


@pytest.mark.parametrize("where", ["an old commit", "another branch", "a tag", "a message"])
def test_the_history_of_a_copy_is_read(clone, public, where):
    git(public, "init", "--quiet", "--initial-branch=main")
    commit(public, "begin")
    files, objects, leaks = edition.check(clone / "instructor", public)
    assert (files, objects, leaks) == (1, 2, [])
    if where == "a message":
        (public / "b.md").write_text("b")
        commit(public, f"Answer: {ANSWER}")
    else:
        git(public, "checkout", "--quiet", "-b", "other")
        (public / "a.py").write_text(ANSWER)
        commit(public, "oops")
        (public / "a.py").unlink()
        commit(public, "away with it")
        if where == "an old commit":
            git(public, "checkout", "--quiet", "-B", "main")
        else:
            git(public, "checkout", "--quiet", "main")
        if where == "a tag":
            git(public, *NOBODY, "tag", "-a", "-m", "t", "t", "other")
            git(public, "branch", "--quiet", "-D", "other")
    (leak,) = found(clone, public)
    assert leak.startswith("history, commit ") and "return[2*vforvinvalues]" in leak
    bare = public.parent / "bare.git"
    git(public.parent, "clone", "--quiet", "--mirror", str(public), str(bare))
    assert found(clone, bare) == [leak], "a repository without files"


def test_a_history_that_is_cut_off_is_refused(clone, public):
    git(public, "init", "--quiet")
    commit(public)
    (public / "b.md").write_text("b")
    commit(public)
    cut = public.parent / "cut"
    git(public.parent, "clone", "--quiet", "--depth=1", public.as_uri(), str(cut))
    with pytest.raises(ValueError, match="--unshallow"):
        found(clone, cut)
    (public / "sub").mkdir()
    git(public, "init", "--quiet", "sub")
    os.rename(public / ".git", public.parent / "away")
    with pytest.raises(ValueError, match="a git clone inside"):
        found(clone, public)


def test_what_git_ignores_in_a_clone_is_not_read(clone, public):
    git(public, "init", "--quiet")
    (public / ".gitignore").write_text("mine/\n")
    (public / "mine").mkdir()
    (public / "mine" / "a.py").write_text(ANSWER)
    assert found(clone, public) == []
    (public / "b.py").write_text(ANSWER)
    assert len(found(clone, public)) == 1, "git would take it"


def test_nothing_is_written_where_it_would_leak_or_overwrite(clone, tmp_path):
    out = tmp_path / "public"
    (clone / "page.md").write_text(ANSWER)
    edition.write(clone, out)
    assert hostile.STUB in (out / "page.md").read_text(), "what is not committed stays at home"
    with pytest.raises(ValueError, match="not an empty folder"):
        edition.write(clone, out)
    commit(clone)
    with pytest.raises(ValueError, match=r"page\.md, line 1"):
        edition.write(clone, tmp_path / "other")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clone", "public"], "something half-made was left"


def test_the_command_says_what_it_found(tmp_path, capsys, monkeypatch, clone, public):
    monkeypatch.setattr(edition, "ROOT", clone)
    assert edition.main(["--check", str(public)]) == 0
    assert "1 files of" in capsys.readouterr().out
    for i in range(30):
        (public / f"{i:02}.py").write_text(ANSWER)
    assert edition.main(["--check", str(public)]) == 1
    said = capsys.readouterr().out
    assert "in 30 places" in said and "and 10 more" in said and "shown.txt" in said
    assert edition.main(["--check", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    (clone / "page.md").write_text("changed")
    assert edition.main(["--out", str(tmp_path / "new")]) == 0
    assert "not committed" in capsys.readouterr().out


def test_a_line_that_only_opens_a_block_counts_with_the_next():
    lines = [(1, "forindexinrange(total):"), (2, "x=1"), (3, "total=total+x*index"), (4, "x")]
    assert list(runs(lines)) == [
        (1, "forindexinrange(total):x=1"),
        (2, "x=1total=total+x*index"),
        (3, "total=total+x*indexx"),
    ]
    assert packed(" a\tb\n") == "ab"


@needs_clone
@pytest.mark.parametrize(
    "name",
    ["grading.toml", "instructor/grading.toml", "roster.csv", "report/records/ada.json", "submissions/ada.ipynb"],
)
def test_an_instructors_own_files_are_never_committed(name):
    assert git(ROOT, "check-ignore", name).decode().strip() == name
    assert not git(ROOT, "ls-files", "--cached", "--ignored", "--exclude-standard"), "a file is tracked and ignored"
