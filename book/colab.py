"""Try what is special about Colab: python -m book.colab

Three things, each in one line: installing lmtune brings lmtune alone and replaces nothing; the explorers
work with the ipywidgets that Colab has had for years, whose wheel is fetched for this; and git knows every
notebook, at the path that follows the branch in a Colab address. Colab itself is not tried.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from book.cells.execute import offline_environment
from book.cells.places import ROOT, notebook_paths

WIDGETS = ("ipywidgets==7.7.1", "ipython_genutils==0.2.0")
PACKAGE = ("lmtune", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def run(*command, **settings):
    """A command's output; its end where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings)
    if done.returncode:
        sys.exit(f"colab: FAILED: {' '.join(map(str, command[1:6]))} ...\n{done.stdout[-2000:]}")
    return done.stdout


def installed(folder):
    """The distributions that installing lmtune would bring into this environment, by name."""
    source = folder / "source"
    source.mkdir()
    for name in PACKAGE:  # a copy, because building leaves files behind
        path = ROOT / name
        shutil.copytree(path, source / name) if path.is_dir() else shutil.copy(path, source)
    run(*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, source)
    (wheel,) = folder.glob("lmtune-*.whl")
    report = folder / "report.json"
    run(*PIP, "install", "--dry-run", "--quiet", "--no-index", "--report", report, wheel)
    return [one["metadata"]["name"] for one in json.loads(report.read_text("utf-8"))["install"]]


def old_widgets(folder):
    """Run the tests of the explorers with the widgets of Colab; the summary's line."""
    run(*PIP, "install", "--quiet", "--no-deps", "--target", folder / "widgets", *WIDGETS)
    settings = {**os.environ, **offline_environment(1), "PYTHONPATH": str(folder / "widgets")}
    used = run(sys.executable, "-c", "import ipywidgets; print(ipywidgets.__version__)", env=settings).strip()
    if f"ipywidgets=={used}" not in WIDGETS:
        sys.exit(f"colab: FAILED: the tests would use ipywidgets {used}, not {WIDGETS[0]}")
    return run(
        sys.executable, "-m", "pytest", "-q", "-W", "ignore", "tests/notebook/test_explorer.py", cwd=ROOT, env=settings
    ).splitlines()[-1]


def unknown_to_git():
    """The notebooks that a button would look for in vain."""
    known = set(run("git", "ls-files", "-z", "--full-name", "chapters", cwd=ROOT).split("\0"))
    return [path for path in (path.relative_to(ROOT).as_posix() for path in notebook_paths()) if path not in known]


def main():
    with tempfile.TemporaryDirectory(prefix="lmtune-colab-") as folder:
        brought = installed(Path(folder))
        print(f"colab: installing lmtune brings: {', '.join(brought)}", flush=True)
        print(f"colab: explorers with {WIDGETS[0]}: {old_widgets(Path(folder))}", flush=True)
    missing = unknown_to_git()
    print(f"colab: notebooks where a button would not find them: {', '.join(missing) or 'none'}")
    return 0 if brought == ["lmtune"] and not missing else 1


if __name__ == "__main__":
    sys.exit(main())
