"""Measure what every notebook costs: python -m book.measure [NAMES]

Each runs once, alone, in a process of its own; nothing of it is kept but its time, its
memory and the versions, in `reference/measured.json`, from which the book's pages take them.
"""

import argparse
import hashlib
import json
import platform
import re
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

import nbformat
import torch

from book.cells import execute
from book.cells.places import ROOT, names, notebook_path

RECORD = ROOT / "reference" / "measured.json"
LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "optuna",
    "numpy",
    "scipy",
    "scikit-learn",
    "networkx",
    "matplotlib",
    "jupyter-book",
)


def digest(name, root=ROOT):
    """What the code of a notebook is known by: 12 hexadecimal digits."""
    cells = nbformat.read(notebook_path(name, root), as_version=4).cells
    code = "\0".join(
        cell.source for cell in cells if cell.cell_type == "code" and "colab" not in cell.metadata.get("tags", [])
    )
    return hashlib.blake2b(code.encode(), digest_size=6).hexdigest()


def machine():
    """The machine in words: cores, processor where the system tells it, and GPU."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", path.read_text(), re.MULTILINE) if path.exists() else None
    processor = found[1].strip() if found else platform.processor() or platform.machine()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{execute.cores()} cores of {processor}, {gpu}"


def inside(name):
    """Run one notebook in this process' children and print its cost as JSON."""
    import resource  # not there on Windows, where memory is not measured by this command

    notebook = nbformat.read(notebook_path(name), as_version=4)
    cost = execute.run(notebook, notebook_path(name).parent, name, tell=lambda line: None)
    unit = 1 if sys.platform == "darwin" else 1024
    largest = unit * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(
        json.dumps(
            {"seconds": round(cost.wall, 1), "cpu_seconds": round(cost.cpu, 1), "megabytes": round(largest / 1e6)}
        )
    )


def record():
    """What was measured before; empty at first."""
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


def measure(name):
    """Run one notebook and write its cost into the record; whether it ran."""
    print(f"measure: {name}", flush=True)
    run = subprocess.run(
        [sys.executable, "-m", "book.measure", "--inside", name], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if run.returncode:
        print(f"measure: {name} FAILED; its record stays as it was")
        return False
    cost = json.loads(run.stdout.splitlines()[-1])
    known = record()
    known[name] = {
        "date": date.today().isoformat(),
        "code": digest(name),
        **cost,
        "machine": machine(),
        "python": platform.python_version(),
        "versions": {library: version(library) for library in LIBRARIES},
    }
    RECORD.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")
    print(f"measure: {name}: {cost}", flush=True)
    return True


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m book.measure", description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks; all when none is named")
    parser.add_argument("--inside", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside:
        inside(options.inside)
        return 0
    unknown = set(options.names) - set(names())
    if unknown:
        parser.error(f"no such notebook: {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    done = [measure(name) for name in options.names or names()]  # each, also after one that failed
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
