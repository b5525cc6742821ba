"""The exercise "find the leak": a model that is too good, and why."""
from __future__ import annotations

from typing import Any, Callable

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, shown

_FORM = "find_leak(model, ids)"
_WORDS = ("none", "future", "batch")
_VOCABULARY = 11


def _table() -> torch.Tensor:
    made = torch.Generator().manual_seed(2)
    return torch.randn(_VOCABULARY, _VOCABULARY, generator=made, dtype=torch.float64)


def _causal(ids: torch.Tensor) -> torch.Tensor:
    """Each position has read itself and what is before it."""
    return _table()[ids].cumsum(1)


def _next_token(ids: torch.Tensor) -> torch.Tensor:
    x = _table()[ids]
    return x.cumsum(1) + torch.cat([x[:, 1:], x[:, -1:]], 1)


def _last_token(ids: torch.Tensor) -> torch.Tensor:
    x = _table()[ids]
    first = torch.zeros(1, x.shape[1], 1, dtype=x.dtype)
    first[:, 0] = 1e-3  # only the first position has seen the end, and only a little of it
    return x.cumsum(1) + first * x[:, -1:]


def _mean_of_batch(ids: torch.Tensor) -> torch.Tensor:
    x = _causal(ids)
    return x + 0.1 * x.mean(0, keepdim=True)


def _row_above(ids: torch.Tensor) -> torch.Tensor:
    x = _causal(ids)
    return torch.cat([x[:1], x[1:] + 1e-3 * x[:-1]])  # the first row is clean


def _row_below(ids: torch.Tensor) -> torch.Tensor:
    return _row_above(ids.flip(0)).flip(0)


_MODELS: list[tuple[str, str, Callable]] = [
    ("a model without a leak", "none", _causal),
    ("a model in which each position sees the next one", "future", _next_token),
    ("a model whose first position sees a little of the last one", "future", _last_token),
    ("a model in which the rows share a mean", "batch", _mean_of_batch),
    ("a model in which a row sees a little of the row above", "batch", _row_above),
    ("a model in which a row sees a little of the row below", "batch", _row_below),
]

_HINTS = {
    (_causal, "future"): "nothing leaks here: a changed token may change what is predicted at its own position "
    "and after it. Only predictions before it must stay",
    (_causal, "batch"): "nothing leaks here: a changed row changes its own predictions. Compare the other rows only",
    (_next_token, "none"): "a token was changed and predictions before it moved, and that was not noticed. Change "
    "tokens in a clone of ids, and compare the logits of all positions before them",
    (_last_token, "none"): "the leak is small and far: only the first position sees the last token. Change the last "
    "token, compare all earlier positions, and ask for equality, not for large differences",
    (_mean_of_batch, "none"): "the rows share a mean: change one whole row and compare the logits of the others",
    (_row_above, "none"): "here a row sees the row above, a little: compare every other row with the changed one, "
    "and ask for equality",
    (_row_below, "none"): "here a row sees the row below, so changing the first row shows nothing: change each row "
    "in turn",
    (_next_token, "batch"): "this leak stays within its row: for 'batch' the logits of another row must move",
    (_mean_of_batch, "future"): "this leak is between rows, at the same time: for 'future' compare within the row "
    "that was changed",
}


def _judge(answer: Any) -> Feedback | None:
    made = torch.Generator().manual_seed(4)
    ids = torch.randint(_VOCABULARY, (4, 7), generator=made)
    for name, truth, model in _MODELS:
        value = call(answer, model, ids, form=_FORM)
        if not isinstance(value, str) or value not in _WORDS:
            return Feedback(shown(value), "'none', 'future' or 'batch'",
                            "give one of the three words back, as text")
        if value != truth:
            alike = {_last_token: _next_token, _row_above: _mean_of_batch, _row_below: _mean_of_batch}
            hint = _HINTS.get((model, value)) or _HINTS[alike[model], value]
            return Feedback(repr(value), repr(truth), hint, name)
    return None


EXERCISE = Exercise(
    id="find-leak", level="challenge", minutes=18, judge=_judge,
    aim="Tell from outside whether a language model sees what it is asked to predict.",
    stub='''\
def find_leak(model, ids):
    """What a language model sees that it must not see.

    model(ids) gives logits (B, T, V) for token ids (B, T) from 0 to 10, always
    the same for the same ids.  Returns "future" if a prediction depends on a
    later token of its row, "batch" if it depends on another row, else "none".
    """
    ...  # your code here
''')
