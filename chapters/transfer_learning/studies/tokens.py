"""Forty words of NetworkX as new tokens, begun in three ways: python -m chapters.transfer_learning.studies.tokens

pocket-mini is adapted to NetworkX's documentation.  Lengths differ between the tokenizers, so bits
per character are what is compared; every run has the same number of updates of 8 windows of 64 tokens.
"""

from __future__ import annotations

import random
import time

import lmtune
from chapters.transfer_learning.studies.record import SEEDS, write
from lmtune.models.vocabulary import words_to_add

WORDS, CONTEXT, BATCH, LR, WARMUP, STEPS = 40, 64, 8, 1e-3, 5, [0, 10, 100]
STARTS = ("none", "random", "mean", "pieces")


def field():
    """Train documents, 150 test documents, and the words."""
    texts = lmtune.language_modelling("networkx")
    _, tokenizer = lmtune.load("pocket-mini")
    return texts.train, random.Random(0).sample(texts.test, 150), words_to_add(texts.train, tokenizer, WORDS)


def adapted(start: str, seed: int, steps: int, train, tested, words) -> float:
    """Bits per character of the test documents after some updates; the words added first."""
    model, tokenizer = lmtune.load("pocket-mini")
    if start != "none":
        lmtune.add_tokens(model, tokenizer, words, start=start, seed=seed)
    rows = lmtune.windows(random.Random(seed).sample(train, 800), tokenizer, context=CONTEXT)
    if steps:
        lmtune.fit(
            model, rows, steps=steps, batch_size=BATCH, lr=LR, warmup=min(WARMUP, steps // 2), seed=seed, progress=False
        )
    result = lmtune.evaluate(model, lmtune.windows(tested, tokenizer, context=CONTEXT), progress=False)
    return round(result.bits_per_character, 4)


def main() -> None:
    began = time.process_time()
    train, tested, words = field()
    results = {
        start: {str(steps): [adapted(start, seed, steps, train, tested, words) for seed in SEEDS] for steps in STEPS}
        for start in STARTS
    }
    for start, rows in results.items():
        print(start, {k: round(sum(v) / len(v), 3) for k, v in rows.items()})
    write(
        "tokens",
        {"words": words, "context": CONTEXT, "batch": BATCH, "rate": LR, "steps": STEPS, "seeds": SEEDS},
        results,
        began,
    )


if __name__ == "__main__":
    main()
