"""One study for many processes: who runs which trial, and what becomes of trials cut short."""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from lmtune.arguments import refuse
from lmtune.hpo.space import Plan

if TYPE_CHECKING:
    import optuna

#: Settings under which the process died this often are not tried again.
ATTEMPTS = 3
_POLL = 0.2  # seconds between looks at the trials that other processes still run


def claims(study: optuna.Study, plan: Plan, shared: Shared) -> Iterator[optuna.Trial]:
    """Yield the trials that this process shall run, until those of every process have ended."""
    while True:
        trial = None
        with shared.lock:
            for other in study.get_trials(deepcopy=False):
                if other.state.name == "RUNNING" and shared.is_dead(other.user_attrs.get("worker")):
                    _again(study, other)
            recorded = study.get_trials(deepcopy=False)
            again = interrupted(recorded)
            taken = sum(t.state.name != "WAITING" and t.number not in again for t in recorded)
            if taken < plan.total:
                trial = plan.ask(study, recorded, taken)
                trial.set_user_attr("worker", shared.worker)
        if trial is not None:
            yield trial
        elif any(t.state.name == "RUNNING" for t in recorded):
            time.sleep(_POLL)
        else:
            return


def _again(study: optuna.Study, cut: optuna.trial.FrozenTrial) -> None:
    """Mark a trial that was cut short as ended, and queue its settings once more.

    The queue comes first: killed between the two lines, the next process finds the trial still
    running and its successor there already.
    """
    from optuna.trial import TrialState

    attempt = cut.user_attrs.get("attempt", 1)
    if attempt < ATTEMPTS and cut.number not in interrupted(study.get_trials(deepcopy=False)):
        # Without a worker it died while it drew: then all is drawn again.
        settings = {**cut.system_attrs.get("fixed_params", {}), **(cut.params if "worker" in cut.user_attrs else {})}
        study.enqueue_trial(
            settings,
            user_attrs={"attempt": attempt + 1, "again": cut.number, "draw": cut.user_attrs.get("draw", cut.number)},
        )
    study.tell(cut.number, state=TrialState.FAIL)


def interrupted(trials: Sequence) -> set[int]:
    """The numbers of the trials that were cut short and are tried again."""
    return {t.user_attrs["again"] for t in trials if "again" in t.user_attrs}


class Shared:
    """The file that processes share, and the locks that tell which of them live.

    A process that asks for trials holds ``lock`` meanwhile, so each number is given once.  It
    also holds a lock of its own for as long as it lives: a running trial whose process no longer
    holds one was cut short.  Times and process numbers could not tell that so surely.
    """

    def __init__(self, path: str | os.PathLike | None):
        self.worker, self.lock, self.path, self.alive = uuid.uuid4().hex, nullcontext(), None, None
        if path is None:
            return
        from filelock import FileLock

        refuse(
            not isinstance(path, (str, os.PathLike)) or not str(path) or "://" in str(path),
            "storage",
            path,
            "the path of a file, such as 'search.db'",
        )
        self.path = Path(path).expanduser().resolve()
        refuse(any(c in str(self.path) for c in "?#%{}"), "storage", str(path), "a path without ? # % { }")
        refuse(
            self.path.is_dir() or not os.access(self.path.parent, os.W_OK),
            "storage",
            str(path),
            "a file in a folder that exists and can be written",
        )
        self.lock = FileLock(f"{self.path}.lock")
        self.alive = FileLock(self._lock_of(self.worker))
        with self.lock:
            self.alive.acquire()
            for left in self.path.parent.glob(f"{escape(self.path.name)}.{'[0-9a-f]' * 32}.lock"):
                self.is_dead(left.name.split(".")[-2])

    def _lock_of(self, worker: str) -> str:
        return f"{self.path}.{worker}.lock"

    def is_dead(self, worker: str | None) -> bool:
        """Is the process gone?  To be asked with ``lock`` held: nobody then is about to give a trial
        its worker.  The file of a dead one goes too."""
        from filelock import FileLock, Timeout

        if worker is None or worker == self.worker:
            return worker is None
        try:
            with FileLock(self._lock_of(worker), timeout=0):
                pass
        except Timeout:
            return False
        Path(self._lock_of(worker)).unlink(missing_ok=True)
        return True

    def open(self, name: str, pruner: optuna.pruners.BasePruner, plan: Plan) -> optuna.Study:
        """The study ``name`` of the file, made where it is new."""
        import optuna

        if self.path is None:
            return optuna.create_study(pruner=pruner)
        with self.lock:
            study = optuna.create_study(storage=self._database(), study_name=name, pruner=pruner, load_if_exists=True)
            known = study.user_attrs.get("space")
            if known is None and not study.get_trials(deepcopy=False):
                study.set_user_attr("space", known := plan.description)
            refuse(
                known is None or study.direction.name != "MINIMIZE",
                "name",
                name,
                f"another name: {self.path.name} has a study of that name that lmtune.search did not make",
            )
            if known != plan.description:
                raise ValueError(
                    f"space is {plan.description} and the study {name!r} in {self.path.name} "
                    f"has {known}; go on with that one, or give another name."
                )
        return study

    def _database(self) -> optuna.storages.RDBStorage:
        from optuna.storages import RDBStorage

        try:
            # A connection that waits: writes of other processes take their turn.
            with closing(sqlite3.connect(self.path, timeout=60)) as database:
                tables = {row[0] for row in database.execute("select name from sqlite_master")}
            refuse(
                bool(tables) and "studies" not in tables,
                "storage",
                str(self.path),
                "a file that Optuna made, or one that does not exist yet",
            )
            return RDBStorage(f"sqlite:///{self.path}", engine_kwargs={"connect_args": {"timeout": 60}})
        except (sqlite3.Error, RuntimeError) as error:
            raise ValueError(
                f"storage is {str(self.path)!r}, which is no study that Optuna can open ({error}); give another path."
            ) from None

    def close(self) -> None:
        """Say that this process no longer works on any trial."""
        if self.alive is not None:
            self.alive.release()
            Path(self._lock_of(self.worker)).unlink(missing_ok=True)
