"""The list of planted faults follows the code; `make mutants` runs them, which takes minutes."""

import subprocess
import sys

import pytest

from tests.mutants import MUTANTS, ROOT, text_with


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.row:02d}-{m.module}")
def test_the_line_to_change_stands_once_and_the_change_compiles(mutant):
    compile(text_with(mutant), mutant.module, "exec")


def test_every_row_of_the_checklist_has_one():
    assert {m.row for m in MUTANTS} == set(range(1, 51))


def test_one_row_end_to_end():
    done = subprocess.run([sys.executable, "-m", "tests.mutants", "14"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "row 14  caught  training/config.py" in done.stdout, done.stdout + done.stderr
