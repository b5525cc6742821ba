"""Write the solved notebooks, and with --run execute them: python -m instructor.solve OUT [--run]"""

import argparse
import json
import sys
from pathlib import Path

import nbformat

from book.cells import execute
from lmtune.grading.homework import load_all
from lmtune.grading.release import solved

ROOT = Path(__file__).resolve().parent.parent


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m instructor.solve", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", action="store_true")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, homework in load_all(ROOT / "instructor").items():
        given = json.loads((ROOT / "chapters" / "homework" / f"{name}.ipynb").read_text(encoding="utf-8"))
        notebook = nbformat.from_dict(solved(given, homework))
        if asked.run:
            cost = execute.run(notebook, asked.out, name, tell=lambda line: None)
            print(f"solve: {name} {cost}", flush=True)
        nbformat.write(notebook, asked.out / f"{name}.ipynb")
    return 0


if __name__ == "__main__":
    sys.exit(main())
