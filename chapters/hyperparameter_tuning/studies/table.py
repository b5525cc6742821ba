"""A table of measured losses that searches can look up: python -m chapters.hyperparameter_tuning.studies.table

Every combination of 25 rates over four decades, three lengths of warm-up and three weight decays:
one short run of the pretrained pocket-mini each, under one seed, its validation loss measured four
times on the way.  With it a search costs next to nothing, and can be repeated many times.
"""

from __future__ import annotations

import itertools
import time

from chapters.hyperparameter_tuning.studies.record import BATCH, CONTEXT, data, looks, write

STEPS, AT = 32, (4, 8, 16)
RATES = [float(f"{10 ** (-5 + i / 6):.3g}") for i in range(25)]
WARMUPS, DECAYS = [0, 4, 12], [0.001, 0.03, 1.0]


def main() -> None:
    began, (train, validation) = time.process_time(), data()
    rows = []
    for lr, warmup, decay in itertools.product(RATES, WARMUPS, DECAYS):
        rows.append(
            [lr, warmup, decay, *looks(train, validation[:64], AT, STEPS, lr=lr, warmup=warmup, weight_decay=decay)]
        )
        if warmup == WARMUPS[-1] and decay == DECAYS[-1]:
            print(rows[-1], flush=True)
    write(
        "table",
        {
            "steps": STEPS,
            "looks": [*AT, STEPS],
            "batch": BATCH,
            "context": CONTEXT,
            "seed": 0,
            "schedule": "linear",
            "validation": "64 windows",
            "columns": ["lr", "warmup", "weight_decay", *AT, STEPS],
        },
        {"rows": rows},
        began,
    )


if __name__ == "__main__":
    main()
