"""Batch size and rate at equal tokens: python -m chapters.hyperparameter_tuning.studies.batches

256 windows of 32 tokens in batches of 4, 16 or 64, so in 64, 16 or 4 updates.  The best rate of
the smallest batch is found with a seed of its own.  For the larger batches that rate is kept, or
multiplied by the ratio of the batches or by its root, or found anew; each then runs on five seeds.
"""

from __future__ import annotations

import math
import os
import time
from multiprocessing import get_context

import torch

from chapters.hyperparameter_tuning.studies.record import CONTEXT, SEEDS, TUNING_SEED, data, loss, sgd, write

WINDOWS, BATCHES = 256, [4, 16, 64]
#: Factors of two, from well below the best rate of the smallest batch to well above that of the largest.
RATES = {"sgd": [2.0**-i for i in range(8, 1, -1)], "adamw": [2.0**-i for i in range(12, 6, -1)]}
#: The rule for SGD is stated for gradients as they are, so its gradient is not clipped.
SETTINGS = {"sgd": {"optimizer": sgd, "clip": None}, "adamw": {}}


def runs(name: str) -> dict:
    """The results of one optimizer, by batch."""
    torch.set_num_threads(1)
    train, validation = data()

    def run(batch, rate, seed):
        return loss(train, validation, steps=WINDOWS // batch, batch_size=batch, lr=rate, seed=seed, **SETTINGS[name])

    results: dict = {}
    base = 0.0  # the best rate of the smallest batch
    for batch in BATCHES:
        scan = {rate: run(batch, rate, TUNING_SEED) for rate in RATES[name]}
        best = min(scan, key=scan.get)
        base = best if batch == BATCHES[0] else base
        ratio = batch // BATCHES[0]
        rules = {"tuned": best, "kept": base, "root": base * math.sqrt(ratio), "linear": base * ratio}
        known = {rate: [run(batch, rate, seed) for seed in SEEDS] for rate in dict.fromkeys(rules.values())}
        results[batch] = {"scan": scan, "rates": rules, "losses": {rule: known[rate] for rule, rate in rules.items()}}
        print(name, batch, results[batch], flush=True)
    return results


def main() -> None:
    began = time.process_time()
    with get_context("spawn").Pool(2) as pool:
        results = dict(zip(RATES, pool.map(runs, RATES)))
        pool.close()
        pool.join()
    began -= sum(os.times()[2:4])  # what the two processes cost
    write(
        "batches",
        {
            "windows": WINDOWS,
            "context": CONTEXT,
            "schedule": "linear",
            "seeds": SEEDS,
            "tuning seed": TUNING_SEED,
            "sgd": "momentum 0.9, not clipped",
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
