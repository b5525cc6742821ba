"""A docstring's first line written from the rest: python -m chapters.transfer_learning.studies.summaries

pocket-mini is trained on pairs of NetworkX's documentation, 100 updates of 8, with the prompt out of the
loss and in it, and writes a line for each of 80 test documents.  Scored by ROUGE-L.
"""

from __future__ import annotations

import random
import time

import lmtune
from chapters.transfer_learning.studies.record import SEEDS, write
from lmtune.data.examples import IGNORED
from lmtune.models.summaries import rouge_l, summary_prompt, write_summary

STEPS, BATCH, LR, WARMUP, CONTEXT, TESTED, WORDS = 100, 8, 2e-3, 10, 160, 80, 10
DECODING = {
    "greedy": {},
    "temperature 0.7, top-p 0.9": {"temperature": 0.7, "top_p": 0.9},
    "temperature 1": {"temperature": 1.0},
}


def field(tokenizer):
    parts = lmtune.summarization("networkx")
    return (
        [(summary_prompt(r.text, tokenizer), r.summary) for r in parts.train],
        [(summary_prompt(r.text, tokenizer), r.summary) for r in random.Random(0).sample(parts.test, TESTED)],
    )


def pairs(rows, tokenizer, prompt_counts: bool):
    made = lmtune.pairs([p for p, _ in rows], [" " + s for _, s in rows], tokenizer, context=CONTEXT)
    if prompt_counts:
        made = [{**row, "labels": [IGNORED, *row["input_ids"][1:]]} for row in made]
    return made


def scores(model, tokenizer, rows, **decoding) -> list[float]:
    return rouge_l([s for _, s in rows], [write_summary(model, tokenizer, p, **decoding) for p, _ in rows])


def mean(values) -> float:
    return round(sum(values) / len(values), 4)


def main() -> None:
    began = time.process_time()
    model, tokenizer = lmtune.load("pocket-mini")
    train, test = field(tokenizer)
    completions = pairs(test, tokenizer, False)
    first = [" ".join(p.split()[:WORDS]) for p, _ in test]
    results = {
        "first words": mean(rouge_l([s for _, s in test], first)),
        "untouched": {
            "rouge": mean(scores(model, tokenizer, test)),
            "loss": round(lmtune.evaluate(model, completions, progress=False).loss, 4),
        },
    }
    print(results, flush=True)
    for name, counts in (("prompt masked", False), ("prompt counted", True)):
        results[name] = []
        for seed in SEEDS:
            model, _ = lmtune.load("pocket-mini")
            lmtune.fit(
                model,
                pairs(train, tokenizer, counts),
                steps=STEPS,
                batch_size=BATCH,
                lr=LR,
                warmup=WARMUP,
                seed=seed,
                progress=False,
            )
            run = {"loss": round(lmtune.evaluate(model, completions, progress=False).loss, 4)}
            for way, decoding in DECODING.items() if not counts else [("greedy", {})]:
                run[way] = mean(scores(model, tokenizer, test, **decoding))
            results[name].append(run)
            print(name, run, f"{time.process_time() - began:.0f} s", flush=True)
    write(
        "summaries",
        {
            "steps": STEPS,
            "batch": BATCH,
            "rate": LR,
            "context": CONTEXT,
            "tested": TESTED,
            "words of the baseline": WORDS,
            "seeds": SEEDS,
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
