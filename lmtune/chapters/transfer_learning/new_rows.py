"""The exercise "new rows": embeddings for new words, from their pieces."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.matrices import near, told, wrong_kind

_FORM = "new_rows(table, pieces)"


def _with(table: torch.Tensor, rows: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([table, torch.stack(rows)])


def _mistakes(table: torch.Tensor, pieces: list[list[int]]) -> list[tuple[torch.Tensor, str]]:
    means = [table[ids].mean(0) for ids in pieces]
    return [
        (_with(table, [table[ids].sum(0) for ids in pieces]), "the rows were added up: divide by their number, or "
         "a word of many pieces gets a row longer than any other"),
        (_with(table, [table.mean(0)] * len(pieces)), "that is the mean of all rows: take those "
         "of the word's own pieces"),
        (_with(table, [table[ids[0]] for ids in pieces]), "that is the row of the first piece: take the mean of all"),
        (_with(table, [table[ids[-1]] for ids in pieces]), "that is the row of the last piece: "
         "take the mean of them all"),
        (_with(table, [torch.zeros_like(table[0])] * len(pieces)), "zero rows give every new word the same logits, "
         "and say nothing of them"),
        (_with(table, [table[list(dict.fromkeys(ids))].mean(0) for ids in pieces]), "a piece that occurs twice "
         "counts twice"),
        (torch.cat([torch.stack(means), table]), "the new rows stand first: they go below, or every old token's "
         "id points to another row"),
        (_with(table, means[::-1]), "the new rows stand in the wrong order: word i gets row len(table) + i"),
    ]


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(2)
    for pieces in ([[1, 4], [0, 2, 3]], [[5, 5, 2], [3, 1], [0, 4]]):
        table = torch.randn(6, 4, generator=made, dtype=torch.float64)
        truth = _with(table, [table[ids].mean(0) for ids in pieces])
        value = call(answer, table, pieces, form=_FORM)
        trouble = wrong_kind(value, truth, "the new table")
        if trouble:
            return trouble
        if not near(value, truth):
            hint = recognise(lambda wrong: near(value, wrong), _mistakes(table, pieces),
                             "the old rows as they are, and below them for each word the mean of table[ids]")
            at = next(i for i in range(len(truth)) if not near(value[i], truth[i]))
            return Feedback(f"row {at} is {told(value[at])}", told(truth[at]), hint, f"pieces {pieces}")
    return None


EXERCISE = Exercise(
    id="new-rows", level="warm-up", minutes=8, judge=_judge,
    aim="Give new words rows that begin as the mean of their pieces.",
    stub='''\
def new_rows(table, pieces):
    """A table of embeddings with a row for each new word.

    table: (tokens, width); pieces: for each new word the ids of the tokens
    that spelled it until now, a list of lists.  Returns (tokens + words,
    width): the old rows unchanged, and below them, in the order of the words,
    the mean of each word's pieces.
    """
    ...  # your code here
''')
