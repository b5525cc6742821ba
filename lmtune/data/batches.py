"""From examples to batches: their order, their padding, and what stands in them."""
from __future__ import annotations

from typing import Iterator, Sequence

import torch

from lmtune.data.examples import IGNORED, Example

#: Padded tensors of shape (batch, time): see :func:`collate`.
Batch = dict[str, torch.Tensor]


def collate(examples: Sequence[Example], device: str | torch.device = "cpu") -> Batch:
    """Pad examples on the right into int64 tensors of shape (batch, longest).

    ``attention_mask`` is 1 where a row has a token.  Padded positions get the label
    ``IGNORED`` because of where they are, never because of which token stands
    there: a real end of text keeps its label even if the padding uses the same id.

    With packed examples (:func:`lmtune.pack`) there is no mask but ``documents``, the number of
    the document that each position belongs to, and ``position_ids``, its place in there.
    """
    longest = max(len(e["input_ids"]) for e in examples)
    ids = [e["input_ids"] for e in examples]
    batch = {"input_ids": _padded(ids, longest, 0)}  # any id will do: no loss and no attention sees it
    if any("documents" in e for e in examples):
        batch |= _kept_apart(examples, longest)
    else:
        batch["attention_mask"] = torch.ones(len(ids), longest, dtype=torch.long)
        if any(len(row) < longest for row in ids):
            batch["attention_mask"] *= torch.arange(longest) < torch.tensor([[len(row)] for row in ids])
    labels = [e["labels"] for e in examples]
    if isinstance(labels[0], int):
        batch["labels"] = torch.tensor(labels, dtype=torch.long)
    else:
        batch["labels"] = _padded(labels, longest, IGNORED)
    kind = torch.device(device).type
    if kind == "cuda":  # pinned, a copy need not be waited for
        return {k: v.pin_memory().to(device, non_blocking=True) for k, v in batch.items()}
    return batch if kind == "cpu" else {k: v.to(device) for k, v in batch.items()}


def _padded(rows: list[list[int]], longest: int, filler: int) -> torch.Tensor:
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], dtype=torch.long)


def _kept_apart(examples: Sequence[Example], longest: int) -> Batch:
    """Which document each position of packed rows belongs to, and its place there.  Padding is a
    document of its own, so that each position has something to look at."""
    positions, numbers = [], []
    for example in examples:
        lengths = example.get("documents", [len(example["input_ids"])])
        lengths = [*lengths, longest - sum(lengths)]
        positions.append([i for n in lengths for i in range(n)])
        numbers.append([d for d, n in enumerate(lengths) for _ in range(n)])
    return {"documents": torch.tensor(numbers), "position_ids": torch.tensor(positions)}


def count_labels(example: Example) -> int:
    """How many labels of an example a loss counts: for a class one, for next-token labels all that
    are not ignored but the first, which nothing predicts."""
    labels = example["labels"]
    if isinstance(labels, int):
        return int(labels != IGNORED)
    return len(labels) - 1 - labels[1:].count(IGNORED) if labels else 0


def order(n: int, seed: int, epoch: int) -> list[int]:
    """The order of ``n`` examples in an epoch: a permutation drawn from seed and epoch alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator).tolist()


def in_batches(items: Sequence, size: int) -> Iterator[Sequence]:
    """Consecutive runs of ``size`` items; the last may be shorter."""
    for at in range(0, len(items), size):
        yield items[at : at + size]


def useful_share(examples: Sequence[Example], batch_size: int) -> float:
    """The share of places in a batch that hold a token, not padding, over all batches in order."""
    places = sum(len(batch) * max(len(e["input_ids"]) for e in batch) for batch in in_batches(examples, batch_size))
    return sum(len(e["input_ids"]) for e in examples) / max(1, places)
