"""A bound on the memory of all processes of one answer that the kernel itself holds, where a cgroup can be made.

Only version 2, and only where the folder above is writable and hands memory on, as it is for root and in
most desktop sessions.  Elsewhere :func:`made` gives None, and memory is watched from outside.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
#: Seconds until a killed process has left.
PATIENCE = 2.0


class Group:
    """A cgroup of one answer."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        for name, value in (("memory.max", limit), ("memory.swap.max", 0), ("memory.oom.group", 1)):
            try:
                (folder / name).write_text(str(value))
            except OSError:
                if name == "memory.max":
                    raise

    def add(self, pid: int) -> bool:
        """Take a process, and what it starts from now on; False where that is not allowed."""
        try:
            (self.folder / "cgroup.procs").write_text(str(pid))
        except OSError:
            return False
        return True

    def killed(self) -> bool:
        """Whether the kernel ended a process for the limit."""
        try:
            events = dict(line.split() for line in (self.folder / "memory.events").read_text().splitlines())
        except (OSError, ValueError):
            return False
        return int(events.get("oom_kill", 0)) > 0

    def remove(self) -> None:
        """End what is left in it, and remove it."""
        began = time.monotonic()
        try:
            (self.folder / "cgroup.kill").write_text("1")
        except OSError:
            pass
        while time.monotonic() - began < PATIENCE:
            try:
                return self.folder.rmdir()
            except FileNotFoundError:
                return None
            except OSError:  # a killed process has not left yet
                time.sleep(0.02)


def made(limit: int, root: Path = ROOT, own: str | None = None) -> Group | None:
    """A new cgroup below the nearest one that hands memory on, with ``limit`` bytes; None where there is none."""
    above = _above(root, _own() if own is None else own)
    if above is None:
        return None
    _clean(above)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"lmtune-{os.getpid()}-", dir=above))
    except OSError:
        return None
    try:
        return Group(folder, limit)
    except OSError:
        folder.rmdir()
        return None


def _own() -> str:
    """The cgroup of this process, as a path."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def _above(root: Path, own: str) -> Path | None:
    """The nearest cgroup, this process's own or one above it, in which a new one has a limit on memory."""
    if ".." in own:  # it lies outside of what this process can see
        return None
    here = root / own.strip("/")
    for folder in (here, *here.parents):
        try:
            handed_on = (folder / "cgroup.subtree_control").read_text().split()
        except OSError:
            return None
        if "memory" in handed_on:
            return folder if os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK) else None
        if folder == root:
            return None
    return None


def _clean(above: Path) -> None:
    """Remove what a grading that was killed left there; one that holds a process cannot be removed."""
    for old in above.glob("lmtune-*-*"):
        if not os.path.exists(f"/proc/{old.name.split('-')[1]}"):
            try:
                old.rmdir()
            except OSError:
                pass
