"""Grade a made-up class and say what it cost: python -m instructor.measure [--students 60] [--homework NAME]

A third of the students hand in the solution, a third one of the known mistakes in one part,
and a third the stub. The run is stopped half-way by a kill and continued.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lmtune.grading.homework import load_all
from lmtune.grading.release import solution
from lmtune.grading.seed import fresh

ROOT = Path(__file__).resolve().parent.parent


def notebook(cells):
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {},
            "cells": [
                {"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None}
                for c in cells
            ],
        }
    )


def write_class(base, homework, students, seconds):
    """Submissions, roster and settings; each call first works for `seconds`."""
    (base / "in").mkdir()
    busy = f"import time\nSTART = time.process_time()\nwhile time.process_time() - START < {seconds}: pass"
    rows = ["id,name"]
    for i in range(students):
        name = f"s{i:03}"
        rows.append(f"{name},Student {i}")
        cells = [part.stub if i % 3 == 2 else solution(part) for part in homework.parts]
        if i % 3 == 1:
            part = homework.parts[0]
            cells[0] = f"def {part.form}:\n    return 0\n"
        if seconds and i % 3 == 0:
            cells = [c.replace("):\n", "):\n    " + busy.replace("\n", "\n    ") + "\n", 1) for c in cells]
        (base / "in" / f"{name}.ipynb").write_text(notebook(cells))
    (base / "roster.csv").write_text("\n".join(rows) + "\n")
    (base / "grading.toml").write_text(f'homework = "{homework.name}"\nseed = "{fresh()}"\n')


def graded(base, stop_after=None):
    """One run of `lmtune grade`; the students whom it graded."""
    command = [
        sys.executable,
        "-m",
        "lmtune",
        "grade",
        str(base / "in"),
        "--roster",
        str(base / "roster.csv"),
        "--out",
        str(base / "out"),
        "--instructor",
        str(ROOT / "instructor"),
        "--settings",
        str(base / "grading.toml"),
    ]
    process, done = subprocess.Popen(command, stdout=subprocess.PIPE, text=True), []
    for line in process.stdout:
        if " of " in line and ": " in line.split("of", 1)[1]:
            done.append(line.split(", ")[1].split(":")[0])
        if len(done) == stop_after:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    return done


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m instructor.measure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--homework", default="schedule")
    parser.add_argument("--seconds", type=float, default=0.4, help="work of each call of a solution")
    asked = parser.parse_args(arguments)
    homework = load_all(ROOT / "instructor")[asked.homework]
    with tempfile.TemporaryDirectory(prefix="lmtune-measure-") as place:
        base = Path(place)
        write_class(base, homework, asked.students, asked.seconds)
        began = time.monotonic()
        first = graded(base, stop_after=asked.students // 2)
        second = graded(base)
        wall = time.monotonic() - began
        records = [json.loads(p.read_text()) for p in sorted((base / "out" / "records").glob("*.json"))]
        lines = len((base / "out" / "results.csv").read_text().splitlines()) - 1
    seconds = sorted(r["seconds"] for r in records)
    peak = max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, *(r["peak_mb"] for r in records))
    repeated = set(first[:-1]) & set(second)
    print(
        f"measure: {len(records)} of {asked.students} students graded, {lines} lines of results, {os.cpu_count()} cores"
    )
    print(f"measure: stopped after {len(first)}, then {len(second)} more; repeated: {sorted(repeated) or 'none'}")
    print(
        f"measure: {wall:.0f} s, {wall / asked.students:.2f} s per submission, "
        f"median {seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.2f} s, peak memory {peak:.0f} MB"
    )
    return 0 if len(records) == lines == asked.students and not repeated else 1


if __name__ == "__main__":
    sys.exit(main())
