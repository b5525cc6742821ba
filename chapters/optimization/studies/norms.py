"""Where the norm stands, with and without warm-up, at three rates: python -m chapters.optimization.studies.norms

A causal Transformer of 12 layers x 64 on bytes, from random weights (lmtune.models.transformer), AdamW.
A second part starts from GPT-2's smaller weights; ``python -m chapters.optimization.studies.norms small`` runs
that part alone and keeps the recorded first part.
"""

from __future__ import annotations

import json
import sys
import time

import lmtune
from chapters.optimization.studies.record import BATCH, CONTEXT, SEEDS, losses, write
from lmtune.models.transformer import Transformer
from studies.record import FOLDER

STEPS, WARMUPS, RATES, LAYERS = 100, [0, 25], [1e-3, 4e-3, 1.6e-2], 12
PLACES = ["before", "after", "inputs"]
SMALL, SMALL_WARMUP, SMALL_RATES = 0.02, 25, [4e-3, 1.6e-2]


def byte_examples(texts: list[str]) -> list[dict]:
    """The first bytes of each text that is long enough."""
    cut = [list(t.encode()[:CONTEXT]) for t in texts if len(t.encode()) >= CONTEXT]
    return [{"input_ids": row, "labels": row, "characters": CONTEXT} for row in cut]


def arm(place: str, warmup: int, rate: float, std: float | None = None) -> list[dict]:
    """Five seeds of one place, warm-up, rate and size of the first weights."""
    texts = lmtune.language_modelling("networkx")
    train, validation = byte_examples(texts.train), byte_examples(texts.validation)
    runs = [
        losses(
            lambda seed=seed: Transformer(place, layers=LAYERS, vocabulary=256, seed=seed, std=std),
            train,
            validation,
            steps=STEPS,
            lr=rate,
            warmup=warmup,
            seed=seed,
        )
        for seed in SEEDS
    ]
    print(place, warmup, rate, std, [r["validation"] for r in runs], flush=True)
    return runs


def large() -> dict:
    """The first part: weights of standard deviation width ** -0.5."""
    return {
        f"{place}, warm-up {warmup}, rate {rate:g}": arm(place, warmup, rate)
        for place in PLACES
        for warmup in WARMUPS
        for rate in RATES
    }


def small() -> dict:
    """The second part: weights of standard deviation 0.02."""
    return {
        f"{place}, std {SMALL:g}, warm-up {SMALL_WARMUP}, rate {rate:g}": arm(place, SMALL_WARMUP, rate, SMALL)
        for place in PLACES
        for rate in SMALL_RATES
    }


def main(parts: list[str]) -> None:
    began, earlier = time.process_time(), {}
    if parts == ["small"]:
        old = json.loads((FOLDER / "optimization" / "recorded" / "norms.json").read_text("utf-8"))
        earlier = {name: runs for name, runs in old["results"].items() if "std" not in name}
        began -= old["design"].get("CPU seconds, first part", old["CPU seconds"])
    else:
        earlier = large()
    first = round(time.process_time() - began)
    record({**earlier, **small()}, began, first)


def record(results: dict, began: float, first: int) -> None:
    """Write what was found, with the design."""
    write(
        "norms",
        {
            "steps": STEPS,
            "batch": BATCH,
            "context": CONTEXT,
            "seeds": SEEDS,
            "layers": LAYERS,
            "width": 64,
            "vocabulary": 256,
            "schedule": "linear",
            "clip": 1.0,
            "std": {"first part": 64**-0.5, "second part": SMALL},
            "CPU seconds, first part": first,
        },
        results,
        began,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
