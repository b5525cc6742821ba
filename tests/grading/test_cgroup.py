"""A cgroup bounds the memory of one answer where it can be made, and is left away where it cannot."""

import subprocess
import sys

import pytest

from lmtune.grading import cgroup
from lmtune.grading.limits import Limits
from lmtune.grading.watching import end, watch


@pytest.fixture
def tree(tmp_path):
    """A picture of /sys/fs/cgroup: a session that hands memory on, and a leaf in it that does not."""
    for folder, handed_on in (("", "cpu memory"), ("session", "memory pids"), ("session/leaf", "")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cgroup.subtree_control").write_text(handed_on)
        (tmp_path / folder / "cgroup.procs").write_text("")
    return tmp_path


def test_it_is_made_below_the_nearest_that_hands_memory_on(tree):
    group = cgroup.made(5000, tree, "/session/leaf")
    assert group.folder.parent == tree / "session"
    assert (group.folder / "memory.max").read_text() == "5000"
    assert (group.folder / "memory.swap.max").read_text() == "0"
    assert group.add(77) and (group.folder / "cgroup.procs").read_text() == "77"


def test_there_is_none_where_nothing_hands_memory_on(tree, monkeypatch):
    for folder in ("", "session"):
        (tree / folder / "cgroup.subtree_control").write_text("cpu")
    assert cgroup.made(5000, tree, "/session/leaf") is None
    assert cgroup.made(5000, tree / "nowhere", "/x") is None
    assert cgroup.made(5000, tree, "/../session") is None, "a group outside of what this process sees"
    (tree / "session" / "cgroup.subtree_control").write_text("memory")
    monkeypatch.setattr(cgroup.os, "access", lambda *given: False)
    assert cgroup.made(5000, tree, "/session/leaf") is None


def test_what_the_kernel_ended_for_memory_is_told_so(tree):
    group = cgroup.made(5000, tree, "/session")
    assert not group.killed()
    (group.folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.killed()
    process = subprocess.Popen(
        [sys.executable, "-c", "print()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert watch(process, b"", Limits(), group).ended == "used more than 1500 MB of memory"
    end(process)


def test_groups_of_the_dead_are_removed(tree):
    (tree / "session" / "lmtune-999999999-x").mkdir()
    (tree / "session" / "lmtune-1-x").mkdir()
    cgroup.made(5000, tree, "/session")
    assert not (tree / "session" / "lmtune-999999999-x").exists()
    assert (tree / "session" / "lmtune-1-x").exists(), "its process lives"
