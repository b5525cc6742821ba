"""Each regularizer alone and all together, at one budget: python -m chapters.regularization.studies.ablation

The pretrained pocket-mini, 48 windows, 40 updates of 8.  The strength of each is chosen on the
validation documents, for the weights at the end, with a seed of its own; five other seeds are
then run.  Each run gives two test losses: of its last weights, and of its best evaluation's.
"""

from __future__ import annotations

import copy
import functools
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

import torch

import lmtune
from chapters.regularization.studies.record import (
    BATCH,
    CONTEXT,
    EVERY,
    LR,
    SEEDS,
    STEPS,
    TUNING_SEED,
    WARMUP,
    field,
    write,
)
from lmtune.models.dropout import set_dropout
from lmtune.optim.averaging import Average

STRENGTHS = {
    "L1 in the loss": [1e-5, 1e-4],
    "L1, proximal step": [0.1, 1.0],
    "L2 in the loss": [1e-3, 1e-2],
    "weight decay": [1.0, 10.0],
    "L2-SP": [1e-2, 1e-1],
    "label smoothing": [0.1, 0.2],
    "EMA": [0.9, 0.97],
}
DROPOUT = [0.1, 0.3, 0.5]
PROCESSES = 3


@functools.lru_cache(maxsize=1)
def data():
    return field(lmtune.load("pocket-mini")[1])


def decay_everything(model, config):
    """AdamW with the decay on norms and biases too."""
    return torch.optim.AdamW(model.parameters(), config.lr, betas=config.betas, weight_decay=config.weight_decay)


def run(parts: dict[str, float], seed: int) -> dict[str, float]:
    """One run with these techniques at these strengths."""
    began = time.process_time()
    model, _ = lmtune.load("pocket-mini")
    loss = lmtune.smoothed(parts["label smoothing"]) if "label smoothing" in parts else lmtune.next_token_loss
    if "L2-SP" in parts:
        loss = lmtune.anchored(loss, model, parts["L2-SP"])
    if "L1 in the loss" in parts or "L2 in the loss" in parts:
        loss = lmtune.penalized(loss, l1=parts.get("L1 in the loss", 0.0), l2=parts.get("L2 in the loss", 0.0))
    if "dropout" in parts:
        set_dropout(model, parts["dropout"])
    decay = parts.get("weight decay", parts.get("weight decay of everything", 0.0))
    config = lmtune.Config(
        steps=STEPS,
        batch_size=BATCH,
        lr=LR,
        warmup=WARMUP,
        schedule="constant",
        seed=seed,
        weight_decay=decay,
        optimizer=decay_everything if "weight decay of everything" in parts else None,
    )
    found = follow(model, config, loss, parts)
    return {**{name: round(value, 4) for name, value in found.items()}, "seconds": time.process_time() - began}


def follow(model, config, loss, parts) -> dict[str, float]:
    """Train, keep the weights of the best evaluation beside the last, and test both."""
    train, validation, test = data()
    average = Average(model, parts["EMA"]) if "EMA" in parts else None
    best, kept, validated = float("inf"), None, 0.0

    def loss_of(part):
        return lmtune.evaluate(model, part, progress=False).loss

    def look():
        nonlocal best, kept, validated
        with average.swapped_in() if average and average.updates else nullcontext():
            validated = loss_of(validation)
            if validated < best:
                best, kept = validated, copy.deepcopy(model.state_dict())

    look()
    for event in lmtune.run(model, train, config, loss=loss):
        if "L1, proximal step" in parts:
            shrink(model, LR * parts["L1, proximal step"])
        if average:
            average.update()
        if event.step % EVERY == 0:
            look()
    if average:
        average.apply()
    found = {"validation": validated, "last": loss_of(test), "zeros": zeros(model)}
    model.load_state_dict(kept)
    return {**found, "best": loss_of(test)}


@torch.no_grad()
def shrink(model, by: float) -> None:
    """The proximal step of L1: a weight of a matrix moves by at most ``by`` towards zero."""
    for p in model.parameters():
        if p.dim() >= 2:
            p.copy_(torch.nn.functional.softshrink(p, by))


def zeros(model) -> float:
    """The share of the weights in matrices that is exactly zero."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    return sum(int((p == 0).sum()) for p in matrices) / sum(p.numel() for p in matrices)


def main() -> None:
    spent = 0.0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def runs(rows: dict[str, dict], seeds: list[int]) -> dict[str, list[dict]]:
            nonlocal spent
            waiting = {name: [pool.submit(run, parts, seed) for seed in seeds] for name, parts in rows.items()}
            found = {name: [job.result() for job in jobs] for name, jobs in waiting.items()}
            spent += sum(r.pop("seconds") for rows in found.values() for r in rows)
            print(found, f"{spent:.0f} s", flush=True)
            return found

        tried = {f"{name} {s:g}": {name: s} for name, strengths in STRENGTHS.items() for s in strengths}
        tuning = {name: found[0]["validation"] for name, found in runs(tried, [TUNING_SEED]).items()}
        chosen = {name: min(strengths, key=lambda s: tuning[f"{name} {s:g}"]) for name, strengths in STRENGTHS.items()}
        rows = {
            "none": {},
            **{name: {name: s} for name, s in chosen.items()},
            **{f"dropout {rate}": {"dropout": rate} for rate in DROPOUT},
            **({"weight decay 10": {"weight decay": 10.0}} if chosen["weight decay"] != 10 else {}),
            "weight decay 10 of everything": {"weight decay of everything": 10.0},
        }
        found = runs(rows, SEEDS)
        rate = min(DROPOUT, key=lambda r: sum(x["validation"] for x in found[f"dropout {r}"]))
        together = {"dropout": rate, **{n: chosen[n] for n in ("weight decay", "L2-SP", "label smoothing", "EMA")}}
        rows["all together"] = together
        found |= runs({"all together": together}, SEEDS)
    untouched = lmtune.evaluate(lmtune.load("pocket-mini")[0], data()[2], progress=False).loss
    results = {
        "untouched": round(untouched, 4),
        "tuning": tuning,
        "rows": {name: {"strengths": rows[name], "runs": found[name]} for name in rows},
    }
    write(
        "ablation",
        {
            "steps": STEPS,
            "batch": BATCH,
            "context": CONTEXT,
            "windows": len(data()[0]),
            "lr": LR,
            "warmup": WARMUP,
            "schedule": "constant",
            "evaluate every": EVERY,
            "seeds": SEEDS,
            "tuning seed": TUNING_SEED,
            "strengths": STRENGTHS,
            "dropout": DROPOUT,
        },
        results,
        spent,
    )


if __name__ == "__main__":
    main()
