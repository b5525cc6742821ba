"""What goes wrong in the exercise "token loss" with places and means: functions of logits x and labels y."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def mean_loss(x: torch.Tensor, y: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """Cross-entropy of scores and labels that stand at the same places; -100 does not count."""
    return F.cross_entropy(x.flatten(0, -2), y.flatten(), reduction=reduction)


def truth(x, y):
    return mean_loss(x[:, :-1], y[:, 1:])


def _total(x, y):
    return mean_loss(x[:, :-1], y[:, 1:], "sum")


def _masked_unshifted(x, y):
    each = mean_loss(x[:, :-1], y[:, 1:].clamp(min=0), "none").view(len(y), -1)
    return each[y[:, :-1] != -100].mean()


def _to_the_first_gap(x, y):
    return truth(x, y.masked_fill((y == -100).cummax(1).values, -100))


_OWN = "every position is compared with its own label: logits[b, t] score the label at [b, t + 1], so shift one"
_SCORED = "-100 was scored as if it were token 0: making it a valid index is not enough, leave those positions out of"
_EVERY = "positions with -100 are counted: the sum is right, but it is shared by only the labels that count, not by"
_LENGTH = "the sum was divided by the length of a row"

PLACES = [
    (mean_loss, f"{_OWN} against the other"),
    (lambda x, y: mean_loss(x[:, :-1], y[:, :-1]), f"{_OWN}; to leave the last position out of both is no shift"),
    (lambda x, y: mean_loss(x[:, 1:], y[:, 1:]), f"{_OWN}; to leave the first position out of both is no shift"),
    (
        lambda x, y: mean_loss(x[:, 1:], y[:, :-1]),
        "the shift goes the wrong way: each position is compared with the label before it; logits[b, t] score the "
        "label at [b, t + 1]",
    ),
    (
        lambda x, y: mean_loss(x[:, :-2], y[:, 2:]),
        "the shift was made twice: logits[b, t] are compared with the label at [b, t + 2]; shift once",
    ),
    (
        lambda x, y: mean_loss(x, y.roll(-1, 1)),
        "roll brings a first label round to the end of a row, where nothing follows: leave the last position out",
    ),
    (
        lambda x, y: mean_loss(x, y.roll(-1)),
        "roll brings the first label of the next row to the end of a row: roll along one axis, and leave the last "
        "position out, where nothing follows",
    ),
    (
        lambda x, y: mean_loss(x.flatten(0, 1)[:-1], y.flatten()[1:]),
        "the rows were joined before the shift, so the end of one is compared with the start of the next: shift "
        "within each row first",
    ),
    (
        _masked_unshifted,
        "the mask was not shifted: which predictions count is said by the labels that are predicted, at [b, t + 1]",
    ),
    (_to_the_first_gap, "a row was read only up to its first -100: labels that count may follow, so mask each place"),
    (lambda x, y: truth(x[:1], y[:1]), "only the first row is scored: the mean is over all labels of the batch"),
    (lambda x, y: truth(x, y.clamp(min=0)), f"{_SCORED} the mean"),
    (lambda x, y: _total(x, y.clamp(min=0)) / (y[:, 1:] != -100).sum(), f"{_SCORED} the sum, as of their number"),
    (
        lambda x, y: F.cross_entropy(x[:, :-1].reshape(len(x), x.shape[2], -1), y[:, 1:]),
        "reshape and view only cut the numbers anew, so positions and vocabulary got mixed: swap two axes with "
        "transpose, or flatten the first two",
    ),
]
MEANS = [
    (_total, "that is the sum over the labels: take their mean"),
    (lambda x, y: _total(x, y) / y[:, 1:].numel(), f"{_EVERY} every position"),
    (lambda x, y: _total(x, y) / y.numel(), f"{_EVERY} every place of the batch"),
    (
        lambda x, y: _total(x, y) / y.shape[1],
        f"{_LENGTH}: the denominator is the number of labels of the batch that count",
    ),
    (lambda x, y: _total(x, y) / (y.shape[1] - 1), f"{_LENGTH} less one: divide by the labels of the batch that count"),
    (
        lambda x, y: _total(x, y) / len(y),
        "that is the sum of each row, averaged over rows: every label weighs the same, so divide by their number",
    ),
    (
        lambda x, y: _total(x, y) / (y != -100).sum(),
        "the denominator counts the first label of each row too, and nothing predicts that one",
    ),
    (
        lambda x, y: torch.stack([truth(a[None], b[None]) for a, b in zip(x, y)]).mean(),
        "that is the mean of the rows' means: a label of a short row weighs more there. Take one mean over all labels "
        "of the batch",
    ),
    (lambda x, y: truth(x, y) / math.log(2), "that is in bits: nats take the natural logarithm, not log2"),
    (lambda x, y: truth(x, y) / math.log(10), "that is in decimal digits: nats take the natural logarithm, not log10"),
    (lambda x, y: -truth(x, y), "the sign is wrong: a loss is the negative logarithm of the probability"),
    (lambda x, y: truth(x, y).exp(), "that is the perplexity, exp of the loss: leave the exp out"),
]
