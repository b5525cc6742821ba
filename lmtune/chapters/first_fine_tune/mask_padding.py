"""The exercise "mask padding": padding is never learned, and the end of a text is."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch

from lmtune.chapters.first_fine_tune.mask_padding_labels import LABELS, every_end, padded
from lmtune.exercises.cases import Feedback
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.plain import ANY


def _inputs(rng: random.Random) -> list:
    # An end token inside a row tells "every end" from "the last token", and one row ends with several;
    # rows of one length need no padding.
    return [
        [[[5, 2, 7, 6, 2], [8, 2], [9, 4, 2]], 2],
        [[[4, 3], [6, 3]], 3],
        [[[7, 9, 9], [5, 9, 4, 9, 9, 9], [6, 9]], 9],
    ]


def _truth(rows, end_id):
    return padded(rows, end_id), padded(rows, -100)


def _observed(answer: Callable, rows: list, end_id: int) -> Any:
    value = answer(rows, end_id)
    for name, part in zip(("ids", "labels"), value if isinstance(value, (list, tuple)) else [value]):
        kind = str(getattr(part, "dtype", "int64"))
        if not kind.endswith("int64"):  # equal numbers of another type, which an embedding or the loss refuses
            hint = f"{name} is of {kind}, and must be of torch.int64: convert it with .long()"
            return Feedback(f"{name} of {kind}", f"{name} of torch.int64", hint)
    return value


def _ids(wrong: Callable) -> Callable:
    """A mistake in the ids, whatever the labels are; where it does not show, all is right."""

    def value(rows, end_id):
        ids, right = torch.as_tensor(wrong(rows, end_id)), _truth(rows, end_id)
        return right if ids.equal(right[0]) else (ids, ANY)

    return value


_IDS = [
    (lambda *case: _truth(*case)[::-1], "the two are right and stand in the wrong order: return ids, labels"),
    (
        lambda rows, end_id: (padded(rows, -100),) * 2,
        "-100 stands among the ids, and no embedding has that row: only labels take -100. If ids were overwritten, "
        "because labels is the same tensor, make labels from ids.clone()",
    ),
    (
        lambda *case: (every_end(*case),) * 2,
        "the ids were overwritten, because labels is the same tensor: make labels from ids.clone(). And every end was "
        "masked, the real one too: tell padding from the end by the row's length",
    ),
    (
        lambda *case: (every_end(*case), _truth(*case)[1]),
        "-100 stands among the ids where end_id belongs, and no embedding has that row: only labels take -100",
    ),
    (
        lambda *case: (every_end(*case), padded(*case)),
        "-100 stands among the ids, and the labels are not masked: return ids, labels in this order, and tell padding "
        "from the end by the row's length",
    ),
    (
        _ids(lambda rows, end_id: padded([row[::-1] for row in rows], end_id).flip(1)),
        "the padding stands on the left: this exercise wants it on the right, behind the text",
    ),
    (_ids(lambda rows, end_id: padded(rows, 0)), "padded with 0: here the pad token is end_id"),
    (
        _ids(lambda rows, end_id: padded([row + [end_id] for row in rows], end_id)),
        "every row grew by one token: the rows end with end_id already",
    ),
]

EXERCISE = Exercise(
    id="mask-padding",
    level="core",
    minutes=15,
    aim="Pad a batch so that padding is never learned and the end of a text is.",
    stub='''\
def make_labels(rows, end_id):
    """Pad rows of token ids to a batch, and make its labels.

    rows: lists of token ids of different lengths.  Each ends with end_id,
    which may stand inside a row too, and which is also the pad token.
    Returns (ids, labels), long tensors of shape (rows, longest row), padded on
    the right; a label is -100 at padding and nowhere else, and the loss shifts
    the labels itself.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    observe=_observed,
    gives="both, each a tensor with a row for every row of the input: return ids, labels",
    otherwise="compare row by row: the text first, then padding to the longest row, which is end_id in ids and -100 "
    "in labels",
    mistakes=[*_IDS, *LABELS],
)
