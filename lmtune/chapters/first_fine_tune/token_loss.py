"""The exercise "token loss": next-token cross-entropy of a padded batch."""

from __future__ import annotations

import math
import random

from lmtune.chapters.first_fine_tune.token_loss_places import MEANS, PLACES, truth
from lmtune.exercises.exercise import Exercise
from lmtune.exercises.inputs import integers, normal


def _inputs(rng: random.Random) -> list:
    # In the last, the logits are so far apart that softmax and log in two steps give infinity.
    return [_batch(rng, 3, 8, 11, 1.0), _batch(rng, 4, 9, 5, 3.0), _batch(rng, 2, 6, 7, 300.0)]


def _batch(rng: random.Random, rows: int, length: int, vocabulary: int, scale: float) -> list:
    """Logits and labels; each row is shorter than the one above, and the first has a gap."""
    logits = scale * normal(rng, rows, length, vocabulary).float()
    labels = integers(rng, 0, vocabulary, rows, length)
    labels[0, 2] = -100
    for b in range(1, rows):
        labels[b, length - 2 * b :] = -100
    return [logits.clamp(-300, 300), labels]


def _labelled(scores, y):
    """Of scores for each next token, those of the labels that count."""
    counts = y[:, 1:] != -100
    return scores[counts].gather(1, y[:, 1:][counts][:, None])


def _p(x, y):
    return _labelled(x[:, :-1].softmax(-1), y)


def _exponentials(x, y):
    made = x[:, :-1].exp()
    return -_labelled(made / made.sum(-1, keepdim=True), y).log().mean()


def _one_maximum(x, y):
    lower = x - x.max()
    return (lower[:, :-1].exp().sum(-1).log()[y[:, 1:] != -100] - _labelled(lower[:, :-1], y)[:, 0]).mean()


_NO_LOG = "that is made of probabilities: take the logarithm of each before the mean"
_LOG_LAST = "that is the logarithm of the mean probability: take the logarithm of each probability first, then the mean"
_AXIS = "softmax was taken over the wrong axis: the vocabulary is the last one, and this was"
_LARGE = "softmax and logarithm should be one step, with no exponential of a large number in it"

_LOGARITHMS = [
    (lambda x, y: _p(x, y).mean(), _NO_LOG),
    (lambda x, y: -_p(x, y).mean(), f"{_NO_LOG}, and the minus behind it"),
    (lambda x, y: 1 - _p(x, y).mean(), f"{_NO_LOG}; a minus makes a loss of it, not 1 minus"),
    (lambda x, y: -_p(x, y).mean().log(), _LOG_LAST),
    (lambda x, y: _p(x, y).mean().log(), f"{_LOG_LAST}, and a minus"),
    (
        lambda x, y: -_labelled(x[:, :-1], y).mean(),
        "the logits are not normalised yet: softmax over the vocabulary makes probabilities of them",
    ),
    (
        lambda x, y: truth(x.softmax(-1), y),
        "cross_entropy takes the logits and does the softmax itself: do not do it twice",
    ),
    (lambda x, y: -_labelled(x[:, :-1].log_softmax(0), y).mean(), f"{_AXIS} the first, over the rows"),
    (lambda x, y: -_labelled(x[:, :-1].log_softmax(1), y).mean(), f"{_AXIS} the second, over the positions"),
    (lambda x, y: -_labelled(x.log_softmax(1)[:, :-1], y).mean(), f"{_AXIS} the second, over all positions"),
    (
        lambda x, y: -_p(x, y).log().mean(),
        "the logits are large here: an exponential overflows, or a probability becomes 0 and its logarithm infinite. "
        f"{_LARGE}",
    ),
    (
        _exponentials,
        f"the logits are large here: an exponential overflows, and infinity is divided by infinity. {_LARGE}",
    ),
    (
        _one_maximum,
        "one maximum was taken from all logits, so that elsewhere every exponential becomes 0: take each position's "
        "own maximum, over the vocabulary",
    ),
    (lambda x, y: math.nan, "the logits are small here: look for a logarithm of 0, or a division by 0"),
    (lambda x, y: math.inf, "infinite even where the logits are small: look for the logarithm of 0"),
]
_ROUNDED = [
    (
        lambda x, y, digits=digits: round(float(truth(x, y)), digits),
        f"close, but not exact: do not round to {digits} behind the point, and compute in the type of the logits",
    )
    for digits in (1, 2, 3)
]
_ADDED = [
    (
        lambda x, y, tiny=tiny: -(_p(x, y) + tiny).log().mean(),
        f"a small number was added to the probabilities, or they were kept above one, here {tiny:.3g}: that only "
        "hides an infinite logarithm, and unlikely tokens get a wrong loss. softmax and logarithm should be one step",
    )
    for tiny in [*(10.0**-k for k in range(1, 46)), 2.0**-23, 2.0**-52, 2.0**-126]
]

EXERCISE = Exercise(
    id="token-loss",
    level="core",
    minutes=12,
    aim="Write the loss that every language model is trained on, for a padded batch.",
    stub='''\
def token_loss(logits, labels):
    """Mean next-token cross-entropy in nats, over all labels that count.

    logits: float tensor (B, T, V), where logits[b, t] score the label at
    [b, t + 1]; labels: long tensor (B, T), where -100 does not count.
    Returns one number, finite for large logits too, such as 300 and -300.
    Write it out: F.cross_entropy is what the check compares with.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=truth,
    gives="one number for all of the text: a float, or a tensor with a single element",
    otherwise="compare with the definition: -log softmax(logits[b, t])[labels[b, t + 1]] for each label that counts, "
    "and the mean over all of these",
    mistakes=[*PLACES, *MEANS, *_LOGARITHMS, *_ROUNDED, *_ADDED],
)
