"""A plugin of pytest that runs the chosen tests in the order given: -p tests.chosen_tests

The names and seconds stand in the JSON file that LMTUNE_CHOSEN_TESTS names; the test that fails is noted beside it.
"""

import json
import os
from pathlib import Path

import pytest

CHOSEN = "LMTUNE_CHOSEN_TESTS"
#: Seconds for the first test, in which the libraries are imported.
IMPORTS = 150


def pytest_collection_modifyitems(config, items):
    chosen = json.loads(Path(os.environ[CHOSEN]).read_text("utf8"))
    order = {name: i for i, name in enumerate(chosen)}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
    items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])
    for place, item in enumerate(items):  # a change may make a loop endless
        # The first test imports torch and more, which takes long where the machine is busy: no change is to blame.
        limit = (30 if place else IMPORTS) + 10 * chosen[item.nodeid]
        item.add_marker(pytest.mark.timeout(limit), append=False)


def pytest_runtest_logreport(report):
    if report.failed:
        Path(os.environ[CHOSEN]).with_suffix(".failed").write_text(report.nodeid, "utf8")
