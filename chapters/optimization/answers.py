"""Reference answers and planted mistakes for the exercises of "optimization"."""
import math

import numpy as np
import torch


def reference_adamw_step(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)   # both start at zero, too small
    w = w * (1 - lr * decay)                                # apart from the gradient
    return w - lr * m_hat / (v_hat.sqrt() + eps), m, v


def reference_rate(step, total, warmup, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / (total - warmup)              # of the decay that is done
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * share))


def reference_clip(gradients, limit):
    norm = torch.stack([g.pow(2).sum() for g in gradients]).sum().sqrt()
    factor = min(1.0, limit / (norm + 1e-12))               # one factor, and never above 1
    return [g * factor for g in gradients]


def reference_accumulate(model, losses_of, micro_batches):
    with torch.no_grad():
        labels = sum(losses_of(model, batch).numel() for batch in micro_batches)
    model.zero_grad()
    for batch in micro_batches:
        (losses_of(model, batch).sum() / labels).backward()
    return [p.grad for p in model.parameters()]


def reference_find_leak(model, ids):
    before = model(ids)
    for row in range(ids.shape[0]):
        others = [i for i in range(ids.shape[0]) if i != row]
        for t in range(ids.shape[1]):
            changed = ids.clone()
            changed[row, t] = (changed[row, t] + 1) % 11
            after = model(changed)
            if not torch.equal(after[row, :t], before[row, :t]):
                return "future"
            if not torch.equal(after[others], before[others]):
                return "batch"
    return "none"


