"""Reference answers and planted mistakes for the exercises of "regularization"."""
import math
import statistics

import numpy as np
import torch


def reference_l1_step(w, gradient, lr, strength):
    moved = w - lr * gradient                        # the loss first
    small = (moved.abs() - lr * strength).clamp(min=0)
    return strength * w.sign(), moved.sign() * small  # then towards zero, and stop there


def reference_adamw_step(w, gradient, m, v, t, lr, decay):
    m = 0.9 * m + 0.1 * gradient
    v = 0.99 * v + 0.01 * gradient**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.99**t)
    return w - lr * m_hat / (v_hat.sqrt() + 1e-8) - lr * decay * w


def reference_dropout(x, u, rate, training):
    if not training:
        return x
    return x * (u >= rate) / (1 - rate)              # the mean stays what it was


def reference_early_stop(losses, patience, min_delta):
    best = counted = math.inf
    kept = waited = 0
    for stopped, loss in enumerate(losses):
        if loss < best:                              # false for nan
            best, kept = loss, stopped
        if loss < counted - min_delta:
            counted, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return stopped, kept


def reference_drop_words(words, u, rate, keep):
    left = [word for word, x in zip(words, u)
            if x >= rate or word.lower() in keep or not word.isalpha()]
    return left or words


def reference_really_better(table, baseline):
    better = []
    for name in table:
        d = [a - b for a, b in zip(table[name], table[baseline])]
        half = 2.776 * statistics.stdev(d) / math.sqrt(len(d))
        if statistics.mean(d) + half < 0:            # never true of the baseline itself
            better.append(name)
    return better


def _with_step(step):
    return lambda w, g, lr, s: (s * w.sign(), step(w, g, lr, s))


def _with_gradient(gradient):
    return lambda w, g, lr, s: (gradient(w, s), reference_l1_step(w, g, lr, s)[1])


_soft = torch.nn.functional.softshrink


def _adam(w, gradient, m, v, t, lr):
    return reference_adamw_step(w, gradient, m, v, t, lr, 0)


def _adam_with(direction):
    """AdamW with another direction made of the corrected moments."""
    def answer(w, g, m, v, t, lr, decay):
        m, v = (0.9 * m + 0.1 * g) / (1 - 0.9**t), (0.99 * v + 0.01 * g**2) / (1 - 0.99**t)
        return w - lr * direction(m, v) - lr * decay * w
    return answer


def _torch_adamw(w, gradient, m, v, t, lr, decay, betas=(0.9, 0.99)):
    p = torch.nn.Parameter(w)
    optimizer = torch.optim.AdamW([p], lr=lr, betas=betas, weight_decay=decay)
    optimizer.state[p] = {"step": torch.tensor(t - 1.0), "exp_avg": m, "exp_avg_sq": v}
    p.grad = gradient
    optimizer.step()
    return p


def _stop(wrong):
    """Early stopping with one thing wrong."""
    def answer(losses, patience, min_delta):
        best = counted = losses[0] if wrong == "itself" else math.inf
        kept = waited = 0
        for stopped, loss in enumerate(losses):
            spoilt = wrong == "nan" and stopped == 0
            base = {"best": best, "before": losses[stopped - 1] if stopped else math.inf}.get(wrong, counted)
            low = loss < base - (0 if wrong == "none" else min_delta)
            low = low or spoilt or (wrong == "equal" and loss <= base - min_delta)
            if low if wrong == "kept" else loss < best or spoilt or (wrong == "tie" and loss == best):
                best, kept = loss, stopped
            if low:
                counted, waited = loss, waited if wrong == "total" else 0
            else:
                waited += 1
            if waited >= patience + {"late": 1, "soon": -1}.get(wrong, 0):
                break
        return stopped, stopped if wrong == "last" else kept
    return answer


def _nan_in_the_else(losses, patience, min_delta):
    best = counted = math.inf
    kept = waited = 0
    for stopped, loss in enumerate(losses):
        if loss < best:
            best, kept = loss, stopped
        if loss >= counted - min_delta:              # false for nan
            waited += 1
        else:
            counted, waited = loss, 0
        if waited == patience:
            break
    return stopped, kept


