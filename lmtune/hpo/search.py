"""Hyperparameter search, thin over Optuna (Akiba et al. 2019): :func:`search` has the whole order.

What Optuna does well is left to it: samplers, pruners, the record of trials.  Added here is what a
search needs to be trusted: memory freed after each trial, failures recorded and survived, and one
study shared by several processes, or resumed after a kill, with no trial lost or made twice.

What each trial draws is the matter of :mod:`lmtune.hpo.space`, the file that processes share of
:mod:`lmtune.hpo.storage`.
"""

from __future__ import annotations

import gc
import math
import numbers
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from lmtune.arguments import refuse, whole
from lmtune.bars import shown
from lmtune.hpo.space import COLUMNS, Float, Integer, Plan, named
from lmtune.hpo.storage import ATTEMPTS, Shared, claims, interrupted

if TYPE_CHECKING:
    import optuna
    import pandas

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class SearchResult:
    """What :func:`search` found.

    ``settings`` and ``value`` are those of the best trial, ``trials`` is the record of all.
    ``study`` is the Optuna study, for instance for
    ``optuna.importance.get_param_importances(result.study)``.
    """

    settings: dict[str, Any]
    value: float
    trials: tuple[optuna.trial.FrozenTrial, ...]
    study: optuna.Study

    def table(self) -> pandas.DataFrame:
        """One row per trial: its settings, then ``state`` (complete, pruned, failed or interrupted),
        ``value`` (of a pruned trial the last one reported), ``step`` (the last one reported),
        ``seconds`` and ``error``."""
        import pandas

        again = interrupted(self.trials)
        rows = {t.number: {**t.params, **dict(zip(COLUMNS, _outcome(t, again)))} for t in self.trials}
        names = list(dict.fromkeys(name for t in self.trials for name in t.params))
        table = pandas.DataFrame.from_dict(rows, orient="index", columns=[*names, *COLUMNS])
        return table.rename_axis("trial")

    def __repr__(self) -> str:
        states = [_outcome(t, interrupted(self.trials))[0] for t in self.trials]
        counts = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))
        best = ", ".join(f"{name}={_short(value)}" for name, value in self.settings.items())
        return f"SearchResult({self.value:.4g} with {best}; trials: {counts})"


def search(
    objective: Callable[[dict, Report], float],
    space: Mapping[str, Float | Integer | Sequence] | Callable[[optuna.Trial], dict],
    trials: int | None = None,
    *,
    sampler: str | optuna.samplers.BaseSampler = "tpe",
    pruner: str | optuna.pruners.BasePruner | None = None,
    storage: str | os.PathLike | None = None,
    name: str = "search",
    seed: int = 0,
    progress: bool = True,
) -> SearchResult:
    """Look for the settings with the least value of ``objective``.

    ``objective(settings, report)`` gets a plain dict and returns the value to minimise.  It may
    call ``report(step, value)`` as it goes: with a pruner a hopeless trial ends there::

        def objective(settings, report):
            model, tokenizer = lmtune.load("pocket-mini")
            config = Config(steps=80, evaluate_every=20, **settings)
            for event in lmtune.run(model, train, config, validation):
                if isinstance(event, Evaluated):
                    report(event.step, event.result.loss)
            return event.result.loss  # the last event of a run is an evaluation

        space = {"lr": Float(1e-5, 1e-2, log=True), "warmup": Integer(0, 20),
                 "schedule": ["linear", "cosine"]}
        result = lmtune.search(objective, space, trials=20, pruner="median")

    ``space`` maps each name to a :class:`Float`, an :class:`Integer` or a list of choices.  Where
    one setting decides which others there are, give a function ``space(trial) -> dict`` that
    calls Optuna's ``trial.suggest_float`` and its like.

    ``trials`` is how many there shall be in total; by default 20, or the whole grid.
    ``sampler`` is ``"tpe"`` (Bergstra et al. 2011), ``"random"`` (Bergstra and Bengio 2012),
    ``"grid"`` (every combination of lists, in order) or a sampler of Optuna.  ``pruner`` is
    ``"median"``, ``"halving"`` (Li et al. 2020, asynchronous) or a pruner of Optuna.  What the
    n-th trial draws follows from ``seed`` and n: no two processes draw alike, and a random search
    that was killed and resumed tries what an unbroken one would have.  A sampler object keeps
    its own seed.

    An exception in a trial, or a value that is not finite, is recorded as ``failed`` and the
    search goes on; the traceback is in ``trial.user_attrs["traceback"]``.

    ``storage`` is the path of a file that keeps the trials: an SQLite database, whose writes
    are transactions and survive a kill (Optuna's journal file can be left locked or with half
    a line).  A call with the same ``storage`` and ``name`` goes on where the last one ended,
    and several processes on one machine may do so at once: each returns when all trials have
    ended.  Settings whose trial a kill or an interrupt cut short are tried again, at most
    three times in all.  Processes that live hold a lock file beside ``storage``, which the
    operating system releases when they die; this wants a local disk.

    Raises ``ValueError`` for a setting that is not allowed, ``TypeError`` when the objective
    returns no number, and ``RuntimeError`` when no trial gave a value.
    """
    import optuna

    refuse(not callable(objective), "objective", objective, "a function of (settings, report)")
    refuse(not (isinstance(name, str) and name), "name", name, "some text")
    seed = whole("seed", seed, 0)
    plan = Plan(space, sampler, seed, trials)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shared = Shared(storage)
    try:
        study = shared.open(name, named("pruner", pruner, _pruners(), optuna.pruners.BasePruner), plan)
        bar_settings = {"desc": "search", "unit": "trial", "leave": False, **shown(progress)}
        with _interruptible(), tqdm(total=plan.total, **bar_settings) as bar:
            for trial in claims(study, plan, shared):
                _carry_out(objective, plan, study, trial)
                gc.collect()  # a model in a reference cycle would live into the next trial
                _show(bar, study)
    finally:
        shared.close()
        optuna.logging.set_verbosity(verbosity)
    return _result(study, plan)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the search, also where a trial takes note of it and goes on to its end, as ``lmtune.fit`` does:
    that tells whoever waited before, unless it is Python itself, and so this handler is not Python's."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _pruners() -> dict[str | None, optuna.pruners.BasePruner]:
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    return {"median": MedianPruner(), "halving": SuccessiveHalvingPruner(), None: NopPruner()}


