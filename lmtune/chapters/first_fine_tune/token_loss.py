"""The exercise "token loss": next-token cross-entropy of a padded batch."""
from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.numeric import differs, near, not_a_number, number

_FORM = "token_loss(logits, labels)"


def _batch(rows: int, length: int, vocabulary: int, scale: float) -> tuple[torch.Tensor, ...]:
    """Logits and labels; each row is shorter than the one above, and the first has a gap."""
    made = torch.Generator().manual_seed(7)
    logits = scale * torch.randn(rows, length, vocabulary, generator=made)
    labels = torch.randint(vocabulary, (rows, length), generator=made)
    labels[0, 2] = -100
    for b in range(1, rows):
        labels[b, length - 2 * b:] = -100
    return logits.clamp(-300, 300), labels


def _mean_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())  # ignores -100


def _shift_mistakes(logits: torch.Tensor, labels: torch.Tensor) -> list[tuple[Any, str]]:
    """What each known mistake about places makes of these inputs, and its hint."""
    x, y, places = logits[:, :-1], labels[:, 1:], labels[:, :-1] != -100
    as_zero = F.cross_entropy(x.transpose(1, 2), y.clamp(min=0), reduction="none")
    own = ("every position is compared with its own label: logits[b, t] score the label at "
           "[b, t + 1], so shift one against the other")
    rolled = ("roll brings a first label round to the end of a row, where nothing follows: leave "
              "the last position out")
    scored = ("-100 was scored as if it were token 0: making it a valid index is not enough, "
              "leave those positions out of the mean")
    return [
        (_mean_loss(logits, labels), own), (_mean_loss(x, labels[:, :-1]), own),
        (_mean_loss(logits[:, 1:], y), own),
        (_mean_loss(logits[:, 1:], labels[:, :-1]),
         "the shift goes the wrong way: each position is compared with the label before it; "
         "logits[b, t] score the label at [b, t + 1]"),
        (_mean_loss(logits[:, :-2], labels[:, 2:]),
         "the shift was made twice: logits[b, t] are compared with the label at [b, t + 2]; "
         "shift once"),
        (_mean_loss(logits, labels.roll(-1, 1)), rolled),
        (_mean_loss(logits, labels.roll(-1)), rolled),
        (F.cross_entropy(logits.flatten(0, 1)[:-1], labels.flatten()[1:]),
         "the rows were joined before the shift, so the end of one is compared with the start of "
         "the next: shift within each row first"),
        (as_zero[places].mean(),
         "the mask was not shifted: which predictions count is said by the labels that are "
         "predicted, at [b, t + 1]"),
        (as_zero.mean(), scored), (as_zero.sum() / (y != -100).sum(), scored),
        (F.cross_entropy(x.reshape(len(x), x.shape[2], -1), y),
         "reshape and view only cut the numbers anew, so positions and vocabulary got mixed: "
         "swap two axes with transpose, or flatten the first two"),
    ]


def _mean_mistakes(logits: torch.Tensor, labels: torch.Tensor) -> list[tuple[Any, str]]:
    """What each known mistake about the mean or the unit makes of these inputs, and its hint."""
    (rows, length), counts = labels.shape, labels[:, 1:] != -100
    each = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    total, n = each.sum(), int(counts.sum())
    every = (f"positions with -100 are counted: the sum is right, but it is shared by only {n} "
             "labels, not by every position")
    by_length = ("the sum was divided by the length of a row: the denominator is the number of "
                 "labels of the batch that count")
    return [
        (total, "that is the sum over the labels: take their mean"),
        (total / (rows * (length - 1)), every), (total / (rows * length), every),
        (total / length, by_length), (total / (length - 1), by_length),
        (total / rows, "that is the sum of each row, averaged over rows: every label weighs the "
         "same, so divide by their number"),
        (total / (labels != -100).sum(),
         "the denominator counts the first label of each row too, and nothing predicts that one"),
        ((each.sum(1) / counts.sum(1)).mean(),
         "that is the mean of the rows' means: a label of a short row weighs more there. Take "
         "one mean over all labels of the batch"),
        (total / n / math.log(2), "that is in bits: nats take the natural logarithm, not log2"),
        (-total / n, "the sign is wrong: a loss is the negative logarithm of the probability"),
        ((total / n).exp(), "that is the perplexity, exp of the loss: leave the exp out"),
    ]