def _nan_resets(losses, patience, min_delta, back=True):
    best = counted = math.inf
    kept = waited = 0
    for stopped, loss in enumerate(losses):
        if math.isnan(loss):
            waited = 0 if back else waited
            continue
        if loss < best:
            best, kept = loss, stopped
        counts = loss < counted - min_delta
        counted, waited = (loss, 0) if counts else (counted, waited + 1)
        if waited == patience:
            break
    return stopped, kept


def _nan_is_passed_over(losses, patience, min_delta):
    return _nan_resets(losses, patience, min_delta, back=False)


def _drop(stays, otherwise=lambda words: words):
    return lambda words, u, rate, keep: [
        w for w, x in zip(words, u) if stays(w, x, rate, keep)] or otherwise(words)


def _stays(word, x, rate, keep):
    return x >= rate or word.lower() in keep or not word.isalpha()


def _drop_by_remove(words, u, rate, keep):
    left = list(words)
    for word, x in zip(words, u):
        if not _stays(word, x, rate, keep):
            left.remove(word)
    return left or words


def _rows(rule):
    return lambda table, baseline: [n for n in table if n != baseline and rule(
        [a - b for a, b in zip(table[n], table[baseline])], table[n], table[baseline])]


def _unpaired(d, a, b):
    half = 2.776 * math.sqrt((statistics.variance(a) + statistics.variance(b)) / 5)
    return statistics.mean(d) + half < 0


def _apart(d, a, b):
    return statistics.mean(a) + _half(a) < statistics.mean(b) - _half(b)


def _half(d):
    return 2.776 * statistics.stdev(d) / math.sqrt(5)


def _by_numpy(table, baseline):
    d = {name: np.subtract(losses, table[baseline]) for name, losses in table.items()}
    return list(filter(lambda name: d[name].mean() + 2.776 * d[name].std(ddof=1) / 5**0.5 < 0, d))


