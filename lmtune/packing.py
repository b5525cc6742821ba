"""Packing: several documents in one row, so that little of a batch is padding.

A packed row must give each document what it would get alone: attention inside the
document only, positions from 0, and no document's last token predicting the next one's
first.  The rows are filled by best fit (Ding et al. 2024, arXiv:2404.10830).
"""
from __future__ import annotations

from bisect import bisect_left, insort
from itertools import accumulate
from typing import Sequence

import torch
from torch import nn

from lmtune.data import IGNORED, Example, collate, in_batches
from lmtune.evaluation import evaluating
from lmtune.settings import refuse


def pack(examples: Sequence[Example], context: int) -> list[Example]:
    """Put examples for language modelling together into rows of at most ``context`` tokens.

    A packed example has the further entry ``documents``, the lengths of what stands in it;
    :func:`lmtune.data.collate` makes from it the mask and the positions that keep documents
    apart.  Longest first, each into the fullest row that still has room.

    Raises ``ValueError`` for an example longer than ``context``.
    """
    refuse(not isinstance(context, int) or context < 2, "context", context, "a whole number of at least 2")
    rows: list[list[Example]] = []
    room: list[tuple[int, int]] = []  # (free places, row), sorted
    for example in sorted(examples, key=_length, reverse=True):
        length = _length(example)
        _refuse_unpackable(example, length, context)
        at = bisect_left(room, (length, -1))
        free, row = room.pop(at) if at < len(room) else (context, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(example)
        insort(room, (free - length, row))
    return [_joined(row) for row in rows]


def useful_share(examples: Sequence[Example], batch_size: int) -> float:
    """The share of places in a batch that hold a token, not padding, over all batches in order."""
    places = sum(len(batch) * max(map(_length, batch)) for batch in in_batches(examples, batch_size))
    return sum(map(_length, examples)) / max(1, places)


@torch.no_grad()
def refuse_model_that_mixes(model: nn.Module, examples: Sequence[Example]) -> None:
    """Refuse packed examples for a model in which documents of one row would see each other.

    Some kinds of attention (sliding windows) and all recurrent models take no mask of this form,
    some without a word; so one packed row is compared with its documents alone.
    """
    from lmtune.losses import next_token_loss

    packed = next((e for e in examples if len(e.get("documents", [])) > 1), None)
    if packed is None:
        return
    device = next(model.parameters()).device
    with evaluating(model):
        together, _ = next_token_loss(model, collate([packed], device))
        alone = sum(next_token_loss(model, collate([e], device))[0] for e in _taken_apart(packed))
    if not torch.allclose(together, alone, rtol=1e-5):
        raise ValueError(f"{type(model).__name__} does not keep packed documents apart: their loss is "
                         f"{float(together):.4f} in one row and {float(alone):.4f} alone. Train on the examples as "
                         "they are, without lmtune.pack.")


def _taken_apart(packed: Example) -> list[Example]:
    ends = list(accumulate(packed["documents"]))
    return [{"input_ids": packed["input_ids"][a:b], "labels": packed["labels"][a:b]}
            for a, b in zip([0, *ends], ends)]


def _joined(row: Sequence[Example]) -> Example:
    return {
        "input_ids": [token for e in row for token in e["input_ids"]],
        # The token before a document's first is another document's last: nothing to learn there.
        "labels": [label for e in row for label in (IGNORED, *e["labels"][1:])],
        "characters": sum(e["characters"] for e in row),
        "documents": [_length(e) for e in row],
    }


def _length(example: Example) -> int:
    return len(example["input_ids"])


def _refuse_unpackable(example: Example, length: int, context: int) -> None:
    if not isinstance(example["labels"], list):
        raise ValueError("Examples with a class cannot be packed, because a row has one class; pack those of "
                         "lmtune.windows or lmtune.pairs.")
    if "documents" in example:
        raise ValueError("An example is packed already; pack only once.")
    if length > context:
        raise ValueError(f"An example has {length} tokens and context is {context}; make the examples with "
                         f"context={context} or less.")
