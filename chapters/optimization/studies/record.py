"""What the studies of the chapter on optimization share: their data, and the record."""

from __future__ import annotations

import math
import time

import lmtune
from studies import record

SEEDS = [0, 1, 2, 3, 4]
TUNING_SEED = 100  #: rates are chosen with this seed, on the validation documents
CONTEXT, BATCH = 64, 8


def data():
    """Train, validation and test windows of NetworkX's documentation, and the tokenizer."""
    texts = lmtune.language_modelling("networkx")
    _, tokenizer = lmtune.load("pocket-mini")
    return tuple(
        lmtune.windows(part, tokenizer, context=CONTEXT)
        for part in (texts.train, texts.validation[::8], texts.test[::8])
    )


def losses(make, train, validation, test=None, looks_at=None, **settings):
    """Final losses in nats per token, infinite where training broke down.

    ``looks_at`` are validation windows for a run that looks at them while it trains.
    """
    model = make()
    try:
        lmtune.fit(model, train, batch_size=BATCH, progress=False, validation=looks_at, **settings)
    except FloatingPointError:
        return {"validation": math.inf, **({"test": math.inf} if test else {})}
    found = {"validation": lmtune.evaluate(model, validation, progress=False).loss}
    if test:
        found["test"] = lmtune.evaluate(model, test, progress=False).loss
    return {name: round(loss, 4) for name, loss in found.items()}


def write(name: str, design: dict, results: dict, began: float) -> None:
    """Record a study of this chapter."""
    record.write(f"optimization/{name}", design, results, time.process_time() - began)
