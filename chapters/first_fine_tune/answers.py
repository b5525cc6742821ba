"""Reference answers and planted mistakes for the exercises of "first fine-tune"."""
import math

import numpy as np
import torch
import torch.nn.functional as F


def reference_bits_per_character(loss, tokens, characters):
    nats = loss * tokens                             # of the whole text
    return nats / math.log(2) / characters


def reference_token_loss(logits, labels):
    counts = labels[:, 1:] != -100                   # position t scores the label at t + 1
    log_p = logits[:, :-1][counts].log_softmax(dim=-1)
    return -log_p.gather(1, labels[:, 1:][counts][:, None]).mean()


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


def _grows_the_rows(rows, end_id):
    longest = max(len(row) for row in rows)
    for row in rows:
        row += [end_id] * (longest - len(row))
    ids = torch.tensor(rows)
    labels = ids.clone()
    for b, row in enumerate(rows):
        labels[b, len(row):] = -100
    return ids, labels


def _forgets_clone_and_masks_every_end(rows, end_id):
    labels = ids = _padded(rows, end_id)
    labels[labels == end_id] = -100
    return ids, labels


def _masks_after_the_first_end(rows, end_id, keep=1):
    ids, labels = reference_make_labels(rows, end_id)
    for b, row in enumerate(rows):
        labels[b, row.index(end_id) + keep:] = -100
    return ids, labels


def _masks_all_closing_ends(rows, end_id, keep=0):
    ids = _padded(rows, end_id)
    labels = ids.clone()
    for b, row in enumerate(ids.tolist()):
        while row and row[-1] == end_id:
            row.pop()
        labels[b, len(row) + keep:] = -100
    return ids, labels


def _masks_all_but_the_first_closing_end(rows, end_id):
    return _masks_all_closing_ends(rows, end_id, keep=1)


def _shifts_and_masks_nothing(rows, end_id):
    ids = _padded(rows, end_id)
    return ids, torch.cat([ids[:, 1:], torch.full((len(rows), 1), -100)], dim=1)


def _masks_the_last_column(rows, end_id):
    ids = _padded(rows, end_id)
    labels = ids.clone()
    labels[:, -1] = -100
    return ids, labels


def _masks_the_last_column_of_short_rows(rows, end_id):
    ids = _padded(rows, end_id)
    labels = ids.clone()
    for b, row in enumerate(rows):
        if len(row) < ids.shape[1]:
            labels[b, -1] = -100
    return ids, labels


def _with(change):
    """The right ids and labels, each changed."""
    return lambda rows, end_id: tuple(map(change, reference_make_labels(rows, end_id)))


def _labels_padded_with(fill):
    return lambda rows, end_id: (_padded(rows, end_id), _padded(rows, fill))


# The parts of token_loss, so that a mistake can be made in one of them.

def _cross_entropy(logits, labels, **options):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), **options)


def _sum(logits, labels):
    return _cross_entropy(logits[:, :-1], labels[:, 1:], reduction="sum")


def _labelled(scores, labels):
    """Of scores (B, T - 1, V), those of the labels that count."""
    counts = labels[:, 1:] != -100
    return scores[counts].gather(1, labels[:, 1:][counts][:, None])


def _probabilities(logits, labels):
    return _labelled(logits[:, :-1].softmax(-1), labels)


def _row_means(logits, labels):
    return torch.stack([reference_token_loss(logits[b:b + 1], labels[b:b + 1])
                        for b in range(len(labels))]).mean()


def _unshifted_mask(logits, labels):
    log_p = logits[:, :-1].log_softmax(-1)
    log_p = log_p.gather(2, labels[:, 1:].clamp(min=0)[..., None])[..., 0]
    return -log_p[labels[:, :-1] != -100].mean()


def _stops_at_a_gap(logits, labels):
    labels = labels.clone()
    for row in labels:
        for t in range(len(row)):
            if row[t] == -100:
                row[t:] = -100
    return reference_token_loss(logits, labels)


def _reshaped(logits, labels):
    b, t, v = logits[:, :-1].shape
    return F.cross_entropy(logits[:, :-1].reshape(b, v, t), labels[:, 1:])


