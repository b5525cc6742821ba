"""Reference answers and planted mistakes for the exercises of "regularization"."""
import math
import statistics

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


def _stop(wrong):
    """Early stopping with one thing wrong."""
    def answer(losses, patience, min_delta):
        best = counted = math.inf
        kept = waited = 0
        for stopped, loss in enumerate(losses):
            spoilt = wrong == "nan" and stopped == 0
            base = {"best": best, "before": losses[stopped - 1] if stopped else math.inf}.get(wrong, counted)
            low = loss < base - (0 if wrong == "none" else min_delta)
            low = low or spoilt or (wrong == "equal" and loss == base)
            if low if wrong == "kept" else loss < best or spoilt:
                best, kept = loss, stopped
            if low:
                counted, waited = loss, waited if wrong == "total" else 0
            else:
                waited += 1
            if waited >= patience + {"late": 1, "soon": -1}.get(wrong, 0):
                break
        return stopped, stopped if wrong == "last" else kept
    return answer


def _drop(stays, otherwise=lambda words: words):
    return lambda words, u, rate, keep: [
        w for w, x in zip(words, u) if stays(w, x, rate, keep)] or otherwise(words)


def _rows(rule):
    return lambda table, baseline: [n for n in table if n != baseline and rule(
        [a - b for a, b in zip(table[n], table[baseline])], table[n], table[baseline])]


def _unpaired(d, a, b):
    half = 2.776 * math.sqrt((statistics.variance(a) + statistics.variance(b)) / 5)
    return statistics.mean(d) + half < 0


def _half(d):
    return 2.776 * statistics.stdev(d) / math.sqrt(5)


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
        (_with_step(lambda w, g, lr, s: _soft(w - lr * g, s)), "by strength alone"),
        (_with_step(lambda w, g, lr, s: _soft(w, lr * s)), "the gradient of the loss is missing"),
        (_with_step(lambda w, g, lr, s: _soft(w, lr * s) - lr * g), "the wrong way round"),
        (_with_step(lambda w, g, lr, s: (w - lr * g) * ((w - lr * g).abs() > lr * s)), "shrinks those too"),
        (_with_step(lambda w, g, lr, s: _soft(w + lr * g, lr * s)), "uphill"),
        (_with_step(lambda w, g, lr, s: w - lr * g), "nothing was shrunk"),
        (lambda w, g, lr, s: w, "two tensors back"),
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
        (lambda w, g, m, v, t, lr, decay: 0 * w, "three steps"),
        (lambda w, g, m, v, t, lr, decay: float(w[0]), "one number for each"),
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
        (lambda x, u, rate, training: x, "nothing is dropped"),
    ],
    "early-stopping": [
        (_stop("last"), "the least loss so far"), (_stop("late"), "too long"), (_stop("soon"), "too soon"),
        (_stop("total"), "sets it to 0"), (_stop("nan"), "not a number"), (_stop("equal"), "must be less"),
        (_stop("before"), "the one before it"), (_stop("best"), "from the best loss"), (_stop("none"), "not used"),
        (_stop("kept"), "however small"),
        (lambda *given: reference_early_stop(*given)[::-1], "wrong order"),
        (lambda *given: tuple(i + 1 for i in reference_early_stop(*given)), "counted from 1"),
        (lambda *given: reference_early_stop(*given)[0], "two positions"),
    ],
    "drop-words": [
        (_drop(lambda w, x, rate, keep: x >= rate or not w.isalpha()), "the contrary"),
        (_drop(lambda w, x, rate, keep: x >= rate or w in keep or not w.isalpha()), "lower case"),
        (_drop(lambda w, x, rate, keep: x >= rate or w.lower() in keep), "letters alone was dropped"),
        (_drop(lambda w, x, rate, keep: x >= rate or w.lower() in keep or not w.isalpha(), lambda words: []),
         "nothing is left"),
        (_drop(lambda w, x, rate, keep: x < rate or w.lower() in keep or not w.isalpha()), "above the rate"),
        (lambda words, u, rate, keep: words, "nothing was dropped"),
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
        (lambda table, baseline: len(table), "as a list"),
    ],
}
VARIANTS = {
    "inverted-dropout": [(lambda x, u, rate, training: x * (u >= rate), "the scale is missing")],
}