def _log_mistakes(logits: torch.Tensor, labels: torch.Tensor) -> list[tuple[Any, str]]:
    """What each known mistake about softmax and logarithm makes of these inputs, and its hint."""
    x, y = logits[:, :-1], labels[:, 1:]
    counts = y != -100

    def labelled(scores: torch.Tensor) -> torch.Tensor:
        return scores[counts].gather(1, y[counts][:, None])

    p = labelled(x.softmax(-1))
    no_log = "that is made of probabilities: take the logarithm of each before the mean"
    log_last = ("that is the logarithm of the mean probability: take the logarithm of each "
                "probability first, then the mean")
    axis = "softmax was taken over the wrong axis: the vocabulary is the last one"
    added = ("a small number was added to the probabilities, or they were kept above one: that "
             "only hides an infinite logarithm, and unlikely tokens get a wrong loss. softmax "
             "and logarithm should be one step")
    return [
        (p.mean(), no_log), (-p.mean(), no_log), (1 - p.mean(), no_log),
        (-p.mean().log(), log_last), (p.mean().log(), log_last),
        (-labelled(x).mean(), "the logits are not normalised yet: softmax over the vocabulary "
         "makes probabilities of them"),
        (_mean_loss(x.softmax(-1), y),
         "cross_entropy takes the logits and does the softmax itself: do not do it twice"),
        (-labelled(x.log_softmax(0)).mean(), axis), (-labelled(x.log_softmax(1)).mean(), axis),
        (-labelled(logits.log_softmax(1)[:, :-1]).mean(), axis),
    ] + [(-(p + tiny).log().mean(), added)
         for tiny in [10.0 ** -k for k in range(1, 46)] + [2.0 ** -23, 2.0 ** -52, 2.0 ** -126]]


def _loss_hint(produced: float, truth: float, logits: torch.Tensor, labels: torch.Tensor) -> str:
    if not math.isfinite(produced):
        return ("the logits are large here: an exponential overflows, or a probability becomes 0 "
                "and its logarithm infinite. softmax and logarithm should be one step, with no "
                "exponential of a large number in it" if logits.abs().max() > 100 else
                "the logits are small here: look for a logarithm of 0, or a division by 0")
    if abs(produced - truth) < 0.006:
        otherwise = "close, but not exact: do not round, and compute in the type of the logits"
    else:
        otherwise = ("compare with the definition: -log softmax(logits[b, t])[labels[b, t + 1]] "
                     "for each label that counts, and the mean over all of these")
    mistakes = [made for known in (_shift_mistakes, _mean_mistakes, _log_mistakes)
                for made in known(logits, labels)]
    return recognise(lambda wrong: near(produced, float(wrong)), mistakes, otherwise)


def _judge_token_loss(answer: Any) -> Feedback | None:
    # In the last, the logits are so far apart that softmax and log in two steps give infinity.
    for rows, length, vocabulary, scale in ((3, 8, 11, 1.0), (4, 9, 5, 3.0), (2, 6, 7, 300.0)):
        logits, labels = _batch(rows, length, vocabulary, scale)
        truth = float(_mean_loss(logits[:, :-1], labels[:, 1:]))
        value = call(answer, logits, labels, form=_FORM)
        produced = number(value)
        if produced is None:
            return not_a_number(value)
        if not near(produced, truth):
            n = int((labels[:, 1:] != -100).sum())
            return differs(produced, truth, "nats", _loss_hint(produced, truth, logits, labels),
                            f"B = {rows}, T = {length}, V = {vocabulary}, {n} labels that count, "
                            f"logits from {logits.min():.0f} to {logits.max():.0f}")
    return None


EXERCISE = Exercise(
    id="token-loss", level="core", minutes=12, judge=_judge_token_loss,
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
''')
