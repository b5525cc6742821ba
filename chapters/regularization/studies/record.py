"""What the studies of the chapter on regularization share: the field, and the record."""

from __future__ import annotations

import lmtune
from studies import record

SEEDS = [0, 1, 2, 3, 4]
TUNING_SEED = 100  #: strengths are chosen with this seed, on the validation documents
CONTEXT, BATCH, STEPS, LR, WARMUP, EVERY = 64, 8, 40, 1e-3, 2, 5


def field(tokenizer):
    """48 training windows of NetworkX's documentation, and windows to validate and to test on."""
    texts = lmtune.language_modelling("networkx")
    train = lmtune.windows(texts.train[::40], tokenizer, context=CONTEXT)[:48]
    seen = [w["input_ids"] for w in train]  # short windows, such as a lone heading, may repeat
    validation, test = (
        lmtune.windows(part[::3], tokenizer, context=CONTEXT) for part in (texts.validation, texts.test)
    )
    validation, test = ([w for w in part if w["input_ids"] not in seen] for part in (validation, test))
    return train, validation[:40], test[:64]


def write(name: str, design: dict, results: dict, cpu_seconds: float) -> None:
    """Record a study of this chapter."""
    record.write(f"regularization/{name}", design, results, cpu_seconds)
