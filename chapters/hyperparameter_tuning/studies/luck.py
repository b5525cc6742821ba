"""How much of a search's best score is luck: python -m chapters.hyperparameter_tuning.studies.luck

Six random searches of twelve trials each, among settings that are all good, each trial under a seed
of its own.  Each winner is then run again under five fresh seeds, on the same validation windows.
"""

from __future__ import annotations

import math
import random
import time

from chapters.hyperparameter_tuning.studies.record import BATCH, CONTEXT, data, last_and_validation, loss, write

STEPS, SEARCHES, TRIALS, FRESH = 32, 6, 12, 5
LOW, HIGH = 7e-4, 1.4e-3


def trials(search: int) -> list[dict]:
    """The settings of one search: a rate, a warm-up, and a seed that no other trial has."""
    draw = random.Random(search)
    return [
        {
            "lr": float(f"{math.exp(draw.uniform(math.log(LOW), math.log(HIGH))):.4g}"),
            "warmup": draw.randint(0, 6),
            "seed": 1000 + 100 * search + i,
        }
        for i in range(TRIALS)
    ]


def main() -> None:
    began, (train, validation) = time.process_time(), data()
    searches = []
    for search in range(SEARCHES):
        both = [last_and_validation(train, validation[:64], steps=STEPS, **settings) for settings in trials(search)]
        losses = [validation_loss for _, validation_loss in both]
        winner = trials(search)[losses.index(min(losses))]
        fresh = [
            loss(train, validation[:64], steps=STEPS, **{**winner, "seed": 5000 + 100 * search + i})
            for i in range(FRESH)
        ]
        searches.append(
            {"losses": losses, "last batches": [last for last, _ in both], "winner": winner, "fresh": fresh}
        )
        print(search, losses, winner, fresh, flush=True)
    write(
        "luck",
        {
            "steps": STEPS,
            "trials": TRIALS,
            "rates": [LOW, HIGH],
            "warm-up": [0, 6],
            "batch": BATCH,
            "context": CONTEXT,
            "validation": "64 windows",
        },
        {"searches": searches},
        began,
    )


if __name__ == "__main__":
    main()
