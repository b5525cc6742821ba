"""What the studies of the chapter on hyperparameter tuning share: their data, and the record."""

from __future__ import annotations

import math
import time

import torch

import lmtune
from studies import record

SEEDS = [0, 1, 2, 3, 4]
TUNING_SEED = 100  #: rates are chosen with this seed
CONTEXT, BATCH = 32, 8


def sgd(model, config):
    """SGD with momentum 0.9, in the form that Config takes."""
    return torch.optim.SGD(model.parameters(), lr=config.lr, momentum=0.9)


def data():
    """Train and validation windows of 32 tokens of NetworkX's documentation."""
    texts = lmtune.language_modelling("networkx")
    _, tokenizer = lmtune.load("pocket-mini")
    return tuple(lmtune.windows(part, tokenizer, context=CONTEXT) for part in (texts.train, texts.validation[::8]))


def loss(train, validation, **settings) -> float:
    """Validation loss of pocket-mini after a run, nats per token; infinite where it broke down."""
    return looks(train, validation, **settings)[-1]


def last_and_validation(train, validation, **settings) -> tuple[float, float]:
    """The training loss of a run's last batch, and the validation loss after it."""
    model = lmtune.load("pocket-mini")[0]
    history = lmtune.fit(model, train, batch_size=BATCH, progress=False, **settings)
    return (round(history.losses[-1], 4), round(lmtune.evaluate(model, validation, progress=False).loss, 4))


def looks(train, validation, at=(), steps=40, seed=0, **settings) -> list[float]:
    """Validation losses after each number of updates in ``at``, and after the last."""
    config = lmtune.Config(steps=steps, seed=seed, **{"batch_size": BATCH, **settings})
    model, found = lmtune.load("pocket-mini")[0], {}
    try:
        for event in lmtune.run(model, train, config):
            if event.step in (*at, steps):
                found[event.step] = round(lmtune.evaluate(model, validation, progress=False).loss, 4)
    except FloatingPointError:
        pass
    return [found.get(step, math.inf) for step in (*at, steps)]


def write(name: str, design: dict, results: dict, began: float) -> None:
    """Record a study of this chapter."""
    record.write(
        f"hyperparameter_tuning/{name}", design, results, time.process_time() - began, ["optuna"], compact=True
    )
