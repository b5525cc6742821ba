"""Test the package and every notebook: python -m book.test [pytest arguments]

One pytest run holds both, so that one summary line closes the output.
"""

import os
import subprocess
import sys

from book.cells.execute import CELL_TIMEOUT, cores, offline_environment
from book.cells.places import ROOT, notebook_paths

WORKERS = 4  # more would each load torch and wait for the same memory


def command(targets, workers):
    """The pytest command line for some tests and notebooks."""
    # The plugin makes nbval compare normalised outputs and refuse unrun cells.
    arguments = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "book.cells.nbval_plugin",
        "--nbval",
        "--nbval-current-env",
        f"--nbval-cell-timeout={CELL_TIMEOUT}",
        *targets,
    ]
    if workers > 1:
        # By file, because the cells of a notebook share one kernel; in the
        # given order, so that the notebooks, which take longest, start first.
        arguments += ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    return arguments


def environment(workers):
    """Offline, and no more threads altogether than there are cores."""
    return {**os.environ, **offline_environment(max(1, cores() // workers))}


def main(arguments=None):
    extra = sys.argv[1:] if arguments is None else arguments
    notebooks = [str(path.relative_to(ROOT)) for path in notebook_paths()]
    workers = min(cores(), WORKERS)
    print("test: skipped here: the built pages in a browser (make book look)")
    print(f"test: the package and {len(notebooks)} notebook(s), in {workers} process(es)", flush=True)
    return subprocess.run(
        command([*notebooks, "tests", *extra], workers), cwd=ROOT, env=environment(workers)
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
