"""The kinds of example: how each is told, counted and padded to a batch.

An *example* is a dict of ``input_ids`` (token ids), ``labels`` and ``characters``, the number of
characters that its labels spell.  What the labels are decides its kind:

- *next token*: a label for each token, at the position of the token itself; the shift by one is
  :func:`lmtune.training.losses.shifted` and happens nowhere else.  ``documents`` holds the lengths of
  what is packed into a row, where it is more than one.
- *sequence to sequence*: the ids that the decoder shall write, of any length, and
  ``sequence_to_sequence`` is true.
- *class*: one whole number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch

#: The label of a position that no loss counts (the default of ``torch.nn.functional.cross_entropy``).
IGNORED = -100


class _Always(TypedDict):
    input_ids: list[int]
    labels: list[int] | Any  # of a class an int: whoever has asked for the kind knows
    characters: int


class Example(_Always, total=False):
    """One row: see the top of this module."""

    documents: list[int]
    sequence_to_sequence: bool


#: Padded tensors of shape (batch, time): see :func:`lmtune.data.batches.collate`.
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Kind:
    """One kind of example.

    Args:
        name: what it is called in messages.
        maker: what makes such examples, for messages.
        labels: how many labels a loss counts in an example.
        tokens: how many tokens are read for it.
        pad: makes the batch of several, on the CPU.
    """

    name: str
    maker: str
    labels: Callable[[Example], int]
    tokens: Callable[[Example], int]
    pad: Callable[[Sequence[Example]], Batch]


def kind_of(example: Example) -> Kind:
    """The kind of an example."""
    if not isinstance(example["labels"], list):
        return CLASS
    return SEQUENCE_TO_SEQUENCE if example.get("sequence_to_sequence") else NEXT_TOKEN


def _pad_class(examples: Sequence[Example]) -> Batch:
    return _inputs(examples) | {"labels": torch.tensor([e["labels"] for e in examples], dtype=torch.long)}


def _pad_next_token(examples: Sequence[Example]) -> Batch:
    batch = _inputs(examples)
    if any("documents" in e for e in examples):
        del batch["attention_mask"]
        batch |= _kept_apart(examples, batch["input_ids"].shape[1])
    return batch | {"labels": _padded([e["labels"] for e in examples], IGNORED)}


def _pad_sequence(examples: Sequence[Example]) -> Batch:
    return _inputs(examples) | {"labels": _padded([e["labels"] for e in examples], IGNORED)}


def _inputs(examples: Sequence[Example]) -> Batch:
    ids = [e["input_ids"] for e in examples]
    padded = _padded(ids, 0)  # any id will do: no loss and no attention sees it
    mask, longest = torch.ones_like(padded), padded.shape[1]
    if any(len(row) < longest for row in ids):
        mask *= torch.arange(longest) < torch.tensor([[len(row)] for row in ids])
    return {"input_ids": padded, "attention_mask": mask}


def _padded(rows: Sequence[list[int]], filler: int) -> torch.Tensor:
    """Rows as int64 of shape (batch, longest), padded on the right."""
    longest = max(map(len, rows))
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


def _next_token_labels(example: Example) -> int:
    """All that are not ignored but the first, which nothing predicts."""
    labels = example["labels"]
    return len(labels) - 1 - labels[1:].count(IGNORED) if labels else 0


NEXT_TOKEN = Kind(
    "next-token examples",
    "lmtune.windows or lmtune.pairs",
    labels=_next_token_labels,
    tokens=lambda e: len(e["input_ids"]),
    pad=_pad_next_token,
)
SEQUENCE_TO_SEQUENCE = Kind(
    "examples for an encoder and a decoder",
    "lmtune.pairs with encoder_decoder=True",
    labels=lambda e: len(e["labels"]) - e["labels"].count(IGNORED),
    tokens=lambda e: len(e["input_ids"]) + len(e["labels"]),
    pad=_pad_sequence,
)
CLASS = Kind(
    "examples with a class",
    "lmtune.labelled",
    labels=lambda e: int(e["labels"] != IGNORED),
    tokens=lambda e: len(e["input_ids"]),
    pad=_pad_class,
)
