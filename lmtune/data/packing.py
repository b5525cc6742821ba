"""Packing: several documents in one row, so that little of a batch is padding.

A packed row must give each document what it would get alone: attention inside the
document only, positions from 0, and no document's last token predicting the next one's
first.  The rows are filled by best fit (Ding et al. 2024, arXiv:2404.10830).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from lmtune.arguments import whole
from lmtune.data.kinds import IGNORED, NEXT_TOKEN, Example, kind_of


def pack(examples: Sequence[Example], context: int) -> list[Example]:
    """Put examples for language modelling together into rows of at most ``context`` tokens.

    A packed example has the further entry ``documents``, the lengths of what stands in it;
    :func:`lmtune.data.batches.collate` makes from it the mask and the positions that keep documents
    apart.  Longest first, each into the fullest row that still has room.

    Raises ``ValueError`` for an example longer than ``context``.
    """
    context = whole("context", context, 2)
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
    if kind_of(example) is not NEXT_TOKEN:
        raise ValueError(
            f"These are {kind_of(example).name}, and a row can hold only one of them; pack those of {NEXT_TOKEN.maker}."
        )
    if "documents" in example:
        raise ValueError("An example is packed already; pack only once.")
    if length > context:
        raise ValueError(
            f"An example has {length} tokens and context is {context}; make the examples with "
            f"context={context} or less."
        )
