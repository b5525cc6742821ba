"""Evaluation: one number for the whole data, the same at every batch size."""
from __future__ import annotations

import math
import numbers
from typing import NamedTuple, Sequence

import torch
from torch import nn
from tqdm.auto import tqdm

from lmtune.arguments import refuse
from lmtune.bars import shown
from lmtune.data.batches import collate, in_batches
from lmtune.data.examples import Example
from lmtune.data.wellformed import refuse_unreadable
from lmtune.devices.distributed import add_up_numbers, rank_and_size
from lmtune.devices.precision import PRECISIONS, autocast
from lmtune.models.modes import evaluating
from lmtune.training.losses import next_token_loss, sum_and_count
from lmtune.training.preflight import refuse_model_that_mixes


class Evaluation(NamedTuple):
    """The result of :func:`evaluate`."""

    loss: float  #: mean over labels, in nats
    labels: int  #: how many labels were counted
    characters: int  #: how many characters those labels spell

    @property
    def perplexity(self) -> float:
        """exp(loss): as uncertain as a fair choice among so many tokens."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    @property
    def bits_per_character(self) -> float:
        """Bits that the model needs to write down one character of the text.

        Unlike loss and perplexity it can be compared between tokenizers.
        """
        return self.loss * self.labels / math.log(2) / max(1, self.characters)


def evaluate(
    model: nn.Module, data: Sequence[Example], *, batch_size: int = 16,
    loss=next_token_loss, precision: str = "auto", progress: bool = True,
) -> Evaluation:
    """Mean loss of ``model`` over all labels of ``data``, with dropout off.

    Sums and counts are added over the batches and divided once, so a batch with few
    labels does not weigh as much as a full one.  Each module gets its own training
    flag back.  Under ``torchrun`` each process takes some of the examples, each once.

    Raises ``ValueError`` where there is no label to count.
    """
    whole = isinstance(batch_size, numbers.Integral) and not isinstance(batch_size, bool) and batch_size >= 1
    refuse(not whole, "batch_size", batch_size, "a whole number of at least 1")
    refuse(precision not in PRECISIONS, "precision", precision, f"one of {', '.join(map(repr, PRECISIONS))}")
    refuse_unreadable(model, data)
    refuse_model_that_mixes(model, data)
    return measure(model, data, int(batch_size), loss, precision, progress)


@torch.no_grad()
def measure(
    model: nn.Module, data: Sequence[Example], batch_size: int, loss, precision: str, progress: bool,
) -> Evaluation:
    """:func:`evaluate` without its checks, for data that were checked before."""
    device = next(model.parameters()).device
    rank, processes = rank_and_size()
    # Examples of like length share a batch: less padding, the same sums.
    examples = sorted(data, key=lambda e: len(e["input_ids"]))
    total, count = 0.0, 0
    with evaluating(model):
        batches = list(in_batches(examples[rank::processes], batch_size))
        for batch in tqdm(batches, desc="evaluate", unit="batch", leave=False, delay=1.0, **shown(progress)):
            with autocast(precision, device):
                batch_sum, batch_count = sum_and_count(loss, model, collate(batch, device))
            total += float(batch_sum)
            count += int(batch_count)
    total, count = add_up_numbers(total, count, device=device)
    if count == 0:
        raise ValueError("There is no label to evaluate: the data are empty, or every label is ignored.")
    return Evaluation(total / count, int(count), sum(e["characters"] for e in examples))
