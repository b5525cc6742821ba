"""For the exercise "find the leak": models whose leaks were put in, and a search with parts to exchange."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

_TABLE = torch.randn(11, 11, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
#: Of each model its leak: "future", "batch" or "none".
LEAKS: dict[Callable, str] = {}


def _leak(word: str, name: str):
    """Make a model of what leaks into the sums of a causal one; feedback tells it by ``name``."""

    def made(leaked: Callable) -> Callable:
        @functools.wraps(leaked)
        def model(ids):
            x = _TABLE[ids].cumsum(1)  # each position has read itself and what is before it
            return x + leaked(ids, x)

        model.__name__ = name
        LEAKS[model] = word
        return model

    return made


@_leak("none", "a model without a leak")
def causal(ids, x):
    return 0.0


@_leak("future", "a model in which each position sees the next one")
def next_token(ids, x):
    return _TABLE[ids].roll(-1, 1)


@_leak("future", "a model whose first position sees a little of the last one")
def last_token(ids, x):
    return torch.cat([1e-3 * _TABLE[ids[:, -1:]], 0 * x[:, 1:]], 1)


@_leak("future", "a model in which one position sees the one after the next")
def middle_token(ids, x):
    seen = torch.zeros_like(x)
    seen[:, 1:2] = _TABLE[ids[:, 3:4]] if ids.shape[1] > 3 else 0
    return seen


@_leak("future", "a model that sees the next token in rows that begin with token 7")
def some_rows(ids, x):
    return (ids[:, :1, None] == 7) * _TABLE[ids].roll(-1, 1)


@_leak("batch", "a model in which the rows share a mean")
def mean_of_batch(ids, x):
    # Sorted and added one after the other: the same digits for any order of rows and number of positions.
    return 0.1 * sum(x.sort(0).values) / len(x)


@_leak("batch", "a model in which a row sees a little of the row above")
def row_above(ids, x):
    return torch.cat([0 * x[:1], 1e-3 * x[:-1]])


@_leak("batch", "a model in which a row sees a little of the row below")
def row_below(ids, x):
    return torch.cat([1e-3 * x[1:], 0 * x[:1]])


@_leak("batch", "a model in which a row sees the first token of the row above")
def first_token_above(ids, x):
    return torch.cat([0 * x[:1], _TABLE[ids[:-1, :1]].expand_as(x[1:])])


def ahead(before, after, row, t):
    return not torch.equal(after[row, :t], before[row, :t])


def across(before, after, row, t):
    others = [i for i in range(len(before)) if i != row]
    return not torch.equal(after[others], before[others])


def search(model, ids, *, rows=slice(None), times=slice(None), put=lambda t: (t + 1) % 11, ahead=ahead, across=across):
    """What leaks in a model, found by changing one token after the other; parts of it make the mistakes."""
    before = model(ids)
    for row in range(len(ids))[rows]:
        for t in range(ids.shape[1])[times]:
            changed = ids.clone()
            changed[row, t] = put(ids[row, t])
            after = model(changed)
            if ahead(before, after, row, t):
                return "future"
            if across(before, after, row, t):
                return "batch"
    return "none"
