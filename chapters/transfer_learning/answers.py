"""Reference answers and planted mistakes for the exercises of "transfer-learning"."""
import math

import numpy as np
import torch


def reference_pool_last(states, mask):
    places = torch.arange(mask.shape[1])
    last = (mask * places).argmax(1)                 # the largest place whose mask is 1
    return states[torch.arange(len(states)), last]


def reference_lora(x, weight, a, b, alpha):
    merged = weight + alpha / len(a) * b @ a
    return x @ merged.T, merged


def reference_layer_rates(layers, lr, decay):
    return [lr * decay ** (layers + 1 - depth) for depth in range(layers + 2)]


def reference_mask_prompt(prompt, completion, end_id):
    answer = [*completion, end_id]
    return [*prompt, *answer], [-100] * len(prompt) + answer


def reference_new_rows(table, pieces):
    means = [table[ids].mean(0) for ids in pieces]
    return torch.cat([table, torch.stack(means)])


def reference_nearest_base(target, bases):
    ranked = []
    for name, counts in bases.items():
        found = 0.0
        for word in {*target, *counts}:
            p = target.get(word, 0) / sum(target.values())
            q = counts.get(word, 0) / sum(counts.values())
            found += sum(x * math.log2(2 * x / (p + q)) / 2 for x in (p, q) if x)
        ranked.append((name, found))
    return sorted(ranked, key=lambda pair: pair[1])


def _take(states, places):
    return states[torch.arange(len(states)), places]


def _last(mask):
    return torch.tensor([max(t for t, real in enumerate(row) if real) for row in mask.tolist()])


def _merged(make):
    def answer(x, weight, a, b, alpha):
        merged = make(weight, b @ a, alpha, a)
        return x @ merged.T, merged
    return answer


def _beside(make):
    """A right output, and a wrong merged matrix."""
    return lambda x, w, a, b, alpha: (reference_lora(x, w, a, b, alpha)[0], make(w, b @ a, alpha / len(a)))


def _rates(make):
    """A rate for each k, the steps below the head."""
    return lambda n, lr, d: [make(k, lr, d) for k in range(n + 1, -1, -1)]


def _labels(make):
    def answer(prompt, completion, end):
        ids = [*prompt, *completion, end]
        return ids, make(prompt, completion, end, ids)
    return answer


def _ids(make):
    return lambda prompt, completion, end: (make(prompt, completion, end),
                                            reference_mask_prompt(prompt, completion, end)[1])


def _rows(make):
    return lambda table, pieces: torch.cat([table, torch.stack([make(table, ids) for ids in pieces])])


def _aliased(prompt, completion, end):
    ids = prompt
    ids += completion
    ids.append(end)
    return ids, [-100] * len(prompt) + [*completion, end]


def _by_value(prompt, completion, end):
    ids = [*prompt, *completion, end]
    return ids, [-100 if token in prompt else token for token in ids]


def _searched(prompt, completion, end):
    ids = [*prompt, *completion, end]
    start = ids.index(completion[0])
    return ids, [-100] * start + ids[start:]


def _unreset(table, pieces):
    total, rows = 0, []
    for ids in pieces:
        for i in ids:
            total = total + table[i]
        rows.append(total / len(ids))
    return torch.cat([table, torch.stack(rows)])


def _halving(table, ids):
    row = table[ids[0]]
    for i in ids[1:]:
        row = (row + table[i]) / 2
    return row


def _with_zeros(target, bases):
    """NumPy over all words, where 0 * log2(0) is not a number."""
    words, found = sorted({*target, *(w for counts in bases.values() for w in counts)}), []
    with np.errstate(all="ignore"):
        for name, counts in bases.items():
            p, q = (np.array([c.get(w, 0) for w in words]) / sum(c.values()) for c in (target, counts))
            m = (p + q) / 2
            found.append((name, (p * np.log2(p / m)).sum() / 2 + (q * np.log2(q / m)).sum() / 2))
    return sorted(found, key=lambda pair: pair[1])


