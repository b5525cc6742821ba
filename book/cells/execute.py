"""Run a notebook in this environment and say what it cost."""

import os
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

CPU_LIMIT = 360  # CPU-seconds a notebook may use, its kernel's start included
CELL_TIMEOUT = 600  # seconds by the clock, on a machine that does other work too; costs are limited in CPU-seconds


@dataclass(frozen=True)
class Cost:
    """What one run used: wall-clock seconds, and CPU-seconds or None where unknown."""

    wall: float
    cpu: float | None

    def __str__(self):
        cpu = "CPU time not measured here" if self.cpu is None else f"{self.cpu:.0f} CPU-seconds"
        return f"{cpu}, {self.wall:.0f} s"


def cores():
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def offline_environment(threads):
    """Environment variables for every kernel: no hub, a fixed number of threads, nothing kept of what is checked."""
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": str(threads),
        "LMTUNE_PROGRESS": "off",  # what the book checks is nobody's progress
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a debugger's note, else on stderr
    }


def children_cpu():
    """CPU-seconds of all ended child processes and theirs; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def connection():
    """How to reach a kernel, as settings of its manager.

    Through the loopback interface; where even that is down, as in a fresh network
    namespace (the strictest way to be offline), through sockets in the file system.
    """
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            with socket.create_connection(listener.getsockname(), timeout=2):
                return {}
    except OSError:
        # An absolute name, because kernel and client have different folders.
        return {"transport": "ipc", "ip": f"{tempfile.gettempdir()}/lmtune-{uuid.uuid4().hex}"}


class ThisEnvironment(AsyncKernelManager):
    """Starts the kernel of this very environment, whatever kernels are registered."""

    def __init__(self, **settings):
        super().__init__(
            **{
                **settings,
                **connection(),
                "kernel_name": CURRENT_ENV_KERNEL_NAME,
                "kernel_spec_manager": NbvalKernelspecManager(),
            }
        )


def run(notebook, folder, name="notebook", environment=None, tell=print):
    """Execute `notebook` in place with `folder` as working directory.

    Returns the Cost; raises nbclient's CellExecutionError at the first failing
    cell and DeadKernelError when the kernel dies.
    """
    began, before = time.perf_counter(), children_cpu()

    def started(cell, cell_index):
        if cell.cell_type == "code":
            tell(f"  {name}: cell {cell_index + 1}/{len(notebook.cells)}, {time.perf_counter() - began:.0f} s")

    # The client starts and stops the kernel, whose CPU time counts once it has stopped.
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisEnvironment,
        timeout=CELL_TIMEOUT,
        on_cell_start=started,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    # The kernel's own remarks about its connection are of no use to anybody here.
    client.execute(env={**os.environ, **(environment or offline_environment(cores()))}, stderr=subprocess.DEVNULL)
    after = children_cpu()
    return Cost(time.perf_counter() - began, None if after is None else after - before)
