"""Run a student's code in a process of its own, with limits, and get plain data back.

What runs inside is ``inside.py``; what it can reach is decided by ``namespaces.py``.
Expected answers never go in: they are compared with what comes out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lmtune.arguments import is_whole
from lmtune.exercises import plain
from lmtune.grading import namespaces

HERE = Path(__file__).resolve().parent
#: The package, which a process inside can read.
PACKAGE = HERE.parent
#: What a process inside sees beside its copy of the submission: this Python, and no more.
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
#: Bytes of printed text that are kept for the student; more is read and dropped.
KEPT = 4000
#: Seconds in which a process must have started, also on a busy machine.
START = 60
MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one answer function may use.

    Args:
        seconds: wall-clock time, for all cases together; also processor time.
        memory_mb: memory of all its processes together; watched ten times a second.
        address_mb: address space of one process; a torch that is imported takes several GB of it.
        disk_mb: its whole file system, which is kept in memory.
        file_mb: one file.
        processes: processes and threads.
        output_mb: what it prints.
    """

    seconds: int = 20
    memory_mb: int = 1500
    address_mb: int = 8000
    disk_mb: int = 96
    file_mb: int = 16
    processes: int = 32
    output_mb: int = 8

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not is_whole(value) or value < 1:
                raise ValueError(f"The limit {field.name} is {value!r}; it must be a whole number from 1 on.")


@dataclass
class Outcome:
    """What came out: replies in order, and ``ended``, why there are no more when there should be."""

    replies: list[Any]
    ended: str
    printed: str
    seconds: float
    peak_mb: float


def run(request: dict, folder: Path, expected: int, limits: Limits = Limits(), unsafe: bool = False) -> Outcome:
    """Give ``request`` to a process that sees a copy of ``folder``, and collect ``expected`` replies.

    ``unsafe`` leaves the namespaces away and keeps the limits that the system has.
    Raises ``OSError`` when this machine cannot isolate.
    """
    refusals, told = os.pipe()
    with tempfile.TemporaryDirectory(prefix="lmtune-sandbox-") as root, os.fdopen(refusals, "rb") as refused:
        began = time.monotonic()
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
            out, said, ended, peak = _watch(process, json.dumps(request).encode() + b"\n", limits)
        finally:
            _kill(process)
        why = refused.read().decode(errors="replace")
    if why:
        raise OSError(f"isolation failed: {why}")
    replies, broken = _replies(out, expected)
    if len(replies) < expected and not ended:
        ended = broken or _exit(process.returncode)
    return Outcome(replies, ended, said[-KEPT:].decode(errors="replace"), time.monotonic() - began, peak)


def missing() -> str:
    """Why this machine cannot isolate a submission, in words, and ``""`` where it can."""
    if not sys.platform.startswith("linux"):
        return f"grading is isolated on Linux only, and this is {sys.platform}"
    return _tried()


@lru_cache(maxsize=1)
def _tried() -> str:
    """One process is isolated for a trial."""
    probe = {
        "code": "import os\ndef who():\n    return [os.getuid(), len(os.listdir('/proc/self/task')), "
        "len(os.listdir('/home/student'))]",
        "name": "who",
        "cases": [[]],
    }
    with tempfile.TemporaryDirectory(prefix="lmtune-probe-") as folder:
        try:
            outcome = run(probe, Path(folder), 1, Limits(seconds=20))
        except OSError as error:
            return (
                f"a process could not get namespaces of its own ({error}); in a container or on a system that "
                "forbids user namespaces, allow them or grade on another machine"
            )
    if not outcome.replies or outcome.replies[0].get("value") != [namespaces.INSIDE, 1, 0]:
        return f"a trial in the sandbox gave {outcome.replies} {outcome.ended} {outcome.printed}"
    return ""


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
    }
    return [sys.executable, "-I", str(HERE / "namespaces.py"), json.dumps(settings)]


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


def _watch(process: subprocess.Popen, request: bytes, limits: Limits) -> tuple[bytes, bytes, str, float]:
    """Feed and read a process until it ends or passes a limit."""
    deadline = time.monotonic() + START  # until the process says that it begins
    out, said, read, peak, sent, looked = bytearray(), bytearray(), 0, 0.0, 0, 0.0
    with selectors.DefaultSelector() as ready:
        for stream, wanted in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(stream.fileno(), False)
            ready.register(stream, wanted)
        while ready.get_map():
            for key, _ in ready.select(0.1):
                if key.fileobj is process.stdin:
                    sent += _send(process.stdin, request[sent : sent + 65536])
                    if sent >= len(request):
                        ready.unregister(process.stdin)
                        process.stdin.close()
                    continue
                data = os.read(key.fileobj.fileno(), 65536)
                read += len(data)
                if not data:
                    ready.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    deadline = deadline if out else time.monotonic() + limits.seconds
                    out += data
                else:
                    said = (said + data)[-KEPT:]
            if time.monotonic() - looked > 0.1:
                looked, peak = time.monotonic(), max(peak, memory_mb(process.pid))
            if time.monotonic() > deadline:
                return bytes(out), bytes(said), f"took more than {limits.seconds} seconds", peak
            if peak > limits.memory_mb:
                return bytes(out), bytes(said), f"used more than {limits.memory_mb} MB of memory", peak
            if read > limits.output_mb * MB:
                return bytes(out), bytes(said), f"printed more than {limits.output_mb} MB", peak
    try:
        process.wait(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return bytes(out), bytes(said), f"took more than {limits.seconds} seconds", peak
    return bytes(out), bytes(said), "", peak


def _send(stream: Any, data: bytes) -> int:
    try:
        return os.write(stream.fileno(), data)
    except BlockingIOError:
        return 0
    except BrokenPipeError:  # it ended before it read everything
        return 1 << 60


def memory_mb(pid: int) -> float:
    """Memory of a process and of all that descend from it; 0 where the system does not say."""
    parents, pages = {}, {}
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry))
        pages[int(entry)] = int(fields[21])
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += pages.get(one, 0)
        waiting += parents.get(one, [])
    return total * os.sysconf("SC_PAGE_SIZE") / MB if pages else 0.0


def _kill(process: subprocess.Popen) -> None:
    """End the process and everything that it began: its namespace dies with its first process."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


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


def _exit(code: int | None) -> str:
    known = {
        0: "ended before it gave an answer",
        9: "was killed",
        11: "crashed (segmentation fault)",
        24: "took too much processor time",
    }
    return known.get(abs(code or 0), f"ended with exit status {code} before it gave an answer")
