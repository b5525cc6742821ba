"""From examples to batches: what is fetched, in which order, and how it is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch

from lmtune.data.kinds import Batch, Example, kind_of

T = TypeVar("T")


def collate(examples: Sequence[Example], device: str | torch.device = "cpu") -> Batch:
    """Pad examples on the right into int64 tensors of shape (batch, longest).

    ``attention_mask`` is 1 where a row has a token.  Padded positions get the label
    ``IGNORED`` because of where they are, never because of which token stands
    there: a real end of text keeps its label even if the padding uses the same id.

    With packed examples (:func:`lmtune.pack`) there is no mask but ``documents``, the number of
    the document that each position belongs to, and ``position_ids``, its place in there.
    """
    batch = kind_of(examples[0]).pad(examples)
    kind = torch.device(device).type
    if kind == "cuda":  # pinned, a copy need not be waited for
        return {k: v.pin_memory().to(device, non_blocking=True) for k, v in batch.items()}
    return batch if kind == "cpu" else {k: v.to(device) for k, v in batch.items()}


def fetch(examples: Sequence[Example], places: Sequence[int]) -> list[Example]:
    """The examples at some places; a data set on disk reads them together."""
    together = getattr(examples, "__getitems__", None)
    return together(places) if together else [examples[i] for i in places]


def order(n: int, seed: int, epoch: int) -> list[int]:
    """The order of ``n`` examples in an epoch: a permutation drawn from seed and epoch alone."""
    return permutation(n, seed, epoch).tolist()


def permutation(n: int, seed: int, epoch: int) -> torch.Tensor:
    """:func:`order` as one int64 tensor of shape (n,), for millions of examples."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator)


def in_batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive runs of ``size`` items; the last may be shorter."""
    for at in range(0, len(items), size):
        yield items[at : at + size]


def useful_share(examples: Sequence[Example], batch_size: int) -> float:
    """The share of places in a batch that hold a token, not padding, over all batches in order."""
    lengths = [len(e["input_ids"]) for e in examples]
    places = sum(len(batch) * max(batch) for batch in in_batches(lengths, batch_size))
    return sum(lengths) / max(1, places)
