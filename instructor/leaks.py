"""Where a folder, or the history of a git clone, holds what students must not see."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

from instructor.hidden_lines import LEAST, packed
from instructor.texts import texts

#: Every text of LEAST characters covers a whole block of this length, wherever the blocks begin.
BLOCK = LEAST // 2
#: So many hidden lines are named of one file.
EACH = 3
#: Files that are an instructor's own, by name: the seed, who is in the class, their points.
PRIVATE = re.compile(r"(?:^|/)(?:grading\.toml|roster[^/]*\.csv|open\.csv|results\.csv|moodle\.csv|canvas\.csv)$")


class Search:
    """Finds hidden lines in texts, in a time that hardly grows with their number."""

    def __init__(self, hidden: dict[str, str]) -> None:
        self.hidden = hidden
        self.short = [line for line in hidden if len(line) < LEAST]
        self.at: dict[str, set[str]] = defaultdict(set)
        for line in hidden:
            for start in range(min(BLOCK, len(line) - BLOCK + 1)):
                self.at[line[start : start + BLOCK]].add(line)

    def __call__(self, name: str, data: bytes) -> list[str]:
        """What is hidden and stands in a file, each once, with its place and where it is from."""
        found: dict[str, str] = {}
        try:
            for place, text in texts(name, data):
                for number, line in sorted(self._lines(text)):
                    found.setdefault(line, f"{place}, line {number}: {line[:100]} (from {self.hidden[line]})")
        except ValueError as error:
            found[""] = str(error)
        more = [f"{name}: {len(found) - EACH} more such lines"] if len(found) > EACH else []
        return [*list(found.values())[:EACH], *more]

    def _lines(self, text: str) -> Iterator[tuple[int, str]]:
        lines = [packed(line) for line in text.split("\n")]
        whole = "".join(lines)
        likely = set(self.short)
        for start in range(0, len(whole) - BLOCK + 1, BLOCK):
            likely |= self.at.get(whole[start : start + BLOCK], set())
        ends = list(accumulate(map(len, lines))) if likely else []
        for line in likely:
            at = whole.find(line)
            if at >= 0:
                yield bisect_right(ends, at) + 1, line


def in_folder(folder: Path, search: Search) -> tuple[int, list[str]]:
    """How many files were read, and what was found: of a git clone the files that it has or would take."""
    found, names = [], sorted(_names(folder))
    for name in names:
        path = folder / name
        data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        found += named(name) + search(name, data)
    return len(names), found


def named(name: str) -> list[str]:
    """What the name of a file alone gives away."""
    if name.startswith("instructor/"):
        return [f"{name}: the instructor's folder is in it"]
    return [f"{name}: an instructor's own file, by its name"] if PRIVATE.search(name) else []


def _names(folder: Path) -> Iterator[str]:
    if is_clone(folder):
        listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0")
        yield from {n for n in listed if n and ((folder / n).is_symlink() or (folder / n).is_file())}
        return
    for here, folders, files in os.walk(folder):
        if ".git" in folders:
            raise ValueError(f"{here} is a git clone inside {folder}; check it by itself, and then without it")
        # A virtual environment holds other people's packages.
        folders[:] = [f for f in folders if not (Path(here) / f / "pyvenv.cfg").exists()]
        yield from (Path(here, file).relative_to(folder).as_posix() for file in files)


def in_history(folder: Path, search: Search) -> tuple[int, list[str]]:
    """The same for every file that any branch or tag ever held, and for every message."""
    if git(folder, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise ValueError(f"{folder} is a shallow clone, without its whole history; first run: git fetch --unshallow")
    ever = git(folder, "-c", "log.showRoot=true", "log", "--all", "-m", "-z", "--format=", "--name-only")
    found = [
        f"history: {leak}" for name in sorted(set(ever.decode(errors="replace").split("\0"))) for leak in named(name)
    ]
    listed = git(folder, "rev-list", "--objects", "--all").decode(errors="replace").splitlines()
    names = dict(line.partition(" ")[::2] for line in listed)
    read = 0
    for sha, kind, data in _objects(folder, names):
        if kind != "tree":
            read += 1
            leaks = search(names[sha] if kind == "blob" else "its message", data)
            where = _since(folder, sha) if leaks and kind == "blob" else f"{kind} {sha[:10]}"
            found += [f"history, {where}: {leak}" for leak in leaks]
    return read, found


def _since(folder: Path, sha: str) -> str:
    """The first commit that holds a file."""
    commits = git(folder, "log", "--all", "-m", "--reverse", "--format=%h", f"--find-object={sha}").decode().split()
    return f"commit {commits[0]}" if commits else f"object {sha[:10]}"


def _objects(folder: Path, shas: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
    with tempfile.TemporaryFile() as wanted:
        wanted.write("".join(f"{sha}\n" for sha in shas).encode())
        wanted.seek(0)
        command = ["git", "-C", str(folder), "cat-file", "--batch", "--buffer"]
        with subprocess.Popen(command, stdin=wanted, stdout=subprocess.PIPE, env=_environment()) as process:
            while head := process.stdout.readline().split():
                if head[1] == b"missing":
                    raise ValueError(f"{folder} lacks the object {head[0].decode()} of its history; clone it whole")
                yield head[0].decode(), head[1].decode(), process.stdout.read(int(head[2]))
                process.stdout.read(1)


def is_clone(folder: Path) -> bool:
    """Whether a folder is itself a git clone with files, and does not merely lie in one."""
    return (folder / ".git").exists()


def is_bare(folder: Path) -> bool:
    """Whether a folder is a git repository without files."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def git(folder: Path, *arguments: str) -> bytes:
    """What git says of a folder; ``ValueError`` with its own words where it refuses."""
    try:
        run = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, env=_environment())
    except FileNotFoundError as error:
        raise ValueError("git is needed for this and is not installed.") from error
    if run.returncode:
        raise ValueError(f"git {arguments[0]} failed in {folder}: {run.stderr.decode(errors='replace').strip()}")
    return run.stdout


def _environment() -> dict[str, str]:
    """Without GIT_DIR and its like, which a hook sets and which name another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
