"""The exercise "layer rates": a learning rate that falls with each layer downwards."""
from __future__ import annotations

from numbers import Real
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown

_FORM = "layer_rates(layers, lr, decay)"


def _rates(layers: int, lr: float, decay: float) -> list[float]:
    return [lr * decay ** (layers + 1 - depth) for depth in range(layers + 2)]


def _near(a: list[float], b: list[float]) -> bool:
    return len(a) == len(b) and all(abs(x - y) <= 1e-9 * max(1, abs(y)) for x, y in zip(a, b))


def _mistakes(layers: int, lr: float, decay: float) -> list[tuple[list[float], str]]:
    right = _rates(layers, lr, decay)
    return [
        (right[::-1], "the wrong way round: the head has the full rate, and the embeddings the smallest"),
        ([r * decay for r in right], "every rate is one decay too small: the head itself has lr"),
        ([r / decay for r in right], "every rate is one decay too large: the last layer has lr * decay"),
        (right[1:], "one rate is missing: embeddings, each layer, and the head make layers + 2"),
        (right[1:-1], "the embeddings and the head are missing: the list has layers + 2 rates"),
        ([right[1], *right[1:]], "the embeddings have the first layer's rate: they lie one further below the head"),
        ([*right[:-2], lr, lr], "the last layer has the head's rate: it lies one below, so lr * decay"),
        ([lr * decay] * (layers + 1) + [lr], "all layers have one rate: each lies one further below than the next"),
        ([lr * (1 - (layers + 1 - d) * (1 - decay)) for d in range(layers + 2)], "the rates fall by equal steps: "
         "multiply by decay for each layer"),
        ([lr / decay ** (layers + 1 - d) for d in range(layers + 2)], "the rates grow downwards: multiply by "
         "decay, do not divide"),
    ]


def _judge(answer: Any) -> Feedback | None:
    for layers, lr, decay in ((2, 1.0, 0.5), (3, 0.01, 0.8)):
        truth, given = _rates(layers, lr, decay), f"layers {layers}, lr {lr}, decay {decay}"
        value = call(answer, layers, lr, decay, form=_FORM)
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, Real) for v in value):
            return Feedback(shown(value), f"a list of {layers + 2} numbers", "give a list of rates back, "
                            "embeddings first", given)
        if not _near(list(value), truth):
            hint = recognise(lambda wrong: _near(list(value), wrong), _mistakes(layers, lr, decay),
                             "what lies k below the head has lr * decay ** k; the embeddings lie layers + 1 below")
            return Feedback(str([round(float(v), 6) for v in value]), str([round(v, 6) for v in truth]), hint, given)
    return None


EXERCISE = Exercise(
    id="layer-rates", level="warm-up", minutes=8, judge=_judge,
    aim="Give each layer a rate by how far it lies below the head.",
    stub='''\
def layer_rates(layers, lr, decay):
    """The learning rates of a model with that many layers, from the bottom up.

    Returns a list of layers + 2 numbers: of the embeddings, of each layer from
    the lowest to the last, and of the head.  The head has lr; each step
    downwards multiplies by decay.
    """
    ...  # your code here
''')
