"""The exercises of the chapter "first fine-tune": the loss, its unit, and its labels."""
from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from lmtune.exercises import Exercise, Feedback, call, recognise, shown

_LOSS_FORM = "token_loss(logits, ids)"
_BITS_FORM = "bits_per_character(loss, tokens, characters)"
_LABELS_FORM = "make_labels(rows, end_id)"


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-7)


def _number(value: Any) -> float | None:
    """A number, or a tensor or array that holds one; None for anything else."""
    if isinstance(value, torch.Tensor):
        value = value.detach()  # a loss with its graph is as good an answer
    try:
        return None if isinstance(value, str) else float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _not_a_number(value: Any) -> Feedback:
    return Feedback(shown(value), "one number",
                    "give one number back for the whole text: a float, or a tensor with a "
                    "single element")


# token-loss -----------------------------------------------------------------------------

def _example(length: int, vocabulary: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(7)
    logits = scale * torch.randn(length, vocabulary, generator=made)
    return logits, torch.randint(vocabulary, (length,), generator=made)


def _loss_mistakes(logits: torch.Tensor, ids: torch.Tensor) -> list[tuple[float, str]]:
    """What each known mistake makes of these inputs, and its hint."""
    truth, n = F.cross_entropy(logits[:-1], ids[1:]), len(ids)
    p = logits[:-1].softmax(-1).gather(1, ids[1:, None])
    chosen = logits[:-1].gather(1, ids[1:, None])
    no_log = "that is made of probabilities: take the logarithm of each before the mean"
    return [(float(value), hint) for value, hint in (
        (F.cross_entropy(logits, ids),
         "every position is compared with its own token: logits[t] predict ids[t+1], so shift "
         "one against the other"),
        (F.cross_entropy(logits[1:], ids[:-1]),
         "the shift goes the wrong way: each position is compared with the token before it; "
         "logits[t] predict ids[t+1]"),
        (F.cross_entropy(logits[:-2], ids[2:]),
         "the shift was made twice: logits[t] are compared with ids[t+2]; shift once"),
        (F.cross_entropy(logits, ids.roll(-1)),
         "roll brings the first token round to the end, where nothing follows: leave the last "
         "position out"),
        (truth / math.log(2), "that is in bits: nats take the natural logarithm, not log2"),
        (truth * (n - 1), "that is the sum over the predictions: take their mean"),
        (truth * (n - 1) / n,
         f"the sum is right and the denominator is not: {n} tokens give only {n - 1} predictions"),
        (-truth, "the sign is wrong: a loss is the negative logarithm of the probability"),
        (p.mean(), no_log), (-p.mean(), no_log), (1 - p.mean(), no_log),
        (truth.exp(), "that is the perplexity, exp of the loss: leave the exp out"),
        (-chosen.mean(),
         "the logits are not normalised yet: subtract logsumexp over the vocabulary, or use "
         "log_softmax"),
        (F.cross_entropy(logits[:-1].softmax(-1), ids[1:]),
         "cross_entropy takes the logits and does the softmax itself: do not do it twice"),
    )]


def _judge_token_loss(answer: Any) -> Feedback | None:
    # The last example has logits so far apart that softmax and log in two steps give infinity.
    for length, vocabulary, scale in ((6, 11, 1.0), (9, 5, 3.0), (4, 7, 300.0)):
        logits, ids = _example(length, vocabulary, scale)
        truth = float(F.cross_entropy(logits[:-1], ids[1:]))
        value = call(answer, logits, ids, form=_LOSS_FORM)
        produced = _number(value)
        if produced is None:
            return _not_a_number(value)
        if not _near(produced, truth):
            otherwise = (
                "some probability became 0 and its logarithm infinite: log_softmax does both "
                "steps at once and stays finite" if not math.isfinite(produced) else
                "compare with the definition: the mean of -log softmax(logits[t])[ids[t+1]] "
                f"over the {length - 1} positions that have a next token")
            hint = recognise(lambda wrong: _near(produced, wrong), _loss_mistakes(logits, ids),
                             otherwise)
            return Feedback(f"{produced:.4f}", f"{truth:.4f} nats", hint,
                            f"{length} tokens of a vocabulary of {vocabulary}")
    return None


# bits-per-character ---------------------------------------------------------------------

def _bits_mistakes(loss: float, tokens: int, characters: int) -> list[tuple[float, str]]:
    """What each known mistake makes of these inputs, and its hint."""
    ln2, nats = math.log(2), loss * tokens
    per_token = "that is per token: the text has fewer tokens than characters, so spread it"
    perplexity = "exp gives a perplexity: bits are nats divided by ln 2, without an exp"
    return [
        (nats / characters, "that is nats per character: one bit is ln 2 nats"),
        (nats / characters * ln2,
         "multiplied by ln 2 where it should be divided: a nat is more than a bit, so the "
         "number of bits is the larger one"),
        (loss * characters / tokens / ln2,
         "tokens and characters are the wrong way round: the total is loss times tokens, and "
         "the characters share it"),
        (loss / ln2, per_token), (loss, per_token),
        (nats / ln2, "that is the bits of the whole text: divide by its characters"),
        (loss / ln2 / characters,
         "loss is the mean over tokens: multiply by the tokens for the total first"),
        (math.exp(loss), perplexity), (math.exp(nats / characters), perplexity),
        (math.exp(loss) * tokens / characters, perplexity), (2 ** loss, perplexity),
        (nats / characters / math.log(10),
         "divided by ln 10, which gives decimal digits: for bits divide by ln 2"),
        (loss * (tokens // characters) / ln2,
         "tokens // characters drops everything behind the point: use /"),
    ]


def _judge_bits(answer: Any) -> Feedback | None:
    for loss, tokens, characters in ((3.2, 1000, 4100), (1.7, 731, 2950)):
        truth = loss * tokens / characters / math.log(2)
        value = call(answer, loss, tokens, characters, form=_BITS_FORM)
        produced = _number(value)
        if produced is None:
            return _not_a_number(value)
        if not _near(produced, truth):
            hint = recognise(
                lambda wrong: _near(produced, wrong), _bits_mistakes(loss, tokens, characters),
                "go in two steps: the nats of the whole text, then the bits of one character")
            return Feedback(f"{produced:.4f}", f"{truth:.4f} bits per character", hint,
                            f"loss {loss}, {tokens} tokens, {characters} characters")
    return None


# mask-padding ---------------------------------------------------------------------------

def _pad(rows: list[list[int]], fill: int) -> list[list[int]]:
    width = max(map(len, rows))
    return [row + [fill] * (width - len(row)) for row in rows]


def _label_mistakes(rows: list[list[int]], end_id: int) -> list[tuple[list, str]]:
    """The labels that each known mistake makes of these rows, and its hint."""
    right = _pad(rows, -100)
    last = [row[:-1] + [-100] for row in rows]
    pre_shifted = ("the labels are shifted already: the loss shifts them itself, so labels[b, t] "
                   "belongs to ids[b, t]")
    return [
        ([[-100 if i == end_id else i for i in row] for row in right],
         "every end token is masked, the real one too: padding and end share one id, so tell "
         "them apart by the row's length. A model trained on these labels never learns to stop"),
        (_pad(last, -100),
         "the last token of the text is masked with the padding: that end is real, and without "
         "it the model never learns to stop"),
        (_pad(rows, end_id),
         "nothing is masked: the model would be trained to write padding; put -100 there"),
        ([row[1:] + [-100] for row in right], pre_shifted),
        ([row[1:] + [-100] for row in _pad(rows, end_id)], pre_shifted),
        (_pad([row + [end_id] if len(row) < len(right[0]) else row for row in rows], -100),
         "one padding token too many has a label: the end of the text is the last of its own "
         "tokens"),
    ]


def _id_mistakes(rows: list[list[int]], end_id: int) -> list[tuple[list, str]]:
    """The ids that each known mistake makes of these rows, and its hint."""
    width = max(map(len, rows))
    return [
        ([[end_id] * (width - len(row)) + row for row in rows],
         "the padding stands on the left: this exercise wants it on the right, behind the text"),
        (_pad(rows, -100),
         "-100 stands among the ids, and no embedding has that row: only labels take -100. If "
         "labels were made from ids without clone(), both changed"),
        (_pad(rows, 0), "padded with 0: here the pad token is end_id"),
        ([row + [end_id] * (width + 1 - len(row)) for row in rows],
         "every row grew by one token: the rows end with end_id already"),
    ]


def _judge_labels(answer: Any) -> Feedback | None:
    # An end token inside a row tells "every end" from "the last token"; rows of one length
    # need no padding.
    for rows, end_id in (([[5, 2, 7, 6, 2], [8, 2], [9, 4, 2]], 2), ([[4, 3], [6, 3]], 3),
                         ([[7, 9], [5, 9, 4, 9]], 9)):
        value = call(answer, rows, end_id, form=_LABELS_FORM)
        given = f"rows {rows}, end_id {end_id}"
        if not (isinstance(value, (tuple, list)) and len(value) == 2):
            return Feedback(shown(value), "a pair (ids, labels)",
                            "give both back: return ids, labels", given)
        for name, tensor in zip(("ids", "labels"), value):
            if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.long:
                kind = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
                return Feedback(f"{name} of {kind}", f"{name}, a tensor of torch.int64",
                                "torch.tensor makes a long tensor of lists of whole numbers once "
                                "all rows are equally long", given)
            if tensor.ndim != 2 or len(tensor) != len(rows):
                return Feedback(f"{name} of shape {tuple(tensor.shape)}",
                                f"{name} of shape ({len(rows)}, {max(map(len, rows))})",
                                "give one row of ids and one row of labels for each row of the "
                                "input", given)
        ids, labels = (tensor.tolist() for tensor in value)
        want_ids, want_labels = _pad(rows, end_id), _pad(rows, -100)
        if ids != want_ids and (ids, labels) == (want_labels, want_ids):
            return Feedback("labels, ids", "ids, labels",
                            "the two are right and stand in the wrong order", given)
        for name, got, want, mistakes in (
                ("ids", ids, want_ids, _id_mistakes(rows, end_id)),
                ("labels", labels, want_labels, _label_mistakes(rows, end_id))):
            if got != want:
                return _differing(name, got, want, mistakes, given)
    return None


def _differing(name: str, got: list, want: list, mistakes: list, given: str) -> Feedback:
    row = next(i for i, (a, b) in enumerate(zip(got, want)) if a != b)
    hint = recognise(lambda wrong: got == wrong, mistakes,
                     f"compare row {row} of {name}: the text first, then padding to the longest "
                     "row, which is end_id in ids and -100 in labels")
    return Feedback(f"row {row} of {name} is {got[row]}", f"{want[row]}", hint, given)


EXERCISES = [
    Exercise(
        id="token-loss", level="core", minutes=10, judge=_judge_token_loss,
        aim="Write the loss that every language model is trained on.",
        stub='''\
def token_loss(logits, ids):
    """Mean next-token cross-entropy in nats.

    logits: float tensor (T, V), where logits[t] score the token behind ids[t];
    ids: long tensor (T,).  Returns one number.
    """
    ...  # your code here
'''),
    Exercise(
        id="bits-per-character", level="warm-up", minutes=8, judge=_judge_bits,
        aim="Turn a loss per token into a figure that compares models with other tokenizers.",
        stub='''\
def bits_per_character(loss, tokens, characters):
    """How many bits the model needs for one character of the text.

    loss: the mean loss in nats per token; tokens: how many tokens were
    predicted; characters: how many characters they spell.  Returns one number.
    """
    ...  # your code here
'''),
    Exercise(
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
'''),
]
