"""A clean copy of one submission, within bounds, and its digest.  Each file is the bytes of an enemy."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lmtune.grading.printable import printable
from lmtune.grading.submissions import Submission

#: Bytes of the notebook; bytes and number of the files beside it.
LARGEST, ALL, MANY = 40_000_000, 40_000_000, 200
#: Folders in each other, bytes of a file's path within the submission, and files and folders that are looked at.
DEEP, LONG, LOOKED = 8, 200, 2000
#: The notebook's name in the copy.
NOTEBOOK = "notebook.ipynb"


@dataclass
class Copied:
    """What was copied: its digest, remarks on what was left out, and why there is nothing to grade."""

    digest: str = ""
    remarks: list[str] = field(default_factory=list)
    problem: str = ""


class LeftOut:
    """Counts what was left out, by reason, and names the first of each."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        self.names.setdefault(reason, []).append(name)

    def remarks(self) -> list[str]:
        """One sentence for each reason, however many names it has."""
        return [
            f"left out, because {reason}: "
            + ", ".join(printable(name)[:80] for name in names[:3])
            + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            for reason, names in self.names.items()
        ]


def copy(submission: Submission, target: Path) -> Copied:
    """Copy the notebook, as ``notebook.ipynb``, and the regular files beside it into the new folder ``target``.

    Links are never followed.  What is beyond a bound or cannot be read is left out with a remark.  Raises
    ``OSError`` only where the copy cannot be written, which is no fault of the submission.
    """
    target.mkdir()
    made, left = Copied(problem=submission.problem), LeftOut()
    if submission.problem or submission.notebook is None:
        return made
    try:
        data = _bytes(submission.notebook, LARGEST)
    except OSError as error:
        made.problem = f"the notebook cannot be read ({error.strerror or error})"
        return made
    if len(data) > LARGEST:
        made.problem = f"the notebook has more than {LARGEST / 1e6:.0f} MB: clear its outputs and hand it in again"
        return made
    digest = hashlib.sha256()
    _keep(target / NOTEBOOK, data, NOTEBOOK, digest)
    files = size = 0
    # A single file stands beside those of the others.
    for name, path in _files(submission.folder, left) if submission.folder else ():
        if path == str(submission.notebook) or name == NOTEBOOK:
            continue
        if files >= MANY:
            left.add(f"only {MANY} files are taken along", name)
            continue
        try:
            data = _bytes(path, ALL - size)
        except OSError as error:
            left.add(f"it cannot be read ({error.strerror or error})", name)
            continue
        if len(data) > ALL - size:
            left.add(f"only {ALL / 1e6:.0f} MB are taken along", name)
            continue
        files, size = files + 1, size + len(data)
        _keep(target / name, data, name, digest)
    made.digest, made.remarks = digest.hexdigest(), left.remarks()
    return made


def _keep(path: Path, data: bytes, name: str, digest: hashlib._Hash) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    digest.update(f"{len(os.fsencode(name))} {len(data)}\n".encode() + os.fsencode(name) + data)


def _bytes(path: str | Path, most: int) -> bytes:
    """At most ``most`` bytes of a regular file, and one more where it is longer; nothing else is opened or waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError("it is a link") from error
        raise
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is a link or no regular file")
        return file.read(most + 1)


def _files(top: Path, left: LeftOut) -> Iterator[tuple[str, str]]:
    """The files below ``top``, each as its path within it and its whole path, in the same order each time."""
    waiting, looked = [("", str(top), 0)], 0
    while waiting:
        inside, here, depth = waiting.pop()
        try:
            with os.scandir(here) as entries:
                found = list(islice(entries, LOOKED - looked + 1))
        except OSError as error:
            left.add(f"it cannot be read ({error.strerror or error})", inside or ".")
            continue
        looked += len(found)
        if looked > LOOKED:
            left.add(f"at most {LOOKED} files and folders are looked at", inside or ".")
            return
        folders = []
        for entry in sorted(found, key=lambda entry: entry.name):
            name = f"{inside}{entry.name}"
            if len(os.fsencode(name)) > LONG:
                left.add(f"its path has more than {LONG} bytes", name)
            elif entry.is_dir(follow_symlinks=False):
                if entry.name.startswith(".") or entry.name in ("__pycache__", "__MACOSX"):
                    continue
                if depth >= DEEP:
                    left.add(f"it lies in more than {DEEP} folders", name)
                else:
                    folders.append((f"{name}/", entry.path, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.path
            else:
                left.add("it is a link or no regular file", name)
        waiting += reversed(folders)