def _over(words, term=lambda x, p, q: x * math.log2(2 * x / (p + q)) / 2, both=True):
    """The sum over some of the words only, or of another term."""
    def answer(target, bases):
        ranked = []
        for name, counts in bases.items():
            n, m = sum(target.values()), sum(counts.values())
            pairs = [(target.get(w, 0) / n, counts.get(w, 0) / m) for w in words({*target}, {*counts})]
            ranked.append((name, sum(term(x, p, q) for p, q in pairs for x in ((p, q) if both else (p,)) if x)))
        return sorted(ranked, key=lambda pair: pair[1])
    return answer


def _bases(log=math.log2, halves=(0.5, 0.5), total=True, end=lambda x: x):
    def answer(target, bases):
        ranked = []
        for name, counts in bases.items():
            n, m = (sum(target.values()), sum(counts.values())) if total else (1, 1)
            found = 0.0
            for word in {*target, *counts}:
                p, q = target.get(word, 0) / n, counts.get(word, 0) / m
                found += sum(h * x * log(2 * x / (p + q)) for h, x in zip(halves, (p, q)) if x)
            ranked.append((name, end(found)))
        return sorted(ranked, key=lambda pair: pair[1])
    return answer


REFERENCES = {
    "pool-last": reference_pool_last, "lora": reference_lora, "layer-rates": reference_layer_rates,
    "mask-prompt": reference_mask_prompt, "new-rows": reference_new_rows, "nearest-base": reference_nearest_base,
}
MISTAKES = {
    "pool-last": [
        (lambda states, mask: states[:, -1], "the last column: where"),
        (lambda states, mask: _take(states, mask.sum(1) - 1), "only where the padding stands on the right"),
        (lambda states, mask: _take(states, mask.argmin(1) - 1), "argmin finds the first padding"),
        (lambda states, mask: _take(states, mask.sum(1) % mask.shape[1]), "one place too far"),
        (lambda states, mask: _take(states, (mask * torch.arange(mask.shape[1])).argmax(1) - 1), "one place too early"),
        (lambda states, mask: _take(states, mask.argmax(1)), "the first real token"),
        (lambda states, mask: _take(states, mask.flip(1).argmax(1)), "from the end of the row"),
        (lambda states, mask: states[:, 0], "the first column"),
        (lambda states, mask: states[:, mask[0].nonzero()[-1, 0]], "the first row's last token"),
        (lambda states, mask: states[:, mask.nonzero()[:, 1].max()], "the largest place of the whole batch"),
        (lambda states, mask: (states * mask[..., None])[:, -1], "set to zero"),
        (lambda states, mask: (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), "mean over real tokens"),
        (lambda states, mask: (states * mask[..., None]).sum(1), "the sum over real tokens"),
        (lambda states, mask: states.mean(1), "over the padding too"),
        (lambda states, mask: states[mask == 1], "the states of all real tokens"),
        (lambda states, mask: states[0], "row b of the answer"),
        (lambda states, mask: float(states[0, 0, 0]), "give back one tensor"),
    ],
    "lora": [
        (_merged(lambda w, u, alpha, a: w + u), "the scale is missing: the update"),
        (_merged(lambda w, u, alpha, a: w + alpha * u), "divide by the rank"),
        (_merged(lambda w, u, alpha, a: w + u / len(a)), "multiply by alpha too"),
        (_merged(lambda w, u, alpha, a: w + alpha / a.shape[1] * u), "number of columns"),
        (_merged(lambda w, u, alpha, a: w + alpha / len(w) * u), "rows of b"),
        (_merged(lambda w, u, alpha, a: w + alpha / math.sqrt(len(a)) * u), "the root of the rank"),
        (_merged(lambda w, u, alpha, a: w + len(a) / alpha * u), "upside down"),
        (_merged(lambda w, u, alpha, a: w - alpha / len(a) * u), "was subtracted"),
        (_merged(lambda w, u, alpha, a: alpha / len(a) * u), "frozen matrix is missing"),
        (_merged(lambda w, u, alpha, a: w), "nothing was added"),
        (_merged(lambda w, u, alpha, a: alpha / len(a) * (w + u)), "scaled too"),
        (_beside(lambda w, u, scale: w + u), "in merged the scale is missing"),
        (_beside(lambda w, u, scale: w), "the frozen matrix alone"),
        (_beside(lambda w, u, scale: scale * u), "merged is the update alone"),
        (_beside(lambda w, u, scale: (w + scale * u).T), "merged is transposed"),
        (lambda x, w, a, b, alpha: reference_lora(x, w, a, b, alpha)[::-1], "the wrong way round"),
        (lambda x, w, a, b, alpha: reference_lora(x, w, a, b, alpha)[0], "give back two tensors"),
    ],
    "layer-rates": [
        (lambda n, lr, d: reference_layer_rates(n, lr, d)[::-1], "the wrong way round"),
        (lambda n, lr, d: [r * d for r in reference_layer_rates(n, lr, d)], "too small"),
        (_rates(lambda k, lr, d: lr * d ** (k - 1)), "one decay too large"),
        (lambda n, lr, d: reference_layer_rates(n, lr, d)[1:], "one rate is missing"),
        (lambda n, lr, d: reference_layer_rates(n, lr, d)[:-1], "the head is missing"),
        (lambda n, lr, d: reference_layer_rates(n, lr, d)[1:-1], "the head are missing"),
        (lambda n, lr, d: [lr * d ** (n - 1 - i) for i in range(n)], "two rates are missing"),
        (lambda n, lr, d: reference_layer_rates(n + 1, lr, d), "one rate too many"),
        (lambda n, lr, d: [lr * d**n] + reference_layer_rates(n, lr, d)[1:], "the first layer's rate"),
        (_rates(lambda k, lr, d: lr * d ** max(k - 1, 0)), "the last layer has the head's rate"),
        (lambda n, lr, d: [*reference_layer_rates(n, lr, d)[:-2], lr, lr], "the last layer alone"),
        (lambda n, lr, d: [lr * d] * (n + 1) + [lr], "all layers have one rate"),
        (lambda n, lr, d: [lr] * (n + 2), "every rate is lr"),
        (_rates(lambda k, lr, d: lr - k * (lr - lr * d)), "equal steps"),
        (_rates(lambda k, lr, d: lr / d**k), "do not divide"),
        (_rates(lambda k, lr, d: d**k), "lr is missing"),
        (_rates(lambda k, lr, d: lr * (1 - d) ** k), "what is left at each step"),
        (lambda n, lr, d: lr, "a list of rates"),
    ],
    "mask-prompt": [
        (lambda p, c, end: ([*p, *c], [-100] * (len(p) - 1) + [*c, end]), "shifted against each other"),
        (_labels(lambda p, c, end, ids: list(ids)), "the prompt is counted"),
        (_labels(lambda p, c, end, ids: [*p, *[-100] * (len(c) + 1)]), "the wrong part"),
        (_labels(lambda p, c, end, ids: [-100] * len(ids)), "everything is masked"),
        (_labels(lambda p, c, end, ids: [-100] * len(p) + [*c, -100]), "never learn to stop"),
        (_labels(lambda p, c, end, ids: [-100] * len(p) + [-100 if t == end else t for t in [*c, end]]),
         "equals end_id is masked"),
        (_labels(lambda p, c, end, ids: [-100] * (len(p) - 1) + [*c, end, -100]), "the labels are shifted: labels[t]"),
        (_labels(lambda p, c, end, ids: [-100] * (len(p) + 1) + c), "shifted to the right"),
        (_labels(lambda p, c, end, ids: [-100] * (len(p) + 1) + [*c[1:], end]), "first token of the completion"),
        (_labels(lambda p, c, end, ids: [-100] * (len(p) - 1) + ids[len(p) - 1:]), "last token of the prompt"),
        (_labels(lambda p, c, end, ids: [*c, end]), "shorter than the ids"),
        (_labels(lambda p, c, end, ids: [0] * len(p) + [*c, end]), "0 is a token like any other"),
        (_labels(lambda p, c, end, ids: [-1] * len(p) + [*c, end]), "not what torch leaves out"),
        (_labels(lambda p, c, end, ids: [0] * len(p) + [1] * (len(c) + 1)), "a mask of 0 and 1"),
        (_labels(lambda p, c, end, ids: [-100] * (len(ids) - 1) + [end]), "only the end counts"),
        (lambda p, c, end: reference_mask_prompt(p, c, end)[::-1], "the wrong way round"),
        (_by_value, "masked by value"),
        (_searched, "looked for by its first token"),
        (_aliased, "lengthens the prompt itself"),
        (_ids(lambda p, c, end: [*p, *c]), "append end_id"),
        (_ids(lambda p, c, end: [*p, end, *c, end]), "are one text"),
        (_ids(lambda p, c, end: [-100] * len(p) + [*c, end]), "among the ids"),
        (_ids(lambda p, c, end: [*c, end]), "prompt is missing from the ids"),
        (lambda p, c, end: [*p, *c, end], "give back two lists"),
    ],
    "new-rows": [
        (_rows(lambda table, ids: table[ids].sum(0)), "divide by their number"),
        (_rows(lambda table, ids: table.mean(0)), "the mean of all rows"),
        (lambda table, pieces: reference_new_rows(table, [[i for ids in pieces for i in ids]] * len(pieces)),
         "the pieces of all words"),
        (lambda table, pieces: reference_new_rows(table, [pieces[0]] * len(pieces)), "the row of the first one"),
        (_rows(lambda table, ids: table[ids[0]]), "the first piece"),
        (_rows(lambda table, ids: table[ids[-1]]), "the last piece"),
        (_rows(lambda table, ids: table[int(sum(ids) / len(ids))]), "ids were averaged"),
        (_rows(lambda table, ids: 0 * table[0]), "zero rows"),
        (_rows(lambda table, ids: table[list(set(ids))].mean(0)), "occurs twice counts twice"),
        (_rows(lambda table, ids: table[ids].sum(0) / len(set(ids))), "divided by does not"),
        (_rows(_halving), "divide once"),
        (_rows(lambda table, ids: table[ids].sum(0) / 2), "divided by 2"),
        (lambda table, pieces: torch.cat([table, torch.stack([table[ids].sum(0) for ids in pieces]) / len(pieces)]),
         "the number of words"),
        (_unreset, "begin each word at zero"),
        (_rows(lambda table, ids: table[ids].max(0).values), "largest number of each column"),
        (lambda table, pieces: reference_new_rows(table, pieces).roll(len(pieces), 0), "stand first"),
        (lambda table, pieces: reference_new_rows(table, pieces[::-1]), "the wrong order"),
        (lambda table, pieces: torch.stack([table[ids].mean(0) for ids in pieces]), "the old rows are missing"),
        (lambda table, pieces: torch.cat([table[:-len(pieces)], reference_new_rows(table, pieces)[len(table):]]),
         "were overwritten"),
        (lambda table, pieces: len(pieces), "give back one tensor"),
    ],
    "nearest-base": [
        (lambda t, b: reference_nearest_base(t, b)[::-1], "the farthest"),
        (lambda t, b: sorted(reference_nearest_base(t, b)), "sorted by name"),
        (_bases(log=math.log), "natural one"),
        (_bases(total=False), "counts were taken"),
        (_bases(halves=(1, 0)), "only the target's"),
        (_bases(halves=(0, 1)), "only the base's"),
        (_bases(halves=(1, 1)), "were added"),
        (_bases(end=math.sqrt), "square it"),
        (_bases(end=lambda x: x - 1), "m is the sum"),
        (_over(lambda p, q: p & q, lambda x, p, q: p * math.log2(p / q), both=False), "p * log2(p / q)"),
        (_over(lambda p, q: p), "only the words of the target"),
        (_over(lambda p, q: q), "only the words of the base"),
        (_over(lambda p, q: p & q), "only shared words"),
        (_with_zeros, "not a number"),
        (lambda t, b: sorted(((n, 1 - len({*t} & {*c}) / len({*t, *c})) for n, c in b.items()), key=lambda x: x[1]),
         "which words are shared"),
        (lambda t, b: reference_nearest_base(t, b)[0][0], "a list of pairs"),
    ],
}
VARIANTS = {
    "lora": [(lambda x, w, a, b, alpha: (x @ w.T + x @ a.T @ b.T, reference_lora(x, w, a, b, alpha)[1]),
              "the scale is missing: the update")],
    "layer-rates": [(lambda n, lr, d: tuple(torch.tensor(reference_layer_rates(n, lr, d)).flip(0)), "wrong way round")],
    "nearest-base": [
        (lambda t, b: [(name, dict(reference_nearest_base(t, b))[name]) for name in b], "not sorted"),
        (lambda t, b: dict(reference_nearest_base(t, b)), "a list of pairs"),
        (lambda t, b: [name for name, _ in reference_nearest_base(t, b)], "a list of pairs"),
    ],
}


