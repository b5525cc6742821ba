"""Run the notebooks as another processor would: python -m book.portability [NAMES]

One thread and the oldest vector instructions imitate a machine unlike the one
that made the outputs. Cells tagged `slow` are left out, and the rest must give
the stored outputs again.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from book.cells.execute import offline_environment
from book.cells.places import ROOT, names, notebook_path
from book.test import command

OTHER_PROCESSOR = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "PYTHONPATH": str(ROOT),
}


def without_slow_cells(path, folder):
    """A copy of a notebook in `folder` that lacks the cells tagged `slow`."""
    notebook = nbformat.read(path, as_version=4)
    kept = [cell for cell in notebook.cells if "slow" not in cell.metadata.get("tags", [])]
    left_out = len(notebook.cells) - len(kept)
    notebook.cells = kept
    nbformat.write(notebook, folder / path.name)
    return left_out


def main(arguments=None):
    chosen = (sys.argv[1:] if arguments is None else arguments) or names()
    environment = {**os.environ, **offline_environment(1), **OTHER_PROCESSOR}
    # Beside the real folder, because a notebook may name files relative to its own.
    folder = Path(tempfile.mkdtemp(prefix=".portability-", dir=ROOT))
    try:
        for name in chosen:
            left_out = without_slow_cells(notebook_path(name), folder)
            print(f"portability: {name}, {left_out} slow cell(s) left out", flush=True)
        run = subprocess.run([*command([str(folder)], workers=1), "-p", "no:cacheprovider"], cwd=ROOT, env=environment)
    finally:
        shutil.rmtree(folder)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
