"""Cyclical rates against the others at equal budget: python -m chapters.hyperparameter_tuning.studies.schedules

The pretrained pocket-mini with AdamW and with SGD and momentum.  Each schedule's peak rate is chosen
with a seed of its own; five other seeds are then run at that rate.
"""

from __future__ import annotations

import time

from chapters.hyperparameter_tuning.studies.record import BATCH, CONTEXT, SEEDS, TUNING_SEED, data, loss, sgd, write
from lmtune.optim.schedules import Cyclic

STEPS, HALF = 48, 8
RATES = {"adamw": [5e-4, 1e-3, 2e-3], "sgd": [0.03, 0.1, 0.3]}
SCHEDULES = {
    "constant": "constant",
    "cosine": "cosine",
    "one-cycle": "one-cycle",
    "triangular": Cyclic(HALF),
    "triangular2": Cyclic(HALF, mode="triangular2"),
    "exp_range": Cyclic(HALF, mode="exp_range", gamma=0.95),
}
OPTIMIZERS = {"adamw": None, "sgd": sgd}


def main() -> None:
    began, (train, validation) = time.process_time(), data()
    results = {}
    for optimizer, rates in RATES.items():
        results[optimizer] = {}
        for name, schedule in SCHEDULES.items():

            def run(rate, seed, schedule=schedule, optimizer=optimizer):
                return loss(
                    train,
                    validation,
                    steps=STEPS,
                    lr=rate,
                    seed=seed,
                    schedule=schedule,
                    optimizer=OPTIMIZERS[optimizer],
                )

            tuning = {rate: run(rate, TUNING_SEED) for rate in rates}
            best = min(tuning, key=tuning.get)
            results[optimizer][name] = {"tuning": tuning, "rate": best, "losses": [run(best, s) for s in SEEDS]}
            print(optimizer, name, results[optimizer][name], flush=True)
    write(
        "schedules",
        {
            "steps": STEPS,
            "half cycle": HALF,
            "batch": BATCH,
            "context": CONTEXT,
            "seeds": SEEDS,
            "tuning seed": TUNING_SEED,
            "rates": RATES,
            "sgd": "momentum 0.9, gradient clipped at 1",
            "schedules": {k: repr(v) for k, v in SCHEDULES.items()},
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