# -- one trial ----------------------------------------------------------------


def _carry_out(objective, plan: Plan, study: optuna.Study, trial: optuna.Trial) -> None:
    """Run ``objective`` on ``trial`` and record how it ended."""
    from optuna.trial import TrialState

    # What _attempt lets through (an interrupt, a value that is no number) leaves the trial running,
    # and whoever comes next finds it cut short.
    value, failure = _attempt(objective, plan, trial)
    if failure:
        for key, text in failure.items():
            trial.set_user_attr(key, text)
        study.tell(trial, state=TrialState.FAIL)
    elif value is None:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, value)


def _attempt(objective, plan: Plan, trial: optuna.Trial) -> tuple[float | None, dict | None]:
    """The value of the trial, None when it was pruned; or else what went wrong, as text.

    Only text: an exception that is kept holds its frames, and with them the model.
    """
    from optuna import TrialPruned

    def report(step: int, value: float) -> None:
        trial.report(value, step)
        if trial.should_prune():
            raise TrialPruned

    try:
        value = objective(plan.settings(trial), report)
    except TrialPruned:
        return None, None
    except Exception as error:
        return None, {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    if getattr(value, "ndim", None) == 0:
        value = value.item()  # a tensor holds the graph, and that the model
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"objective returned {_short(value)}; return one number, the value to minimise.")
    value = float(value)
    return (value, None) if math.isfinite(value) else (None, {"error": f"the value is {value}"})


# -- what came of it ----------------------------------------------------------


def _result(study: optuna.Study, plan: Plan) -> SearchResult:
    from optuna.trial import FixedTrial

    trials = tuple(study.get_trials())
    complete = [t for t in trials if t.state.name == "COMPLETE"]
    if not complete:
        outcomes = [_outcome(t, interrupted(trials)) for t in trials]
        failed = [row[-1] for row in outcomes if row[0] == "failed"]
        pruned = sum(row[0] == "pruned" for row in outcomes)
        first = f" The first failure was {str(failed[0]).rstrip('.')}." if failed else ""
        raise RuntimeError(
            f"No trial gave a value: {len(failed)} failed, {pruned} were pruned.{first} "
            "Mend the objective or the space; with a storage, take another name."
        )
    best = min(complete, key=lambda t: t.value)
    return SearchResult(
        plan.settings(FixedTrial(best.params)) if plan.function else dict(best.params), best.value, trials, study
    )


def _outcome(trial: optuna.trial.FrozenTrial, again: set[int]) -> tuple:
    """The values of ``COLUMNS`` for one trial."""
    state = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}.get(
        trial.state.name, trial.state.name.lower()
    )
    error = trial.user_attrs.get("error")
    if state == "failed" and trial.number in again:
        state = "interrupted"
    elif state == "failed" and error is None:
        error = f"cut short {ATTEMPTS} times"
    seconds = trial.duration.total_seconds() if trial.duration else None
    return state, trial.value, trial.last_step, seconds, error


def _show(bar: tqdm, study: optuna.Study) -> None:
    """Bring the bar up to date with the trials of every process."""
    trials = study.get_trials(deepcopy=False)
    values = [t.value for t in trials if t.state.name == "COMPLETE"]
    again = interrupted(trials)
    ended = [t.state.name for t in trials if t.state.is_finished() and t.number not in again]
    bar.n = len(ended)
    bar.set_postfix(best=_short(min(values)) if values else "none yet", failed=ended.count("FAIL"))


def _short(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)[:60]
