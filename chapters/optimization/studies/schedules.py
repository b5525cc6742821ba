"""Eight schedules at equal budget, each at its own tuned rate: python -m chapters.optimization.studies.schedules

AdamW on the pretrained pocket-mini.  The rate is chosen on the validation documents with a seed
of its own; five other seeds are then run at that rate.
"""

from __future__ import annotations

import time

import lmtune
from chapters.optimization.studies.record import BATCH, CONTEXT, SEEDS, TUNING_SEED, data, losses, write
from lmtune.optim.schedules import Exponential, Plateau, StepDecay

STEPS, WARMUP = 40, 4
RATES = [2.5e-4, 5e-4, 1e-3, 2e-3]
SCHEDULES = {
    "constant": "constant",
    "step": StepDecay(every=18, gamma=0.1),
    "exponential": Exponential(0.92),
    "cosine": "cosine",
    "linear": "linear",
    "plateau": Plateau(factor=0.5, patience=0),
    "warm-up-stable-decay": "stable-decay",
    "linear, no warm-up": "linear",
}


def arm(name: str, train, validation, test) -> dict:
    """The losses of each rate under the tuning seed, the best rate, and five seeds at that rate."""
    # Plateau must look at validation documents while it trains; the others do not.
    looks = {"looks_at": validation[::4], "evaluate_every": 5} if name == "plateau" else {}

    def run(rate, seed, test=None):
        return losses(
            lambda: lmtune.load("pocket-mini")[0],
            train,
            validation,
            test,
            steps=STEPS,
            lr=rate,
            warmup=0 if "no" in name.split() else WARMUP,
            schedule=SCHEDULES[name],
            seed=seed,
            **looks,
        )

    tuning = {rate: run(rate, TUNING_SEED)["validation"] for rate in RATES}
    best = min(tuning, key=tuning.get)
    runs = [run(best, seed, test) for seed in SEEDS]
    print(name, tuning, [r["test"] for r in runs], flush=True)
    return {"tuning": tuning, "rate": best, "runs": runs}


def main() -> None:
    began, documents = time.process_time(), data()
    record({name: arm(name, *documents) for name in SCHEDULES}, began)


def record(results: dict, began: float) -> None:
    """Write what was found, with the design."""
    write(
        "schedules",
        {
            "steps": STEPS,
            "warmup": WARMUP,
            "batch": BATCH,
            "context": CONTEXT,
            "seeds": SEEDS,
            "tuning seed": TUNING_SEED,
            "rates": RATES,
            "optimizer": "adamw",
            "schedules": {k: repr(v) for k, v in SCHEDULES.items()},
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
