"""What the exercise "halving" sees of an answer: made-up runs, and which of them were asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

#: More runs than any of the cases needs, several times over.
_TOO_MANY = 300


class _Endless(Exception):
    """The answer goes on training; it is told by what it did so far."""


def inputs(rng: random.Random) -> list:
    """Losses that cross: what is best after few updates is not what is best after many."""
    cases = []
    for n, steps, eta in ((27, 2, 3), (8, 1, 2), (8, 2, 3), (13, 2, 3), (16, 1, 2)):
        curves = {f"s{i}": [rng.uniform(4, 5), rng.uniform(2, 3)] for i in range(n)}
        cases.append([list(curves), curves, steps, eta])
    settings, curves, steps, eta = cases[0]
    kept = best(settings, curves, steps)[: len(settings) // eta]
    one, other = best(kept, curves, steps * eta)[-2:]
    curves[other] = list(curves[one])  # two of the same loss, who both go into the second round and no further
    return cases


def loss(curve: list, steps: float) -> float:
    """The loss of a run after so many updates, from where it begins and where it would end."""
    start, end = curve
    return end + (start - end) / (1 + 0.25 * steps)


def best(settings: list, curves: dict, steps: float) -> list:
    """Settings by their loss, the least first."""
    return sorted(settings, key=lambda s: loss(curves[s], steps))


def observe(answer: Callable, settings: list, curves: dict, first: int, eta: int) -> dict:
    """What an answer trains, and what it gives back."""
    rounds: dict[float, list] = {}

    def train(setting, steps):
        reached = loss(curves[setting], float(steps))
        rounds.setdefault(float(steps), []).append(str(setting))
        if sum(map(len, rounds.values())) > _TOO_MANY:
            raise _Endless
        return reached

    try:
        back = answer(list(settings), train, first, eta)
    except _Endless:
        back = "nothing: it never ended"
    return told(rounds, back, settings, curves, first, eta)


def told(rounds: dict, back: Any, settings: list, curves: dict, steps: int, eta: int) -> dict:
    """Rounds of training, by their updates, in words as far as these say more."""
    (first, begun), (second, chosen) = [*rounds.items(), (0, []), (0, [])][:2]
    chosen, ranked = set(chosen), best(settings, curves, steps)
    everyone = first == steps and set(begun) == set(settings)
    return {
        "first round": "every setting for steps updates" if everyone else "something else" if rounds else "none",
        "second round": "none"
        if len(rounds) < 2
        else "eta times as long"
        if second == steps * eta
        else "of another length",
        "went on": len(chosen),
        "they were": _which(chosen, ranked),
        "later": [[updates, sorted(set(names))] for updates, names in list(rounds.items())[2:]],
        "made twice": sum(len(names) - len(set(names)) for names in rounds.values()),
        "given back": back,
    }


def _which(chosen: set, ranked: list) -> str:
    if chosen == set(ranked[: len(chosen)]):
        return "the best"
    return "the worst" if chosen == set(ranked[-len(chosen) :]) else "others"


def halved(settings: list, curves: dict, steps: int, eta: int, by: int | None = None, until: int = 1) -> dict:
    """What successive halving looks like.

    ``by`` are the updates after which all rounds choose, and ``until`` how many may be left.
    """
    alive, rounds, updates = settings, {}, steps
    while len(alive) > until:
        rounds[updates] = alive
        alive = best(alive, curves, by or updates)[: max(1, len(alive) // eta)]
        updates *= eta
    return told(rounds, alive[0], settings, curves, steps, eta)