REFERENCES = {
    "l1-step": reference_l1_step, "decoupled-decay": reference_adamw_step,
    "inverted-dropout": reference_dropout, "early-stopping": reference_early_stop,
    "drop-words": reference_drop_words, "ablation": reference_really_better,
}
MISTAKES = {
    "l1-step": [
        (_with_step(lambda w, g, lr, s: torch.where((w - lr * g).sign() == w.sign(), _soft(w - lr * g, lr * s), 0.0)),
         "whose sign changed"),
        (_with_gradient(lambda w, s: s * w), "an L2 penalty"),
        (_with_gradient(lambda w, s: s * w.abs()), "the penalty itself"),
        (_with_gradient(lambda w, s: w.sign()), "strength is missing"),
        (_with_gradient(lambda w, s: s * torch.where(w >= 0, 1.0, -1.0)), "must be 0"),
        (_with_gradient(lambda w, s: -s * w.sign()), "grows away from zero"),
        (_with_step(lambda w, g, lr, s: w - lr * (g + s * w.sign())), "plain subgradient"),
        (_with_step(lambda w, g, lr, s: w - lr * g - lr * s * (w - lr * g).sign()), "the shrinking passes over zero"),
        (_with_step(lambda w, g, lr, s: _soft(w - lr * g, s)), "by strength alone"),
        (_with_step(lambda w, g, lr, s: _soft(w, lr * s)), "the gradient of the loss is missing"),
        (_with_step(lambda w, g, lr, s: _soft(w, lr * s) - lr * g), "the wrong way round"),
        (_with_step(lambda w, g, lr, s: (w - lr * g) * ((w - lr * g).abs() > lr * s)), "shrinks those too"),
        (_with_step(lambda w, g, lr, s: _soft(w + lr * g, lr * s)), "uphill"),
        (_with_step(lambda w, g, lr, s: w - lr * g), "nothing was shrunk"),
        (lambda w, g, lr, s: w, "give back two tensors"),
    ],
    "decoupled-decay": [
        (lambda w, g, m, v, t, lr, decay: _adam(w, g + decay * w, m, v, t, lr), "added to the gradient"),
        (lambda w, g, m, v, t, lr, decay: _adam(w, g, m, v, t, lr), "no decay in it"),
        (lambda w, g, m, v, t, lr, decay: _adam(w, g, m, v, t, lr) - decay * w, "lacks the rate"),
        (lambda w, g, m, v, t, lr, decay: _adam(w, g, m, v, t, lr) + lr * decay * w, "grows"),
        (lambda w, g, m, v, t, lr, decay: _adam(w, g, m, v, t, lr) * (1 - lr * decay), "new weight was decayed"),
        (lambda w, g, m, v, t, lr, decay: w - lr * g - lr * decay * w, "plain gradient descent"),
        (lambda w, g, m, v, t, lr, decay: w - lr * decay * w - lr * (0.9 * m + 0.1 * g) /
         ((0.99 * v + 0.01 * g**2).sqrt() + 1e-8), "corrected for their start"),
        (_adam_with(lambda m, v: m / v.sqrt()), "there is no epsilon"),
        (_adam_with(lambda m, v: m / (v + 1e-8).sqrt()), "epsilon stands inside the root"),
        (_adam_with(lambda m, v: m / (v + 1e-8)), "the root is missing"),
        (lambda w, g, m, v, t, lr, decay: w - lr * decay * w - lr * math.sqrt(1 - 0.99**t) / (1 - 0.9**t) *
         (0.9 * m + 0.1 * g) / ((0.99 * v + 0.01 * g**2).sqrt() + 1e-8), "before v was corrected"),
        (_adam_with(lambda m, v: -m / (v.sqrt() + 1e-8)), "uphill"),
        (lambda w, g, m, v, t, lr, decay: reference_adamw_step(w, g, m, v, t + 1, lr, decay), "not t + 1"),
        (lambda w, g, m, v, t, lr, decay: w - lr * decay * w - lr * (0.9 * m + 0.1 * g) / (1 - 0.9**t) /
         ((0.99 * v + 0.01 * g**2).sqrt() + 1e-8), "only m was corrected"),
        (lambda w, g, m, v, t, lr, decay: _torch_adamw(w, g, m, v, t, lr, decay, betas=(0.9, 0.999)), "0.999"),
        (lambda w, g, m, v, t, lr, decay: w - lr * decay * w - lr * m / (1 - 0.9**t) /
         ((v / (1 - 0.99**t)).sqrt() + 1e-8), "the old moments"),
        (lambda w, g, m, v, t, lr, decay: 0 * w, "three steps"),
        (lambda w, g, m, v, t, lr, decay: float(w[0]), "give back the new weights"),
    ],
    "inverted-dropout": [
        (lambda x, u, rate, training: x * (u >= rate) if training else x, "the scale is missing"),
        (lambda x, u, rate, training: x * (u >= rate) / (1 - rate), "when training is False too"),
        (lambda x, u, rate, training: x * (u < rate) / (1 - rate) if training else x, "the wrong way round"),
        (lambda x, u, rate, training: x * (u >= rate) / rate if training else x, "divided by the rate"),
        (lambda x, u, rate, training: x * (u >= rate) * (1 - rate) if training else x, "multiplied by 1 - rate"),
        (lambda x, u, rate, training: x * (u < 1 - rate) / (1 - rate) if training else x, "not the places"),
        (lambda x, u, rate, training: reference_dropout(x, u, rate, True) if training else x * (1 - rate),
         "scaled down at evaluation"),
        (lambda x, u, rate, training: x, "nothing is dropped in training"),
        (lambda x, u, rate, training: x * (u > rate) / (1 - rate) if training else x, "equals the rate"),
        (lambda x, u, rate, training: x * (u >= rate) if training else x * (1 - rate),
         "dropout as in the first papers"),
        (lambda x, u, rate, training: x * (u[0] >= rate) / (1 - rate) if training else x, "mask of the first row"),
        (lambda x, u, rate, training: x * (u >= rate) / (u >= rate).double().mean() if training else x,
         "happens to keep"),
        (lambda x, u, rate, training: x.masked_fill(u < rate, 0) / (1 - rate) if training else x / (1 - rate),
         "scaled at evaluation too"),
        (lambda x, u, rate, training: reference_dropout(x, u, rate, not training), "training is the wrong way round"),
        (lambda x, u, rate, training: x * (u < rate) / rate if training else x, "the share that is kept"),
        (lambda x, u, rate, training: x[u >= rate] / (1 - rate) if training else x, "with some places zero"),
    ],
    "early-stopping": [
        (_stop("last"), "the least loss so far"), (_stop("late"), "too long"), (_stop("soon"), "too soon"),
        (_stop("total"), "sets it to 0"), (_stop("nan"), "not a number"), (_stop("equal"), "must be less"),
        (_stop("before"), "the one before it"), (_stop("best"), "from the best loss"), (_stop("none"), "not used"),
        (_stop("kept"), "however small"),
        (lambda *given: reference_early_stop(*given)[::-1], "wrong order"),
        (lambda *given: tuple(i + 1 for i in reference_early_stop(*given)), "counted from 1"),
        (_nan_in_the_else, "counts as an improvement: it is neither"),
        (_nan_resets, "sets the counter back"),
        (_nan_is_passed_over, "passed over"),
        (_stop("itself"), "compared with itself"), (_stop("tie"), "of two equal losses"),
        (lambda losses, *more: (reference_early_stop(losses, *more)[0], int(np.nanargmin(losses))),
         "from behind the stop"),
        (lambda losses, *more: (len(losses) - 1, int(np.nanargmin(losses))), "the whole history"),
        (lambda losses, *more: (reference_early_stop(losses, *more)[0], losses[reference_early_stop(losses, *more)[1]]),
         "least loss itself"),
        (lambda *given: reference_early_stop(*given)[0], "give back two positions"),
    ],
    "drop-words": [
        (_drop(lambda w, x, rate, keep: x >= rate or not w.isalpha()), "the contrary"),
        (_drop(lambda w, x, rate, keep: x >= rate or w in keep or not w.isalpha()), "lower case"),
        (_drop(lambda w, x, rate, keep: x >= rate or w.lower() in keep), "letters alone was dropped"),
        (_drop(lambda w, x, rate, keep: x >= rate or w.lower() in keep or not w.isalpha(), lambda words: []),
         "nothing is left"),
        (_drop(lambda w, x, rate, keep: x < rate or w.lower() in keep or not w.isalpha()), "above the rate"),
        (lambda words, u, rate, keep: words, "nothing was dropped"),
        (_drop(lambda w, x, rate, keep: x >= rate or w.lower() == "not" or not w.isalpha()), "only 'not' is protected"),
        (_drop(lambda w, x, rate, keep: x >= rate or any(w.lower().startswith(k) for k in keep) or not w.isalpha()),
         "only begins like one"),
        (_drop(lambda w, x, rate, keep: x >= rate or any(k in w.lower() for k in keep) or not w.isalpha()),
         "has one of keep in it"),
        (lambda words, u, rate, keep: [w for w in words if _stays(w, u[words.index(w)], rate, keep)] or words,
         "the number of its first place"),
        (lambda words, u, rate, keep: [w for w in words if _stays(w, dict(zip(words, u))[w], rate, keep)] or words,
         "the number of its last place"),
        (_drop_by_remove, "the first was removed"),
        (lambda *given: list(dict.fromkeys(reference_drop_words(*given))), "came back only once"),
        (_drop(lambda w, x, rate, keep: x >= rate or w.lower() in keep or not w.strip(".,()").isalpha()),
         "with punctuation was dropped"),
        (_drop(lambda w, x, rate, keep: x >= rate or w.lower() in keep or not w.isalnum()), "with a digit"),
        (_drop(lambda w, x, rate, keep: x > rate or w.lower() in keep or not w.isalpha()), "equals the rate"),
        (lambda *given: [w.lower() for w in reference_drop_words(*given)], "came back in lower case"),
        (lambda *given: [w for w in given[0] if w not in reference_drop_words(*given)] or given[0],
         "the words that go"),
        (lambda words, u, rate, keep: " ".join(words), "not joined"),
    ],
    "ablation": [
        (_rows(lambda d, a, b: statistics.mean(d) < 0), "a lower mean"),
        (_rows(_unpaired), "not paired"),
        (_rows(lambda d, a, b: statistics.mean(d) + 2.776 * statistics.pstdev(d) / math.sqrt(5) < 0), "it is one less"),
        (_rows(lambda d, a, b: abs(statistics.mean(d)) > _half(d)), "reliably worse"),
        (_rows(lambda d, a, b: statistics.mean(d) - _half(d) < 0), "the lower end"),
        (_rows(lambda d, a, b: statistics.mean(d) + 2.776 * statistics.stdev(d) < 0), "root of the number"),
        (lambda table, baseline: [*reference_really_better(table, baseline), baseline], "leave it out"),
        (lambda table, baseline: reference_really_better(table, "none"), "the row called 'none'"),
        (lambda table, baseline: reference_really_better(table, next(iter(table))), "the first row was taken"),
        (lambda table, baseline: reference_really_better({n: sorted(v) for n, v in table.items()}, baseline),
         "sorted before they were paired"),
        (_rows(lambda d, a, b: statistics.mean(d) + statistics.stdev(d) / math.sqrt(5) < 0), "one standard error"),
        (_rows(lambda d, a, b: statistics.mean(d) + 1.96 * statistics.stdev(d) / math.sqrt(5) < 0), "1.96 is for"),
        (_rows(lambda d, a, b: statistics.mean(d) + 2.132 * statistics.stdev(d) / math.sqrt(5) < 0), "on one side"),
        (_rows(lambda d, a, b: statistics.mean(d) + 2.571 * statistics.stdev(d) / math.sqrt(5) < 0), "six pairs"),
        (_rows(lambda d, a, b: statistics.mean(d) + 2.776 * statistics.stdev(d) / 5 < 0), "divided by 5:"),
        (_rows(lambda d, a, b: all(x < 0 for x in d)), "better at every seed"),
        (_rows(lambda d, a, b: statistics.mean(d) - _half(d) > 0), "reliably worse: lower is better"),
        (_rows(lambda d, a, b: statistics.mean(d) + 2.776 * statistics.stdev(d) / 2 < 0), "the root of 4"),
        (lambda table, baseline: [], "no row at all"),
        (_rows(_apart), "do not overlap"),
        (lambda table, baseline: len(table), "the names as a list"),
    ],
}
VARIANTS = {
    "inverted-dropout": [(lambda x, u, rate, training: x * (u >= rate), "the scale is missing")],
}
# The references in other dresses, which pass too.
DRESSES = {
    "l1-step": [
        lambda *given: list(reference_l1_step(*given)),
        lambda *given: torch.stack(reference_l1_step(*given)),
        lambda *given: [x.float() for x in reference_l1_step(*given)],
        lambda *given: [x.numpy() for x in reference_l1_step(*given)],
        lambda *given: [list(x) for x in reference_l1_step(*given)],
        lambda w, g, lr, s: (np.sign(w.numpy()) * s, _soft(w - lr * g, lr * s).requires_grad_()),
    ],
    "decoupled-decay": [
        _torch_adamw,
        lambda *given: reference_adamw_step(*given).float(),
        lambda *given: reference_adamw_step(*given).numpy(),
        lambda *given: tuple(reference_adamw_step(*given)),
        lambda w, g, m, v, t, lr, decay: reference_adamw_step(*(x.float() for x in (w, g, m, v)), t, lr, decay),
        lambda w, g, m, v, t, lr, decay: _adam(w, g, m, v, t, lr) - w + (1 - lr * decay) * w,
    ],
    "inverted-dropout": [
        lambda *given: reference_dropout(*given).float(),
        lambda *given: reference_dropout(*given).numpy(),
        lambda *given: [list(row) for row in reference_dropout(*given)],
        lambda *given: tuple(map(tuple, reference_dropout(*given).tolist())),
        lambda x, u, rate, training: torch.where(u < rate, 0, x / (1 - rate)) if training else x,
        lambda x, u, rate, training: np.where(u < rate, 0, x / (1 - rate)) if training else x.clone(),
        lambda x, u, rate, training: x.masked_fill_(u < rate, 0).div_(1 - rate) if training else x,
    ],
    "early-stopping": [
        lambda *given: list(reference_early_stop(*given)),
        lambda *given: np.array(reference_early_stop(*given)),
        lambda *given: tuple(map(np.int64, reference_early_stop(*given))),
        lambda *given: torch.tensor(reference_early_stop(*given)),
        lambda *given: [torch.tensor(i) for i in reference_early_stop(*given)],
        lambda *given: torch.Size(reference_early_stop(*given)),
        lambda losses, *more: reference_early_stop(np.array(losses), *more),
        lambda losses, *more: reference_early_stop(torch.tensor(losses, dtype=torch.float64), *more),
    ],
    "drop-words": [
        lambda *given: tuple(reference_drop_words(*given)),
        lambda *given: np.array(reference_drop_words(*given)),
        lambda *given: list(np.array(reference_drop_words(*given))),
        lambda words, u, rate, keep: reference_drop_words(words, np.array(u), rate, set(keep)),
    ],
    "ablation": [
        lambda *given: reference_really_better(*given)[::-1],
        lambda *given: set(reference_really_better(*given)),
        lambda *given: tuple(reference_really_better(*given)),
        lambda *given: np.array(reference_really_better(*given)),
        _by_numpy,
    ],
}
