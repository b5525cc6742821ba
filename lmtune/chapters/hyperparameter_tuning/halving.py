"""The exercise "halving": many short runs, and more updates for the few that are best."""
from __future__ import annotations

from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, shown

_FORM = "successive_halving(settings, train, steps, eta)"


class _Runs:
    """The losses of made-up runs, and which were asked for."""

    def __init__(self, losses: dict[str, list[float]]):
        self.losses, self.asked = losses, []

    def __deepcopy__(self, memo: dict) -> _Runs:
        return self  # so that the judge sees the calls

    def __call__(self, setting, steps):
        if len(self.asked) > 1000:
            raise RuntimeError("train was called more than 1000 times: does the loop end when one is left?")
        self.asked.append((setting, steps))
        row = self.losses[setting]
        position = max(i for i, s in enumerate(_STEPS) if s <= steps or i == 0)
        return row[position]


_STEPS = [1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 27, 32, 36, 54, 64, 81, 108, 162]


def _made_up(n: int) -> dict[str, list[float]]:
    """Losses that cross: what is best after few updates is not what is best after many."""
    rows = {}
    for i in range(n):
        start, end = 5 - 0.1 * ((7 * i) % n), 2 + 0.1 * ((5 * i + 3) % n)
        rows[f"s{i}"] = [end + (start - end) / (1 + 0.25 * s) for s in _STEPS]
    return rows


def _truth(losses: dict, steps: int, eta: int) -> tuple[str, list[tuple[str, int]]]:
    """The survivor and the runs of the algorithm, found by sorting each rung."""
    runs, alive, asked = _Runs(losses), list(losses), []
    while len(alive) > 1:
        asked += [(s, steps) for s in alive]
        alive = sorted(alive, key=lambda s: runs(s, steps))[:max(1, len(alive) // eta)]
        steps *= eta
    return alive[0], asked


def _hint(runs: _Runs, asked: list, steps: int, eta: int, n: int) -> str:
    rungs = {s: {name for name, t in runs.asked if t == s} for s in sorted({t for _, t in runs.asked})}
    want = {s: {name for name, t in asked if t == s} for s in sorted({t for _, t in asked})}
    if not rungs:
        return "train was never called: each setting must be tried for steps updates first"
    if min(rungs) != steps or len(rungs[steps]) < n:
        return "in the first round every setting runs, for steps updates"
    if len(rungs) == 1:
        if len(runs.asked) > n:
            return "each round ran as long as the first: a survivor's updates are multiplied by eta"
        return "there is only one round: the survivors go on, with eta times as many updates, until one is left"
    second = sorted(rungs)[1]
    if second != steps * eta:
        return "the second round should have eta times as many updates as the first"
    if len(rungs[second]) == n:
        return "nobody was sent home after the first round: keep the best len // eta"
    ranked = sorted(runs.losses, key=lambda s: runs(s, steps))
    if rungs[second] == set(ranked[-len(rungs[second]):]):
        return "the settings with the largest losses went on: the best have the least loss"
    if len(rungs[second]) != len(want[second]):
        return (f"{len(rungs[second])} of {n} went into the second round and {len(want[second])} were "
                "expected: len // eta, but at least one")
    if rungs[second] != want[second]:
        return "those that went on are not the best of the first round"
    if sorted(rungs) != sorted(want):
        return (f"rounds of {', '.join(map(str, sorted(rungs)))} updates were run and "
                f"{', '.join(map(str, sorted(want)))} were expected: go on until one is left, and no longer")
    if rungs != want:
        return "later rounds went wrong: choose by the losses of the latest round, not of the first"
    return ""


def _judge(answer: Any) -> Feedback | None:
    for n, steps, eta in ((9, 2, 3), (8, 1, 2), (8, 2, 3), (11, 2, 3)):
        losses = _made_up(n)
        runs = _Runs(losses)
        survivor, asked = _truth(losses, steps, eta)
        value = call(answer, list(losses), runs, steps, eta, form=_FORM)
        calls = list(runs.asked)
        given = f"{n} settings, steps {steps}, eta {eta}"
        right = isinstance(value, str) and value == survivor
        hint = _hint(runs, asked, steps, eta, n)
        if not hint and len(calls) != len(asked):
            hint = "some runs were made twice: call train once for each setting in each round"
        if right and not hint:
            continue
        if not hint:
            hint = ("give back the setting itself, the one that is left" if not (isinstance(value, str)
                    and value in losses) else "the runs are right, but another setting was given back: the one "
                    "that is left is the answer")
        return Feedback(f"{shown(value)} after {len(calls)} runs", f"str {survivor!r} after {len(asked)} runs",
                        hint, given)
    return None


EXERCISE = Exercise(
    id="halving", level="challenge", minutes=20, judge=_judge,
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
''')
