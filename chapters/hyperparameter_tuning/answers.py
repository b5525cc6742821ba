"""Reference answers and planted mistakes for the exercises of "hyperparameter tuning"."""
import heapq
import itertools
import math
import random

import numpy as np
import torch
from scipy import stats


def reference_triangular(step, half_cycle, low, high):
    position = step % (2 * half_cycle)               # within its cycle
    height = 1 - abs(position / half_cycle - 1)      # 0 in the trough, 1 at the peak
    return low + (high - low) * height


def reference_read_range_test(rates, losses, smoothing):
    mean, curve = 0.0, []
    for n, loss in enumerate(losses, start=1):
        mean = smoothing * mean + (1 - smoothing) * loss
        curve.append(mean / (1 - smoothing ** n))    # as if the past had always been there
    slopes = [after - before for before, after in zip(curve, curve[2:])]
    return rates[1 + slopes.index(min(slopes))]      # the first slope belongs to the second rate


def reference_space(trial):
    settings = {"lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
                "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"])}
    if settings["optimizer"] == "sgd":               # asked for only where it means something
        settings["momentum"] = trial.suggest_float("momentum", 0.8, 0.99)
    return settings


def reference_successive_halving(settings, train, steps, eta):
    alive = list(settings)
    while len(alive) > 1:
        losses = {setting: train(setting, steps) for setting in alive}
        alive = sorted(alive, key=losses.get)[:max(1, len(alive) // eta)]
        steps = steps * eta
    return alive[0]


def reference_difference(a, b):
    d = np.subtract(a, b)                            # the seed's own share cancels
    error = d.std(ddof=1) / math.sqrt(len(d))
    return d.mean(), stats.t.ppf(0.975, len(d) - 1) * error


def reference_expected_best(losses, k):
    losses, n = sorted(losses), len(losses)
    # The chance that all k draws are the i-th smallest or larger is ((n - i) / n) ** k.
    return sum(loss * (((n - i) / n) ** k - ((n - i - 1) / n) ** k)
               for i, loss in enumerate(losses))


def _triangular(height):
    """A schedule from the height between 0 and 1 of each update."""
    return lambda step, half, low, high: low + (high - low) * height(step, half)


def _up(step, half):
    return 1 - abs(step % (2 * half) / half - 1)


# The parts of read_range_test, so that a mistake can be made in one of them.

def _curve(losses, smoothing, corrected=True):
    mean, curve = 0.0, []
    for n, loss in enumerate(losses, start=1):
        mean = smoothing * mean + (1 - smoothing) * loss
        curve.append(mean / (1 - smoothing ** n) if corrected else mean)
    return np.array(curve)


def _slopes(curve, x):
    return (curve[2:] - curve[:-2]) / (x[2:] - x[:-2])


def _at_steepest(rates, curve, x=None, choose=np.argmin):
    return rates[1 + int(choose(_slopes(curve, np.log(rates) if x is None else np.array(x))))]


def _space(rate=lambda t: t.suggest_float("lr", 1e-5, 1e-1, log=True), low=0.8, high=0.99, name="momentum"):
    def space(trial):
        settings = {"lr": rate(trial), "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"])}
        if settings["optimizer"] == "sgd":
            settings[name] = trial.suggest_float("momentum", low, high)
        return settings
    return space


def _momentum_always(trial):
    return {**reference_space(trial), "momentum": 0.9}


def _momentum_drawn_always(trial):
    momentum = trial.suggest_float("momentum", 0.8, 0.99)
    settings = {"lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
                "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"])}
    return {**settings, "momentum": momentum} if settings["optimizer"] == "sgd" else settings


