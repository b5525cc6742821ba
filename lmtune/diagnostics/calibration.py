"""Calibration: do things that a model calls 80 % certain happen 80 % of the time?"""

from __future__ import annotations

from typing import NamedTuple

import torch

from lmtune.arguments import whole


class Bin(NamedTuple):
    """The predictions whose confidence falls into one of equal bins."""

    count: int  #: how many predictions
    confidence: float  #: their mean confidence, from 0 to 1
    accuracy: float  #: the share of them that was right


def reliability(probabilities: torch.Tensor, labels: torch.Tensor, bins: int = 10) -> list[Bin]:
    """Sort predictions by confidence into equal ``bins`` and leave out the empty ones.

    ``probabilities`` is float of shape (N, classes) with rows that sum to 1, ``labels`` long
    of shape (N,).  A prediction is the likeliest class, its confidence that probability.

    Raises ``ValueError`` on other shapes, on no rows, on what are no probabilities (logits,
    most often), and on labels outside the classes.
    """
    _refuse_unfit(probabilities, labels)
    bins = whole("bins", bins)
    confidence, predicted = probabilities.double().max(-1)
    right = (predicted == labels).double()
    number = (confidence * bins).long().clamp(max=bins - 1)  # a confidence of 1 is in the last
    made = []
    for b in range(bins):
        inside = number == b
        if inside.any():
            made.append(Bin(int(inside.sum()), confidence[inside].mean().item(), right[inside].mean().item()))
    return made


def expected_calibration_error(probabilities: torch.Tensor, labels: torch.Tensor, bins: int = 10) -> float:
    """Mean distance of accuracy and confidence over the bins of :func:`reliability`, from 0 to 1.

    Each bin weighs as much as it has predictions (Naeini et al. 2015; Guo et al. 2017,
    arXiv:1706.04599).  It depends on the number of bins: compare figures of one number only.
    """
    made = reliability(probabilities, labels, bins)
    return sum(b.count * abs(b.accuracy - b.confidence) for b in made) / len(labels)


def _refuse_unfit(probabilities: torch.Tensor, labels: torch.Tensor) -> None:
    if probabilities.dim() != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"probabilities have the shape {tuple(probabilities.shape)} and labels "
            f"{tuple(labels.shape)}; allowed: (N, classes) and (N,), N at least 1."
        )
    sums = probabilities.double().sum(-1)
    if not (bool((probabilities >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all())):
        raise ValueError(
            "probabilities must lie between 0 and 1 and each row must sum to 1; of logits take softmax(-1) first."
        )
    if labels.is_floating_point() or int(labels.min()) < 0 or int(labels.max()) >= probabilities.shape[1]:
        raise ValueError(
            f"labels must be whole numbers from 0 to {probabilities.shape[1] - 1}; leave out "
            "the positions that do not count, such as -100."
        )
