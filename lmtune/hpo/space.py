"""What a search draws: ranges and choices, and the plan that gives each trial its settings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from lmtune.arguments import is_finite, is_whole, refuse

if TYPE_CHECKING:
    import optuna

#: Columns of :meth:`lmtune.hpo.search.SearchResult.table` beside the settings.
COLUMNS = ("state", "value", "step", "seconds", "error")


@dataclass(frozen=True)
class Float:
    """A number from ``low`` to ``high``; with ``log``, each power of ten is equally likely."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self):
        _refuse_range(self, float, is_finite, "a finite number")


@dataclass(frozen=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included; ``log`` as for :class:`Float`."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self):
        _refuse_range(self, int, is_whole, "a whole number")


class Plan:
    """What each trial draws, and how many there shall be."""

    def __init__(self, space, sampler, seed: int, trials: int | None):
        import optuna

        refuse(
            trials is not None and not (is_whole(trials) and trials >= 1),
            "trials",
            trials,
            "a whole number of at least 1, or None",
        )
        self.sampler = named("sampler", sampler, _samplers(), optuna.samplers.BaseSampler)
        self.seed, self.grid, self.function = seed, None, space if callable(space) else None
        self.space = {} if self.function else _checked(space)
        self.total = trials or 20
        if sampler == "grid":
            lists = bool(self.space) and all(isinstance(v, list) for v in self.space.values())
            refuse(
                not lists,
                "space",
                space,
                "with sampler='grid', a dict of lists such as "
                "{'lr': [1e-4, 1e-3]}; ranges and functions want 'random' or 'tpe'",
            )
            self.grid = [dict(zip(self.space, row)) for row in itertools.product(*self.space.values())]
            refuse(
                trials is not None and trials < len(self.grid),
                "trials",
                trials,
                f"None or at least the {len(self.grid)} combinations of the grid; or let "
                "sampler='random' choose among them",
            )
            self.total = len(self.grid)
        listed = ", ".join(f"{n}: {v!r}" for n, v in sorted(self.space.items()))
        self.description = "a function" if self.function else f"{'the grid of ' if self.grid else ''}{{{listed}}}"

    def ask(self, study: optuna.Study, recorded: Sequence, taken: int) -> optuna.Trial:
        """A new trial of ``study``, which holds ``recorded`` trials; ``taken`` of them count."""
        waiting = [t for t in recorded if t.state.name == "WAITING"]
        if not waiting:  # "draw" counts no trial twice, so that a kill does not shift the draws
            study.enqueue_trial(self.grid[taken] if self.grid else {}, user_attrs={"draw": taken})
        draw = waiting[0].user_attrs.get("draw", taken) if waiting else taken
        study.sampler = self.sampler
        if isinstance(self.sampler, type):
            state = numpy.random.SeedSequence((self.seed, draw)).generate_state(1)
            study.sampler = self.sampler(seed=int(state[0]))
        return study.ask({n: _distribution(v) for n, v in self.space.items()})

    def settings(self, trial: optuna.Trial | optuna.trial.FixedTrial) -> dict:
        """The plain dict that the objective gets for ``trial``."""
        if self.function is None:
            return {name: trial.params[name] for name in self.space}
        chosen = self.function(trial)
        if not isinstance(chosen, dict):
            raise TypeError(f"space(trial) returned {chosen!r}; return a dict of settings.")
        _refuse_columns(trial.params)
        return chosen


def _samplers() -> dict[str, type]:
    from optuna.samplers import RandomSampler, TPESampler

    # The combinations of a grid are handed out one by one, each once among all processes;
    # Optuna's own GridSampler may give the same one to two.
    return {"grid": RandomSampler, "random": RandomSampler, "tpe": TPESampler}


def named(what: str, given, known: dict, base: type):
    """The entry of ``known`` called ``given``, or an object of Optuna as it is."""
    if isinstance(given, base):
        return given
    refuse(
        not (given is None or isinstance(given, str)) or given not in known,
        what,
        given,
        f"{', '.join(map(repr, known))}, or an object of optuna.{what}s",
    )
    return known[given]


def _refuse_range(given: Float | Integer, kind: type, is_kind: Callable, allowed: str) -> None:
    for name in ("low", "high"):
        value = getattr(given, name)
        refuse(not is_kind(value), name, value, allowed)
        object.__setattr__(given, name, kind(value))  # numpy's numbers as Python's
    refuse(given.low > given.high, "low", given.low, f"at most high, which is {given.high!r}")
    refuse(given.log and given.low <= 0, "low", given.low, f"with log=True, {allowed} above 0")


def _checked(space) -> dict[str, Float | Integer | list]:
    refuse(
        not (isinstance(space, dict) and space),
        "space",
        space,
        "a dict such as {'lr': Float(1e-5, 1e-2, log=True)}, or a function of a trial",
    )
    refuse(not all(isinstance(name, str) for name in space), "space", space, "names that are text")
    _refuse_columns(space)
    return {name: _range_or_choices(f"space[{name!r}]", value) for name, value in space.items()}


def _range_or_choices(name: str, value) -> Float | Integer | list:
    if isinstance(value, (Float, Integer)):
        return value
    refuse(
        not isinstance(value, (list, tuple, range, numpy.ndarray)),
        name,
        value,
        "a Float, an Integer or a list of choices",
    )
    choices = [v.item() if isinstance(v, (numpy.generic, numpy.ndarray)) and v.size == 1 else v for v in value]
    refuse(not choices, name, choices, "a list with at least one choice")
    for i, choice in enumerate(choices):
        refuse(
            not (choice is None or isinstance(choice, (str, int, float))) or choice != choice,
            name,
            choices,
            "choices that are text, numbers, True, False or None; name other things and look them up in the objective",
        )
        refuse(choice in choices[:i], name, choices, "each choice once")
    return choices


def _refuse_columns(names) -> None:
    refuse(
        any(name in COLUMNS for name in names),
        "space",
        list(names),
        f"other names than {', '.join(COLUMNS)}, which are columns of the table",
    )


def _distribution(value: Float | Integer | list) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(value, list):
        return CategoricalDistribution(value)
    kind = FloatDistribution if isinstance(value, Float) else IntDistribution
    return kind(value.low, value.high, log=value.log)
