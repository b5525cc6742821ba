"""Five optimizers at equal budget, each at its own tuned rate: python -m chapters.optimization.studies.optimizers

From the pretrained pocket-mini and from random weights.  The rate is chosen on the validation documents with a
seed of its own; five other seeds are then run at that rate.
"""

from __future__ import annotations

import time

import torch

import lmtune
from chapters.optimization.studies.record import BATCH, CONTEXT, SEEDS, TUNING_SEED, data, losses, write
from lmtune.optim.muon import muon

STEPS, WARMUP, CLIP = 40, 4, 1.0
OPTIMIZERS = {
    "sgd": lambda m, c: torch.optim.SGD(m.parameters(), c.lr),
    "momentum": lambda m, c: torch.optim.SGD(m.parameters(), c.lr, momentum=0.9),
    "adam": lambda m, c: torch.optim.Adam(m.parameters(), c.lr, betas=c.betas),
    "adamw": None,
    "muon": muon,
}
#: Five rates each, wide enough that none chose the first or the last of its own.
RATES = {
    "pretrained": {
        "sgd": [0.03, 0.1, 0.3, 1.0, 3.0],
        "momentum": [0.003, 0.01, 0.03, 0.1, 0.3],
        "adam": [2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3],
        "adamw": [2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3],
        "muon": [5e-4, 1e-3, 2e-3, 4e-3, 8e-3],
    },
    "random": {
        "sgd": [0.1, 0.3, 1.0, 3.0, 10.0],
        "momentum": [0.01, 0.03, 0.1, 0.3, 1.0],
        "adam": [5e-4, 1e-3, 2e-3, 4e-3, 8e-3],
        "adamw": [5e-4, 1e-3, 2e-3, 4e-3, 8e-3],
        "muon": [4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2],
    },
}
WEIGHT_DECAY = {"adamw": 0.1, "muon": 0.1}


def main() -> None:
    began, (train, validation, test), results = time.process_time(), data(), {}

    def run(name, start, rate, seed, test=None):
        return losses(
            lambda: lmtune.load("pocket-mini", pretrained=start == "pretrained", seed=seed)[0],
            train,
            validation,
            test,
            steps=STEPS,
            lr=rate,
            warmup=WARMUP,
            clip=CLIP,
            seed=seed,
            optimizer=OPTIMIZERS[name],
            weight_decay=WEIGHT_DECAY.get(name, 0.0),
        )

    for start in ("pretrained", "random"):
        untrained, _ = lmtune.load("pocket-mini", pretrained=start == "pretrained")
        results[f"no training, {start}"] = {
            "runs": [
                {
                    part: round(lmtune.evaluate(untrained, rows, progress=False).loss, 4)
                    for part, rows in (("validation", validation), ("test", test))
                }
            ]
        }
        for name in RATES[start]:
            tuning = {rate: run(name, start, rate, TUNING_SEED)["validation"] for rate in RATES[start][name]}
            best = min(tuning, key=tuning.get)
            runs = [run(name, start, best, seed, test) for seed in SEEDS]
            results[f"{name}, {start}"] = {"tuning": tuning, "rate": best, "runs": runs}
            print(f"{name}, {start}", tuning, [r["test"] for r in runs], flush=True)
    write(
        "optimizers",
        {
            "steps": STEPS,
            "warmup": WARMUP,
            "clip": CLIP,
            "batch": BATCH,
            "context": CONTEXT,
            "seeds": SEEDS,
            "tuning seed": TUNING_SEED,
            "weight decay": WEIGHT_DECAY,
            "schedule": "linear",
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
