"""The exercise "new rows": embeddings for new words, from their pieces."""

from __future__ import annotations

import random
from functools import reduce
from itertools import accumulate

import torch

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import normal


def _inputs(rng: random.Random) -> list:
    return [
        [normal(rng, 6, 4), pieces]
        for pieces in ([[1, 4], [0, 2, 3], [5]], [[5, 5, 2], [3, 1], [0, 4]], [[1, 4, 4, 2], [3], [0, 2], [5, 1, 0]])
    ]


def _means(table, pieces):
    """The mean of each word's pieces, by how often each stands in it."""
    counts = torch.stack([torch.bincount(torch.tensor(ids), minlength=len(table)) for ids in pieces]).to(table)
    return counts @ table / counts.sum(1, keepdim=True)


def _truth(table, pieces):
    return torch.cat([table, _means(table, pieces)])


def _each(wrong):
    """Below the right old rows a wrong one for each word."""
    return lambda table, pieces: torch.cat([table, torch.stack([wrong(table, ids) for ids in pieces])])


def _below(wrong):
    """Below the right old rows wrong ones, made for all words at once."""
    return lambda table, pieces: torch.cat([table, wrong(table, pieces)])


def _unreset(table, pieces):
    sums = accumulate(table[ids].sum(0) for ids in pieces)
    return torch.stack([s / len(ids) for s, ids in zip(sums, pieces)])


def _in_place(table, pieces):
    """The last old rows overwritten by the new ones."""
    return torch.cat([table[: -len(pieces)], _means(table, pieces)])


EXERCISE = Exercise(
    id="new-rows",
    level="warm-up",
    minutes=8,
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
''',
    inputs=_inputs,
    truth=_truth,
    gives="one tensor of the shape (tokens + words, width)",
    otherwise="the old rows as they are, and below them for each word the mean of table[ids]",
    mistakes=[
        (
            _each(lambda table, ids: table[ids].sum(0)),
            "the rows were added up: divide by their number, or a word of many pieces gets a row longer than any other",
        ),
        (_each(lambda table, ids: table.mean(0)), "that is the mean of all rows: take those of the word's own pieces"),
        (
            _below(lambda table, pieces: table[sum(pieces, [])].mean(0).repeat(len(pieces), 1)),
            "that is one mean over the pieces of all words: take one for each word",
        ),
        (
            _below(lambda table, pieces: _means(table, pieces[:1]).repeat(len(pieces), 1)),
            "every word has the row of the first one: take each word's own pieces",
        ),
        (_each(lambda table, ids: table[ids[0]]), "that is the row of the first piece: take the mean of all"),
        (_each(lambda table, ids: table[ids[-1]]), "that is the row of the last piece: take the mean of them all"),
        (
            _each(lambda table, ids: table[sum(ids) // len(ids)]),
            "the ids were averaged: ids are names, so take the mean of their rows",
        ),
        (
            _each(lambda table, ids: 0 * table[0]),
            "zero rows give every new word the same logits, and say nothing of them",
        ),
        (_each(lambda table, ids: table[list(dict.fromkeys(ids))].mean(0)), "a piece that occurs twice counts twice"),
        (
            _each(lambda table, ids: table[ids].sum(0) / len({*ids})),
            "the sum counts a piece that occurs twice, and the number that it is divided by does not",
        ),
        (
            _each(lambda table, ids: reduce(lambda row, i: (row + table[i]) / 2, ids[1:], table[ids[0]])),
            "each piece was averaged with the row so far, so that the last one weighs half: add up first, divide once",
        ),
        (
            _each(lambda table, ids: table[ids].sum(0) / 2),
            "the sum was divided by 2 whatever the number of pieces: divide by len(ids)",
        ),
        (
            _below(lambda table, pieces: torch.stack([table[ids].sum(0) / len(pieces) for ids in pieces])),
            "divided by the number of words: divide by the number of the word's own pieces",
        ),
        (_below(_unreset), "the sum goes on from one word to the next: begin each word at zero"),
        (_each(lambda table, ids: table[ids].amax(0)), "that is the largest number of each column: take the mean"),
        (
            lambda table, pieces: torch.cat([_means(table, pieces), table]),
            "the new rows stand first: they go below, or every old token's id points to another row",
        ),
        (
            _below(lambda table, pieces: _means(table, pieces).flip(0)),
            "the new rows stand in the wrong order: word i gets row len(table) + i",
        ),
        (_means, "the old rows are missing: give the whole table back, the new rows below it"),
        (_in_place, "the last old rows were overwritten: the table grows by a row for each word"),
    ],
)
