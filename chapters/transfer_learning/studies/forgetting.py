"""What a model forgets when it is adapted, and what holds against it: python -m chapters.transfer_learning.studies.forgetting

pocket-mini is adapted to NetworkX's documentation, 100 updates of 8 windows; its loss is measured there
and on the documentation of four libraries that it was pretrained on.
"""

from __future__ import annotations

import random
import time

import lmtune
from chapters.transfer_learning.studies.record import SEEDS, write

CONTEXT, BATCH, STEPS, WARMUP, LR = 64, 8, 100, 5, 2e-3
OLD = ("python", "torch", "pandas", "sqlalchemy")
WAYS = {
    "plain": {},
    "rate / 4": {"lr": LR / 4},
    "rate / 16": {"lr": LR / 16},
    "half old text": {"replay": 0.5},
    "rate / 4, half old text": {"lr": LR / 4, "replay": 0.5},
    "rate / 4, L2-SP 0.1": {"lr": LR / 4, "strength": 0.1},
    "rate / 4, L2-SP 1": {"lr": LR / 4, "strength": 1.0},
    "LoRA, rank 8": {"rank": 8, "lr": 5 * LR},
    "LoRA, rank 8, rate / 4": {"rank": 8, "lr": 5 * LR / 4},
    "LoRA, rank 2": {"rank": 2, "lr": 5 * LR},
}


def field(tokenizer):
    """Windows of NetworkX and of the old domain: to train on, and to test on."""
    new, old = lmtune.language_modelling("networkx"), lmtune.language_modelling(OLD)
    pick = random.Random(0)
    parts = {
        "new": lmtune.windows(new.train, tokenizer, context=CONTEXT),
        "old": lmtune.windows(pick.sample(old.train, 400), tokenizer, context=CONTEXT),
        "new test": pick.sample(lmtune.windows(new.test, tokenizer, context=CONTEXT), 160),
        "old test": lmtune.windows(pick.sample(old.test, 120), tokenizer, context=CONTEXT)[:240],
    }
    return parts


def mixed(parts, share: float, seed: int):
    """NetworkX's windows with as many old ones among them that they are ``share`` of all."""
    pick = random.Random(seed)
    new = pick.sample(parts["new"], int(STEPS * BATCH * (1 - share)))
    return new + pick.sample(parts["old"], STEPS * BATCH - len(new))


def adapt(parts, seed: int, lr: float = LR, replay: float = 0.0, rank: int = 0, strength: float = 0.0) -> dict:
    """Adapt pocket-mini in one way and measure it on both domains."""
    model, _ = lmtune.load("pocket-mini")
    loss = lmtune.anchored(lmtune.next_token_loss, model, strength) if strength else lmtune.next_token_loss
    if rank:
        lmtune.add_lora(model, rank, 2.0 * rank, ("c_attn", "c_proj", "c_fc"), seed=seed)
    lmtune.fit(
        model,
        mixed(parts, replay, seed),
        steps=STEPS,
        batch_size=BATCH,
        lr=lr,
        warmup=WARMUP,
        seed=seed,
        loss=loss,
        progress=False,
    )
    return tested(model, parts)


def tested(model, parts) -> dict:
    return {
        name: round(lmtune.evaluate(model, parts[f"{name} test"], progress=False).loss, 4) for name in ("new", "old")
    }


def main() -> None:
    began = time.process_time()
    model, tokenizer = lmtune.load("pocket-mini")
    parts = field(tokenizer)
    results = {"untouched": tested(model, parts), "ways": {}}
    print(results, {name: len(part) for name, part in parts.items()}, flush=True)
    for name, how in WAYS.items():
        runs = results["ways"][name] = [adapt(parts, seed, **how) for seed in SEEDS]
        means = {d: round(sum(r[d] for r in runs) / len(runs), 3) for d in ("new", "old")}
        print(name, means, f"{time.process_time() - began:.0f} s", flush=True)
    write(
        "forgetting",
        {
            "old domain": OLD,
            "context": CONTEXT,
            "batch": BATCH,
            "steps": STEPS,
            "rate": LR,
            "ways": WAYS,
            "seeds": SEEDS,
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
