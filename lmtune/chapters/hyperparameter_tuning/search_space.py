"""The exercise "search space": log scale, and a parameter that exists only beside another."""
from __future__ import annotations

import math
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, shown

_FORM = "space(trial)"
_EXPECTED = "{'lr': ..., 'optimizer': 'adamw'}, or {'lr': ..., 'optimizer': 'sgd', 'momentum': ...}"
_DRAWS = 64


class _Trial:
    """Gives evenly spread values in place of random ones, and keeps what was asked for."""

    def __init__(self, number: int):
        self.number, self.asked = number, {}

    def __deepcopy__(self, memo: dict) -> _Trial:
        return self  # so that the judge sees what the answer asks for

    def _share(self) -> float:
        """Between 0 and 1; another sequence for each parameter."""
        return (self.number * (0.6180339887, 0.7548776662, 0.5698402910, 0.8191725134)[len(self.asked) % 4]) % 1

    def suggest_float(self, name, low, high, *, step=None, log=False):
        share = self._share()
        self.asked[name] = log
        return low * (high / low) ** share if log else low + (high - low) * share

    def suggest_int(self, name, low, high, *, step=1, log=False):
        return int(self.suggest_float(name, low, high + 1 - 1e-9, log=log))

    def suggest_categorical(self, name, choices):
        share = self._share()
        self.asked[name] = False
        return list(choices)[int(share * len(choices))]


def _no(produced: str, expected: str, hint: str) -> Feedback:
    return Feedback(produced, expected, hint, f"{_DRAWS} trials that spread over the whole space")


def _judge(answer: Any) -> Feedback | None:
    trials = [_Trial(n) for n in range(1, _DRAWS + 1)]
    drawn = []
    for trial in trials:
        value = call(answer, trial, form=_FORM)
        if not isinstance(value, dict):
            return _no(shown(value), _EXPECTED, "give back one dict of settings for the trial")
        drawn.append(value)
    return (_wrong_names(drawn) or _wrong_rates([d["lr"] for d in drawn], trials)
            or _wrong_momentum(drawn, trials))


def _wrong_names(drawn: list[dict]) -> Feedback | None:
    for settings in drawn:
        for name in ("lr", "optimizer"):
            if name not in settings:
                return _no(f"a dict with {', '.join(map(str, settings)) or 'nothing'}", _EXPECTED,
                           f"every trial needs {name}, under that name")
        if not isinstance(settings["lr"], float):
            return _no(f"lr is {shown(settings['lr'])}", "a float", "a rate comes from trial.suggest_float")
    kinds = {str(d["optimizer"]) for d in drawn}
    if kinds != {"adamw", "sgd"}:
        return _no(f"optimizers: {', '.join(sorted(kinds))}", "adamw and sgd, each in about half of the trials",
                   "let the trial choose: trial.suggest_categorical('optimizer', [...])")
    return None


def _wrong_rates(rates: list[float], trials: list[_Trial]) -> Feedback | None:
    least, most = min(rates), max(rates)
    low = sum(r < 1e-3 for r in rates) / len(rates)
    said, asked = f"rates from {least:.1e} to {most:.1e}", "rates from 1e-5 to 1e-1"
    if least < 0.99e-5 or most > 1.01e-1:
        return _no(said, asked, "some rates lie outside: check both ends of the range, and whether an exponent "
                   "was taken twice")
    if low < 0.1:
        return _no(f"{low:.0%} of the rates below 1e-3", "about half of them",
                   "on a linear scale nine in ten rates lie in the uppermost decade: use log=True")
    if least > 2e-5 or most < 5e-2:
        return _no(said, asked, "the range is too narrow: it must reach from 1e-5 to 1e-1")
    if not 0.35 < low < 0.65:
        return _no(f"{low:.0%} of the rates below 1e-3", "about half of them",
                   "each power of ten must be as likely as the next: 1e-3 is the middle of the range")
    return None


def _wrong_momentum(drawn: list[dict], trials: list[_Trial]) -> Feedback | None:
    for settings, trial in zip(drawn, trials):
        sgd = settings["optimizer"] == "sgd"
        if sgd and "momentum" not in settings:
            return _no("sgd without momentum", _EXPECTED, "with sgd the momentum is a setting too")
        if not sgd and "momentum" in settings:
            return _no("adamw with a momentum", _EXPECTED, "adamw has no momentum: ask for it only where the "
                       "optimizer is sgd")
        if not sgd and len(trial.asked) > 2:
            return _no("adamw, and a momentum that was drawn and thrown away", _EXPECTED,
                       "the search records what was asked for, also where it is not used, and would learn from "
                       "it: ask inside the if")
    values = [d["momentum"] for d in drawn if "momentum" in d]
    if not all(isinstance(v, float) and math.isfinite(v) for v in values):
        return _no(f"momentum is {shown(values[0])}", "a float from 0.8 to 0.99",
                   "momentum is a number from a range: trial.suggest_float")
    if min(values) < 0.799 or max(values) > 0.991:
        return _no(f"momentum from {min(values):.2f} to {max(values):.2f}", "from 0.8 to 0.99",
                   "momentum leaves its range; at 1 it would never forget")
    if max(values) - min(values) < 0.1:
        return _no(f"momentum from {min(values):.2f} to {max(values):.2f}", "from 0.8 to 0.99",
                   "momentum hardly varies: search the whole of its range")
    return None


EXERCISE = Exercise(
    id="search-space", level="core", minutes=10, judge=_judge,
    aim="Describe a search space with a logarithmic scale and a conditional parameter.",
    stub='''\
def space(trial):
    """The settings of one trial, as a dict.

    "lr": from 1e-5 to 1e-1, each power of ten equally likely; "optimizer":
    "adamw" or "sgd"; with sgd alone also "momentum": from 0.8 to 0.99.
    Ask with trial.suggest_float(name, low, high, log=...) and
    trial.suggest_categorical(name, choices).
    """
    ...  # your code here
''')
