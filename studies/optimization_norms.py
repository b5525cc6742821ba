"""Where the norm stands, with and without warm-up, at three rates: python -m studies.optimization_norms

A causal Transformer of 12 layers x 64 on bytes, from random weights (lmtune.placement), AdamW.
"""
from __future__ import annotations

import time

import lmtune
from lmtune.placement import Transformer
from studies.optimization_record import BATCH, CONTEXT, SEEDS, losses, write

STEPS, WARMUPS, RATES, LAYERS = 100, [0, 25], [1e-3, 4e-3, 1.6e-2], 12
PLACES = ["before", "after", "inputs"]


def byte_examples(texts: list[str]) -> list[dict]:
    """The first bytes of each text that is long enough."""
    cut = [list(t.encode()[:CONTEXT]) for t in texts if len(t.encode()) >= CONTEXT]
    return [{"input_ids": row, "labels": row, "characters": CONTEXT} for row in cut]


def main() -> None:
    began, texts, results = time.process_time(), lmtune.language_modelling("networkx"), {}
    train, validation = byte_examples(texts.train), byte_examples(texts.validation)
    for place in PLACES:
        for warmup in WARMUPS:
            for rate in RATES:
                runs = [losses(lambda: Transformer(place, layers=LAYERS, vocabulary=256, seed=seed), train, validation,
                               steps=STEPS, lr=rate, warmup=warmup, seed=seed) for seed in SEEDS]
                results[f"{place}, warm-up {warmup}, rate {rate:g}"] = runs
                print(place, warmup, rate, [r["validation"] for r in runs], flush=True)
    record(results, began)


def record(results: dict, began: float) -> None:
    """Write what was found, with the design."""
    write("norms", {"steps": STEPS, "batch": BATCH, "context": CONTEXT, "seeds": SEEDS, "layers": LAYERS,
                    "width": 64, "vocabulary": 256, "schedule": "linear", "clip": 1.0}, results, began)


if __name__ == "__main__":
    main()
