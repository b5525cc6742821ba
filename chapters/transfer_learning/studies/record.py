"""What the studies of the chapter on transfer learning share: the task, a measure, and the record."""

from __future__ import annotations

import random
import time

import torch
import torch.nn.functional as F

import lmtune
from lmtune.data.batches import collate, in_batches
from lmtune.models.modes import evaluating
from studies import record

SEEDS = [0, 1, 2, 3, 4]
TUNING_SEED = 100  #: rates are chosen with this seed, on the validation documents
PACKAGES = ("numpy", "pandas", "networkx", "matplotlib")
CONTEXT, BATCH, STEPS, WARMUP = 64, 16, 60, 6


def documents():
    """Train documents to draw from, 400 to validate on and 600 to test on: texts and labels."""
    parts = lmtune.classification(PACKAGES)
    return (parts.train, random.Random(0).sample(parts.validation, 400), random.Random(0).sample(parts.test, 600))


def examples(rows, tokenizer):
    return lmtune.labelled([r.text for r in rows], [r.label for r in rows], tokenizer, context=CONTEXT)


def few(train, n: int, seed: int):
    """The labelled documents of one seed: the first n of 512 that it draws, so sets of one seed nest."""
    return random.Random(seed).sample(train, 512)[:n]


@torch.no_grad()
def measure(model, tested) -> dict[str, float]:
    """Error rate and loss in nats."""
    with evaluating(model):
        logits = torch.cat([model(b["input_ids"], b["attention_mask"]) for b in map(collate, in_batches(tested, 50))])
    labels = torch.tensor([e["labels"] for e in tested])
    return {
        "error": round((logits.argmax(-1) != labels).double().mean().item(), 4),
        "loss": round(F.cross_entropy(logits, labels).item(), 4),
    }


def write(name: str, design: dict, results: dict, began: float) -> None:
    """Record a study of this chapter."""
    record.write(f"transfer_learning/{name}", design, results, time.process_time() - began)
