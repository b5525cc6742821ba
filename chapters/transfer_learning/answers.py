"""Reference answers and planted mistakes for the exercises of "transfer-learning"."""
import math

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


def _merged(make):
    def answer(x, weight, a, b, alpha):
        merged = make(weight, b @ a, alpha, a)
        return x @ merged.T, merged
    return answer


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
        (lambda states, mask: states[:, -1], "the last column"),
        (lambda states, mask: _take(states, mask.sum(1) - 1), "only where the padding stands on the right"),
        (lambda states, mask: _take(states, mask.sum(1) % mask.shape[1]), "one place too far"),
        (lambda states, mask: _take(states, mask.argmax(1)), "the first real token"),
        (lambda states, mask: (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), "mean over real tokens"),
        (lambda states, mask: states.mean(1), "over the padding too"),
        (lambda states, mask: states[0], "the shape"),
        (lambda states, mask: float(states[0, 0, 0]), "must be a tensor"),
    ],
    "lora": [
        (_merged(lambda w, u, alpha, a: w + u), "the scale is missing"),
        (_merged(lambda w, u, alpha, a: w + alpha * u), "divide by the rank"),
        (_merged(lambda w, u, alpha, a: w + alpha / a.shape[1] * u), "number of columns"),
        (_merged(lambda w, u, alpha, a: w + len(a) / alpha * u), "upside down"),
        (_merged(lambda w, u, alpha, a: alpha / len(a) * u), "frozen matrix is missing"),
        (_merged(lambda w, u, alpha, a: w), "nothing was added"),
        (lambda x, w, a, b, alpha: reference_lora(x, w, a, b, alpha)[0], "return output, merged"),
        (lambda x, w, a, b, alpha: (reference_lora(x, w, a, b, alpha)[0], w.T), "the shape of merged"),
    ],
    "layer-rates": [
        (lambda n, lr, d: reference_layer_rates(n, lr, d)[::-1], "the wrong way round"),
        (lambda n, lr, d: [r * d for r in reference_layer_rates(n, lr, d)], "too small"),
        (lambda n, lr, d: reference_layer_rates(n, lr, d)[1:], "one rate is missing"),
        (lambda n, lr, d: reference_layer_rates(n, lr, d)[1:-1], "the head are missing"),
        (lambda n, lr, d: [lr * d] * (n + 1) + [lr], "all layers have one rate"),
        (lambda n, lr, d: [lr / d ** (n + 1 - i) for i in range(n + 2)], "do not divide"),
        (lambda n, lr, d: [*reference_layer_rates(n, lr, d)[:-2], lr, lr], "the head's rate"),
        (lambda n, lr, d: lr, "a list of rates"),
    ],
    "mask-prompt": [
        (_labels(lambda p, c, end, ids: list(ids)), "the prompt is counted"),
        (_labels(lambda p, c, end, ids: [*p, *[-100] * (len(c) + 1)]), "the wrong part"),
        (_labels(lambda p, c, end, ids: [-100] * len(p) + [*c, -100]), "never learn to stop"),
        (_labels(lambda p, c, end, ids: [-100] * (len(p) - 1) + [*c, end, -100]), "shifted"),
        (_labels(lambda p, c, end, ids: [-100] * (len(p) + 1) + [*c[1:], end]), "first token of the completion"),
        (_labels(lambda p, c, end, ids: [*c, end]), "shorter than the ids"),
        (_labels(lambda p, c, end, ids: [0] * len(p) + [*c, end]), "a token like any other"),
        (_ids(lambda p, c, end: [*p, *c]), "append end_id"),
        (_ids(lambda p, c, end: [*p, end, *c, end]), "are one text"),
        (lambda p, c, end: [*p, *c, end], "return ids, labels"),
    ],
    "new-rows": [
        (_rows(lambda table, ids: table[ids].sum(0)), "divide by their number"),
        (_rows(lambda table, ids: table.mean(0)), "the mean of all rows"),
        (_rows(lambda table, ids: table[ids[0]]), "the first piece"),
        (_rows(lambda table, ids: table[ids[-1]]), "the last piece"),
        (_rows(lambda table, ids: 0 * table[0]), "zero rows"),
        (_rows(lambda table, ids: table[list(set(ids))].mean(0)), "occurs twice"),
        (lambda table, pieces: reference_new_rows(table, pieces).roll(len(pieces), 0), "stand first"),
        (lambda table, pieces: torch.stack([table[ids].mean(0) for ids in pieces]), "the shape"),
    ],
    "nearest-base": [
        (lambda t, b: reference_nearest_base(t, b)[::-1], "the farthest"),
        (_bases(log=math.log), "natural one"),
        (_bases(total=False), "counts were taken"),
        (_bases(halves=(1, 0)), "only the target's"),
        (_bases(halves=(0, 1)), "only the base's"),
        (_bases(halves=(1, 1)), "were added"),
        (_bases(end=math.sqrt), "square it"),
        (lambda t, b: reference_nearest_base(t, b)[0][0], "a list of pairs"),
    ],
}
VARIANTS = {
    "nearest-base": [(lambda t, b: [(name, dict(reference_nearest_base(t, b))[name]) for name in b], "not sorted")],
}
