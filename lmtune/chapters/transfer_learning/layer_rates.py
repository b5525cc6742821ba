"""The exercise "layer rates": a learning rate that falls with each layer downwards."""

from __future__ import annotations

import random

from lmtune.exercises.exercise import Exercise


def _inputs(rng: random.Random) -> list:
    return [[2, 0.4, 0.5], [3, 0.01, 0.8], [5, 3.0, 0.9]]


def _truth(layers, lr, decay):
    rates = [lr]
    while len(rates) < layers + 2:
        rates.insert(0, rates[0] * decay)
    return rates


def _by_depth(wrong):
    """A rate for each k, the steps below the head, from the embeddings upwards."""
    return lambda layers, lr, decay: [wrong(k, lr, decay) for k in range(layers + 1, -1, -1)]


def _changed(change):
    """A mistake made in the right list."""
    return lambda layers, lr, decay: change(_truth(layers, lr, decay), decay)


EXERCISE = Exercise(
    id="layer-rates",
    level="warm-up",
    minutes=8,
    aim="Give each layer a rate by how far it lies below the head.",
    stub='''\
def layer_rates(layers, lr, decay):
    """The learning rates of a model with that many layers, from the bottom up.

    Returns a list of layers + 2 numbers: of the embeddings, of each layer from
    the lowest to the last, and of the head.  The head has lr; each step
    downwards multiplies by decay.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="a list of rates, layers + 2 numbers, embeddings first",
    otherwise="what lies k below the head has lr * decay ** k; the embeddings lie layers + 1 below",
    mistakes=[
        (
            _changed(lambda right, decay: right[::-1]),
            "the wrong way round: the head has the full rate, and the embeddings the smallest",
        ),
        (
            _changed(lambda right, decay: [r * decay for r in right]),
            "every rate is one decay too small: the head itself has lr",
        ),
        (
            _changed(lambda right, decay: [r / decay for r in right]),
            "every rate is one decay too large: the last layer has lr * decay",
        ),
        (
            _changed(lambda right, decay: right[1:]),
            "one rate is missing: embeddings, each layer, and the head make layers + 2",
        ),
        (_changed(lambda right, decay: right[:-1]), "the head is missing: it stands last, with lr itself"),
        (
            _changed(lambda right, decay: right[1:-1]),
            "the embeddings and the head are missing: the list has layers + 2 rates",
        ),
        (
            _changed(lambda right, decay: right[2:]),
            "two rates are missing at the bottom: below the head come all layers, and below those the embeddings",
        ),
        (
            _changed(lambda right, decay: [right[0] * decay, *right]),
            "one rate too many: below the lowest layer lie the embeddings alone",
        ),
        (
            _changed(lambda right, decay: [right[1], *right[1:]]),
            "the embeddings have the first layer's rate: they lie one further below the head",
        ),
        (
            _changed(lambda right, decay: [*right[1:], right[-1]]),
            "the last layer has the head's rate: it lies one below, so lr * decay",
        ),
        (
            _changed(lambda right, decay: [*right[:-2], right[-1], right[-1]]),
            "the last layer alone has the head's rate, and the ones below it are right: it has lr * decay",
        ),
        (
            _by_depth(lambda k, lr, decay: lr * decay ** min(k, 1)),
            "all layers have one rate: each lies one further below than the next",
        ),
        (_by_depth(lambda k, lr, decay: lr), "every rate is lr: each step downwards multiplies by decay"),
        (
            _by_depth(lambda k, lr, decay: lr * (1 - k * (1 - decay))),
            "the rates fall by equal steps: multiply by decay for each layer",
        ),
        (
            _by_depth(lambda k, lr, decay: lr * decay * k if k else lr),
            "decay was multiplied by the number of steps: it is raised to that power",
        ),
        (_by_depth(lambda k, lr, decay: lr / decay**k), "the rates grow downwards: multiply by decay, do not divide"),
        (_by_depth(lambda k, lr, decay: decay**k), "lr is missing: those are its factors, and the head has lr"),
        (
            _by_depth(lambda k, lr, decay: lr * (1 - decay) ** k),
            "multiplied by 1 - decay: decay is what is left at each step, not what is taken away",
        ),
    ],
)
