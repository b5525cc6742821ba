"""What goes wrong in the exercise "mask padding" with the labels, whatever the ids are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.utils.rnn import pad_sequence

from lmtune.exercises.plain import ANY


def padded(rows: list, fill: int) -> torch.Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], True, fill)


def every_end(rows, end_id):
    return [[-100 if token == end_id else token for token in row] for row in padded(rows, end_id).tolist()]


def _labels(wrong: Callable) -> Callable:
    """A mistake in the labels, whatever the ids are; where it does not show, all is right."""

    def value(rows, end_id):
        labels, right = torch.as_tensor(wrong(rows, end_id)), padded(rows, -100)
        return (padded(rows, end_id), right) if labels.equal(right) else (ANY, labels)

    return value


def _cut(keep: Callable) -> Callable:
    """Labels of only the first ``keep(row, end_id)`` tokens of each row."""

    def labels(rows, end_id):
        made = padded(rows, -100)
        for row, own in zip(made, rows):
            row[keep(own, end_id) :] = -100
        return made

    return _labels(labels)


def _text(row: list, end_id: int) -> int:
    """How many tokens stand before the ends that close a row."""
    return len(row) - next(i for i, token in enumerate(row[::-1]) if token != end_id)


def _shifted(rows, fill: int) -> list:
    return [row[1:] + [-100] for row in padded(rows, fill).tolist()]


def _one_too_many(rows, end_id):
    longest = max(map(len, rows))
    return padded([row + [end_id] * (len(row) < longest) for row in rows], -100)


def _last_column(rows, end_id, every: bool = True):
    made = padded(rows, end_id)
    for row, own in zip(made, rows):
        if every or len(own) < len(row):
            row[-1] = -100
    return made


_FILLED = [
    (
        _labels(lambda rows, end_id, fill=fill: padded(rows, fill)),
        f"the label at padding is {fill}: it must be exactly -100, which is what the loss leaves out",
    )
    for fill in (-1, 0, 100, -101)
]
LABELS = [
    (
        _labels(every_end),
        "every end token is masked, the real one too: padding and end share one id, so tell them apart by the row's "
        "length. A model trained on these labels never learns to stop",
    ),
    (
        _cut(lambda row, end_id: len(row) - 1),
        "the last token of the text is masked with the padding: that end is real, and without it the model never "
        "learns to stop",
    ),
    (
        _labels(padded),
        "nothing is masked: the model would be trained to write padding; put -100 there. If that is what you do, the "
        "lengths were read after the rows had grown: read them first, or pad copies",
    ),
    (
        _labels(lambda rows, end_id: _shifted(rows, -100)),
        "the labels are shifted already: the loss shifts them itself, so labels[b, t] belongs to ids[b, t]",
    ),
    (
        _labels(_shifted),
        "the labels are shifted already, and padding is not masked: the loss shifts them itself, so labels[b, t] "
        "belongs to ids[b, t]",
    ),
    (
        _labels(_one_too_many),
        "one padding token too many has a label: the end of the text is the last of its own tokens",
    ),
    (
        _cut(lambda row, end_id: _text(row, end_id) + 1),
        "only the first of several ends that close a row keeps its label: the others are the row's own too, so go by "
        "its length",
    ),
    (_cut(_text), "all ends that close a row are masked, its own too: tell them from padding by the row's length"),
    (
        _cut(lambda row, end_id: row.index(end_id) + 1),
        "masked behind the first end_id: an end_id may stand inside a row too, so go by the row's length",
    ),
    (
        _cut(lambda row, end_id: row.index(end_id)),
        "masked from the first end_id on: it may stand inside a row, and the one that ends the row keeps its label. "
        "Go by the row's length",
    ),
    (
        _labels(_last_column),
        "only the last column is masked: a row has as much padding as it is shorter than the longest one",
    ),
    (
        _labels(lambda rows, end_id: _last_column(rows, end_id, every=False)),
        "only the last column is masked, where a row is short: it has as much padding as it is shorter than the "
        "longest one",
    ),
    *_FILLED,
]