def _one_optimizer(trial):
    return {"lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True), "optimizer": "adamw"}


def _without(name):
    return lambda trial: {k: v for k, v in reference_space(trial).items() if k != name}


def _halving(keep=lambda ranked, eta: ranked[:max(1, len(ranked) // eta)], grow=lambda steps, eta: steps * eta,
             until=1, rounds=99, back=lambda alive, losses: alive[0], first=False):
    """Successive halving with one part exchanged."""
    def halving(settings, train, steps, eta):
        alive, losses = list(settings), {}
        for _ in range(rounds):
            if len(alive) <= until:
                break
            new = {s: train(s, steps) for s in alive}
            losses = losses if first and losses else new
            alive = keep(sorted(alive, key=losses.get), eta)
            steps = grow(steps, eta)
        return back(alive, losses)
    return halving


def _all_at_length(settings, train, steps, eta):
    return min(settings, key=lambda s: train(s, steps * eta))


def _twice(settings, train, steps, eta):
    for setting in settings:
        train(setting, steps)
    return reference_successive_halving(settings, train, steps, eta)


def _no_round(settings, train, steps, eta):
    return settings[0]


def _one_round_more(settings, train, steps, eta):
    survivor = reference_successive_halving(settings, train, steps, eta)
    while len(settings) > 1:
        settings, steps = settings[:max(1, len(settings) // eta)], steps * eta
    train(survivor, steps)
    return survivor


def _half(a, b, quantile=None, ddof=1, root=True):
    d, n = np.subtract(a, b), len(a)
    t = stats.t.ppf(0.975, n - 1) if quantile is None else quantile(n)
    return t * d.std(ddof=ddof) / (math.sqrt(n) if root else n)


def _with_half(**changes):
    return lambda a, b: (np.subtract(a, b).mean(), _half(a, b, **changes))


def _unpaired(a, b, degrees=None):
    error = math.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))
    return np.mean(a) - np.mean(b), stats.t.ppf(0.975, degrees or 2 * len(a) - 2) * error


def _chances(losses, k, with_replacement=True):
    n = len(losses)
    if with_replacement:
        return np.array([((n - i) / n) ** k for i in range(n + 1)])
    return np.array([math.comb(n - i, k) / math.comb(n, k) for i in range(n + 1)])


def _weighted(losses, chances):
    return float(np.array(losses) @ (chances[:-1] - chances[1:]))


def _there_and_back(step, half, low, high):
    up = np.linspace(low, high, half)
    return np.concatenate([up, up[::-1]])[step % (2 * half)]


def _from_the_first(losses, smoothing):
    mean, curve = losses[0], []
    for loss in losses:
        mean = smoothing * mean + (1 - smoothing) * loss
        curve.append(mean)
    return np.array(curve)


def _fed_back(losses, smoothing):
    mean, curve = 0.0, []
    for n, loss in enumerate(losses, start=1):
        mean = (smoothing * mean + (1 - smoothing) * loss) / (1 - smoothing ** n)
        curve.append(mean)
    return np.array(curve)


def _momentum(draw):
    def space(trial):
        settings = {"lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
                    "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"])}
        return {**settings, "momentum": draw(trial)} if settings["optimizer"] == "sgd" else settings
    return space


def _named(*names):
    return lambda t: {"lr": t.suggest_float("lr", 1e-5, 1e-1, log=True),
                      "optimizer": t.suggest_categorical("optimizer", names)}


def _wrong_condition(trial):
    settings = {"lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
                "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"])}
    if settings["optimizer"] != "sgd":
        settings["momentum"] = trial.suggest_float("momentum", 0.8, 0.99)
    return settings


def _until_eta(settings, train, steps, eta):
    while len(settings) > eta:
        settings, steps = sorted(settings, key=lambda s: train(s, steps))[:len(settings) // eta], steps * eta
    return settings[0]


def _drawn_alone(trial):
    settings = {"lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True), "optimizer": random.choice(["adamw", "sgd"])}
    if settings["optimizer"] == "sgd":
        settings["momentum"] = trial.suggest_float("momentum", 0.8, 0.99)
    return settings


def _both_faults(trial):
    return {"lr": trial.suggest_float("lr", 1e-5, 1e-1),
            "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"]),
            "momentum": trial.suggest_float("momentum", 0.8, 0.99)}


