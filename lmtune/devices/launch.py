"""Start a script in several processes with ``torchrun``, and leave none of them behind.

Whoever starts the processes holds the writing end of a pipe; each process reads from it and
ends when it closes.  So they end with their parent, whatever ended the parent: the end of the
run, an exception, Ctrl-C, or a kernel that was killed.
"""

from __future__ import annotations

import os
import re
import runpy
import socket
import subprocess
import sys
import threading
from pathlib import Path

from lmtune.arguments import refuse


def loopback() -> bool:
    """Whether processes of this machine can talk over 127.0.0.1, as ``torchrun`` and gloo need."""
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            with socket.create_connection(listener.getsockname(), timeout=2):
                return True
    except OSError:
        return False


def torchrun(script: str | Path, *arguments: str, processes: int = 2, timeout: float = 120) -> str:
    """Run a Python script in ``processes`` processes and return what they printed.

    The same as ``torchrun --standalone --nproc-per-node=2 script.py``, except that each process
    gets one thread and that none survives this call.  Raises ``ConnectionError`` where the
    machine has no loopback interface, ``RuntimeError`` with the last lines of output when the
    script fails, and ``TimeoutError`` after ``timeout`` seconds.
    """
    refuse(processes < 1, "processes", processes, "at least 1")
    refuse(not Path(script).is_file(), "script", str(script), "the path of an existing Python file")
    if not loopback():
        raise ConnectionError(
            "This machine has no loopback interface, so its processes cannot talk to each "
            "other; bring it up with: ip link set lo up"
        )
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        "-m",
        "lmtune.devices.launch",
        str(script),
        *arguments,
    ]
    # The folder of lmtune, for one that is not installed.
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent.parent.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    run = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        # communicate() would close the pipe at once, and the processes would end.
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.append(run.stdout.read()), daemon=True)
        reader.start()
        run.wait(timeout)
        reader.join(10)
    except subprocess.TimeoutExpired:
        raise TimeoutError(
            f"The processes were not done after {timeout:g} s and were ended; give a longer "
            "timeout, or look for one that waits for the other."
        ) from None
    finally:
        _end(run)
    text = "".join(said)
    if run.returncode:
        own = re.split(r"^.*failed \(exitcode|^[EW]\d{4} .*elastic", text, maxsplit=1, flags=re.MULTILINE)[0]
        lines = "\n".join(own.strip().splitlines()[-30:])
        raise RuntimeError(f"The script ended with status {run.returncode}; the last it said:\n{lines}")
    return text


def _end(run: subprocess.Popen) -> None:
    """Close the pipe, which ends the processes, and then whoever started them."""
    try:
        run.stdin.close()
    except OSError:
        pass
    for stop in (lambda: None, run.terminate, run.kill):
        stop()
        try:
            run.wait(10)
            break
        except subprocess.TimeoutExpired:
            continue


def _end_with_parent() -> None:
    """End this process when the pipe on its standard input closes."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
