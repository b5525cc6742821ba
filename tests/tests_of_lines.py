"""Which tests run which line of the package, measured once in a copy of the tree.

The whole suite runs under coverage, without the notebooks.  As a plugin of pytest (``-p tests.tests_of_lines``)
this module tells coverage which test is running, also in the processes that a test starts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: What is measured, and its report, stand here; git ignores the folder.
FOLDER = ROOT / "_build" / "mutants"
#: Tests of mutants start other tests, and would run them all.
LEFT_OUT = ("tests/test_mutants.py", "tests/test_sampled_mutants.py")
#: Of what tests share, the modules that make mutants.
_TOOLS = ("mutants", "sampled_mutants", "mutation_sites", "chosen_tests", "tests_of_lines")
#: Read by coverage in each process: what it started in belongs to the test named there.
_TEST = "LMTUNE_TEST_NOW"
_OUTCOMES = "LMTUNE_TEST_OUTCOMES"
_SETTINGS_FILE = "LMTUNE_COVERAGE_SETTINGS"
#: Run isolated in a sandbox, where nothing can be measured: whatever test starts a sandbox may run any of their lines.
_IN_SANDBOX = ("grading/inside.py", "grading/namespaces.py", "grading/seccomp.py")
_STARTS_SANDBOX = "grading/sandbox.py"
_NOTHING: dict = {"seconds": {}, "lines": {}}
_SETTINGS = """
[run]
source = {copy}/lmtune
data_file = {copy}/measured-lines/data
parallel = true
concurrency = thread, multiprocessing
context = ${{LMTUNE_TEST_NOW-}}
disable_warnings = no-data-collected, module-not-measured, module-not-imported, couldnt-parse
"""


@dataclass(frozen=True)
class Coverage:
    """Which tests run which line, by what they are called in pytest."""

    seconds: dict[str, float]  #: of each test that passes in a copy
    lines: dict[str, dict[int, list[str]]]  #: of each file in the package

    def tests_of(self, file: str, lines: Collection[int], in_function: bool) -> list[str]:
        """The tests to run after a change in these lines, the fastest first.

        What stands outside of functions runs when a module is imported, whichever test comes first;
        so all tests that run anything of the module may depend on it.
        """
        of_file = self.lines.get(file, {})
        found = {test for line in (lines if in_function else of_file) for test in of_file.get(line, ())}
        if not found and file in _IN_SANDBOX:
            found = {test for tests in self.lines.get(_STARTS_SANDBOX, {}).values() for test in tests}
        return sorted(found & set(self.seconds), key=lambda test: (self.seconds[test], test))


def copy_of_the_tree(place: Path) -> Path:
    """Copy what git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def environment(copy: Path) -> dict[str, str]:
    """Offline, one thread, and ``lmtune`` from the copy, in the processes that a test starts too."""
    settings = dict(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    return {**os.environ, **settings, "PYTHONPATH": str(copy)}


def digests(root: Path = ROOT) -> dict[str, str]:
    """Of the package, of each module of tests, and of what these share."""
    modules = sorted(root.glob("tests/**/test_*.py"))
    shared = [path for path in sorted(root.glob("tests/**/*.py")) if path not in modules and path.stem not in _TOOLS]
    parts = {"package": sorted(root.glob("lmtune/**/*.py")), "shared": shared}
    parts |= {path.relative_to(root).as_posix(): [path] for path in modules}
    return {name: _digest(root, paths) for name, paths in parts.items() if name not in LEFT_OUT}


def _digest(root: Path, paths: list[Path]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for path in paths:
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def known(scratch: Path) -> Coverage:
    """What was measured before; measured again are the modules of tests that changed, or all if the package did."""
    kept, now = FOLDER / "coverage.json", digests()
    before = json.loads(kept.read_text("utf8")) if kept.is_file() else {"digests": {}}
    same = all(before["digests"].get(part) == now[part] for part in ("package", "shared"))
    changed = [name for name in now if name.startswith("tests/") and before["digests"].get(name) != now[name]]
    gone = [name for name in before["digests"] if now.get(name) != before["digests"][name]]
    found = before if same else _NOTHING
    if not same or changed or gone:
        targets = changed if same else ["tests"]
        found = _together(found, _measured(scratch / "measured", targets) if targets else _NOTHING, gone)
        FOLDER.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({**found, "digests": now}), "utf8")
    return Coverage(
        {test: seconds for test, seconds in found["seconds"].items() if seconds is not None},
        {file: {int(line): tests for line, tests in of_file.items()} for file, of_file in found["lines"].items()},
    )


def _together(old: dict, new: dict, gone: Collection[str]) -> dict:
    """What was measured before and now; the tests of changed modules count for nothing in the old one."""

    def stays(test: str) -> bool:
        return test.partition("::")[0] not in gone

    lines: dict[str, dict[str, list[str]]] = {}
    for of_files in (old["lines"], new["lines"]):
        for file, of_file in of_files.items():
            for line, tests in of_file.items():
                kept = lines.setdefault(file, {}).setdefault(str(line), [])
                kept.extend(t for t in tests if of_files is new["lines"] or stays(t))
    return {"seconds": {t: s for t, s in old["seconds"].items() if stays(t)} | new["seconds"], "lines": lines}


def _measured(place: Path, targets: Collection[str]) -> dict:
    print(f"sampled mutants: {', '.join(targets)} under coverage, to see which test runs which line", flush=True)
    copy = copy_of_the_tree(place)
    (copy / "measured-lines").mkdir()  # "coverage" would hide the library, since the copy is on the path
    settings = copy / "measured-lines" / "settings"
    settings.write_text(_SETTINGS.format(copy=copy), "utf8")
    outcomes = copy / "measured-lines" / "outcomes.json"
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "tests.tests_of_lines", "--tb=line", *targets]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest"),
            *(*arguments, *(f"--ignore={name}" for name in LEFT_OUT)),
        ],
        cwd=copy,
        env=environment(copy) | {_TEST: "", _SETTINGS_FILE: str(settings), _OUTCOMES: str(outcomes)},
    )
    if done.returncode not in (0, 1):
        raise SystemExit("sampled mutants: the tests could not run; see above.")
    found = json.loads(outcomes.read_text("utf8"))
    failed = [test for test, (passed, _) in found.items() if not passed]
    if failed:
        print(f"sampled mutants: {len(failed)} tests fail or are skipped as they are, and count for nothing")
    seconds = {test: round(s, 3) if passed else None for test, (passed, s) in found.items()}
    return {"seconds": seconds, "lines": _lines(copy, seconds)}


