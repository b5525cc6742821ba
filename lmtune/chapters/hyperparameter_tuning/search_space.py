"""The exercise "search space": log scale, and a parameter that exists only beside another."""

from __future__ import annotations

from collections.abc import Callable

from lmtune.chapters.hyperparameter_tuning.search_space_trials import RIGHT, seen
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.plain import ANY


def _but(**parts: str | list) -> Callable:
    """What is seen of a space with one fault, whatever its other parts are."""
    faults = {name.replace("_", " "): fault for name, fault in parts.items()}
    return lambda trial: {**dict.fromkeys(RIGHT, ANY), **faults}


def _lr(fault: str) -> Callable:
    return _but(lr=[fault, ANY, ANY])


def _momentum(fault: str) -> Callable:
    return _but(momentum_with_sgd=[fault, ANY, ANY])


EXERCISE = Exercise(
    id="search-space",
    level="core",
    minutes=10,
    aim="Describe a search space with a logarithmic scale and a conditional parameter.",
    stub='''\
def space(trial):
    """The settings of one trial, as a dict.

    "lr": any number from 1e-5 to 1e-1, each power of ten as likely as the next;
    "optimizer": "adamw" or "sgd"; with sgd alone also "momentum": any number
    from 0.8 to 0.99.  Ask with trial.suggest_float(name, low, high, log=...) and
    trial.suggest_categorical(name, choices).
    """
    ...  # your code here
''',
    inputs=lambda rng: [["one of 49 that spread over the whole space"]],
    observe=seen,
    truth=lambda trial: RIGHT,
    gives="one dict of settings for the trial",
    otherwise="compare the ends of both ranges with those that are asked for, and the names and texts letter by letter",
    mistakes=[
        (_lr("missing"), "every trial needs lr, under that name"),
        (_lr("no number"), "a rate comes from trial.suggest_float, and goes into the dict as it is"),
        (_but(optimizer="missing"), "every trial needs optimizer, under that name"),
        (_but(optimizer="always the same"), "let the trial choose: trial.suggest_categorical('optimizer', [...])"),
        (_but(optimizer="of other names"), "the optimizers are called 'adamw' and 'sgd', and there is no third"),
        (
            _lr("partly outside"),
            "some rates lie outside: check both ends of the range, and whether an exponent was taken twice",
        ),
        (
            _lr("mostly in the uppermost decade"),
            "on a linear scale nine in ten rates lie in the uppermost decade: use log=True",
        ),
        (_lr("in a part of the range"), "the range is too narrow: it must reach from 1e-5 to 1e-1"),
        (
            _lr("a few values"),
            "only a few different rates can come: those between them are never tried. Take any number of the range, "
            "with suggest_float",
        ),
        (_lr("some decades more"), "each power of ten must be as likely as the next: 1e-3 is the middle of the range"),
        (
            _but(momentum_with_sgd=["missing", ANY, ANY], momentum_with_adamw="a setting"),
            "the condition is the wrong way round: sgd has a momentum, and adamw has none",
        ),
        (_momentum("missing"), "with sgd the momentum is a setting too"),
        (_but(momentum_with_adamw="a setting"), "adamw has no momentum: ask for it only where the optimizer is sgd"),
        (
            _but(momentum_with_adamw="drawn and thrown away"),
            "the search records what was asked for, also where it is not used, and would learn from it: ask inside "
            "the if",
        ),
        (_momentum("no number"), "momentum is a number from a range: trial.suggest_float"),
        (_momentum("partly outside"), "momentum leaves its range; at 1 it would never forget"),
        (_momentum("hardly varied"), "momentum hardly varies: search the whole of its range"),
        (_momentum("in a part of its range"), "momentum stays in a part of its range: it must reach from 0.8 to 0.99"),
        (
            _momentum("a few values"),
            "momentum takes only a few values: take any number of its range, with suggest_float",
        ),
    ],
)
