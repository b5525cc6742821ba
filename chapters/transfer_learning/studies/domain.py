"""Does the distance of two kinds of text say which base to take?  python -m chapters.transfer_learning.studies.domain

Six bases of pocket-mini's shape, each trained from random weights on the documentation of one library,
are adapted to two others, 40 updates on 64 windows.  Measured before: the divergence of the words,
and the untouched base's loss on the new text.
"""

from __future__ import annotations

import random
import time

import lmtune
from chapters.transfer_learning.studies.record import SEEDS, write
from lmtune.data.distance import divergence

BASES = ("scipy", "sympy", "pandas", "torch", "sqlalchemy", "nltk")
TARGETS = ("networkx", "matplotlib")
CONTEXT, BATCH, DOCUMENTS, BASE_STEPS, BASE_LR = 64, 8, 1000, 400, 3e-3
WINDOWS, STEPS, LR, WARMUP = 64, 40, 2e-3, 4


def windows(texts, tokenizer, count: int, seed: int):
    texts = random.Random(seed).sample(texts, min(len(texts), 2 * count))
    return random.Random(seed).sample(lmtune.windows(texts, tokenizer, context=CONTEXT), count)


def base_of(library: str, tokenizer):
    """A base from random weights, and the texts that it was trained on."""
    texts = random.Random(0).sample(lmtune.language_modelling(library).train, DOCUMENTS)
    model, _ = lmtune.load("pocket-mini", pretrained=False, seed=0)
    lmtune.fit(
        model,
        lmtune.windows(texts, tokenizer, context=CONTEXT),
        steps=BASE_STEPS,
        batch_size=BATCH,
        lr=BASE_LR,
        warmup=25,
        progress=False,
    )
    return model, texts


def outcome(base, train, tested, seed: int) -> float:
    """The test loss of a base after its adaptation; the base stays as it is."""
    model, _ = lmtune.load("pocket-mini", pretrained=False)
    if base is not None:
        model.load_state_dict(base.state_dict())
    lmtune.fit(model, train, steps=STEPS, batch_size=BATCH, lr=LR, warmup=WARMUP, seed=seed, progress=False)
    return round(lmtune.evaluate(model, tested, progress=False).loss, 4)


def main() -> None:
    began = time.process_time()
    _, tokenizer = lmtune.load("pocket-mini")
    bases = {library: base_of(library, tokenizer) for library in BASES}
    results = {}
    for target in TARGETS:
        texts = lmtune.language_modelling(target)
        sample = random.Random(0).sample(texts.train, 500)
        tested = windows(texts.test, tokenizer, 120, 0)
        sets = {seed: windows(texts.train, tokenizer, WINDOWS, seed) for seed in SEEDS}
        results[target] = {"random weights": {"losses": [outcome(None, sets[s], tested, s) for s in SEEDS]}}
        for library, (base, known) in bases.items():
            results[target][library] = {
                "divergence": round(divergence(known[:500], sample), 4),
                "loss before": round(lmtune.evaluate(base, sets[0], progress=False).loss, 4),
                "losses": [outcome(base, sets[s], tested, s) for s in SEEDS],
            }
            print(target, library, results[target][library], f"{time.process_time() - began:.0f} s", flush=True)
    write(
        "domain",
        {
            "bases": BASES,
            "targets": TARGETS,
            "documents": DOCUMENTS,
            "base steps": BASE_STEPS,
            "windows": WINDOWS,
            "steps": STEPS,
            "context": CONTEXT,
            "seeds": SEEDS,
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
