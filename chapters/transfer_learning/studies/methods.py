"""What to train: quality, parameters, memory and time of eight ways: python -m chapters.transfer_learning.studies.methods

pocket-mini with a head on 128 labelled documents, 60 updates of 16 for every way that trains the model.
"""

from __future__ import annotations

import statistics
import time

import torch

import lmtune
from chapters.transfer_learning.studies.labels import features, regression
from chapters.transfer_learning.studies.record import (
    BATCH,
    CONTEXT,
    PACKAGES,
    SEEDS,
    STEPS,
    TUNING_SEED,
    WARMUP,
    documents,
    examples,
    few,
    measure,
    write,
)
from lmtune.data.batches import collate
from lmtune.diagnostics.memory import saved_bytes
from lmtune.models.layers import layerwise, unfreeze
from lmtune.models.prompt_tuning import SoftPrompt

LABELLED, RANK, ALPHA, LENGTH, DECAY = 128, 8, 16.0, 8, 0.4
ALL = 3  #: layers to unfreeze: the two of pocket-mini, and the embeddings
#: The rates that each way chooses from.
RATES = {
    "head only": [1e-2, 3e-2, 1e-1, 3e-1],
    "top layer": [1e-3, 3e-3, 1e-2],
    "gradual unfreezing": [3e-4, 1e-3, 3e-3, 1e-2],
    "layer-wise rates": [3e-4, 1e-3, 3e-3, 1e-2],
    "everything": [3e-4, 1e-3, 3e-3],
    "LoRA": [1e-3, 3e-3, 1e-2, 3e-2],
    "prompt tuning": [3e-3, 1e-2, 3e-2, 1e-1],
}


def made(way: str, seed: int):
    """A classifier, prepared for one way of training."""
    body, _ = lmtune.load("pocket-mini")
    model = lmtune.classifier(body, len(PACKAGES), seed=seed, pooling="mean")
    if way in ("head only", "gradual unfreezing"):
        unfreeze(model, 0)
    elif way == "top layer":
        unfreeze(model, 1)
    elif way == "LoRA":
        lmtune.add_lora(model, RANK, ALPHA, seed=seed)
    elif way == "prompt tuning":
        model = SoftPrompt(model, LENGTH, seed=seed)
    return model


def trained(way: str, train, seed: int, lr: float):
    """The trained model, and the median seconds of an update."""
    model = made(way, seed)
    settings = dict(batch_size=BATCH, lr=lr, seed=seed, loss=lmtune.classification_loss, progress=False)
    if way == "gradual unfreezing":  # the head, then the top layer too, then everything: 20 updates each
        histories = []
        for layers in (0, 1, ALL):
            unfreeze(model, layers)
            histories.append(lmtune.fit(model, train, steps=STEPS // 3, warmup=WARMUP // 3, **settings))
    else:
        optimizer = layerwise(DECAY) if way == "layer-wise rates" else None
        histories = [lmtune.fit(model, train, steps=STEPS, warmup=WARMUP, optimizer=optimizer, **settings)]
    moments = [[step.seconds for step in h.steps] for h in histories]
    return model, statistics.median(b - a for row in moments for a, b in zip(row, row[1:]))


def needs(way: str, train) -> dict[str, int]:
    """Parameters trained, and bytes at the end of a forward pass: weights, gradients, AdamW's state, activations."""
    model = made(way, 0)
    if way == "gradual unfreezing":
        unfreeze(model, ALL)  # what it needs at last
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    longest = sorted(train, key=lambda e: -len(e["input_ids"]))[:BATCH]
    kept = saved_bytes(model.train(), collate(longest), loss=lmtune.classification_loss)
    return {
        "trained": count,
        "weights": 4 * sum(p.numel() for p in model.parameters()),
        "gradients": 4 * count,
        "optimizer": 8 * count,
        "activations": kept,
    }


def frozen(train, test) -> list[dict]:
    """Logistic regression on frozen features."""
    seen, right = features("pocket-mini", True, "mean", test), [r.label for r in test]
    runs = []
    for seed in SEEDS:
        rows = few(train, LABELLED, seed)
        runs.append(
            regression(
                features("pocket-mini", True, "mean", rows), [r.label for r in rows], seen, torch.tensor(right).numpy()
            )
        )
    return runs


def main() -> None:
    began = time.process_time()
    _, tokenizer = lmtune.load("pocket-mini")
    train, validation, test = documents()
    validated, tested = examples(validation, tokenizer), examples(test, tokenizer)
    tuning = examples(few(train, LABELLED, TUNING_SEED), tokenizer)
    sets = {seed: examples(few(train, LABELLED, seed), tokenizer) for seed in SEEDS}
    results = {"frozen features": {"runs": frozen(train, test), "tried": {}, "needs": {"trained": 0}}}
    for way, rates in RATES.items():
        tried = {lr: measure(trained(way, tuning, TUNING_SEED, lr)[0], validated)["error"] for lr in rates}
        lr = min(tried, key=tried.get)
        runs = []
        for seed in SEEDS:
            model, seconds = trained(way, sets[seed], seed, lr)
            runs.append(measure(model, tested) | {"seconds": round(seconds, 5)})
        results[way] = {"rate": lr, "tried": tried, "runs": runs, "needs": needs(way, tuning)}
        mean = sum(r["error"] for r in runs) / len(runs)
        print(way, lr, tried, f"error {mean:.3f}, {time.process_time() - began:.0f} s", flush=True)
    write(
        "methods",
        {
            "packages": PACKAGES,
            "labelled": LABELLED,
            "steps": STEPS,
            "batch": BATCH,
            "context": CONTEXT,
            "rank": RANK,
            "alpha": ALPHA,
            "prompt": LENGTH,
            "decay": DECAY,
            "seeds": SEEDS,
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
