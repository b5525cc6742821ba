"""Ways of searching, thirty searches each, on the table: python -m chapters.hyperparameter_tuning.studies.searches

No model is trained here: every trial looks its losses up among those of the study "table".  Kept of
each search are the updates that its trials would have cost, and the best loss so far whenever it fell.
Every way may spend the same number of updates; with a pruner that makes more trials.
"""

from __future__ import annotations

import gc
import math
import random
import time

import numpy

import lmtune
from chapters.hyperparameter_tuning.studies.record import write
from lmtune import Float, Integer
from lmtune.chapters import recorded
from lmtune.hpo.benchmark import Table

SEARCHES, BUDGET = 30, 64 * 32  # updates
SPACE = {"lr": Float(1e-5, 1e-1, log=True), "warmup": Integer(0, 12), "weight_decay": Float(0.001, 1, log=True)}
#: Sampler, pruner, and trials that are surely enough to spend the budget.
WAYS = {
    "random": ("random", None, 64),
    "tpe": ("tpe", None, 64),
    "random, median": ("random", "median", 240),
    "tpe, median": ("tpe", "median", 240),
    "random, halving": ("random", "halving", 360),
    "tpe, halving": ("tpe", "halving", 360),
}
BUDGETS = {8: 2, 27: 3, 64: 4}  #: trials of a grid, and its values per setting


def grid(values: int, seed: int) -> dict[str, list]:
    """Evenly spaced values, shifted by chance: where a grid's points fall is its maker's choice."""
    shift = random.Random(seed)
    offsets = [shift.random() for _ in SPACE]
    at = [[(i + offset) / values for i in range(values)] for offset in offsets]
    return {
        "lr": [10 ** (-5 + 4 * x) for x in at[0]],
        "warmup": [round(12 * x, 3) for x in at[1]],
        "weight_decay": [10 ** (-3 + 3 * x) for x in at[2]],
    }


def trace(result: lmtune.hpo.search.SearchResult) -> dict[str, list]:
    """Updates spent when the best loss fell, and that loss, within the budget."""
    fell, updates, best = {"updates": [], "best": []}, 0, math.inf
    for trial in result.trials:
        updates += trial.last_step
        if updates <= BUDGET and trial.state.name == "COMPLETE" and trial.value < best:
            best = trial.value
            fell["updates"].append(updates)
            fell["best"].append(round(best, 4))
    return fell


def one(table: Table, way: str, seed: int) -> dict[str, list]:
    sampler, pruner, trials = WAYS[way]
    return trace(
        lmtune.search(table.objective, SPACE, trials, sampler=sampler, pruner=pruner, seed=seed, progress=False)
    )


def main() -> None:
    began, table, results = time.process_time(), Table.of(recorded("hyperparameter_tuning/table")), {}
    lmtune.search(table.objective, SPACE, 1, progress=False)  # imports what is needed
    gc.freeze()  # the search collects garbage after each trial: let it pass over the imports
    for way in WAYS:
        results[way] = [one(table, way, seed) for seed in range(SEARCHES)]
        print(way, sorted(r["best"][-1] for r in results[way])[::10], round(time.process_time() - began), flush=True)
    grids = {
        budget: [
            round(
                min(
                    table.curve(dict(zip(SPACE, row)))[-1]
                    for row in numpy.array(numpy.meshgrid(*grid(values, seed).values())).reshape(3, -1).T
                ),
                4,
            )
            for seed in range(SEARCHES)
        ]
        for budget, values in BUDGETS.items()
    }
    write(
        "searches",
        {
            "searches": SEARCHES,
            "updates": BUDGET,
            "seeds": f"0 to {SEARCHES - 1}",
            "space": repr(SPACE),
            "objective": "the study hyperparameter_tuning_table",
            "grids": "evenly spaced, shifted at random",
        },
        {"ways": results, "grids": grids},
        began,
    )


if __name__ == "__main__":
    main()
