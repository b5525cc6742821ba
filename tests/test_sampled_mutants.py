"""Changes drawn by a seed: where they fall, which tests are asked, and what counts as noticed."""

import json

import pytest

from tests import sampled_mutants, tests_of_lines
from tests.mutation_sites import drawn, sites_of
from tests.sampled_mutants import Verdict, judged, report
from tests.tests_of_lines import Coverage

MODULE = '''"""A module."""
from __future__ import annotations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    ONLY_NAMES = 1 + 1
Row = dict[str, int]
LIMIT = 5


def area(width: float, height: float = 2.0) -> float:
    """The area."""
    if width < 0:
        raise ValueError(f"width is {width + 1}; allowed: at least {0}.")
    print("area", width * 3)
    for side in tqdm((width, height), total=2, leave=False):
        width += side
    return sum(
        [
            width * height,
        ],
        start=1,
    )
'''


def test_types_messages_and_bars_are_left_alone():
    found = sites_of("shapes.py", MODULE)
    assert {site.line for site in found} == {8, 11, 13, 17, 18, 20, 22}
    assert {site.line: site.in_function for site in found} == {line: line > 11 for line in (8, 11, 13, 17, 18, 20, 22)}


def test_a_change_knows_the_lines_that_run_with_it():
    product = next(site for site in sites_of("shapes.py", MODULE) if site.line == 20)
    assert product.lines == {18, 20}


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "shapes.py").write_text(MODULE, "utf8")
    (folder / "bars.py").write_text("WIDTH = 3\n", "utf8")
    return folder


def test_a_draw_is_made_by_its_seed_and_spares_no_line(package):
    names = [[change.name for change in drawn(package, 9, seed)] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    changes = drawn(package, 100, 0)
    lines = [change.line for change in changes]
    assert max(map(lines.count, lines)) == 2 and {change.file for change in changes} == {"shapes.py"}
    for change in changes:
        compile(change.text, change.file, "exec")
        assert change.text != MODULE and change.diff.startswith("@@")


COVERAGE = Coverage(
    {"t::slow": 9.0, "t::fast": 0.1}, {"a.py": {1: [], 4: ["t::slow", "t::fast", "t::fails"], 7: ["t::slow"]}}
)


def test_the_fastest_test_of_a_line_is_asked_first():
    assert COVERAGE.tests_of("a.py", {4}, True) == ["t::fast", "t::slow"]
    assert COVERAGE.tests_of("a.py", {7, 8}, True) == ["t::slow"]
    assert COVERAGE.tests_of("a.py", {1}, True) == [] == COVERAGE.tests_of("b.py", {1}, False)


def test_what_runs_at_import_asks_every_test_of_the_module():
    assert COVERAGE.tests_of("a.py", {1}, False) == ["t::fast", "t::slow"]


def test_what_runs_isolated_is_tried_with_the_tests_that_start_a_sandbox():
    starts = Coverage(COVERAGE.seconds, {"grading/sandbox.py": {3: ["t::slow"], 9: ["t::fast", "t::failing"]}})
    assert starts.tests_of("grading/inside.py", {5}, True) == ["t::fast", "t::slow"]
    assert starts.tests_of("grading/answers.py", {5}, True) == []


class Tree:
    """Answers without running anything."""

    asked: list = []

    def __init__(self, place):
        pass

    def verdict(self, change, coverage):
        Tree.asked.append(change.name)
        return Verdict("caught", "t::fast") if change.line % 2 else Verdict("survived")


def test_a_stopped_run_goes_on_and_tries_again_what_survived_once_tests_are_new(package, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sampled_mutants, "Tree", Tree)
    state = {"package": "p", "tests/test_a.py": "1"}
    monkeypatch.setattr(sampled_mutants, "digests", lambda: dict(state))
    changes, file = drawn(package, 8, 0), tmp_path / "results.jsonl"

    def asked():
        Tree.asked.clear()
        results = list(judged(changes, COVERAGE, file, 1, tmp_path))
        assert sorted(result["change"] for result in results) == sorted(change.name for change in changes)
        return Tree.asked

    list(judged(changes[:3], COVERAGE, file, 1, tmp_path))
    assert asked() == [change.name for change in changes[3:]]
    state["tests/test_a.py"] = "2"
    survivors = [change.name for change in changes if change.line % 2 == 0]
    assert asked() == survivors != []
    state["package"] = "q"
    assert len(asked()) == len(changes)

    results = list(judged(changes, COVERAGE, file, 1, tmp_path))
    assert report(results) == 1 - len(survivors) / len(changes)
    assert all(name in capsys.readouterr().out for name in survivors[:1])


def test_only_changed_modules_of_tests_are_measured_again(tmp_path, monkeypatch):
    measured, state = [], {"package": "p", "shared": "s", "tests/test_a.py": "1", "tests/test_b.py": "1"}

    def measure(copy, targets):
        names = ["tests/test_a.py", "tests/test_b.py"] if targets == ["tests"] else targets
        measured.append(targets)
        tests = {f"{name}::test_{len(measured)}": 1.0 for name in names}
        return {"seconds": tests, "lines": {"a.py": {"3": list(tests)}}}

    monkeypatch.setattr(tests_of_lines, "FOLDER", tmp_path)
    monkeypatch.setattr(tests_of_lines, "_measured", measure)
    monkeypatch.setattr(tests_of_lines, "digests", lambda: dict(state))
    tests_of_lines.known(tmp_path)
    tests_of_lines.known(tmp_path)
    state["tests/test_b.py"] = "2"
    found = tests_of_lines.known(tmp_path)
    assert measured == [["tests"], ["tests/test_b.py"]]
    assert (
        found.tests_of("a.py", {3}, True)
        == sorted(found.seconds)
        == ["tests/test_a.py::test_1", "tests/test_b.py::test_2"]
    )
    del state["tests/test_a.py"]
    assert tests_of_lines.known(tmp_path).tests_of("a.py", {3}, True) == ["tests/test_b.py::test_2"]
    assert json.loads((tmp_path / "coverage.json").read_text("utf8"))["digests"] == state
    state["package"] = "q"
    tests_of_lines.known(tmp_path)
    assert measured[2:] == [["tests"]]
