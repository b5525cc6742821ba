"""What running a student's code in the tests' own process must not leave behind."""

import sys
import tempfile
from pathlib import Path

import pytest

from lmtune.grading import inside, workplace


@pytest.fixture(scope="module")
def aside():
    """A folder beside those of pytest, for what is nested deeper than pytest can remove: if such a thing were left
    by a run that was killed, each later run would end in an error."""
    place = Path(tempfile.mkdtemp(prefix="lmtune-tests-"))
    yield place
    workplace.remove(place)


@pytest.fixture
def as_inside(tmp_path, monkeypatch):
    """An empty folder to be in, with Python's recursion and modules as in the sandbox, and as before afterwards."""
    before, deepest = set(sys.modules), sys.getrecursionlimit()
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    sys.setrecursionlimit(inside.DEEPEST)
    yield tmp_path
    sys.setrecursionlimit(deepest)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]