def _exp_by_hand(logits, labels):
    e = logits[:, :-1].exp()
    return -_labelled(e / e.sum(-1, keepdim=True), labels).log().mean()


def _one_by_one(logits, labels):
    """The reference in NumPy, label by label."""
    x, y, losses = logits.numpy(), labels.numpy(), []
    for b, t in zip(*np.where(y[:, 1:] != -100)):
        losses.append(np.logaddexp.reduce(x[b, t]) - x[b, t, y[b, t + 1]])
    return np.mean(losses)


def _by_a_mask(rows, end_id):
    """The right labels from the right mask, by lengths."""
    ids = _padded(rows, end_id)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, ids.where(torch.arange(ids.shape[1]) < lengths[:, None], -100)


def _forgets_return(logits, labels):
    _cross_entropy(logits[:, :-1], labels[:, 1:])


REFERENCES = {
    "bits-per-character": reference_bits_per_character,
    "token-loss": reference_token_loss,
    "mask-padding": reference_make_labels,
}
MISTAKES = {
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
        (lambda loss, tokens, characters: 0, "in two steps"),
        (lambda loss, tokens, characters: loss * tokens / characters / 0.693, "use math.log(2)"),
        (lambda loss, tokens, characters: loss * tokens / math.log(2) / characters / 8, "bytes"),
        (lambda loss, tokens, characters: loss * tokens / math.log(0.5) / characters,
         "cannot be negative"),
        (lambda loss, tokens, characters: math.log2(loss) * tokens / characters,
         "before the total was made"),
        (lambda loss, tokens, characters: loss / 0, "stopped with an error"),
    ],
    "token-loss": [
        (_cross_entropy, "compared with its own label"),
        (lambda x, y: _cross_entropy(x[:, 1:], y[:, :-1]), "the wrong way"),
        (lambda x, y: _cross_entropy(x[:, :-2], y[:, 2:]), "made twice"),
        (lambda x, y: _cross_entropy(x, y.roll(-1, 1)), "roll brings"),
        (lambda x, y: F.cross_entropy(x.flatten(0, 1)[:-1], y.flatten()[1:]),
         "joined before the shift"),
        (_reshaped, "transpose"),
        (_unshifted_mask, "the mask was not shifted"),
        (lambda x, y: _cross_entropy(x[:, :-1], y[:, 1:].clamp(min=0)), "as if it were token 0"),
        (lambda x, y: _sum(x, y) / y[:, 1:].numel(), "positions with -100 are counted"),
        (lambda x, y: _sum(x, y) / y.shape[1], "the length of a row"),
        (lambda x, y: _sum(x, y) / len(y), "averaged over rows"),
        (lambda x, y: _sum(x, y) / (y != -100).sum(), "the first label of each row"),
        (_row_means, "the mean of the rows' means"),
        (_sum, "the sum over the labels"),
        (lambda x, y: reference_token_loss(x, y) / math.log(2), "log2"),
        (lambda x, y: -reference_token_loss(x, y), "sign"),
        (lambda x, y: reference_token_loss(x, y).exp(), "perplexity"),
        (lambda x, y: _probabilities(x, y).mean(), "made of probabilities"),
        (lambda x, y: -_probabilities(x, y).mean().log(), "logarithm of the mean probability"),
        (lambda x, y: -_labelled(x[:, :-1].log_softmax(1), y).mean(), "wrong axis"),
        (lambda x, y: -_labelled(x[:, :-1], y).mean(), "normalised"),
        (lambda x, y: _cross_entropy(x[:, :-1].softmax(-1), y[:, 1:]), "do it twice"),
        (lambda x, y: -_probabilities(x, y).log().mean(), "overflows"),
        (lambda x, y: -(_probabilities(x, y) + 1e-9).log().mean(), "a small number was added"),
        (lambda x, y: round(float(reference_token_loss(x, y)), 2), "close, but not exact"),
        (lambda x, y: float("nan"), "the logits are small here"),
        (lambda x, y: 1.5, "compare with the definition"),
        (lambda x, y: _cross_entropy(x[:, :-1], y[:, 1:], reduction="none"), "one number"),
        (_forgets_return, "return"),
    ],
    "mask-padding": [
        (_masks_every_end, "tell them apart by the row's length"),
        (lambda rows, end_id: (_padded(rows, end_id),) * 2, "nothing is masked"),
        (_pads_left, "on the left"),
        (_shifted_labels, "shifted already"),
        (_forgets_clone, "make labels from ids.clone()"),
        (_masks_the_last_token, "masked with the padding"),
        (_keeps_one_pad, "one padding token too many"),
        (lambda rows, end_id: (_padded(rows, 0), reference_make_labels(rows, end_id)[1]),
         "padded with 0"),
        (lambda rows, end_id: reference_make_labels(rows, end_id)[::-1], "wrong order"),
        (_with(torch.Tensor.int), "torch.int32, and must be"),
        (_with(torch.Tensor.float), "torch.float32, and must be"),
        (_masks_all_but_the_first_closing_end, "only the first of several ends"),
        (_masks_all_closing_ends, "all ends that close a row are masked"),
        (_forgets_clone_and_masks_every_end, "And every end was masked"),
        (_masks_after_the_first_end, "masked behind the first end_id"),
        (lambda rows, end_id: _masks_after_the_first_end(rows, end_id, keep=0),
         "masked from the first end_id on"),
        (_masks_the_last_column, "only the last column"),
        (_labels_padded_with(-1), "is -1: it must be exactly -100"),
        (_labels_padded_with(0), "is 0: it must be exactly -100"),
        (lambda rows, end_id: (_masks_every_end(rows, end_id)[1], reference_make_labels(rows, end_id)[1]),
         "-100 stands among the ids where end_id belongs"),
        (lambda rows, end_id: reference_make_labels([r + [end_id] for r in rows], end_id),
         "grew by one"),
        (lambda rows, end_id: _padded(rows, end_id), "give back both"),
    ],
}
# Other wrong ways: where the mistake is the same, the hint is too.
VARIANTS = {
    "bits-per-character": [
        (lambda loss, tokens, characters: loss * tokens // characters / math.log(2),
         "dividing the nats with // drops it"),
        (lambda loss, tokens, characters: int(loss * tokens / characters / math.log(2)),
         "// and int() drop it"),
        (lambda loss, tokens, characters: loss / (characters // tokens) / math.log(2),
         "stopped with an error"),
        (lambda loss, tokens, characters: 1, "in two steps"),
        (lambda loss, tokens, characters: tokens // 100, "in two steps"),
        (lambda loss, tokens, characters: round(loss * tokens / characters / math.log(2), 2),
         "close, but not exact"),
        (lambda loss, tokens, characters: round(loss * tokens / characters / math.log(2), 4),
         "close, but not exact"),
        (lambda loss, tokens, characters: math.log2(loss), "log2 was taken of the loss"),
        (lambda loss, tokens, characters: math.log2(loss * tokens / characters),
         "log2 was taken of the loss of a character"),
        (lambda loss, tokens, characters: loss, "the loss as it came"),
        (lambda loss, tokens, characters: math.exp(loss * tokens / characters), "that of a character"),
        (lambda loss, tokens, characters: math.exp(loss) * tokens / characters, "cannot share"),
        (lambda loss, tokens, characters: 2**loss, "no number of bits"),
        (lambda loss, tokens, characters: loss * tokens / characters / 2, "divided by 2"),
        (lambda loss, tokens, characters: str(reference_bits_per_character(loss, tokens, characters)),
         "give back one number"),
        (lambda loss, tokens, characters: [reference_bits_per_character(loss, tokens, characters)] * 2,
         "give back one number"),
    ],
    "token-loss": [
        (lambda x, y: _cross_entropy(x[:, :-1], y[:, :-1]), "compared with its own label"),
        (lambda x, y: _cross_entropy(x[:, 1:], y[:, 1:]), "compared with its own label"),
        (lambda x, y: _cross_entropy(x, y.roll(-1)), "roll brings"),
        (lambda x, y: _sum(x, y) / y.numel(), "positions with -100 are counted"),
        (lambda x, y: _sum(x, y) / (y.shape[1] - 1), "the length of a row"),
        (lambda x, y: _cross_entropy(x[:, :-1], y[:, 1:].clamp(min=0), reduction="sum")
         / (y[:, 1:] != -100).sum(), "as if it were token 0"),
        (lambda x, y: 1 - _probabilities(x, y).mean(), "made of probabilities"),
        (lambda x, y: _probabilities(x, y).mean().log(), "logarithm of the mean probability"),
        (lambda x, y: -_labelled(x.log_softmax(1)[:, :-1], y).mean(), "wrong axis"),
        (lambda x, y: -_labelled(x[:, :-1].log_softmax(0), y).mean(), "wrong axis"),
        (_exp_by_hand, "overflows"),
        (lambda x, y: -_probabilities(x, y).clamp(min=1e-12).log().mean(),
         "a small number was added"),
        (lambda x, y: -(_probabilities(x, y) + 1e-3).log().mean(), "a small number was added"),
        (lambda x, y: _sum(x, y) * 0 / 0, "the logits are small here"),
        (_stops_at_a_gap, "only up to its first -100"),
        (lambda x, y: reference_token_loss(x[:1], y[:1]), "only the first row"),
        (lambda x, y: _sum(x, y) / 0, "infinite even where"),
        (lambda x, y: round(float(reference_token_loss(x, y)), 3), "close, but not exact"),
    ],
    "mask-padding": [
        (_masks_the_last_column_of_short_rows, "only the last column"),
        (lambda rows, end_id: (_masks_every_end(rows, end_id)[1], _padded(rows, end_id)),
         "-100 stands among the ids"),
        (lambda rows, end_id: (_padded(rows, -100), _padded(rows, -100)), "-100 stands among the ids"),
        (_grows_the_rows, "after the rows had grown"),
        (_shifts_and_masks_nothing, "padding is not masked"),
        (lambda rows, end_id: (torch.tensor(sum(rows, [])),) * 2, "a row for every row of the input"),
        (_with(str), "give back both"),
    ],
}
# The references in other dresses, which pass too.
DRESSES = {
    "bits-per-character": [
        lambda *case: np.float32(reference_bits_per_character(*case)),
        lambda *case: np.array(reference_bits_per_character(*case)),
        lambda *case: torch.tensor(reference_bits_per_character(*case)),
        lambda *case: torch.tensor([reference_bits_per_character(*case)]),
        lambda loss, tokens, characters: loss * tokens / np.log(2) / characters,
        lambda loss, tokens, characters: np.log2(np.exp(loss)) / (characters / tokens),
        lambda loss, tokens, characters: math.log2(math.exp(loss)) * tokens / characters,
    ],
    "token-loss": [
        lambda x, y: float(reference_token_loss(x, y)),
        lambda x, y: reference_token_loss(x, y).numpy(),
        lambda x, y: np.float64(reference_token_loss(x.double(), y)),
        lambda x, y: reference_token_loss(x.requires_grad_(), y),
        lambda x, y: _cross_entropy(x[:, :-1], y[:, 1:]),
        lambda x, y: _cross_entropy(x[:, :-1], y[:, 1:]).reshape(1, 1),
        lambda x, y: F.cross_entropy(x[:, :-1].transpose(1, 2), y[:, 1:]),
        lambda x, y: _sum(x, y) / (y[:, 1:] != -100).sum().item(),
        _one_by_one,
    ],
    "mask-padding": [
        _with(torch.Tensor.numpy),
        _with(torch.Tensor.tolist),
        _with(list),                                 # of rows
        _with(lambda t: [list(row) for row in t]),   # of 0-d tensors
        lambda rows, end_id: list(reference_make_labels(rows, end_id)),
        lambda rows, end_id: torch.stack(reference_make_labels(rows, end_id)),
        lambda rows, end_id: (_padded(rows, end_id), _padded(rows, -100)),
        _by_a_mask,
    ],
}