def _by_loss(settings, train, steps, eta):
    alive = list(settings)
    while len(alive) > 1:
        setting_of = {train(setting, steps): setting for setting in alive}
        alive = [setting_of[loss] for loss in sorted(setting_of)[:max(1, len(alive) // eta)]]
        steps = steps * eta
    return alive[0]


def _places_by_index(losses, k):
    n, ordered = len(losses), sorted(losses)
    return sum(x * (((n - ordered.index(x)) / n) ** k - ((n - ordered.index(x) - 1) / n) ** k) for x in ordered)


def _seeded(losses, k):
    return np.random.default_rng(0).choice(losses, (20000, k)).min(1).mean()


# Other dresses of right answers.

def _single(value):
    return torch.tensor(value, dtype=torch.float32)


def _gradient_reading(rates, losses, smoothing):
    return np.array(rates)[np.argmin(np.gradient(_curve(losses, smoothing), np.log(rates)))]


def _torch_reading(rates, losses, smoothing):
    curve = torch.tensor(_curve(losses, smoothing), dtype=torch.float32)
    return _single(rates)[1 + (curve[2:] - curve[:-2]).argmin()]


def _exponent_space(trial):
    optimizer = trial.suggest_categorical("opt", ("sgd", "adamw"))
    momentum = {"momentum": 1 - trial.suggest_float("forgets", 0.01, 0.2, log=True)} if optimizer == "sgd" else {}
    return {"optimizer": np.str_(optimizer), **momentum, "lr": 10 ** -trial.suggest_float("exponent", 1, 5)}


def _space_by_optimizer(trial):
    if trial.suggest_categorical("optimizer", ["sgd", "adamw"]) == "adamw":
        return {"optimizer": "adamw", "lr": trial.suggest_float("lr_adamw", 1e-5, 1e-1, log=True)}
    return {"optimizer": "sgd", "momentum": trial.suggest_float("momentum", 0.8, 0.99, step=0.01),
            "lr": _single(trial.suggest_float("lr_sgd", 1e-5, 1e-1, log=True))}


def _heap_halving(settings, train, steps, eta):
    while len(settings) > 1:
        ranked = heapq.nsmallest(max(1, len(settings) // eta), [(train(s, steps), s) for s in reversed(settings)])
        settings, steps = [s for _, s in ranked], steps * eta
    return settings[0]


def _array_halving(settings, train, steps, eta):
    alive, steps = np.array(settings), np.float64(steps)
    while len(alive) > 1:
        losses = np.array([train(s, steps) for s in alive])
        alive, steps = alive[losses.argsort(kind="stable")[:max(1, len(alive) // eta)]], steps * eta
    return alive[0]


def _recursive_halving(settings, train, steps, eta):
    if len(settings) == 1:
        return settings[0]
    ranked = sorted(settings, key=lambda s: train(s, steps))
    return _recursive_halving(ranked[:max(1, len(ranked) // eta)], train, eta * steps, eta)


def _torch_difference(a, b):
    d = _single(a) - _single(b)
    return torch.stack([d.mean(), stats.t.ppf(0.975, len(a) - 1) * d.std() / len(a) ** 0.5])


def _torch_best(losses, k):
    losses = torch.tensor(sorted(losses), dtype=torch.float32)
    chances = (torch.arange(len(losses), -1, -1) / len(losses)) ** k
    return losses @ (chances[:-1] - chances[1:])


REFERENCES = {
    "triangular": reference_triangular,
    "range-reading": reference_read_range_test,
    "search-space": reference_space,
    "halving": reference_successive_halving,
    "real-difference": reference_difference,
    "expected-best": reference_expected_best,
}
MISTAKES = {
    "triangular": [
        (_triangular(lambda s, h: 1 - _up(s, h)), "begins at the top"),
        (lambda s, h, low, high: _up(s, h), "height between 0 and 1"),
        (lambda s, h, low, high: high * _up(s, h), "troughs come out at 0"),
        (lambda s, h, low, high: low + high * _up(s, h), "peaks come out at low + high"),
        (lambda s, h, low, high: (high - low) * _up(s, h), "low was not added"),
        (_triangular(lambda s, h: _up(s, h / 2)), "too short"),
        (_triangular(lambda s, h: _up(s, h * 2)), "too long"),
        (_triangular(lambda s, h: s % h / h), "saw-tooth"),
        (_triangular(lambda s, h: s % (2 * h) / (2 * h)), "climbs for the whole cycle"),
        (_triangular(lambda s, h: s / h), "goes on rising"),
        (_triangular(lambda s, h: min(1, s / h)), "stays at the peak"),
        (_triangular(lambda s, h: max(0, 1 - abs(s / h - 1))), "only the first cycle"),
        (_triangular(lambda s, h: 1 - abs(s / h - 1)), "goes on falling below low"),
        (_triangular(lambda s, h: 0.5 - 0.5 * math.cos(math.pi * s / h)), "cosine wave"),
        (lambda s, h, low, high: low * (high / low) ** _up(s, h), "straight in the logarithm"),
        (_triangular(lambda s, h: _up(s + 1, h)), "one update ahead"),
        (_triangular(lambda s, h: _up(s - 1, h)), "one update late"),
        (_there_and_back, "last two updates each"),
        (lambda s, h, low, high: 0.3, "by hand"),
    ],
    "range-reading": [
        (lambda r, l, s: r.index(reference_read_range_test(r, l, s)), "position in the list"),
        (lambda r, l, s: int(np.argmin(_slopes(_curve(l, s), np.log(r)))), "position in the list of slopes"),
        (lambda r, l, s: r[1 + int(np.argmin(_curve(np.subtract(l[2:], l[:-2]), s)))], "the slopes were smoothed"),
        (lambda r, l, s: r[int(np.argmin(np.gradient(_curve(l, s), r)))], "np.gradient was given the rates themselves"),
        (lambda r, l, s: r[int(np.argmin(l))], "raw loss is least"),
        (lambda r, l, s: r[int(np.argmin(np.diff(_curve(l, s))))], "neighbour after it alone"),
        (lambda r, l, s: r[1 + int(np.argmin(np.diff(_curve(l, s))))], "neighbour before it alone"),
        (lambda r, l, s: r[int(np.argmin(_curve(l, s)))], "smoothed loss is least"),
        (lambda r, l, s: r[int(np.argmin(_curve(l, s)))] / 10, "minimum over ten"),
        (lambda r, l, s: _at_steepest(r, np.array(l)), "of the raw losses"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s), r), "against the rate itself"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s), choose=np.argmax), "rises fastest"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s), choose=lambda d: np.argmin(abs(d))), "changes least"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s), choose=lambda d: np.argmax(abs(d))), "up or down"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s, False)), "not corrected for its start"),
        (lambda r, l, s: _at_steepest(r, _from_the_first(l, s)), "began at the first loss"),
        (lambda r, l, s: _at_steepest(r, _fed_back(l, s)), "went on into the next mean"),
        (lambda r, l, s: _at_steepest(r, _curve(l, 1 - s)), "weight of the past"),
        (lambda r, l, s: r[r.index(reference_read_range_test(r, l, s)) - 1], "one place off"),
        (lambda r, l, s: r[r.index(reference_read_range_test(r, l, s)) - 2], "two places off"),
        (lambda r, l, s: r[r.index(reference_read_range_test(r, l, s)) + 1], "one place too far"),
        (lambda r, l, s: 0.5, "one of the rates of the test"),
    ],
    "search-space": [
        (_space(lambda t: t.suggest_float("lr", 1e-5, 1e-1)), "log=True"),
        (_space(lambda t: 10 ** t.suggest_float("lr", 1e-5, 1e-1, log=True)), "an exponent was taken twice"),
        (_space(lambda t: t.suggest_float("lr", 1e-4, 1e-2, log=True)), "too narrow"),
        (_space(lambda t: 10 ** -(1 + 4 * t.suggest_float("x", 0, 1) ** 2)), "as likely as the next"),
        (_space(lambda t: str(t.suggest_float("lr", 1e-5, 1e-1, log=True))), "trial.suggest_float"),
        (_space(lambda t: t.suggest_categorical("lr", [1e-5, 1e-4, 1e-3, 1e-2, 1e-1])), "only a few different rates"),
        (_momentum_always, "adamw has no momentum"),
        (_momentum_drawn_always, "ask inside the if"),
        (_one_optimizer, "let the trial choose"),
        (_named("AdamW", "SGD"), "are called 'adamw' and 'sgd'"),
        (_drawn_alone, "drawn without the trial"),
        (_wrong_condition, "the wrong way round"),
        (_without("momentum"), "with sgd the momentum"),
        (_without("lr"), "every trial needs lr"),
        (_without("optimizer"), "every trial needs optimizer"),
        (_space(high=1.5), "leaves its range"),
        (_space(low=0.9, high=0.91), "hardly varies"),
        (_space(high=0.95), "stays in a part of its range"),
        (_momentum(lambda t: t.suggest_categorical("momentum", [0.8, 0.9, 0.95, 0.99])), "momentum takes only a few"),
        (_momentum(lambda t: str(t.suggest_float("momentum", 0.8, 0.99))), "momentum is a number"),
        (lambda t: tuple(reference_space(t).values()), "one dict"),
    ],
    "halving": [
        (_all_at_length, "in the first round every setting"),
        (_halving(rounds=1), "there is only one round"),
        (_halving(grow=lambda steps, eta: steps), "as long as the first"),
        (_halving(grow=lambda steps, eta: steps + 1), "eta times as many"),
        (_halving(keep=lambda ranked, eta: ranked, rounds=4), "sent home"),
        (_halving(keep=lambda ranked, eta: ranked[-max(1, len(ranked) // eta):]), "largest losses"),
        (_halving(keep=lambda ranked, eta: ranked[:max(1, len(ranked) - len(ranked) // eta)], rounds=9),
         "were sent home"),
        (_halving(keep=lambda ranked, eta: ranked[:math.ceil(len(ranked) / eta)]), "rounded up"),
        (_halving(keep=lambda ranked, eta: ranked[:len(ranked) // eta + 1], rounds=9), "one too many stays"),
        (_halving(keep=lambda ranked, eta: ranked[:len(ranked) // 2]), "half of them stay"),
        (_halving(keep=lambda ranked, eta: ranked[:eta], rounds=3), "eta settings stay"),
        (_halving(keep=lambda ranked, eta: sorted(ranked)[:max(1, len(ranked) // eta)]), "not the best of the first"),
        (_by_loss, "a loss cannot stand for its setting"),
        (_halving(back=lambda alive, losses: alive), "not a list with it"),
        (_halving(first=True), "the latest round"),
        (_halving(keep=lambda ranked, eta: ranked[:len(ranked) // eta]), "stopped with an error"),
        (_until_eta, "it ends where eta settings"),
        (_one_round_more, "and no longer"),
        (_twice, "made twice"),
        (_halving(back=lambda alive, losses: losses[alive[0]]), "not its loss"),
        (_halving(back=lambda alive, losses: max(losses, key=losses.get)), "another setting was given back"),
        (_no_round, "never called"),
    ],
    "real-difference": [
        (lambda a, b: (-np.subtract(a, b).mean(), _half(a, b)), "the sign:"),
        (lambda a, b: (abs(np.subtract(a, b).mean()), _half(a, b)), "the sign is lost"),
        (lambda a, b: (np.abs(np.subtract(a, b)).mean(), _half(a, b)), "each difference lost its sign"),
        (lambda a, b: (np.subtract(a, b).sum(), _half(a, b)), "the sum of the differences"),
        (lambda a, b: (_half(a, b), np.subtract(a, b).mean()), "the wrong way round"),
        (lambda a, b: tuple(stats.ttest_rel(a, b)), "the p-value"),
        (_with_half(quantile=lambda n: 1.96), "1.96, the normal quantile"),
        (_with_half(quantile=lambda n: 1.96, ddof=0), "two faults"),
        (_with_half(quantile=lambda n: 2), "rule of thumb"),
        (_with_half(quantile=lambda n: 2.776), "t for five seeds"),
        (_with_half(quantile=lambda n: 2.132), "five seeds and one side"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.95, n - 1)), "on one side"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.975, n)), "n - 1 degrees"),
        (_with_half(ddof=0), "divided by n: for a sample"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.975, n - 1) * math.sqrt(n)), "spread of single"),
        (_with_half(root=False), "should be sqrt(n)"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.975, n - 1) * math.sqrt(n) / 5), "divided by 5"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.975, n - 1) * math.sqrt(n / 5)), "the root of 5"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1))), "the root is that of n"),
        (_with_half(quantile=lambda n: 1.0), "standard error"),
        (_with_half(quantile=lambda n: math.sqrt(n)), "the deviation s itself"),
        (_with_half(quantile=lambda n: 2 * stats.t.ppf(0.975, n - 1)), "from end to end"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.025, n - 1)), "half-width is negative"),
        (lambda a, b: reference_difference(sorted(a), sorted(b)), "the lists were sorted"),
        (lambda a, b: _unpaired(a, b, len(a) - 1), "taken as unrelated"),
        (_unpaired, "two unrelated groups"),
        (lambda a, b: tuple(stats.ttest_rel(a, b).confidence_interval(0.95)), "the two ends"),
        (lambda a, b: (np.median(np.subtract(a, b)), _half(a, b)), "median is not the mean"),
        (lambda a, b: (np.subtract(a, b).mean(), 0.5), "go in steps"),
        (lambda a, b: np.subtract(a, b), "the differences themselves"),
        (lambda a, b: np.subtract(a, b).mean(), "give back both"),
    ],
    "expected-best": [
        (lambda l, k: min(l), "best of all trials"),
        (lambda l, k: min(l[:k]), "as they happened to come"),
        (lambda l, k: np.mean(l), "the mean of one trial"),
        (lambda l, k: np.median(l), "the median of one trial"),
        (lambda l, k: np.mean(sorted(l)[:k]), "k best trials"),
        (lambda l, k: sorted(l)[k - 1], "the k-th best trial"),
        (lambda l, k: _weighted(sorted(l, reverse=True), _chances(l, k)), "expected worst"),
        (lambda l, k: _weighted(sorted(l), _chances(l, k, False)), "without replacement"),
        (lambda l, k: sum(x * ((i + 1) / len(l)) ** k for i, x in enumerate(sorted(l))), "difference of two"),
        (lambda l, k: _weighted(sorted(l), _chances(l, k - 1)), "one draw too few"),
        (lambda l, k: _weighted(sorted(l), _chances(l, k + 1)), "one draw too many"),
        (lambda l, k: _weighted(l, _chances(l, k)), "were not sorted"),
        (lambda l, k: sum(x * (1 - i / len(l)) ** k for i, x in enumerate(sorted(l))), "add up to more than 1"),
        (lambda l, k: np.mean([min(l[i:i + k]) for i in range(0, len(l), k)]), "one group of k after another"),
        (lambda l, k: np.mean([min(d) for d in itertools.combinations_with_replacement(l, k)]), "counted once"),
        (lambda l, k: reference_expected_best(set(l), k), "one of them was dropped"),
        (_places_by_index, "the place of the first"),
        (lambda l, k: round(reference_expected_best(l, k), 3), "rounded to three digits"),
        (lambda l, k: np.mean([min(random.choices(l, k=k)) for _ in range(2000)]), "a simulation converges slowly"),
        (lambda l, k: sum(k / len(l) * (1 - i / len(l)) ** (k - 1) * x for i, x in enumerate(sorted(l))),
         "which chance"),
    ],
}
# Other ways to the same mistakes: they get the same hints.
VARIANTS = {
    "triangular": [
        (_triangular(lambda s, h: abs(s % (2 * h) / h - 1)), "begins at the top"),
        (_triangular(lambda s, h: math.sin(math.pi * s / (2 * h)) ** 2), "cosine wave"),
    ],
    "range-reading": [
        (lambda r, l, s: r[-1], "three steps"),
        (lambda r, l, s: r[int(np.argmin(np.gradient(_curve(l, s)))) - 1], "one place off"),
        (lambda r, l, s: r[int(np.argmin(np.gradient(_curve(l, s)))) + 1], "one place too far"),
        (lambda r, l, s: r[int(np.argmin(np.gradient(np.array(l))))], "of the raw losses"),
    ],
    "search-space": [
        (_space(lambda t: 10 ** t.suggest_int("exponent", -5, -1)), "only a few different rates"),
        (_both_faults, "log=True"),
        (lambda t: {"lr": 10 ** random.uniform(-5, -1), "optimizer": "adamw"}, "drawn without the trial"),
        (lambda t: {**reference_space(t), "optimizer": "sgd"}, "let the trial choose"),
    ],
    "real-difference": [
        (_with_half(quantile=lambda n: stats.norm.ppf(0.975)), "1.96, the normal quantile"),
        (lambda a, b: (-np.subtract(a, b).mean(), _half(a, b, ddof=0)), "the sign:"),
        (lambda a, b: (a[-1] - b[-1], _half(a, b)), "go in steps"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.95, 4)), "five seeds and one side"),
    ],
    "expected-best": [
        (_seeded, "nothing is drawn"),
        (lambda l, k: 1.0, "with which chance"),
        (lambda l, k: sum(min(c) for c in itertools.combinations(l, k)) / math.comb(len(l), k), "without replacement"),
    ],
    "halving": [
        (_halving(grow=lambda steps, eta: steps * eta ** 2), "eta times as many"),
        (_halving(keep=lambda ranked, eta: ranked[:1]), "only one round"),
        (_halving(keep=lambda ranked, eta: ranked, rounds=10**6), "sent home"),
        (_halving(grow=lambda steps, eta: steps + eta), "eta times as many"),
        (_halving(first=True, keep=lambda ranked, eta: ranked[-max(1, len(ranked) // eta):]), "largest losses"),
    ],
}
# Right answers of other types and by other ways, which pass.
DRESSES = {
    "triangular": [
        lambda s, h, low, high: np.float32(reference_triangular(s, h, low, high)),
        lambda s, h, low, high: np.array(reference_triangular(s, h, low, high)),
        lambda s, h, low, high: _single(reference_triangular(s, h, low, high)).requires_grad_(),
        lambda s, h, low, high: np.interp(s, [0, h, 2 * h], [low, high, low], period=2 * h),
        lambda s, h, low, high: low + (high - low) * min(s % (2 * h), -s % (2 * h)) / h,
    ],
    "range-reading": [
        _gradient_reading,
        _torch_reading,
        lambda r, l, s: np.array(r)[1 + np.argmin(_slopes(_curve(l, s), np.log10(r)))],
        lambda r, l, s: np.array(reference_read_range_test(r, l, s)),
    ],
    "search-space": [_exponent_space, _space_by_optimizer, lambda t: dict(reversed(reference_space(t).items()))],
    "halving": [_heap_halving, _array_halving, _recursive_halving],
    "real-difference": [
        _torch_difference,
        lambda a, b: list(reference_difference(a, b)),
        lambda a, b: np.array(reference_difference(a, b), dtype=np.float32),
        lambda a, b: [_single(x) for x in reference_difference(a, b)],
        lambda a, b: (np.subtract(a, b).mean(), stats.t.ppf(0.975, len(a) - 1) * stats.sem(np.subtract(a, b))),
    ],
    "expected-best": [
        _torch_best,
        lambda l, k: np.float32(reference_expected_best(l, k)),
        lambda l, k: np.array(reference_expected_best(l, k)),
        lambda l, k: np.mean([min(draw) for draw in itertools.product(l, repeat=k)]),
    ],
}
