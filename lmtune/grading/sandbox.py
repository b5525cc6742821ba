"""Run a student's code in a process of its own, with limits, and get plain data back.

What runs inside is ``inside.py``; what it can reach is decided by ``namespaces.py``.
Expected answers never go in: they are compared with what comes out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lmtune.exercises import plain
from lmtune.grading import cgroup, namespaces, seccomp
from lmtune.grading.limits import Limits
from lmtune.grading.watching import KEPT, MB, Watched, end, exit_of, watch
from lmtune.grading.workplace import remove

DEFAULT = Limits()
HERE = Path(__file__).resolve().parent
#: The package, which a process inside can read.
PACKAGE = HERE.parent
#: What a process inside sees beside its copy of the submission: this Python, and no more.
#: No /dev/zero: what is mapped from it is shared memory that stays when a process lets its pages go.
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/null", "/dev/random", "/dev/urandom")


@dataclass
class Outcome:
    """What came out: replies in order, and ``ended``, why there are no more when there should be.

    ``passed_limit`` says that it was ended for a limit, which ``ended`` then names in our own words.
    """

    replies: list[Any]
    ended: str
    printed: str
    seconds: float
    peak_mb: float
    passed_limit: bool = False


def run(
    request: dict, folder: Path, expected: int, limits: Limits = DEFAULT, unsafe: bool = False, work: Path | None = None
) -> Outcome:
    """Give ``request`` to a process that sees a copy of ``folder``, and collect ``expected`` replies.

    ``unsafe`` leaves the namespaces away and keeps the limits that the system has; ``work`` is a folder for
    what is written outside.  Raises ``OSError`` when this machine cannot isolate, or could not start the
    process: then nothing is known of the answer.
    """
    root = tempfile.mkdtemp(prefix="lmtune-sandbox-", dir=work)
    try:
        began = time.monotonic()
        watched, code = _started(request, folder, root, limits, unsafe)
    finally:
        remove(Path(root))
    if not watched.begun:
        said = watched.said[-200:].decode(errors="replace").strip()
        raise OSError(f"the process in the sandbox did not begin: it {watched.ended or exit_of(code)} {said}".strip())
    replies, broken = _replies(watched.out, expected)
    ended = watched.ended
    if len(replies) < expected and not ended:
        ended = broken or exit_of(code)
    printed = watched.said[-KEPT:].decode(errors="replace")
    return Outcome(replies, ended, printed, time.monotonic() - began, watched.peak_mb, bool(watched.ended))


def _started(request: dict, folder: Path, root: str, limits: Limits, unsafe: bool) -> tuple[Watched, int]:
    """Start the process and watch it to its end; what it wrote, and its exit status."""
    refusals, told = os.pipe()
    # Bounded by the kernel where it can be; files in memory count there, the copy among them, and so does the start.
    group = None if unsafe else cgroup.made((limits.memory_mb + limits.disk_mb + 160) * MB)
    with os.fdopen(refusals, "rb") as refused:
        try:
            # Nothing secret: the environment is written here and inherits nothing.
            process = subprocess.Popen(
                _command(folder, root, limits, unsafe, told),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(root if unsafe else namespaces.HOME),
                start_new_session=True,
                pass_fds=[] if unsafe else [told],
                cwd=str(folder) if unsafe else "/",
            )
        finally:
            os.close(told)
        try:
            if group is not None and not group.add(process.pid):
                group.remove()
                group = None
            watched = watch(process, json.dumps(request).encode() + b"\n", limits, group)
        finally:
            end(process)
            if group is not None:
                group.remove()
        why = refused.read().decode(errors="replace")
    if why:
        raise OSError(f"isolation failed: {why}")
    return watched, process.returncode


def missing() -> str:
    """Why this machine cannot isolate a submission, in words, and ``""`` where it can."""
    if not sys.platform.startswith("linux"):
        return f"grading is isolated on Linux only, and this is {sys.platform}"
    return _tried()[0]


def unfiltered() -> str:
    """Why system calls are not filtered in the sandbox, in words, and ``""`` where they are."""
    if not seccomp.program():
        return "no filter of system calls is known for this machine"
    return "" if _tried()[1] else "this system does not filter system calls (seccomp)"


#: Asks from within; memory that is shared and has no name is what no other filter refuses.
_PROBE = """
def who():
    import mmap, os
    try:
        filtered = mmap.mmap(-1, 4096) is None
    except OSError:
        filtered = True
    return [os.getuid(), len(os.listdir("/proc/self/task")), len(os.listdir("/home/student")), filtered]