def _lora_float(x, weight, a, b, alpha):
    return reference_lora(*(tensor.float() for tensor in (x, weight, a, b)), alpha)


def _rates_downwards(layers, lr, decay):
    rates = np.geomspace(lr, lr * decay ** (layers + 1), layers + 2)
    return rates[::-1]


def _pairs(number, name=str):
    return lambda t, b: [(name(n), number(x)) for n, x in reference_nearest_base(t, b)]


#: The references in other dresses, all of them right.
DRESSES = {
    "pool-last": [
        lambda states, mask: reference_pool_last(states.float(), mask),
        lambda states, mask: reference_pool_last(states, mask).numpy(),
        lambda states, mask: [row[t] for row, t in zip(states, _last(mask))],
        lambda states, mask: tuple(row[real.bool()][-1] for row, real in zip(states, mask)),
        lambda states, mask: reference_pool_last(states, mask).requires_grad_(),
        lambda states, mask: _take(states, mask.cumsum(1).argmax(1)),
    ],
    "lora": [
        _lora_float,
        lambda *case: list(reference_lora(*case)),
        lambda *case: [part.numpy() for part in reference_lora(*case)],
        lambda *case: tuple(part.tolist() for part in reference_lora(*case)),
        lambda x, w, a, b, alpha: (x @ w.T + alpha / a.shape[0] * (x @ a.T @ b.T),
                                   torch.nn.Parameter(w + (alpha / a.shape[0]) * (b @ a))),
    ],
    "layer-rates": [
        _rates_downwards,
        lambda *case: tuple(reference_layer_rates(*case)),
        lambda *case: torch.tensor(reference_layer_rates(*case)),
        lambda *case: [torch.tensor(rate) for rate in reference_layer_rates(*case)],
        lambda *case: [np.float32(rate) for rate in reference_layer_rates(*case)],
        lambda *case: [np.array(rate) for rate in reference_layer_rates(*case)],
    ],
    "mask-prompt": [
        lambda *case: [np.array(part) for part in reference_mask_prompt(*case)],
        lambda *case: tuple(torch.tensor(part) for part in reference_mask_prompt(*case)),
        lambda *case: torch.tensor(reference_mask_prompt(*case)),
        lambda *case: [tuple(np.int64(token) for token in part) for part in reference_mask_prompt(*case)],
        lambda *case: tuple([torch.tensor(token) for token in part] for part in reference_mask_prompt(*case)),
        lambda p, c, end: (torch.Size([*p, *c, end]), [-100] * len(p) + [*c, end]),
    ],
    "new-rows": [
        lambda table, pieces: reference_new_rows(table.float(), pieces),
        lambda table, pieces: np.concatenate([table.numpy(), [table.numpy()[ids].mean(0) for ids in pieces]]),
        lambda table, pieces: [*table, *(table[ids].mean(0) for ids in pieces)],
        lambda table, pieces: torch.nn.Parameter(reference_new_rows(table, pieces)),
        lambda table, pieces: tuple(map(tuple, reference_new_rows(table, pieces).tolist())),
    ],
    "nearest-base": [
        _pairs(np.float32),
        _pairs(torch.tensor),
        _pairs(np.float64, np.str_),
        lambda *case: tuple(list(pair) for pair in reference_nearest_base(*case)),
        lambda *case: [(n, np.array(x)) for n, x in reference_nearest_base(*case)],
    ],
}
