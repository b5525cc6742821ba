"""The exercise "halving": many short runs, and more updates for the few that are best."""

from __future__ import annotations

import math
from collections.abc import Callable

from lmtune.chapters.hyperparameter_tuning.halving_runs import halved, inputs, loss, observe
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.plain import ANY


def _seen(**parts) -> Callable:
    """What is seen of a mistake, whatever else the answer does."""
    return lambda *case: {**dict.fromkeys(halved(*case), ANY), **{k.replace("_", " "): v for k, v in parts.items()}}


def _but(part: str, wrong: Callable) -> Callable:
    """A mistake in a part of what is seen, where all else is right."""
    return lambda *case: {**halved(*case), part: wrong(*case)}


def _went_on(count: Callable) -> Callable:
    """A mistake in how many go into the second round; all is right where it does not show."""

    def wrong(settings, curves, steps, eta):
        kept = count(len(settings), eta)
        seen = halved if kept == len(settings) // eta else _seen(went_on=kept)
        return seen(settings, curves, steps, eta)

    return wrong


def _last_updates(settings, curves, steps, eta):
    while len(settings) // eta > 1:
        settings, steps = settings[: len(settings) // eta], steps * eta
    return steps


def _one_round_more(*case):
    right = halved(*case)
    return [*right["later"], [_last_updates(*case) * case[-1], [right["given back"]]]]


def _twin_lost(settings, curves, *rest):
    twins = len({tuple(curve) for curve in curves.values()}) < len(settings)
    return (_seen(they_were="others") if twins else halved)(settings, curves, *rest)


EXERCISE = Exercise(
    id="halving",
    level="challenge",
    minutes=20,
    aim="Write successive halving: spend most updates on the settings that deserve them.",
    stub='''\
def successive_halving(settings, train, steps, eta):
    """The setting that survives.

    settings: a list; train(setting, steps) trains anew for so many updates and
    returns the validation loss.  In each round train every setting that is left,
    once; keep the len // eta with the least loss, at least one; the next round
    has eta times as many steps.  End when one is left.
    """
    ...  # your code here
''',
    inputs=inputs,
    observe=observe,
    truth=halved,
    gives="the setting itself, the one that is left",
    otherwise="write down by hand who runs in each round, for how long, and who is sent home: keep the best len // "
    "eta, but at least one, and go on until one is left",
    mistakes=[
        (_seen(first_round="none"), "train was never called: each setting must be tried for steps updates first"),
        (_seen(first_round="something else"), "in the first round every setting runs, for steps updates"),
        (
            _seen(second_round="none", made_twice=0),
            "there is only one round: the survivors go on, with eta times as many updates, until one is left",
        ),
        (_seen(second_round="none"), "each round ran as long as the first: a survivor's updates are multiplied by eta"),
        (
            _seen(second_round="of another length"),
            "the second round should have eta times as many updates as the first",
        ),
        (_went_on(lambda n, eta: n), "nobody was sent home after the first round: keep the best len // eta"),
        (_seen(they_were="the worst"), "the settings with the largest losses went on: the best have the least loss"),
        (_twin_lost, "two settings had the same loss, and one of them was lost: a loss cannot stand for its setting"),
        (_seen(they_were="others"), "those that went on are not the best of the first round"),
        (_went_on(lambda n, eta: n - n // eta), "len // eta were sent home after the first round: so many should stay"),
        (_went_on(lambda n, eta: math.ceil(n / eta)), "the share that stays was rounded up: it is len // eta"),
        (_went_on(lambda n, eta: n // eta + 1), "one too many stays after the first round: it is len // eta"),
        (_went_on(lambda n, eta: n // 2), "half of them stay, whatever eta is: it is len // eta"),
        (_went_on(lambda n, eta: eta), "eta settings stay: it is len // eta, one in eta of those that ran"),
        (_but("later", _one_round_more), "the last one left was trained again: go on until one is left, and no longer"),
        (
            lambda *case: halved(*case, by=case[2]),
            "later rounds went wrong: choose by the losses of the latest round, not of the first",
        ),
        (
            lambda *case: halved(*case, until=case[-1]),
            "it ends where eta settings or fewer are left: go on until one is",
        ),
        (
            _but("made twice", lambda *case: ANY),
            "some runs were made twice: call train once for each setting in each round",
        ),
        (
            _but("given back", lambda *case: loss(case[1][halved(*case)["given back"]], _last_updates(*case))),
            "give back the setting itself, not its loss",
        ),
        (
            _but("given back", lambda *case: [halved(*case)["given back"]]),
            "give back the setting itself, not a list with it",
        ),
        (
            _but("given back", lambda *case: ANY),
            "the runs are right, but another setting was given back: the one that is left is the answer",
        ),
    ],
)
