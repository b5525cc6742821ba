"""Where a grading works: a folder for its copies, which a later one clears after a kill, and a lock on its report.

Both are held by locks that the system lets go of when the process ends, however it ends.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How the folder of one grading is named, and the file in it that is locked while it lives.
PREFIX, LOCK = "lmtune-grading-", "lock"
#: Seconds in which a process that was just being started lets go of what a killed grading had locked.
PATIENCE = 3.0


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for the copies of one grading; what gradings that were killed left is removed first."""
    clear()
    new = Path(tempfile.mkdtemp(prefix="lmtune-new-"))
    place = new.with_name(new.name.replace("lmtune-new-", PREFIX, 1))
    try:
        lock = _locked(new / LOCK)
    except OSError:  # no locks there; then nobody clears it
        lock = None
    try:
        new.rename(place)  # under this name it is always locked or dead
        yield place
    finally:
        remove(place)
        remove(new)
        if lock is not None:
            os.close(lock)


def clear() -> list[Path]:
    """Remove the folders of gradings that are dead; those removed.  Nothing of another user, and no link."""
    removed = []
    for place in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        try:
            about = place.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or not (place / LOCK).exists():
                continue
            lock = _locked(place / LOCK)
        except OSError:
            continue
        if lock is not None:
            remove(place)
            os.close(lock)
            removed.append(place)
    return removed


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Be the only one that writes into the report folder ``out``; ``ValueError`` when another is at work there."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / ".lock"
    until = time.monotonic() + PATIENCE
    try:
        while (lock := _locked(path)) is None and time.monotonic() < until:
            time.sleep(0.1)
    except OSError as error:
        raise ValueError(f"{path} cannot be locked ({error.strerror}); give another --out.") from error
    if lock is None:
        raise ValueError(f"Another grading is at work in {out}; wait until it has ended, or give another --out.")
    try:
        yield
    finally:
        os.close(lock)


def _locked(path: Path) -> int | None:
    """A handle that holds a lock on a file, and None when another process holds it."""
    import fcntl  # not on Windows, where nothing is graded

    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        os.close(handle)
        raise
    return handle


def remove(folder: Path) -> None:
    """Remove a folder with all in it, as far as that goes; also when it is deeper than Python follows."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        pass
    if folder.exists():
        subprocess.run(["rm", "-rf", "--", str(folder)], stderr=subprocess.DEVNULL, check=False)
