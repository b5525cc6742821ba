"""Break the package at places drawn by a seed: python -m tests.sampled_mutants [--changes N] [--seed N]

For each of 200 changes the tests that run its line are started in a copy of the tree, the fastest first, until one
fails.  What no test notices is printed at the end with its line, and is either a missing test or a change that
changes nothing.  A stopped run goes on where it was.  Which test runs which line is measured at first, in a run of
all tests; what is found stands in _build/mutants/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from tests.chosen_tests import CHOSEN
from tests.mutation_sites import Change, drawn
from tests.tests_of_lines import FOLDER, ROOT, Coverage, copy_of_the_tree, digests, environment, known

#: The share of changes that tests must notice.
WANTED = 0.9
#: Seconds that a start may take, on a busy machine too.
_START = 240


class Verdict(NamedTuple):
    word: str  #: caught, survived, or uncovered: no test runs the line
    by: str = ""  #: the test that failed


class Tree:
    """A copy of the tree in which one change at a time is made."""

    reliable: set[str] = set()  #: tests that were seen to pass in any copy without a change

    def __init__(self, place: Path):
        self.place = copy_of_the_tree(place)
        self.started: subprocess.Popen | None = None
        self.closed = False

    def verdict(self, change: Change, coverage: Coverage) -> Verdict:
        """Whether a test notices the change; a test that fails without it too is no witness."""
        tests = coverage.tests_of(change.file, change.lines, change.in_function)
        while tests:
            failed = self._failed(tests, coverage, change)
            if failed is None:
                return Verdict("survived")
            if failed not in tests:  # a module that cannot be imported, or time that ran out
                return Verdict("caught", failed)
            if failed in self.reliable or self._failed([failed], coverage, None) is None:
                self.reliable.add(failed)
                return Verdict("caught", failed)
            tests.remove(failed)
        return Verdict("uncovered")

    def _failed(self, tests: list[str], coverage: Coverage, change: Change | None) -> str | None:
        """The first test that fails, with the change or without one."""
        chosen, failed = self.place / "chosen.json", self.place / "chosen.failed"
        chosen.write_text(json.dumps({test: coverage.seconds[test] for test in tests}), "utf8")
        failed.unlink(missing_ok=True)
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "tests.chosen_tests"]
        limit = _START + 10 * sum(coverage.seconds[test] for test in tests)
        target = self.place / "lmtune" / (change.file if change else "__init__.py")
        unchanged = target.read_bytes()
        try:
            if change:
                target.write_text(change.text, "utf8")
            code = self._run([*command, *files], environment(self.place) | {CHOSEN: str(chosen)}, limit)
        finally:
            target.write_bytes(unchanged)
        if code is None:
            return "time ran out"
        if failed.is_file():
            return failed.read_text("utf8")
        return None if code in (0, 5) else f"pytest ended with {code}"

    def _run(self, command: list[str], settings: dict[str, str], limit: float) -> int | None:
        """The exit code; None where the time ran out."""
        if self.closed:
            raise RuntimeError("the run was stopped")
        silent = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.started = subprocess.Popen(command, cwd=self.place, env=settings, start_new_session=True, **silent)
        try:
            return self.started.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.stop()

    def stop(self) -> None:
        """End the tests that run, and what they started."""
        if self.started and self.started.poll() is None:
            os.killpg(self.started.pid, signal.SIGKILL)
            self.started.wait()


def judged(changes: list[Change], coverage: Coverage, results: Path, workers: int, scratch: Path) -> Iterator[dict]:
    """A result for each change, those of an earlier run first."""
    now = digests()
    package = now.pop("package")
    tests = hashlib.blake2b(json.dumps(now, sort_keys=True).encode(), digest_size=16).hexdigest()
    before = {}
    for line in results.read_text("utf8").splitlines() if results.is_file() else ():
        result = json.loads(line)
        # A change that was noticed is noticed still when tests join; one that was not may be now.
        if result["package"] == package and (result["verdict"] == "caught" or result["tests"] == tests):
            before[result["change"]] = result
    yield from (before[change.name] for change in changes if change.name in before)

    waiting = [change for change in changes if change.name not in before]
    trees = [Tree(scratch / f"copy-{i}") for i in range(min(workers, len(waiting)))]
    free: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def judge(change: Change) -> dict:
        tree, began = free.get(), time.perf_counter()
        try:
            verdict = tree.verdict(change, coverage)
        finally:
            free.put(tree)
        seconds = round(time.perf_counter() - began, 1)
        said = dict(change=change.name, diff=change.diff, verdict=verdict.word, by=verdict.by, seconds=seconds)
        return {**said, "package": package, "tests": tests}

    with ThreadPoolExecutor(workers) as pool, results.open("a", encoding="utf8") as file:
        try:
            for done in as_completed([pool.submit(judge, change) for change in waiting]):
                print(json.dumps(done.result()), file=file, flush=True)
                yield done.result()
        except BaseException:  # Ctrl-C: the tests of others are not waited for
            pool.shutdown(wait=False, cancel_futures=True)
            for tree in trees:
                tree.closed = True
                tree.stop()
            raise


def report(results: list[dict]) -> float:
    """Print what no test noticed, and return the share of what was."""
    unnoticed = sorted((r for r in results if r["verdict"] != "caught"), key=lambda result: result["change"])
    for result in unnoticed:
        print(f"\n{result['verdict'].upper()}  {result['change']}\n{result['diff']}")
    share = 1 - len(unnoticed) / len(results)
    print(f"\nsampled mutants: {len(results) - len(unnoticed)} of {len(results)} caught, {share:.1%}")
    return share


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=200, help="how many are drawn (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="changes tried at once (one per core)")
    asked = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing that was started is left
    with tempfile.TemporaryDirectory(prefix="lmtune-mutants-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)  # a sandbox that a test starts must look into it
        coverage = known(scratch)
        changes = drawn(ROOT / "lmtune", asked.changes, asked.seed)
        print(f"sampled mutants: {len(changes)} changes", flush=True)
        results = []
        for result in judged(changes, coverage, FOLDER / f"seed-{asked.seed}.jsonl", asked.workers, scratch):
            results.append(result)
            by = f" by {result['by']}" if result["by"] else ""
            print(
                f"{len(results):4} {result['seconds']:6.1f} s  {result['verdict']}{by}  {result['change']}", flush=True
            )
    return 0 if results and report(results) >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
