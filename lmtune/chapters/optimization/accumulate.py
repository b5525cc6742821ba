"""The exercise "token-weighted accumulation": many micro-batches, one gradient."""

from __future__ import annotations

import random
import weakref

import torch
from torch import nn

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal
from lmtune.exercises.plain import ANY

#: What each entry of a gradient holds from the update before.
_STALE = 0.5
_IN_PARTS, _AT_ONCE = "graphs of some labels at a time", "graphs of all labels at once"


def losses_of(model, batch):
    """One loss for each row of a pair (x, y)."""
    x, y = batch
    return (model(x) - y).pow(2).sum(-1)


def _inputs(rng: random.Random) -> list:
    cases = []
    for counts in ((3, 9, 4), (7, 2, 2, 1)):
        model = nn.Linear(3, 2, dtype=torch.float64)
        model.load_state_dict({"weight": normal(rng, 2, 3), "bias": normal(rng, 2)})
        cases.append([model, losses_of, [(normal(rng, c, 3), normal(rng, c, 2)) for c in counts]])
    return cases


def _truth(model, losses_of, batches):
    """The gradient of the whole batch, and how it was to be had."""
    whole = tuple(torch.cat(parts) for parts in zip(*batches))
    return torch.autograd.grad(losses_of(model, whole).mean(), list(model.parameters())), _IN_PARTS


class _Graph:
    """Held by what autograd saves in one call of ``losses_of``, so that it lives until backward or the end."""


def _observe(answer, model, losses_of, batches):
    """What comes back, and whether the graphs of all labels were kept at the same time."""
    graphs, kept = [], []

    def watched(model, batch):
        graph = _Graph()
        with torch.autograd.graph.saved_tensors_hooks(lambda saved: (graph, saved), lambda held: held[1]):
            losses = losses_of(model, batch)
        graphs.append((weakref.ref(graph), losses.numel()))
        if losses.requires_grad:
            kept.append(sum(labels for alive, labels in graphs if alive()))
        return losses

    for p in model.parameters():
        p.grad = torch.full_like(p, _STALE)
    value = answer(model, watched, batches)
    return value, _AT_ONCE if max(kept, default=0) >= sum(len(x) for x, _ in batches) else _IN_PARTS


def _made(weight, stale=0.0):
    """A mistake in what the sum of micro-batch ``i`` is multiplied with: ``weight(i, counts)``."""

    def gradient(model, losses_of, batches):
        counts = [len(x) for x, _ in batches]
        total = sum(weight(i, counts) * losses_of(model, batch).sum() for i, batch in enumerate(batches))
        return [g + stale for g in torch.autograd.grad(total, list(model.parameters()))], ANY

    return gradient


_MISTAKES = [
    (
        _made(lambda i, n: 1 / n[i] / len(n)),
        "each mean was divided by the number of micro-batches, so a label of a "
        "short micro-batch weighs more: divide each sum by the number of labels of all",
    ),
    (
        _made(lambda i, n: 1 / n[i]),
        "the means of the micro-batches were added up and divided by nothing: the "
        "gradient is as many times too large as there are micro-batches",
    ),
    (_made(lambda i, n: 1), "the sums were added up and never divided: divide by the number of all labels"),
    (_made(lambda i, n: 1 / len(n)), "divided by the number of micro-batches where the number of labels belongs"),
    (_made(lambda i, n: 1 / sum(n), _STALE), "an older gradient is still in there: zero it before the first backward"),
    (
        _made(lambda i, n: 1 / n[i] / len(n), _STALE),
        "an older gradient is still in there, and means were averaged: "
        "zero it first, and divide sums by the number of all labels",
    ),
    (
        _made(lambda i, n: 1, _STALE),
        "an older gradient is still in there, and the sums were never divided: zero it first, divide by all labels",
    ),
    (
        _made(lambda i, n: (i == len(n) - 1) / n[i]),
        "the mean of the last micro-batch alone is in there: zero the gradient before the loop, divide by all labels",
    ),
    (
        _made(lambda i, n: (i == len(n) - 1) / sum(n)),
        "only the last micro-batch is in there: zero the gradient once, before the loop, not inside it",
    ),
    (_made(lambda i, n: (i < len(n) - 1) / sum(n)), "the last micro-batch is missing"),
    (
        _made(lambda i, n: 1 / 2 / len(n)),
        "len(micro_batch) is 2, because it is a pair: the number of labels is how many losses losses_of gives",
    ),
    (_made(lambda i, n: 1 / 2), "len(micro_batch) is 2, because it is a pair: count the losses of all micro-batches"),
    (_made(lambda i, n: 1 / n[0] / len(n)), "the number of labels of the first micro-batch was taken for all of them"),
    (
        lambda *case: ([None, None], ANY),
        "the gradients are None: zero_grad throws them away, so it comes before the first backward, not after the last",
    ),
    # Last: where the gradient is wrong too, that comes first.
    (
        lambda *case: (ANY, _AT_ONCE),
        "that needs as much memory as the whole batch, which did not fit: call backward on one micro-batch before "
        "you compute the losses of the next (and count labels under torch.no_grad(), which keeps no graph)",
    ),
]

EXERCISE = Exercise(
    id="accumulate",
    level="core",
    minutes=12,
    aim="Split a batch that does not fit into memory and get the gradient of the whole, not nearly.",
    stub='''\
def accumulate(model, losses_of, micro_batches):
    """The gradient of the mean loss over all labels of all micro-batches.

    losses_of(model, micro_batch) gives a tensor with one loss for each label;
    micro-batches have different numbers of labels.  The parameters still hold
    the gradients of the update before.  Call backward for each micro-batch, and
    return [p.grad for p in model.parameters()].
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    observe=_observe,
    gives="[p.grad for p in model.parameters()], a tensor for each parameter",
    otherwise="count the labels of all micro-batches, zero the gradient, and for each micro-batch call "
    "backward on its summed loss divided by that number",
    mistakes=_MISTAKES,
)
