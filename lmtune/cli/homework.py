"""``lmtune homework check``: what a student runs before handing a notebook in."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_homework(parser: argparse.ArgumentParser) -> None:
    """Give the parser of ``lmtune homework`` its commands."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check", help="say whether a notebook would pass, before it is handed in", description=check_notebook.__doc__
    )
    check.add_argument("notebook", type=Path, help="the saved notebook, or the folder that is handed in")
    check.add_argument("--homework", default="", help="which homework it is (default: what the notebook checks)")
    check.set_defaults(run=check_notebook)


def check_notebook(asked: argparse.Namespace) -> int:
    """Read a notebook as the grader will, and run its functions on the public examples; 1 unless all pass."""
    from lmtune.notebook.homework import check_notebook

    return 0 if check_notebook(asked.notebook, asked.homework) else 1
