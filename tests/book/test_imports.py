"""The floors of ARCHITECTURE.md are held by import-linter, and it can say no."""

import os
import shutil
import subprocess
import sys

from book.build import ROOT


def test_an_import_that_climbs_a_floor_is_found(tmp_path):
    """The floors of ARCHITECTURE.md, held by import-linter; planted: optim calls the training loop."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "lmtune", copy / "lmtune", ignore=shutil.ignore_patterns("pretrained", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)

    def lint():
        command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
        return subprocess.run(command, cwd=copy, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."})

    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr
    with (copy / "lmtune" / "optim" / "schedules.py").open("a") as file:
        file.write("\nfrom lmtune.training.loop import fit\n")
    assert lint().returncode == 1 and "Each floor imports only floors below it BROKEN" in lint().stdout
