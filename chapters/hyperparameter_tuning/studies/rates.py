"""Thirteen learning rates over five decades, and the range test: python -m chapters.hyperparameter_tuning.studies.rates

AdamW on the pretrained pocket-mini, five seeds.  Each seed's range test is read in three ways, and
each reading is then used as the rate of a run of its own, under the same seed.
"""

from __future__ import annotations

import time

import lmtune
from chapters.hyperparameter_tuning.studies.record import BATCH, CONTEXT, SEEDS, data, loss, write

STEPS, TEST_STEPS = 40, 60
RATES = [1e-5, 3.2e-5, 1e-4, 3.2e-4, 1e-3, 1.8e-3, 3.2e-3, 5.6e-3, 1e-2, 3.2e-2, 1e-1, 3.2e-1, 1.0]
READINGS = ["steepest", "minimum_over_ten", "valley"]


def main() -> None:
    began, (train, validation) = time.process_time(), data()
    sweep = {rate: [] for rate in RATES}
    tests = []
    for seed in SEEDS:
        for rate in RATES:
            sweep[rate].append(loss(train, validation, steps=STEPS, lr=rate, seed=seed))
        test = lmtune.range_test(
            lmtune.load("pocket-mini")[0],
            train,
            low=1e-5,
            high=1.0,
            steps=TEST_STEPS,
            batch_size=BATCH,
            seed=seed,
            progress=False,
        )
        readings = {name: getattr(test, name)() for name in READINGS}
        tests.append(
            {
                "rates": [float(f"{r:.4g}") for r in test.rates],
                "losses": [round(x, 4) for x in test.losses],
                "readings": readings,
                "reached": {
                    name: loss(train, validation, steps=STEPS, lr=rate, seed=seed) for name, rate in readings.items()
                },
            }
        )
        print(seed, {r: v[-1] for r, v in sweep.items()}, readings, tests[-1]["reached"], flush=True)
    write(
        "rates",
        {
            "steps": STEPS,
            "range test steps": TEST_STEPS,
            "batch": BATCH,
            "context": CONTEXT,
            "seeds": SEEDS,
            "schedule": "linear",
            "optimizer": "adamw",
        },
        {"sweep": sweep, "range tests": tests},
        began,
    )


if __name__ == "__main__":
    main()
