"""The exercise "mask padding": padding is never learned, and the end of a text is."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown

_FORM = "make_labels(rows, end_id)"


class _Rows(list):
    """Rows that keep hold of the copy which ``call`` gives to the answer, as ``copied``."""

    def __deepcopy__(self, memo: dict) -> list:
        self.copied = [list(row) for row in self]
        return self.copied


def _pad(rows: list[list[int]], fill: int, width: int = 0) -> list[list[int]]:
    width = width or max(map(len, rows))
    return [row + [fill] * (width - len(row)) for row in rows]


def _every_end_masked(rows: list[list[int]], end_id: int) -> list[list[int]]:
    return [[-100 if i == end_id else i for i in row] for row in _pad(rows, -100)]


def _label_mistakes(rows: list[list[int]], end_id: int, grown: bool) -> list[tuple[list, str]]:
    """The labels that each known mistake makes of these rows, and its hint."""
    right, bare = _pad(rows, -100), _pad(rows, end_id)
    width, first = len(right[0]), [row.index(end_id) for row in rows]
    column = ("only the last column is masked: a row has as much padding as it is shorter than "
              "the longest one")
    pre_shifted = ("the labels are shifted already: the loss shifts them itself, so labels[b, t] "
                   "belongs to ids[b, t]")
    return [
        (_every_end_masked(rows, end_id),
         "every end token is masked, the real one too: padding and end share one id, so tell "
         "them apart by the row's length. A model trained on these labels never learns to stop"),
        (_pad([row[:-1] + [-100] for row in rows], -100),
         "the last token of the text is masked with the padding: that end is real, and without "
         "it the model never learns to stop"),
        (bare, "nothing is masked, because the lengths were read after the rows had grown: your "
         "function pads rows themselves. Read the lengths first, or pad copies" if grown else
         "nothing is masked: the model would be trained to write padding; put -100 there"),
        ([row[1:] + [-100] for row in right], pre_shifted),
        ([row[1:] + [-100] for row in bare], pre_shifted),
        (_pad([row + [end_id] if len(row) < width else row for row in rows], -100),
         "one padding token too many has a label: the end of the text is the last of its own "
         "tokens"),
        (_pad([row[:at + 1] for row, at in zip(rows, first)], -100, width),
         "masked behind the first end_id: an end_id may stand inside a row too, so go by the "
         "row's length"),
        (_pad([row[:at] for row, at in zip(rows, first)], -100, width),
         "masked from the first end_id on: it may stand inside a row, and the one that ends the "
         "row keeps its label. Go by the row's length"),
        ([row[:-1] + [-100] for row in bare], column),
        ([row[:-1] + [-100] if len(own) < width else row for row, own in zip(bare, rows)], column),
    ] + [(_pad(rows, fill), f"the label at padding is {fill}: it must be exactly -100, which is "
          "what the loss leaves out") for fill in (-1, 0, 100, -101)]


def _id_mistakes(rows: list[list[int]], end_id: int, same: bool) -> list[tuple[list, str]]:
    """The ids that each known mistake makes of these rows, and its hint."""
    width = max(map(len, rows))
    overwritten = ("the ids were overwritten, because labels is the same tensor: make labels "
                   "from ids.clone()")
    among = "-100 stands among the ids, and no embedding has that row: only labels take -100"
    return [
        ([[end_id] * (width - len(row)) + row for row in rows],
         "the padding stands on the left: this exercise wants it on the right, behind the text"),
        (_every_end_masked(rows, end_id),
         f"{overwritten}. And every end was masked, the real one too: tell padding from the end "
         "by the row's length" if same else among),
        (_pad(rows, -100), overwritten if same else among),
        (_pad(rows, 0), "padded with 0: here the pad token is end_id"),
        ([row + [end_id] * (width + 1 - len(row)) for row in rows],
         "every row grew by one token: the rows end with end_id already"),
    ]


def _not_a_pair(value: Any, given: str) -> Feedback | None:
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return None
    hint = "give both back: return ids, labels"
    if getattr(value, "ndim", 0) == 3:
        hint = ("one tensor came back where two are expected: do not stack them, but return ids, "
                "labels")
    return Feedback(shown(value), "a pair (ids, labels)", hint, given)


def _not_a_batch(name: str, value: Any, rows: list[list[int]], given: str) -> Feedback | None:
    """What is wrong with the type or the shape of ids or labels, if anything."""
    if not isinstance(value, torch.Tensor):
        kind = type(value).__name__
        hint = f"{name} is of type {kind}: give a tensor back"
        if type(value).__module__ == "numpy":
            hint = f"{name} is a numpy array: torch.from_numpy({name}).long() makes a tensor of it"
        elif isinstance(value, (list, tuple)):
            maker = "stack" if value and isinstance(value[0], torch.Tensor) else "tensor"
            hint = (f"{name} is a {kind}: torch.{maker}({name}) makes one tensor of it once all "
                    "rows are equally long")
    elif value.dtype != torch.long:
        kind = str(value.dtype)
        hint = f"{name} is of {kind}, and must be of torch.int64: convert it with .long()"
    elif value.ndim != 2 or len(value) != len(rows):
        return Feedback(f"{name} of shape {tuple(value.shape)}",
                        f"{name} of shape ({len(rows)}, {max(map(len, rows))})",
                        "give one row of ids and one row of labels for each row of the input",
                        given)
    else:
        return None
    return Feedback(f"{name} of {kind}", f"{name}, a tensor of torch.int64", hint, given)


def _judge_labels(answer: Any) -> Feedback | None:
    # An end token inside a row tells "every end" from "the last token"; rows of one length
    # need no padding.
    for rows, end_id in (([[5, 2, 7, 6, 2], [8, 2], [9, 4, 2]], 2), ([[4, 3], [6, 3]], 3),
                         ([[7, 9], [5, 9, 4, 9]], 9)):
        inputs = _Rows(rows)
        value = call(answer, inputs, end_id, form=_FORM)
        given = f"rows {rows}, end_id {end_id}"
        trouble = _not_a_pair(value, given)
        for name, tensor in zip(("ids", "labels"), () if trouble else value):
            trouble = trouble or _not_a_batch(name, tensor, rows, given)
        if trouble:
            return trouble
        same = value[0].data_ptr() == value[1].data_ptr()
        ids, labels = (tensor.tolist() for tensor in value)
        want_ids, want_labels = _pad(rows, end_id), _pad(rows, -100)
        if ids != want_ids and (ids, labels) == (want_labels, want_ids):
            return Feedback("labels, ids", "ids, labels",
                            "the two are right and stand in the wrong order", given)
        if ids != want_ids:
            return _row_differs("ids", ids, want_ids, _id_mistakes(rows, end_id, same), given)
        if labels != want_labels:
            known = _label_mistakes(rows, end_id, grown=inputs.copied != rows)
            return _row_differs("labels", labels, want_labels, known, given)
    return None


def _row_differs(name: str, got: list, want: list, mistakes: list, given: str) -> Feedback:
    row = next(i for i, (a, b) in enumerate(zip(got, want)) if a != b)
    hint = recognise(lambda wrong: got == wrong, mistakes,
                     f"compare row {row} of {name}: the text first, then padding to the longest "
                     "row, which is end_id in ids and -100 in labels")
    return Feedback(f"row {row} of {name} is {got[row]}", f"{want[row]}", hint, given)


EXERCISE = Exercise(
    id="mask-padding", level="core", minutes=15, judge=_judge_labels,
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
''')
