"""The exercise "token-weighted accumulation": many micro-batches, one gradient."""
from __future__ import annotations

import weakref
from typing import Any, Callable

import torch
from torch import nn

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.tensors_plain import few, not_these, same, tensors

_FORM = "accumulate(model, losses_of, micro_batches)"


class _Linear(nn.Linear):
    """A layer whose copies keep the gradient that an update before has left, as in a real loop."""

    def __deepcopy__(self, memo):
        copied = _Linear(self.in_features, self.out_features, dtype=torch.float64)
        copied.load_state_dict(self.state_dict())
        for p in copied.parameters():
            p.grad = torch.full_like(p, 0.5)
        return copied


def _losses_of(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    x, y = batch
    return (model(x) - y).pow(2).sum(-1)


class _Token:
    """Lives as long as the graph of one call of ``losses_of``."""

    def __init__(self, labels: int):
        self.labels, self.used = labels, False


class _Watched(torch.autograd.Function):
    """Gives the losses on, and notes in the token when backward has gone through."""

    @staticmethod
    def forward(ctx, losses, token):
        ctx.token = token
        return losses.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.token.used = True
        return gradient, None


def _watching() -> tuple[Callable, list[int]]:
    """``losses_of``, and a list of how many labels' graphs were kept at each of its calls."""
    graphs, kept = [], []

    def losses_of(model, batch):
        losses = _losses_of(model, batch)
        if losses.requires_grad:
            token = _Token(losses.numel())
            graphs.append(weakref.ref(token))
            losses = _Watched.apply(losses, token)
            alive = [graph() for graph in graphs]
            kept.append(sum(t.labels for t in alive if t is not None and not t.used))
        return losses

    return losses_of, kept


def _gradients(model: nn.Module, batches: list, weights: list[float], stale: float = 0.0) -> list[torch.Tensor]:
    """The gradient of the weighted sum of the batches' summed losses."""
    total = sum(w * _losses_of(model, b).sum() for w, b in zip(weights, batches))
    found = torch.autograd.grad(total, list(model.parameters()))
    return [g + stale for g in found]


def _mistakes(model: nn.Module, batches: list) -> list[tuple[list, str]]:
    counts = [len(x) for x, _ in batches]
    n, k = sum(counts), len(counts)

    def made(weights, stale=0.0):
        return _gradients(model, batches, weights, stale)

    return [
        (made([1 / (c * k) for c in counts]), "each mean was divided by the number of micro-batches, so a label of a "
         "short micro-batch weighs more: divide each sum by the number of labels of all"),
        (made([1 / c for c in counts]), "the means of the micro-batches were added up and divided by nothing: the "
         "gradient is as many times too large as there are micro-batches"),
        (made([1.0] * k), "the sums were added up and never divided: divide by the number of all labels"),
        (made([1 / k] * k), "divided by the number of micro-batches where the number of labels belongs"),
        (made([1 / n] * k, 0.5), "an older gradient is still in there: zero it before the first backward"),
        (made([1 / (c * k) for c in counts], 0.5), "an older gradient is still in there, and means were averaged: "
         "zero it first, and divide sums by the number of all labels"),
        (made([0.0] * (k - 1) + [1 / n]), "only the last micro-batch is in there: zero the gradient once, before "
         "the loop, not inside it"),
        (made([1 / n] * (k - 1) + [0.0]), "the last micro-batch is missing"),
        (made([1 / 2 / k] * k), "len(micro_batch) is 2, because it is a pair: the number of labels is how many losses "
         "losses_of gives"),
        (made([1 / 2] * k), "len(micro_batch) is 2, because it is a pair: count the losses of all micro-batches"),
        (made([1 / counts[0] / k] * k), "the number of labels of the first micro-batch was taken for all of them"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(11)
    for counts in ((3, 9, 4), (7, 2, 2, 1)):
        model = _Linear(3, 2, dtype=torch.float64)
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn(p.shape, generator=made, dtype=torch.float64))
        batches = [(torch.randn(c, 3, generator=made, dtype=torch.float64),
                    torch.randn(c, 2, generator=made, dtype=torch.float64)) for c in counts]
        everything = [tuple(torch.cat(parts) for parts in zip(*batches))]
        truth = _gradients(model, everything, [1 / sum(counts)])
        losses_of, kept = _watching()
        value = call(answer, model, losses_of, batches, form=_FORM)
        produced = tensors(value, truth)
        if produced is None:
            return not_these(value, "a list of two tensors, the gradients of weight and bias",
                             "give back [p.grad for p in model.parameters()]")
        if not same(produced, truth):
            hint = recognise(lambda wrong: same(produced, wrong), _mistakes(model, batches),
                             "count the labels of all micro-batches, zero the gradient, and for each micro-batch call "
                             "backward on its summed loss divided by that number")
            return Feedback(f"weight.grad = {few(produced[0])}", few(truth[0]), hint,
                            f"micro-batches of {', '.join(map(str, counts))} labels")
        if max(kept, default=0) >= sum(counts):
            return Feedback(f"the right gradient, with the graphs of all {sum(counts)} labels kept at once",
                            "the graph of one micro-batch at a time",
                            "that needs as much memory as the whole batch, which did not fit: call backward on one "
                            "micro-batch before you compute the losses of the next (and count labels under "
                            "torch.no_grad(), which keeps no graph)",
                            f"micro-batches of {', '.join(map(str, counts))} labels")
    return None


EXERCISE = Exercise(
    id="accumulate", level="core", minutes=12, judge=_judge,
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
''')