"""


@lru_cache(maxsize=1)
def _tried() -> tuple[str, bool]:
    """One process is isolated for a trial: why that failed, and whether its calls were filtered."""
    probe = {"code": _PROBE, "name": "who", "cases": [[]]}
    folder = tempfile.mkdtemp(prefix="lmtune-probe-")
    try:
        outcome = run(probe, Path(folder), 1, Limits(seconds=20))
    except OSError as error:
        return (
            f"a process could not get namespaces of its own ({error}); in a container or on a system that "
            "forbids user namespaces, allow them or grade on another machine",
            False,
        )
    finally:
        remove(Path(folder))
    value = outcome.replies[0].get("value") if outcome.replies else None
    if not isinstance(value, list) or value[:3] != [namespaces.INSIDE, 1, 0]:
        return f"a trial in the sandbox gave {outcome.replies} {outcome.ended} {outcome.printed}", False
    return "", value[3]


def shown() -> list[str]:
    """The files and folders that a process inside can read, each once."""
    prefixes = (sys.base_prefix, sys.prefix)  # either may be reached through a link
    paths = [*SYSTEM, *prefixes, *map(os.path.realpath, prefixes), str(PACKAGE)]
    kept: list[str] = []
    for path in sorted({os.path.abspath(p) for p in paths}, key=len):
        if not any(path.startswith(k + "/") for k in kept if not os.path.islink(k)):
            kept.append(path)
    return kept


def _command(folder: Path, root: str, limits: Limits, unsafe: bool, refusals: int) -> list[str]:
    program = [sys.executable, "-I", str(HERE / "inside.py")]
    if unsafe:
        return [sys.executable, "-I", "-c", _UNSAFE, json.dumps([str(HERE), dataclasses.asdict(limits), program])]
    settings = {
        "root": root,
        "shown": shown(),
        "folder": str(folder),
        "limits": dataclasses.asdict(limits),
        "command": program,
        "environment": _environment(namespaces.HOME),
        "refusals": refusals,
        "filter": seccomp.program().hex(),
    }
    # Without site: nothing that is installed runs before the namespaces are there.
    return [sys.executable, "-I", "-S", str(HERE / "namespaces.py"), json.dumps(settings)]


#: Without namespaces: the limits alone, where the system has them.
_UNSAFE = """
import importlib.util, json, os, sys
here, limits, program = json.loads(sys.argv[1])
try:
    import resource
    found = importlib.util.spec_from_file_location("namespaces", here + "/namespaces.py")
    namespaces = importlib.util.module_from_spec(found)
    found.loader.exec_module(namespaces)
    limits["processes"] = 4096  # counts all processes of this user where there is no namespace
    namespaces.limit(limits)
except (ImportError, AttributeError, ValueError, OSError):
    pass
os.execv(program[0], program)
"""


def _environment(home: str) -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "HF_HUB_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **threads,
    }


def _replies(out: bytes, expected: int) -> tuple[list[Any], str]:
    """The lines of JSON among the first ``expected`` ones, up to the first that is none."""
    replies: list[Any] = []
    for line in out.split(b"\n")[1 : expected + 1]:  # the first says only that it began
        if not line:
            break
        try:
            reply = plain.read(line)
        except ValueError as error:
            return replies, f"sent something that is no answer ({error})"
        if not isinstance(reply, dict):
            return replies, "sent something that is no answer"
        replies.append(reply)
        if "failed" in reply or "unreadable" in reply:
            break
    return replies, ""
