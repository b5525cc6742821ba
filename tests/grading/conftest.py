"""What running a student's code in the tests' own process must not leave behind."""

import sys

import pytest

from lmtune.grading import inside


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
