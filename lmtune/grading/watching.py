"""Feed and read one process until it ends or passes a limit, and end it with all that it began."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from lmtune.grading.cgroup import Group
from lmtune.grading.limits import Limits

#: Bytes of printed text that are kept; more is read and dropped.
KEPT = 4000
#: Seconds in which a process must have started, also on a busy machine.
START = 60
MB = 1 << 20


@dataclass
class Watched:
    """What a process wrote to either stream, why it was ended (``""`` where it was not), and its memory."""

    out: bytes
    said: bytes
    ended: str
    peak_mb: float

    @property
    def begun(self) -> bool:
        """Whether it wrote its first line, which it does before anything of a submission runs."""
        return b"\n" in self.out


def watch(process: subprocess.Popen, request: bytes, limits: Limits, group: Group | None = None) -> Watched:
    """Give ``request`` to a process, and collect what it writes until it ends or passes a limit."""
    deadline = time.monotonic() + START  # until the process says that it begins
    out, said, read, peak, sent, looked, ended = bytearray(), bytearray(), 0, 0.0, 0, 0.0, ""
    with selectors.DefaultSelector() as ready:
        for stream, wanted in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(stream.fileno(), False)
            ready.register(stream, wanted)
        while ready.get_map() and not ended:
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
            ended = _passed(limits, time.monotonic() - deadline, peak, read)
    if not ended:
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            ended = _passed(limits, 1, 0, 0)
    if group is not None and group.killed():
        ended = _passed(limits, 0, limits.memory_mb + 1, 0)
    return Watched(bytes(out), bytes(said), ended, peak)


def _passed(limits: Limits, late: float, peak_mb: float, read: int) -> str:
    """Which limit was passed, in words."""
    if late > 0:
        return f"took more than {limits.seconds} seconds"
    if peak_mb > limits.memory_mb:
        return f"used more than {limits.memory_mb} MB of memory"
    if read > limits.output_mb * MB:
        return f"printed more than {limits.output_mb} MB"
    return ""


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


def end(process: subprocess.Popen) -> None:
    """End the process and everything that it began: its namespace dies with its first process."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def exit_of(code: int | None) -> str:
    """What an exit status means, in words."""
    known = {
        0: "ended before it gave an answer",
        9: "was killed",
        11: "crashed (segmentation fault)",
        24: "took too much processor time",
        31: "made a system call of another kind of machine",
    }
    return known.get(abs(code or 0), f"ended with exit status {code} before it gave an answer")
