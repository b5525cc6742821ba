"""Reference answers and planted mistakes for the exercises of "first fine-tune"."""
import math

import torch
import torch.nn.functional as F


def reference_token_loss(logits, ids):
    log_p = logits[:-1].log_softmax(dim=-1)          # position t predicts token t + 1
    return -log_p.gather(1, ids[1:, None]).mean()


def reference_bits_per_character(loss, tokens, characters):
    nats = loss * tokens                             # of the whole text
    return nats / math.log(2) / characters


def reference_make_labels(rows, end_id):
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), end_id)
    labels = torch.full((len(rows), longest), -100)
    for b, row in enumerate(rows):                   # the length, not the id, says what is text
        ids[b, :len(row)] = labels[b, :len(row)] = torch.tensor(row)
    return ids, labels


def _padded(rows, end_id):
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(r) for r in rows], True, end_id)


def _shifted_labels(rows, end_id):
    ids, labels = reference_make_labels(rows, end_id)
    return ids, torch.cat([labels[:, 1:], torch.full((len(rows), 1), -100)], dim=1)


def _masks_every_end(rows, end_id):
    ids = _padded(rows, end_id)
    return ids, ids.masked_fill(ids == end_id, -100)


def _pads_left(rows, end_id):
    ids = _padded([r[::-1] for r in rows], end_id).flip(1)
    labels = _padded([r[::-1] for r in rows], -100).flip(1)
    return ids, labels


def _forgets_clone(rows, end_id):
    ids = _padded(rows, end_id)
    labels = ids
    for b, row in enumerate(rows):
        labels[b, len(row):] = -100
    return ids, labels


def _masks_the_last_token(rows, end_id):
    ids, labels = reference_make_labels(rows, end_id)
    for b, row in enumerate(rows):
        labels[b, len(row) - 1:] = -100
    return ids, labels


def _keeps_one_pad(rows, end_id):
    ids, labels = reference_make_labels(rows, end_id)
    for b, row in enumerate(rows):
        labels[b, len(row):len(row) + 1] = end_id
    return ids, labels


def _forgets_return(logits, ids):
    F.cross_entropy(logits[:-1], ids[1:])


def _in_two_steps(logits, ids):
    return -logits[:-1].softmax(-1).gather(1, ids[1:, None]).log().mean()


def _probabilities(logits, ids):
    return -logits[:-1].softmax(-1).gather(1, ids[1:, None]).mean()


def _unreduced(logits, ids):
    return F.cross_entropy(logits[:-1], ids[1:], reduction="none")


REFERENCES = {
    "token-loss": reference_token_loss,
    "bits-per-character": reference_bits_per_character,
    "mask-padding": reference_make_labels,
}
MISTAKES = {
    "token-loss": [
        (lambda logits, ids: F.cross_entropy(logits, ids), "its own token"),
        (lambda logits, ids: F.cross_entropy(logits[1:], ids[:-1]), "the wrong way"),
        (lambda logits, ids: F.cross_entropy(logits[:-2], ids[2:]), "twice: logits[t]"),
        (lambda logits, ids: F.cross_entropy(logits, ids.roll(-1)), "roll brings"),
        (lambda logits, ids: reference_token_loss(logits, ids) / math.log(2), "in bits"),
        (lambda logits, ids: F.cross_entropy(logits[:-1], ids[1:], reduction="sum"), "the sum"),
        (lambda logits, ids: F.cross_entropy(logits[:-1], ids[1:], reduction="sum") / len(ids),
         "the denominator"),
        (lambda logits, ids: -reference_token_loss(logits, ids), "sign"),
        (lambda logits, ids: reference_token_loss(logits, ids).exp(), "perplexity"),
        (lambda logits, ids: -logits[:-1].gather(1, ids[1:, None]).mean(), "normalised"),
        (lambda logits, ids: F.cross_entropy(logits[:-1].softmax(-1), ids[1:]), "do it twice"),
        (_probabilities, "probabilities"),
        (_in_two_steps, "log_softmax does both"),
        (_unreduced, "one number"),
        (_forgets_return, "return"),
    ],
    "bits-per-character": [
        (lambda loss, tokens, characters: loss * tokens / characters, "one bit is ln 2 nats"),
        (lambda loss, tokens, characters: math.exp(loss), "exp gives a perplexity"),
        (lambda loss, tokens, characters: loss * characters / tokens / math.log(2),
         "wrong way round"),
        (lambda loss, tokens, characters: loss * tokens / characters * math.log(2),
         "should be divided"),
        (lambda loss, tokens, characters: loss / math.log(2), "per token"),
        (lambda loss, tokens, characters: loss * tokens / math.log(2), "whole text"),
        (lambda loss, tokens, characters: loss / math.log(2) / characters, "mean over tokens"),
        (lambda loss, tokens, characters: loss * tokens / characters / math.log(10), "ln 10"),
        (lambda loss, tokens, characters: loss * (tokens // characters) / math.log(2),
         "behind the point"),
        (lambda loss, tokens, characters: loss + tokens + characters, "in two steps"),
        (lambda loss, tokens, characters: loss / 0, "stopped with an error"),
    ],
    "mask-padding": [
        (_masks_every_end, "tell them apart by the row's length"),
        (lambda rows, end_id: (_padded(rows, end_id),) * 2, "nothing is masked"),
        (_pads_left, "on the left"),
        (_shifted_labels, "shifted already"),
        (_forgets_clone, "clone()"),
        (_masks_the_last_token, "masked with the padding"),
        (_keeps_one_pad, "one padding token too many"),
        (lambda rows, end_id: (_padded(rows, 0), reference_make_labels(rows, end_id)[1]),
         "padded with 0"),
        (lambda rows, end_id: reference_make_labels(rows, end_id)[::-1], "wrong order"),
        (lambda rows, end_id: tuple(t.tolist() for t in reference_make_labels(rows, end_id)),
         "equally long"),
        (lambda rows, end_id: reference_make_labels([r + [end_id] for r in rows], end_id),
         "grew by one"),
        (lambda rows, end_id: (torch.tensor(sum(rows, [])),) * 2, "one row of ids"),
        (lambda rows, end_id: _padded(rows, end_id), "give both back"),
    ],
}