def reference_largest_batch(parameters, trained, bytes_per_token, context, gib):
    fixed = 4 * parameters + 12 * trained                   # gradient and two running means
    return max(0, int((gib * 2**30 - fixed) // (bytes_per_token * context)))


# Planted mistakes.

def _adam(decay_in="no", corrected=True, root="outside", square=True, factor=1, late=0, new=True):
    def step(w, g, m, v, t, lr, beta1, beta2, eps, decay):
        old = m, v
        if decay_in == "gradient":
            g = g + decay * w
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * (g**2 if square else g.abs())
        a, b = (m / (1 - beta1 ** (t + late)), v / (1 - beta2 ** (t + late))) if corrected else (m, v)
        w = w * (1 - {"weights": lr * decay, "without rate": decay}.get(decay_in, 0))
        below = {"outside": b.sqrt() + eps, "inside": (b + eps).sqrt(), "none": b + eps}[root]
        return (w - factor * lr * a / below, *((m, v) if new else old))
    return step


def _adam_otherwise(rate_of_m=None, a=None, b=None, after=False):
    """AdamW with its own share of the gradient, corrections or order."""
    def step(w, g, m, v, t, lr, beta1, beta2, eps, decay):
        m = beta1 * m + (1 - beta1 if rate_of_m is None else rate_of_m) * g
        v = beta2 * v + (1 - beta2) * g**2
        shrink = 1 - lr * decay
        moved = lr * (m / (a or _power)(beta1, t)) / ((v / (b or _power)(beta2, t)).sqrt() + eps)
        return ((w - moved) * shrink if after else w * shrink - moved), m, v
    return step


def _power(beta, t):
    return 1 - beta**t


def _adam_below(divisor, late=0):
    """AdamW whose step is divided by ``divisor(v, b, eps)``, with ``b`` the correction of v."""
    def step(w, g, m, v, t, lr, beta1, beta2, eps, decay):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        a, b = (1 - beta ** (t + late) for beta in (beta1, beta2))
        return w * (1 - lr * decay) - lr * (m / a) / divisor(v, b, eps), m, v
    return step


def _adam_grows(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    return reference_adamw_step(w, g, m, v, t, lr, beta1, beta2, eps, -decay)


def _adam_moves_first(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    a, b = 1 - beta1**t, 1 - beta2**t
    w = w * (1 - lr * decay) - lr * (m / a) / ((v / b).sqrt() + eps)
    return w, beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2


def _gives_corrected_moments(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    w, m, v = reference_adamw_step(w, g, m, v, t, lr, beta1, beta2, eps, decay)
    return w, m / (1 - beta1**t), v / (1 - beta2**t)


def _half_cosine(share, peak, floor):
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * share))


def _warmed(after, before=None):
    """A rate with the right warm-up and a mistake after it, or the other way round."""
    def rate(step, total, warmup, peak, floor):
        if step < warmup:
            return (before or reference_rate)(step, total, warmup, peak, floor)
        return (after or reference_rate)(step, total, warmup, peak, floor)
    return rate


def _share(step, total, warmup):
    return (step - warmup) / (total - warmup)


def _norm(gradients):
    return torch.cat([g.flatten() for g in gradients]).norm()


def _clip_by_torch(gradients, limit):
    holders = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for holder, g in zip(holders, gradients):
        holder.grad = g.clone()
    torch.nn.utils.clip_grad_norm_(holders, limit)
    return [h.grad for h in holders]


def _clip_imported(gradients, limit):
    from torch.nn.utils import clip_grad_norm_
    holders = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for holder, g in zip(holders, gradients):
        holder.grad = g.clone()
    clip_grad_norm_(holders, limit)
    return [h.grad for h in holders]


_torch_clips = torch.nn.utils.clip_grad_norm_           # the same function under a name of one's own


def _clip_renamed(gradients, limit):
    holders = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for holder, g in zip(holders, gradients):
        holder.grad = g.clone()
    _torch_clips(holders, limit)
    return [h.grad for h in holders]


def _one_backward(model, losses_of, micro_batches):
    model.zero_grad()
    torch.cat([losses_of(model, batch) for batch in micro_batches]).mean().backward()
    return [p.grad for p in model.parameters()]


def _one_large_batch(model, losses_of, micro_batches):
    model.zero_grad()
    whole = tuple(torch.cat(parts) for parts in zip(*micro_batches))
    losses_of(model, whole).mean().backward()
    return [p.grad for p in model.parameters()]


def _one_sum(model, losses_of, micro_batches):
    model.zero_grad()
    total, labels = 0, 0
    for batch in micro_batches:
        losses = losses_of(model, batch)
        total, labels = total + losses.sum(), labels + losses.numel()
    (total / labels).backward()
    return [p.grad for p in model.parameters()]


def _keeps_losses(model, losses_of, micro_batches):
    model.zero_grad()
    losses = [losses_of(model, batch) for batch in micro_batches]
    for one in losses:
        (one.sum() / sum(len(x) for x in losses)).backward()
    return [p.grad for p in model.parameters()]


def _zeroes_at_the_end(model, losses_of, micro_batches):
    reference_accumulate(model, losses_of, micro_batches)
    model.zero_grad()
    return [p.grad for p in model.parameters()]


def _accumulate(scale, zero="once", skip_last=False):
    """Accumulation in which ``scale(count, counts)`` divides each sum."""
    def accumulate(model, losses_of, micro_batches):
        counts = [losses_of(model, b).numel() for b in micro_batches]
        if zero == "once":
            model.zero_grad()
        for batch in micro_batches[:len(micro_batches) - skip_last]:
            if zero == "inside":
                model.zero_grad()
            losses = losses_of(model, batch)
            (losses.sum() / scale(losses.numel(), counts)).backward()
        return [p.grad for p in model.parameters()]
    return accumulate


def _probe(future=lambda before, after, row, t: not torch.equal(after[row, :t], before[row, :t]),
           batch=lambda before, after, row: not torch.equal(after[[i for i in range(len(before)) if i != row]],
                                                            before[[i for i in range(len(before)) if i != row]]),
           rows=lambda ids: range(ids.shape[0]), times=lambda ids: range(ids.shape[1]), put=lambda t: (t + 1) % 11):
    """The reference with parts to exchange."""
    def find_leak(model, ids):
        before = model(ids)
        for row in rows(ids):
            for t in times(ids):
                changed = ids.clone()
                changed[row, t] = put(changed[row, t])
                after = model(changed)
                if future(before, after, row, t):
                    return "future"
                if batch(before, after, row):
                    return "batch"
        return "none"
    return find_leak


def _far(a, b):
    return (a - b).abs().max() > 1e-2 if a.numel() else False


def _others(before, row):
    return [i for i in range(len(before)) if i != row]


def _changes_ids_in_place(model, ids):
    ids[0, -1] = (ids[0, -1] + 1) % 11
    return "future" if not torch.equal(model(ids)[0, :-1], model(ids)[0, :-1]) else "none"


def _turns_rows_around(model, ids):
    """Looks for "batch" by another order of the rows, which a mean does not notice."""
    found = _probe(batch=lambda before, after, row: False)(model, ids)
    moved = not torch.equal(model(ids.flip(0)).flip(0), model(ids))
    return "batch" if found == "none" and moved else found


def _no_clone(model, ids):
    before = model(ids)
    for row in range(len(ids)):
        for t in range(ids.shape[1]):
            changed = ids
            changed[row, t] = (changed[row, t] + 1) % 11
            if not torch.equal(model(changed)[row, :t], before[row, :t]):
                return "future"
    return "none"


def _fits(fixed, room=lambda room, row: max(0, int(room // row)), gib=2**30):
    def largest_batch(parameters, trained, bytes_per_token, context, memory):
        return room(memory * gib - fixed(parameters, trained), bytes_per_token * context)
    return largest_batch


def _true_fixed(parameters, trained):
    return 4 * parameters + 12 * trained


REFERENCES = {"adamw-update": reference_adamw_step, "warmup-cosine": reference_rate, "clip-norm": reference_clip,
              "accumulate": reference_accumulate, "find-leak": reference_find_leak,
              "fit-memory": reference_largest_batch}

#: For each exercise wrong answers, and words of the hint that each must get.
MISTAKES = {
    "adamw-update": [
        (_adam("weights", corrected=False), "too small at first"),
        (_adam("gradient"), "an L2 penalty"),
        (_adam(), "do not decay"),
        (_adam("without rate"), "lacks the rate"),
        (_adam("weights", root="inside"), "under the root"),
        (_adam("weights", root="none"), "divide by its root"),
        (_adam("weights", square=False), "not of its size"),
        (lambda w, g, m, v, t, lr, b1, b2, e, d: reference_adamw_step(w, g, m, v, t, lr, b2, b1, e, d), "exchanged"),
        (_adam("weights", factor=-1), "uphill"),
        (_adam_below(lambda v, b, eps: (v / b).sqrt()), "eps is missing"),
        (_adam_below(lambda v, b, eps: (v.sqrt() + eps) / math.sqrt(b)), "before v was corrected"),
        (_adam_below(lambda v, b, eps: (v / b).sqrt() + eps, late=-1), "do not subtract 1 from t"),
        (_adam_grows, "the weights grow"),
        (_adam_moves_first, "renew them first"),
        (lambda *a: [reference_adamw_step(*a)[i] for i in (1, 2, 0)], "the weights come first"),
        (lambda *a: reference_adamw_step(*a)[:2], "two came back"),
        (_adam("weights", late=1), "counts from 1"),
        (_adam_otherwise(a=lambda beta, t: 1), "v was corrected and m was not"),
        (_adam_otherwise(b=lambda beta, t: 1), "m was corrected and v was not"),
        (_adam_otherwise(a=lambda beta, t: 1 - beta * t, b=lambda beta, t: 1 - beta * t), "a power"),
        (_adam_otherwise(rate_of_m=1), "running sum"),
        (_adam_otherwise(after=True), "first, then move"),
        (_gives_corrected_moments, "give m and v back as they are"),
        (_adam("weights", new=False), "the old m and v"),
        (lambda *a: reference_adamw_step(*a)[0], "return w, m, v"),
        (lambda *a: tuple(1.5 * x for x in reference_adamw_step(*a)), "go in this order"),
    ],
    "warmup-cosine": [
        (_warmed(None, lambda s, n, w, p, f: p * s / w), "teach nothing"),
        (_warmed(None, lambda s, n, w, p, f: p * (s + 1) / (w + 1)), "ends below the peak"),
        (_warmed(None, lambda s, n, w, p, f: f + (p - f) * (s + 1) / w), "not from the floor"),
        (lambda s, n, w, p, f: _half_cosine(s / n, p, f), "no warm-up yet"),
        (_warmed(None, lambda s, n, w, p, f: _half_cosine(s / n, p, f) * (s + 1) / w), "multiplied with the cosine"),
        (_warmed(None, lambda s, n, w, p, f: _half_cosine((s - w) / (n - w), p, f) * (s + 1) / w), "runs backwards"),
        (_warmed(None, lambda s, n, w, p, f: p), "not there yet"),
        (_warmed(lambda s, n, w, p, f: _half_cosine(s / n, p, f)), "runs from update 0"),
        (_warmed(lambda s, n, w, p, f: _half_cosine((s - w) / n, p, f)), "does not reach its end"),
        (_warmed(lambda s, n, w, p, f: _half_cosine(_share(s, n, w), p, 0)), "the floor is missing"),
        (_warmed(lambda s, n, w, p, f: f + _half_cosine(_share(s, n, w), p, 0)), "added on top"),
        (_warmed(lambda s, n, w, p, f: max(f, _half_cosine(_share(s, n, w), p, 0))), "cut off at the floor"),
        (_warmed(lambda s, n, w, p, f: _half_cosine(_share(s, n, w), p, f * p)), "not a share of the peak"),
        (_warmed(lambda s, n, w, p, f: f + (p - f) * 0.5 * (1 - math.cos(math.pi * _share(s, n, w)))), "not 1 - cos"),
        (_warmed(lambda s, n, w, p, f: f + (p - f) * (1 + math.cos(math.pi * _share(s, n, w)))), "twice its height"),
        (_warmed(lambda s, n, w, p, f: _half_cosine(2 * _share(s, n, w), p, f)), "a whole wave"),
        (_warmed(lambda s, n, w, p, f: f + (p - f) * math.cos(math.pi / 2 * _share(s, n, w))), "a quarter"),
        (_warmed(lambda s, n, w, p, f: f + (p - f) * math.cos(math.pi * _share(s, n, w))), "negative"),
        (_warmed(lambda s, n, w, p, f: f + (p - f) * (1 - _share(s, n, w))), "a straight line: the decay"),
        (_warmed(lambda s, n, w, p, f: _half_cosine(_share(s, n, w) / math.pi, p, f)), "lacks pi"),
        (_warmed(lambda s, n, w, p, f: p), "does not fall"),
        (lambda s, n, w, p, f: p * (s + 1) / w if s <= w and w else reference_rate(s, n, w, p, f),
         "one update too many"),
        (_warmed(lambda s, n, w, p, f: _half_cosine((s - w) / (n - w - 1), p, f)), "ends one update early"),
        (_warmed(lambda s, n, w, p, f: _half_cosine((s + 1 - w) / (n - w), p, f)), "begins one update early"),
        (lambda s, n, w, p, f: 7.0, "two cases"),
    ],
    "clip-norm": [
        (lambda gs, c: [g * min(1.0, c / g.norm()) for g in gs], "by its own norm"),
        (lambda gs, c: [g.clamp(-c, c) for g in gs], "clips each value"),
        (lambda gs, c: [g * c / _norm(gs) for g in gs], "made longer"),
        (lambda gs, c: [g * min(1.0, c / sum(h.norm() for h in gs)) for g in gs], "do not add up"),
        (lambda gs, c: [g * min(1.0, c / _norm(gs)**2) for g in gs], "take its root"),
        (lambda gs, c: [g * min(1.0, c / max(h.norm() for h in gs)) for g in gs], "the largest tensor"),
        (lambda gs, c: [g * min(1.0, c / max(h.abs().max() for h in gs)) for g in gs], "largest value"),
        (lambda gs, c: [g * min(1.0, c / sum(h.abs().sum() for h in gs)) for g in gs], "sum of the sizes"),
        (lambda gs, c: list(gs), "as it was"),
        (lambda gs, c: [g * _norm(gs) / c for g in gs], "upside down"),
        (lambda gs, c: [g * min(1.0, c / torch.stack([h.norm() for h in gs]).mean()) for g in gs],
         "mean of the norms"),
        (lambda gs, c: [g * min(1.0, c / torch.cat([h.flatten() for h in gs]).pow(2).mean().sqrt()) for g in gs],
         "root of the mean"),
        (lambda gs, c: [g * max(1.0, c / _norm(gs)) for g in gs], "take min, not max"),
        (lambda gs, c: [g * min(1.0, 1 / _norm(gs)) for g in gs], "the limit is missing"),
        (lambda gs, c: [g * 0.5 for g in gs], "three steps"),
        (_clip_by_torch, "compares it with itself"),
        (lambda gs, c: reference_clip(gs, c)[0], "list of all clipped"),
    ],
    "accumulate": [
        (_accumulate(lambda n, counts: n * len(counts)), "a short micro-batch weighs more"),
        (_accumulate(lambda n, counts: n), "added up and divided by nothing"),
        (_accumulate(lambda n, counts: 1), "never divided"),
        (_accumulate(lambda n, counts: len(counts)), "where the number of labels belongs"),
        (_accumulate(lambda n, counts: sum(counts), zero="never"), "before the first backward"),
        (_accumulate(lambda n, counts: n * len(counts), zero="never"), "and means were averaged"),
        (_accumulate(lambda n, counts: sum(counts), zero="inside"), "only the last"),
        (_accumulate(lambda n, counts: 1, zero="never"), "sums were never divided: zero it first"),
        (_accumulate(lambda n, counts: n, zero="inside"), "the mean of the last micro-batch alone"),
        (_accumulate(lambda n, counts: sum(counts), skip_last=True), "is missing"),
        (_accumulate(lambda n, counts: 3 * sum(counts)), "count the labels"),
        (_accumulate(lambda n, counts: 2 * len(counts)), "how many losses losses_of gives"),
        (_accumulate(lambda n, counts: counts[0] * len(counts)), "of the first micro-batch"),
        (_zeroes_at_the_end, "not after the last"),
        (_accumulate(lambda n, counts: 2), "because it is a pair: count the losses of all"),
        (_one_backward, "before you compute the losses of the next"),
        (lambda model, losses_of, batches: losses_of(model, batches[0]).mean(), "give back [p.grad"),
    ],
    "find-leak": [
        (lambda model, ids: "none" if model is None else "none", "that was not noticed"),
        (_probe(future=lambda b, a, row, t: not torch.equal(a[row], b[row])), "a changed token may change"),
        (_probe(batch=lambda b, a, row: not torch.equal(a, b)), "a changed row changes its own"),
        (_probe(future=lambda b, a, row, t: t > 0 and not torch.equal(a[row, t - 1], b[row, t - 1])),
         "right before the changed token"),
        (_probe(future=lambda b, a, row, t: _far(a[row, :t], b[row, :t])), "small and far"),
        (_probe(future=lambda b, a, row, t: not torch.equal(a[row, :min(t, 1)], b[row, :min(t, 1)])),
         "neither the next nor the last"),
        (_probe(future=lambda b, a, row, t: row == 0 and not torch.equal(a[row, :t], b[row, :t])),
         "and it is not the first"),
        (_probe(batch=lambda b, a, row: not torch.equal(a[row + 1:], b[row + 1:])), "compare all others with it"),
        (_probe(times=lambda ids: [-1]), "only the last token was changed"),
        (_probe(times=lambda ids: range(1, ids.shape[1])), "only the first token of a row leaks"),
        (_probe(put=lambda t: 0), "was there already"),
        (_probe(batch=lambda b, a, row: False), "the rows share a mean"),
        (_probe(batch=lambda b, a, row: _far(a[_others(b, row)], b[_others(b, row)])), "ask for equality"),
        (_probe(rows=lambda ids: [0]), "only the first row was changed"),
        (_probe(future=lambda b, a, row, t: False,
                batch=lambda b, a, row: not torch.equal(a[row, :-1], b[row, :-1]), times=lambda ids: [-1]),
         "stays within its row"),
        (_probe(future=lambda b, a, row, t: not torch.equal(a[:, :t], b[:, :t])
                or not torch.equal(a[_others(b, row)], b[_others(b, row)])), "at the same time"),
        (lambda model, ids: ids is None, "three words"),
    ],
    "fit-memory": [
        (_fits(_true_fixed, lambda room, row: max(0, room / row)), "no whole number"),
        (_fits(_true_fixed, lambda room, row: max(0, math.ceil(room / row))), "rounded up"),
        (_fits(_true_fixed, lambda room, row: room // row), "became negative"),
        (_fits(_true_fixed, lambda room, row: max(0, round(room / row))), "to the nearest"),
        (_fits(_true_fixed, lambda room, row: max(0, math.ceil(room / row) - 1)), "to the last byte"),
        (_fits(_true_fixed, lambda room, row: max(1, int(room // row))), "0 rows, not 1"),
        (_fits(lambda n, k: 4 * n + 4 * k), "one number, and"),
        (_fits(lambda n, k: 4 * n + 16 * k), "counted twice"),
        (_fits(lambda n, k: 4 * n), "only the weights"),
        (_fits(lambda n, k: 4 * n + 8 * k), "there are three"),
        (_fits(lambda n, k: 16 * n), "frozen parameters have no gradient"),
        (_fits(lambda n, k: 16 * k), "lie in memory too"),
        (_fits(lambda n, k: 16 * (n + k)), "on top of all"),
        (_fits(_true_fixed, gib=1e9), "10 ** 9"),
        (lambda n, k, b, context, g: reference_largest_batch(n, k, b, 1, g), "that counts tokens"),
        (_fits(lambda n, k: 0), "take their part first"),
        (_fits(lambda n, k: _true_fixed(n, k) / 2), "fp32 has 4"),
        (_fits(_true_fixed, lambda room, row: max(0, int(room // (4 * row)))), "do not multiply"),
        (_fits(_true_fixed, lambda room, row: max(0, int(room // (row / 4)))), "do not divide"),
        (lambda n, k, b, c, g: 17, "does not depend on the batch"),
    ],
}
# Other ways to the same mistakes: they get the same hints.
VARIANTS = {
    "warmup-cosine": [
        # Two mistakes at once: the one in the warm-up is told first.
        (lambda s, n, w, p, f: _half_cosine(s / n, p, f) * min(1, (s + 1) / max(1, w)), "multiplied with the cosine"),
        (lambda s, n, w, p, f: p, "not there yet"),
        (lambda s, n, w, p, f: torch.tensor([p, f]), "one number"),
        (lambda s, n, w, p, f: "text" if n else s, "one number"),
    ],
    "find-leak": [(_changes_ids_in_place, "in a clone of ids"),
                  (lambda model, ids: 0 if ids is not None else 1, "three words"),
                  (lambda model, ids: "leak" if ids is not None else "none", "three words"),
                  (lambda model, ids: "future" if ids is not None else "none", "nothing leaks here"),
                  (_no_clone, "a fresh clone of ids"), (_turns_rows_around, "the rows share a mean")],
    "accumulate": [
        (_one_large_batch, "before you compute the losses of the next"),
        (_one_sum, "before you compute the losses of the next"),
        (_keeps_losses, "before you compute the losses of the next"),
        (lambda model, losses_of, batches: list(model.parameters()), "count the labels"),
    ],
    "clip-norm": [(_clip_imported, "compares it with itself"), (_clip_renamed, "compares it with itself"),
                  (lambda gs, c: (reference_clip(gs, c), _norm(gs)), "list of all clipped"),
                  (lambda gs, c: torch.cat([g.flatten() for g in reference_clip(gs, c)]), "list of all clipped")],
    "fit-memory": [
        (_fits(lambda n, k: 16 * n, lambda room, row: room // row), "frozen parameters have no gradient"),
        (_fits(_true_fixed, lambda room, row: room / row), "no whole number"),
        (_fits(_true_fixed, lambda room, row: int(room / row)), "became negative"),
    ],
}


# Right answers in other dresses: they pass.

def _each(cast):
    """What a reference gives, its tensors made something else."""
    return lambda reference: lambda *inputs: [cast(x) for x in reference(*inputs)]


def _zero_d(tensor):
    """The same numbers as lists of tensors without dimensions."""
    return tensor if tensor.dim() == 0 else [_zero_d(part) for part in tensor]


def _dressed(reference):
    casts = (lambda x: x.detach().numpy(), lambda x: x.float(), lambda x: x.tolist(), _zero_d)
    return [*(_each(cast)(reference) for cast in casts), lambda *inputs: tuple(reference(*inputs))]


def _adam_in_numpy(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    w, g, m, v = (x.numpy() for x in (w, g, m, v))
    m, v = np.float64(beta1) * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * np.square(g)
    return w - lr * decay * w - lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (
        np.sqrt(v) + eps * np.sqrt(1 - beta2**t)), m, v


def _adam_in_place(w, g, m, v, t, lr, beta1, beta2, eps, decay):
    m.mul_(beta1).add_(g, alpha=1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    w.mul_(1 - lr * decay).addcdiv_(m / (1 - beta1**t), (v / (1 - beta2**t)).sqrt_().add_(eps), value=-lr)
    return w, m, v


def _clip_in_place(gradients, limit):
    norm = math.sqrt(sum(float(g.pow(2).sum()) for g in gradients))
    if norm > limit:
        for g in gradients:
            g.mul_(limit / norm)
    return gradients


def _adds_up_gradients(model, losses_of, micro_batches):
    total, labels = [torch.zeros_like(p) for p in model.parameters()], 0
    for batch in micro_batches:
        losses = losses_of(model, batch)
        labels += losses.numel()
        total = [a + b for a, b in zip(total, torch.autograd.grad(losses.sum(), list(model.parameters())))]
    return [g / labels for g in total]


def _counts_all_at_once(model, losses_of, micro_batches):
    with torch.no_grad():
        labels = len(losses_of(model, tuple(torch.cat(parts) for parts in zip(*micro_batches))))
    for p in model.parameters():
        p.grad = None
    for batch in micro_batches:
        losses = losses_of(model, batch)
        (losses.mean() * (len(losses) / labels)).backward()
    return [p.grad for p in model.parameters()]


def _counts_with_graphs(model, losses_of, micro_batches):
    labels = sum(losses_of(model, batch).numel() for batch in micro_batches)
    model.zero_grad(set_to_none=False)
    for batch in micro_batches:
        loss = losses_of(model, batch).sum() / labels
        loss.backward()
    return [p.grad for p in model.parameters()]


def _asks_for_parts(model, ids):
    """Fewer positions, or one row alone, must not change what is left."""
    whole = model(ids)
    for t in range(1, ids.shape[1]):
        if not torch.equal(model(ids[:, :t]), whole[:, :t]):
            return "future"
    for row in range(len(ids)):
        if not torch.equal(model(ids[row:row + 1])[0], whole[row]):
            return "batch"
    return "none"


def _changes_what_is_behind(model, ids):
    before = model(ids)
    for t in range(1, ids.shape[1]):
        changed = ids.clone()
        changed[:, t:] = (changed[:, t:] + 3) % 11
        if (model(changed) - before)[:, :t].abs().max() > 1e-9:
            return "future"
    for row in range(len(ids)):
        changed = ids.clone()
        changed[row] = (changed[row] + 1) % 11
        moved = (model(changed) - before).abs().amax((1, 2)) > 1e-9
        moved[row] = False
        if moved.any():
            return np.str_("batch")
    return "none"


DRESSES = {
    "adamw-update": [*_dressed(reference_adamw_step), _adam_in_numpy, _adam_in_place],
    "warmup-cosine": [lambda *i: np.float64(reference_rate(*i)), lambda *i: np.float32(reference_rate(*i)),
                      lambda *i: torch.tensor(reference_rate(*i)), lambda *i: np.array(reference_rate(*i)),
                      lambda s, n, w, p, f: _half_cosine(max(0, s - w) / (n - w), p, f) * min(1, (s + 1) / max(w, 1))],
    "clip-norm": [*_dressed(reference_clip), _clip_in_place],
    "accumulate": [*_dressed(reference_accumulate), _adds_up_gradients, _counts_all_at_once, _counts_with_graphs],
    "find-leak": [_asks_for_parts, _changes_what_is_behind, lambda *i: np.str_(reference_find_leak(*i))],
    "fit-memory": [lambda *i: np.int64(reference_largest_batch(*i)), lambda *i: float(reference_largest_batch(*i)),
                   lambda *i: torch.tensor(reference_largest_batch(*i)),
                   lambda *i: torch.tensor(reference_largest_batch(*i)).float(),
                   lambda n, k, b, c, g: np.floor(max(0, g * 1024**3 - 16 * k - 4 * (n - k)) / (b * c))],
}
