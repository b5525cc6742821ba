"""The runs of a study: on all processors, written down one by one, and never made twice.

A run is a function of its arguments, so a study that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm.auto import tqdm

from lmtune.bars import shown


class Job(NamedTuple):
    """One run: which arm with which settings and seed, for how many updates, and which text it is read on."""

    arm: str
    settings: dict[str, float]
    seed: int
    steps: int
    part: str

    @property
    def key(self) -> str:
        """The job as text, the same for equal jobs."""
        return json.dumps(self, sort_keys=True)


#: Trains once, and returns the "loss" and what else is to be recorded, each a number.
Run = Callable[[Job], dict[str, float]]


class Journal:
    """The results so far of one design, a line each in ``path``."""

    def __init__(self, path: Path):
        self.path = path
        self.results: dict[str, dict] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # cut off by a kill: the run is made again
                continue
            self.results[entry["job"]] = entry
        if text and not text.endswith("\n"):
            path.write_text(text + "\n", encoding="utf-8")

    def add(self, job: Job, found: dict[str, float], seconds: float) -> None:
        """Write one result down."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        entry = {"job": job.key, "at": now, "seconds": round(seconds, 2), **found}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.results[job.key] = entry

    @property
    def seconds(self) -> float:
        """CPU-seconds of all runs."""
        return sum(entry["seconds"] for entry in self.results.values())

    @property
    def began(self) -> str:
        """When the first result was there; empty before."""
        return min((entry["at"] for entry in self.results.values()), default="")


class Runner:
    """Makes jobs that the journal does not hold."""

    def __init__(self, run: Run, journal: Journal, pool: ProcessPoolExecutor | None):
        self.run, self.journal, self.pool = run, journal, pool

    def losses(self, jobs: list[Job], what: str) -> list[dict]:
        """The result of each job, in order; ``what`` stands at the progress bar."""
        missing = list({job.key: job for job in jobs if job.key not in self.journal.results}.values())
        for job, (found, seconds) in tqdm(self._made(missing), desc=what, total=len(missing), **shown(bool(missing))):
            self.journal.add(job, found, seconds)
        return [self.journal.results[job.key] for job in jobs]

    def _made(self, jobs: list[Job]) -> Iterator[tuple[Job, tuple[dict, float]]]:
        if self.pool is None:
            yield from ((job, timed(self.run, job)) for job in jobs)
            return
        waiting = {self.pool.submit(timed, self.run, job): job for job in jobs}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def timed(run: Run, job: Job) -> tuple[dict, float]:
    """What ``run`` finds, and the CPU-seconds that it took; a loss that is no number diverged."""
    began = time.process_time()
    found = {name: math.inf if math.isnan(value) else float(value) for name, value in run(job).items()}
    return found, time.process_time() - began


@contextmanager
def pool(processes: int | None = None) -> Iterator[ProcessPoolExecutor | None]:
    """Processes of one thread each, as many as there are processors; None for 0, which runs here.

    This process gets one thread too, so that a record says what its runs had; and it ends its workers when it is
    told to end, for they would go on without it.
    """
    processes = os.cpu_count() or 1 if processes is None else processes
    if not processes:
        yield None
        return
    torch.set_num_threads(1)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=torch.set_num_threads, initargs=(1,)) as workers:
        try:
            yield workers
        except BaseException:
            workers.shutdown(cancel_futures=True)  # nothing that waits is begun any more
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
