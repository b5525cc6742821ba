"""What the exercise "search space" sees of an answer: made-up trials, and what was made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from lmtune.exercises.cases import Feedback
from lmtune.exercises.exercise import shown
from lmtune.exercises.plain import difference, plain

#: Values that a trial gives for one name, evenly spread from end to end; a prime number.
_LEVELS = 7
_EXPECTED = "{'lr': ..., 'optimizer': 'adamw'}, or {'lr': ..., 'optimizer': 'sgd', 'momentum': ...}"
#: What :func:`seen` sees of the space that is asked for.
RIGHT = {
    "lr": ["each decade alike", 1e-5, 1e-1],
    "optimizer": "adamw or sgd",
    "momentum with sgd": ["over its range", 0.8, 0.99],
    "momentum with adamw": "none",
}


class _Trial:
    """Gives evenly spread values, every pair for each two names equally often, and keeps what was asked for."""

    def __init__(self, number: int, names: dict[str, int]):
        self.place, self.names, self.asked = divmod(number, _LEVELS), names, set()

    def _share(self, name: str) -> float:
        """From 0 to 1, the same whenever one name is asked for."""
        self.asked.add(name)
        first, second = self.place
        return (first + self.names.setdefault(name, len(self.names)) * second) % _LEVELS / (_LEVELS - 1)

    def suggest_float(self, name, low, high, *, step=None, log=False):
        if low > high or log and low <= 0:
            raise ValueError(f"low = {low} must not be above high = {high}, and with log=True above 0")
        share = self._share(name)
        value = low * (high / low) ** share if log else low + (high - low) * share
        return low + round((value - low) / step) * step if step else value

    def suggest_int(self, name, low, high, *, step=1, log=False):
        return round(self.suggest_float(name, low, high, step=None if log else step, log=log))

    def suggest_categorical(self, name, choices):
        choices = list(choices)
        return choices[min(int(self._share(name) * len(choices)), len(choices) - 1)]


def seen(answer: Callable, _: str) -> dict | Feedback:
    """What a search space does in trials that spread over the whole of it, in words."""
    names, drawn, asked = {}, [], []
    for number in range(_LEVELS**2):
        trials = [_Trial(number, names), _Trial(number, names)]
        first, again = (answer(trial) for trial in trials)
        if not isinstance(first, Mapping):
            return Feedback(shown(first), _EXPECTED, "give back one dict of settings for the trial")
        drawn.append(plain(dict(first)))
        asked.append(trials[0].asked)
        if difference(drawn[-1], plain(dict(again)), 0):
            return Feedback(
                "two dicts that differ, for one trial",
                _EXPECTED,
                "something is drawn without the trial, and the search can neither know nor repeat it: ask the trial",
            )
    adamw = [i for i, settings in enumerate(drawn) if settings.get("optimizer") == "adamw"]
    sgd = [settings for settings in drawn if settings.get("optimizer") == "sgd"]
    kept, unused = any("momentum" in drawn[i] for i in adamw), any(len(asked[i]) > 2 for i in adamw)
    return {
        "lr": _numbers([settings.get("lr", "missing") for settings in drawn], _rates),
        "optimizer": _optimizers({str(settings.get("optimizer", "missing")) for settings in drawn}),
        "momentum with sgd": _numbers([settings.get("momentum", "missing") for settings in sgd], _momenta),
        "momentum with adamw": "a setting" if kept else "drawn and thrown away" if unused else "none",
    }


def _optimizers(found: set[str]) -> str:
    if found == {"adamw", "sgd"} or "missing" in found:
        return "missing" if "missing" in found else "adamw or sgd"
    return "always the same" if len(found) == 1 else "of other names"


def _numbers(values: list, spread: Callable[[list], str]) -> list:
    """In words how numbers are spread, and the least and the largest."""
    if not values or "missing" in values:
        return ["missing", 0, 0]
    if not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        return ["no number", 0, 0]
    return [spread(sorted(values)), min(values), max(values)]


def _rates(rates: list) -> str:
    if rates[0] < 0.99e-5 or rates[-1] > 1.01e-1:
        return "partly outside"
    if sum(r < 1e-3 for r in rates) < len(rates) / 5:
        return "mostly in the uppermost decade"
    if rates[0] > 1.1e-5 or rates[-1] < 0.9e-1:
        return "in a part of the range"
    if len({round(math.log10(r), 6) for r in rates}) < _LEVELS:
        return "a few values"
    middles = rates[_LEVELS // 2 :: _LEVELS]
    even = all(abs(math.log10(r) + 5 - 4 * i / (_LEVELS - 1)) < 0.2 for i, r in enumerate(middles))
    return "each decade alike" if even else "some decades more"


def _momenta(momenta: list) -> str:
    if momenta[0] < 0.799 or momenta[-1] > 0.991:
        return "partly outside"
    if momenta[-1] - momenta[0] < 0.1:
        return "hardly varied"
    if momenta[0] > 0.801 or momenta[-1] < 0.989:
        return "in a part of its range"
    return "over its range" if len({round(m, 6) for m in momenta}) == _LEVELS else "a few values"
