"""The setting of the studies on windows of text: pocket-mini, windows of NetworkX's documentation, one technique."""

from __future__ import annotations

import functools
import math
import random

import torch

import lmtune
from lmtune.models.dropout import set_dropout
from studies.design import Arm
from studies.protocol import CHOOSING, REPORTING, TRAINING
from studies.runs import Job

CONTEXT, BATCH, WINDOWS = 64, 8, 48
#: How often a run that keeps its best weights looks at the choosing text.
LOOKS = 8
RATES = (2.5e-4, 5e-4, 1e-3)
#: The rate that most lessons take, and never lower.
USUAL = {"lr": 1e-3, "schedule": "constant"}
FIELD = {
    "model": "pocket-mini",
    "text": "docstrings of NetworkX, which the model has not read",
    "context": CONTEXT,
    "batch": BATCH,
    "schedule": "linear, no warm-up",
    "clip": 1.0,
}


def over(windows: int = WINDOWS) -> str:
    """What one seed draws."""
    return f"draws of {windows} training windows and their order"


@functools.lru_cache(maxsize=1)
def parts() -> dict[str, list]:
    """All training windows, 64 windows to choose on and 128 to report on; no window stands in two parts."""
    texts, tokenizer = lmtune.language_modelling("networkx"), lmtune.load("pocket-mini")[1]
    every = [whole(lmtune.windows(part, tokenizer, context=CONTEXT)) for part in texts]
    reporting = every[2][:: len(every[2]) // 128][:128]
    choosing = lmtune.disjoint(every[1], reporting)
    choosing = choosing[:: len(choosing) // 64][:64]
    return {TRAINING: lmtune.disjoint(every[0], [*choosing, *reporting]), CHOOSING: choosing, REPORTING: reporting}


def whole(windows: list) -> list:
    """Windows of the full length, each once: short ones, such as a lone heading, say little and repeat."""
    kept = {tuple(window["input_ids"]): window for window in windows if len(window["input_ids"]) == CONTEXT}
    return list(kept.values())


def texts() -> dict[str, list]:
    """The windows of each part as numbers, so that what two parts share can be counted."""
    return {name: [tuple(window["input_ids"]) for window in part] for name, part in parts().items()}


def run(job: Job) -> dict[str, float]:
    """Train pocket-mini with the arm's technique; its loss, and how far its weights went from where they began."""
    settings = dict(job.settings)
    model, _ = lmtune.load("pocket-mini")
    start = flat(model)
    train = random.Random(job.seed).sample(parts()[TRAINING], int(settings.pop("windows", WINDOWS)))
    loss, changed = technique(job.arm, model, float(settings.pop("strength", 0.0)))
    looks = {"evaluate_every": job.steps // LOOKS, "patience": LOOKS + 1} if job.arm == "best weights" else {}
    config = lmtune.Config(steps=job.steps, batch_size=BATCH, seed=job.seed, **{**settings, **changed, **looks})
    lmtune.fit(model, train, config, loss=loss, progress=False, validation=parts()[CHOOSING] if looks else None)
    value = lmtune.evaluate(model, parts()[job.part], progress=False).loss
    return {"loss": value if math.isfinite(value) else math.inf, "distance": (flat(model) - start).norm().item()}


def flat(model) -> torch.Tensor:
    """All weights in one row."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def technique(arm: str, model, strength: float):
    """The loss, and the settings of the loop, that make an arm; the strength 0 (for the average 1) does nothing."""
    loss = lmtune.next_token_loss
    if arm == "dropout":
        set_dropout(model, strength)
    elif arm == "weight decay":
        return loss, {"weight_decay": strength}
    elif arm == "L2 in the loss":
        return lmtune.penalized(loss, l2=strength), {}
    elif arm == "L1 in the loss":
        return lmtune.penalized(loss, l1=strength), {}
    elif arm == "L2-SP":
        return lmtune.anchored(loss, model, strength), {}
    elif arm == "label smoothing":
        return lmtune.smoothed(strength), {}
    elif arm == "average of the weights":
        return loss, {"ema": 1 - 1 / strength}
    return loss, {}


def techniques(tuned: dict, fixed: dict) -> list[Arm]:
    """An arm for each technique, its strength tuned beside what else is."""

    def arm(name: str, strengths: tuple, nothing: float = 0.0, bound: tuple | None = None) -> Arm:
        bounds = {"strength": bound} if bound else {}
        return Arm(name, {**tuned, "strength": strengths}, {"strength": nothing}, bounds, fixed)

    return [
        arm("dropout", (0.05, 0.1, 0.2), bound=(0.0, 0.8, "more would leave hardly anything")),
        arm("weight decay", (0.5, 2.0, 8.0)),
        arm("L2 in the loss", (0.003, 0.01, 0.0333)),
        arm("L1 in the loss", (0.0003, 0.001, 0.00333)),
        arm("L2-SP", (0.03, 0.1, 0.333)),
        arm("label smoothing", (0.05, 0.1, 0.2), bound=(0.0, 0.8, "more would leave hardly any label")),
        arm("average of the weights", (8, 16, 32), nothing=1.0),
        Arm("best weights", tuned, fixed=fixed) if tuned else Arm("best weights", fixed=fixed, as_is="nothing to tune"),
    ]
