"""The setting of the studies on windows of text: pocket-mini, windows of NetworkX's documentation, one technique."""

from __future__ import annotations

import functools
import math
import random

import torch

import lmtune
from lmtune.models.dropout import set_dropout
from studies.protocol import CHOOSING, REPORTING, TRAINING
from studies.runs import Job

CONTEXT, BATCH, WINDOWS, EVALUATIONS = 64, 8, 48, 8
#: What one seed draws.
OVER = f"draws of {WINDOWS} training windows and their order"
FIELD = {
    "model": "pocket-mini",
    "text": "docstrings of NetworkX, which the model has not read",
    "windows": WINDOWS,
    "context": CONTEXT,
    "batch": BATCH,
    "schedule": "linear, no warm-up",
    "clip": 1.0,
}


@functools.lru_cache(maxsize=1)
def parts() -> dict[str, list]:
    """All training windows, 64 windows to choose on and 128 to report on; no window stands in two parts."""
    texts, tokenizer = lmtune.language_modelling("networkx"), lmtune.load("pocket-mini")[1]
    every = [lmtune.windows(part, tokenizer, context=CONTEXT) for part in (texts.train, texts.validation, texts.test)]
    choosing, reporting = (whole(part) for part in every[1:])
    choosing = lmtune.disjoint(choosing, reporting)
    reporting, choosing = reporting[:: len(reporting) // 128][:128], choosing[:: len(choosing) // 64][:64]
    return {
        TRAINING: lmtune.disjoint(whole(every[0]), [*choosing, *reporting]),
        CHOOSING: choosing,
        REPORTING: reporting,
    }


def whole(windows: list) -> list:
    """Windows of the full length, each once: short ones, such as a lone heading, say little and repeat."""
    kept = {tuple(window["input_ids"]): window for window in windows if len(window["input_ids"]) == CONTEXT}
    return list(kept.values())


def texts() -> dict[str, list]:
    """The windows of each part as numbers, so that what two parts share can be counted."""
    return {name: [tuple(window["input_ids"]) for window in part] for name, part in parts().items()}


def run(job: Job) -> dict[str, float]:
    """Train pocket-mini with the arm's technique; its loss, and how far its weights went."""
    settings = dict(job.settings)
    model, _ = lmtune.load("pocket-mini")
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    train = random.Random(job.seed).sample(parts()[TRAINING], WINDOWS)
    loss, changed = technique(job.arm, model, float(settings.pop("strength", 0.0)))
    stops = {}
    if job.arm == "best weights":
        every = job.steps // EVALUATIONS
        stops = {"evaluate_every": every, "patience": EVALUATIONS + 1}
    config = lmtune.Config(steps=job.steps, batch_size=BATCH, seed=job.seed, **{**settings, **changed, **stops})
    lmtune.fit(model, train, config, loss=loss, progress=False, validation=parts()[CHOOSING] if stops else None)
    value = lmtune.evaluate(model, parts()[job.part], progress=False).loss
    moved = (torch.cat([p.detach().flatten() for p in model.parameters()]) - start).norm().item()
    return {"loss": value if math.isfinite(value) else math.inf, "distance": moved}


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
