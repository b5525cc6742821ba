"""What a student runs before handing a notebook in."""

from __future__ import annotations

from pathlib import Path

from lmtune.chapters.homework import HOMEWORK
from lmtune.grading.rehearsal import rehearse


def check_notebook(notebook: str | Path, homework: str = "") -> bool:
    """Print whether a homework notebook would pass, as the grader reads it.

    ``notebook`` is a saved ``.ipynb``, or the folder that is handed in when files of your own belong to it.
    The grader takes from it the graded functions and what they need, and runs each in a process of its own;
    so does this, with the public examples.  It says which cells count, which are left out and why, and ends
    with a line for each part.  Which homework it is the notebook says, unless ``homework`` does.

    Returns whether every part passed.  Raises ``ValueError`` when there is no such notebook, when it cannot
    be read, or when it is of no homework.
    """
    found = rehearse(notebook, HOMEWORK, homework)
    print(found)
    return found.passed