def _lines(copy: Path, tests: Collection[str]) -> dict[str, dict[int, list[str]]]:
    import coverage

    place = coverage.Coverage(config_file=str(copy / "measured-lines" / "settings"))
    place.combine(strict=True)
    data = place.get_data()
    # Of a process that a test started, the context is the test's name and a bar.
    return {
        Path(file).relative_to(copy / "lmtune").as_posix(): {
            line: sorted({name for context in contexts if (name := context.strip("|")) in tests})
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in sorted(data.measured_files())
    }


_outcomes: dict[str, tuple[bool, float]] = {}


def pytest_configure():
    # For the processes that a test starts; set before, it would measure this one twice.
    os.environ["COVERAGE_PROCESS_START"] = os.environ[_SETTINGS_FILE]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    import coverage

    os.environ[_TEST] = item.nodeid
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        os.environ[_TEST] = ""
        if measuring:
            measuring.switch_context("")


def pytest_runtest_logreport(report):
    passed, seconds = _outcomes.get(report.nodeid, (True, 0.0))
    _outcomes[report.nodeid] = passed and report.passed, seconds + report.duration


def pytest_sessionfinish():
    if _OUTCOMES in os.environ:
        Path(os.environ[_OUTCOMES]).write_text(json.dumps(_outcomes), "utf8")
