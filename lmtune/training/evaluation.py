"""Evaluation: one number for the whole data, the same at every batch size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn
from tqdm.auto import tqdm

from lmtune.arguments import one_of, whole
from lmtune.bars import shown
from lmtune.data.batches import collate, fetch, in_batches
from lmtune.data.kinds import Example
from lmtune.data.reach import reach_of
from lmtune.data.wellformed import Judge, examine, on_disk
from lmtune.devices.distributed import add_up_numbers, rank_and_size
from lmtune.devices.precision import PRECISIONS, autocast
from lmtune.models.modes import evaluating
from lmtune.training.losses import Loss, meant_loss, sum_and_count
from lmtune.training.preflight import refuse_no_list
from lmtune.training.probes import refuse_model_that_looks_ahead, refuse_model_that_mixes

#: Batches of a data set on disk that are sorted by length together.
_TOGETHER = 64
_NOTHING = "There is no label to evaluate: the data are empty, or every label is ignored."


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
    model: nn.Module,
    data: Sequence[Example],
    *,
    batch_size: int = 16,
    loss: Loss | None = None,
    precision: str = "auto",
    progress: bool = True,
) -> Evaluation:
    """Mean loss of ``model`` over all labels of ``data``, with dropout off.

    ``loss`` is the one that the examples are made for unless another is given.  Sums and counts are
    added over the batches and divided once, so a batch with few
    labels does not weigh as much as a full one.  Each module gets its own training
    flag back.  Under ``torchrun`` each process takes some of the examples, each once.

    Raises ``ValueError`` where there is no label to count.
    """
    batch_size = whole("batch_size", batch_size)
    one_of("precision", precision, PRECISIONS)
    refuse_no_list(data, "given")
    if len(data) == 0:
        raise ValueError(_NOTHING)
    seen = examine(data, reach_of(model))
    refuse_model_that_mixes(model, seen.packed)
    loss = loss or meant_loss(seen.kind)
    refuse_model_that_looks_ahead(model, data[0], loss)
    return measure(model, data, batch_size, loss, precision, progress)


@torch.no_grad()
def measure(
    model: nn.Module, data: Sequence[Example], batch_size: int, loss: Loss, precision: str, progress: bool
) -> Evaluation:
    """:func:`evaluate` without its checks, for data that were checked before."""
    device = next(model.parameters()).device
    total, count, characters = 0.0, 0.0, 0
    with evaluating(model):
        batches, number = _batches(model, data, batch_size)
        settings = shown(progress)
        for batch in tqdm(batches, total=number, desc="evaluate", unit="batch", leave=False, delay=1.0, **settings):
            with autocast(precision, device):
                batch_sum, batch_count = sum_and_count(loss, model, collate(batch, device))
            total += float(batch_sum)
            count += float(batch_count)
            characters += sum(e["characters"] for e in batch)
    total, count, spelled = add_up_numbers(total, count, characters, device=device)
    if count == 0:
        raise ValueError(_NOTHING)
    return Evaluation(total / count, int(count), int(spelled))


def _batches(model: nn.Module, data: Sequence[Example], batch_size: int) -> tuple[Iterable[Sequence[Example]], int]:
    """This process's batches, and how many they are.

    Examples of like length share a batch: less padding, the same sums.  On disk, those of a few
    batches at a time.
    """
    rank, processes = rank_and_size()
    if not on_disk(data):
        mine = sorted(data, key=_length)[rank::processes]
        return in_batches(mine, batch_size), math.ceil(len(mine) / batch_size)
    places = range(rank, len(data), processes)
    return _from_disk(Judge(data[0], reach_of(model)), data, places, batch_size), math.ceil(len(places) / batch_size)


def _from_disk(
    judge: Judge, data: Sequence[Example], places: Sequence[int], batch_size: int
) -> Iterator[Sequence[Example]]:
    for some in in_batches(places, _TOGETHER * batch_size):
        examples = fetch(data, some)
        for place, example in zip(some, examples):
            judge.row(place, example)
        yield from in_batches(sorted(examples, key=_length), batch_size)


def _length(example: Example) -> int:
    return len(example["input_ids"])
