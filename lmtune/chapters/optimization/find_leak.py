"""The exercise "find the leak": a model that is too good, and why."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from lmtune.chapters.optimization import leaking
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import integers


def _inputs(rng: random.Random) -> list:
    cases = [[model, integers(rng, 0, 7, 4, 7)] for model in (*leaking.LEAKS, leaking.middle_token)]
    for _, ids in cases:
        ids[1, 2] = 10  # a token that has none above it
        ids[2, 0] = 7  # begins no other row
    cases[-1][1][:, 3] = 0  # what many put in is there already
    return cases


def _where(shown: Callable, word: str):
    """The mistake of saying ``word`` of one model."""
    return lambda model, ids: word if model is shown else leaking.LEAKS[model]


_MISTAKES = [
    (
        _where(leaking.causal, "future"),
        "nothing leaks here: a changed token may change what is predicted at its own position "
        "and after it. Only predictions before it must stay, and each change begins with a fresh clone of ids",
    ),
    (
        _where(leaking.causal, "batch"),
        "nothing leaks here: a changed row changes its own predictions. Compare the other rows only",
    ),
    (
        _where(leaking.next_token, "batch"),
        "this leak stays within its row: for 'batch' the logits of another row must move",
    ),
    (
        _where(leaking.next_token, "none"),
        "a token was changed and predictions before it moved, and that was not noticed. Change "
        "tokens in a clone of ids, and compare the logits of all positions before them",
    ),
    (
        _where(leaking.last_token, "none"),
        "the leak is small and far: only the first position sees the last token. Change the last "
        "token, compare all earlier positions, and ask for equality, not for large differences",
    ),
    (
        _where(leaking.middle_token, "none"),
        "one position alone sees a later token, neither the next nor the last: change each token "
        "in turn, and compare all positions before it",
    ),
    (
        _where(leaking.some_rows, "none"),
        "one row alone sees ahead, and it is not the first: look for 'future' in each row in turn",
    ),
    (
        _where(leaking.mean_of_batch, "future"),
        "this leak is between rows, at the same time: for 'future' compare within the row that was changed",
    ),
    (
        _where(leaking.mean_of_batch, "none"),
        "the rows share a mean: change one whole row and compare the logits of the others",
    ),
    (
        _where(leaking.row_above, "none"),
        "here a row sees the row above, a little: compare every other row with the changed one, and ask for equality",
    ),
    (
        _where(leaking.row_below, "none"),
        "here a row sees the row below, so changing the first row shows nothing: change each row in turn, "
        "and compare all others with it",
    ),
    (
        _where(leaking.first_token_above, "none"),
        "only the first token of a row leaks here, into the row below: change each token in turn for 'batch' too",
    ),
    # What follows is recognised where it explains every answer.
    (
        partial(leaking.search, rows=slice(1)),
        "only the first row was changed: change each row in turn, because it may be another that leaks",
    ),
    (
        partial(leaking.search, times=slice(-1, None)),
        "only the last token was changed: an earlier one may be what leaks, so change each in turn",
    ),
    (
        partial(
            leaking.search,
            ahead=lambda before, after, row, t: t > 0 and not after[row, t - 1].equal(before[row, t - 1]),
        ),
        "only the position right before the changed token was compared: a leak may reach further back, "
        "so compare all earlier ones",
    ),
    (
        partial(leaking.search, put=lambda t: 0),
        "the token that was put in was there already in some places, and so changed nothing: put in (token + 1) % 11",
    ),
]

EXERCISE = Exercise(
    id="find-leak",
    level="challenge",
    minutes=18,
    aim="Tell from outside whether a language model sees what it is asked to predict.",
    stub='''\
def find_leak(model, ids):
    """What a language model sees that it must not see.

    model(ids) gives logits (B, T, V) for token ids (B, T) from 0 to 10, always
    the same for the same ids.  Returns "future" if a prediction depends on a
    later token of its row, "batch" if it depends on another row, else "none".
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=lambda model, ids: leaking.LEAKS[model],
    gives="one of three words, as text: 'none', 'future' or 'batch'",
    otherwise="give back one of three words: for each token in turn, change it in a clone of ids; 'future' if "
    "predictions before it in its row move, 'batch' if those of another row do",
    mistakes=_MISTAKES,
)
