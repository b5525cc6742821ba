"""Reference answers and planted mistakes for the exercises of "hyperparameter tuning"."""
import math

import numpy as np
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
        (_triangular(lambda s, h: _up(s, h / 2)), "too short"),
        (_triangular(lambda s, h: s % h / h), "saw-tooth"),
        (_triangular(lambda s, h: s % (2 * h) / (2 * h)), "climbs for the whole cycle"),
        (_triangular(lambda s, h: s / h), "goes on rising"),
        (_triangular(lambda s, h: max(0, 1 - abs(s / h - 1))), "only the first cycle"),
        (_triangular(lambda s, h: 0.5 - 0.5 * math.cos(math.pi * s / h)), "cosine wave"),
        (lambda s, h, low, high: low * (high / low) ** _up(s, h), "straight in the logarithm"),
        (_triangular(lambda s, h: _up(s + 1, h)), "one update ahead"),
        (lambda s, h, low, high: 0.3, "by hand"),
    ],
    "range-reading": [
        (lambda r, l, s: r.index(reference_read_range_test(r, l, s)), "position in the list"),
        (lambda r, l, s: r[int(np.argmin(l))], "raw loss is least"),
        (lambda r, l, s: r[int(np.argmin(np.diff(_curve(l, s))))], "neighbour after it alone"),
        (lambda r, l, s: r[1 + int(np.argmin(np.diff(_curve(l, s))))], "neighbour before it alone"),
        (lambda r, l, s: r[int(np.argmin(_curve(l, s)))], "smoothed loss is least"),
        (lambda r, l, s: r[int(np.argmin(_curve(l, s)))] / 10, "minimum over ten"),
        (lambda r, l, s: _at_steepest(r, np.array(l)), "of the raw losses"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s), r), "against the rate itself"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s), choose=np.argmax), "rises fastest"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s), choose=lambda d: np.argmin(abs(d))), "changes least"),
        (lambda r, l, s: _at_steepest(r, _curve(l, s, False)), "not corrected for its start"),
        (lambda r, l, s: _at_steepest(r, _curve(l, 1 - s)), "weight of the past"),
        (lambda r, l, s: r[r.index(reference_read_range_test(r, l, s)) - 1], "one place off"),
        (lambda r, l, s: r[-1], "three steps"),
        (lambda r, l, s: 0.5, "one of the rates of the test"),
    ],
    "search-space": [
        (_space(lambda t: t.suggest_float("lr", 1e-5, 1e-1)), "log=True"),
        (_space(lambda t: 10 ** t.suggest_float("lr", 1e-5, 1e-1, log=True)), "an exponent was taken twice"),
        (_space(lambda t: t.suggest_float("lr", 1e-4, 1e-2, log=True)), "too narrow"),
        (_space(lambda t: 10 ** -(1 + 4 * t.suggest_float("x", 0, 1) ** 2)), "as likely as the next"),
        (_space(lambda t: str(t.suggest_float("lr", 1e-5, 1e-1, log=True))), "trial.suggest_float"),
        (_momentum_always, "adamw has no momentum"),
        (_momentum_drawn_always, "ask inside the if"),
        (_one_optimizer, "let the trial choose"),
        (_without("momentum"), "with sgd the momentum"),
        (_without("lr"), "every trial needs lr"),
        (_without("optimizer"), "every trial needs optimizer"),
        (_space(high=1.5), "leaves its range"),
        (_space(low=0.9, high=0.91), "hardly varies"),
        (lambda t: tuple(reference_space(t).values()), "one dict"),
    ],
    "halving": [
        (_all_at_length, "in the first round every setting"),
        (_halving(rounds=1), "there is only one round"),
        (_halving(grow=lambda steps, eta: steps), "as long as the first"),
        (_halving(grow=lambda steps, eta: steps + 1), "eta times as many"),
        (_halving(keep=lambda ranked, eta: ranked, rounds=4), "sent home"),
        (_halving(keep=lambda ranked, eta: ranked[-max(1, len(ranked) // eta):]), "largest losses"),
        (_halving(keep=lambda ranked, eta: ranked[:len(ranked) - len(ranked) // eta][:5], rounds=3), "at least one"),
        (_halving(first=True), "the latest round"),
        (_halving(keep=lambda ranked, eta: ranked[:len(ranked) // eta]), "stopped with an error"),
        (_one_round_more, "and no longer"),
        (_twice, "made twice"),
        (_halving(back=lambda alive, losses: losses[alive[0]]), "the setting itself"),
        (_halving(back=lambda alive, losses: max(losses, key=losses.get)), "another setting was given back"),
        (_no_round, "never called"),
    ],
    "real-difference": [
        (lambda a, b: (-np.subtract(a, b).mean(), _half(a, b)), "the sign"),
        (_with_half(quantile=lambda n: 1.96), "1.96 is for many seeds"),
        (_with_half(quantile=lambda n: 2.776), "t for five seeds"),
        (_with_half(quantile=lambda n: stats.norm.ppf(0.975)), "the normal quantile"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.95, n - 1)), "on one side"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.975, n)), "n - 1 degrees"),
        (_with_half(ddof=0), "divided by n: for a sample"),
        (_with_half(quantile=lambda n: stats.t.ppf(0.975, n - 1) * math.sqrt(n)), "spread of single"),
        (_with_half(root=False), "should be sqrt(n)"),
        (_with_half(quantile=lambda n: 1.0), "standard error"),
        (lambda a, b: _unpaired(a, b, len(a) - 1), "taken as unrelated"),
        (_unpaired, "two unrelated groups"),
        (lambda a, b: tuple(stats.ttest_rel(a, b).confidence_interval(0.95)), "the two ends"),
        (lambda a, b: (np.median(np.subtract(a, b)), _half(a, b)), "median is not the mean"),
        (lambda a, b: (np.subtract(a, b).mean(), 0.5), "go in steps"),
        (lambda a, b: (a[-1] - b[-1], _half(a, b)), "the mean is off already"),
        (lambda a, b: np.subtract(a, b).mean(), "give both back"),
    ],
    "expected-best": [
        (lambda l, k: min(l), "best of all trials"),
        (lambda l, k: min(l[:k]), "as they happened to come"),
        (lambda l, k: np.mean(l), "the mean of one trial"),
        (lambda l, k: np.median(l), "the median of one trial"),
        (lambda l, k: np.mean(sorted(l)[:k]), "k best trials"),
        (lambda l, k: _weighted(sorted(l, reverse=True), _chances(l, k)), "expected worst"),
        (lambda l, k: _weighted(sorted(l), _chances(l, k, False)), "without replacement"),
        (lambda l, k: sum(x * ((i + 1) / len(l)) ** k for i, x in enumerate(sorted(l))), "difference of two"),
        (lambda l, k: _weighted(sorted(l), _chances(l, k - 1)), "one draw too few"),
        (lambda l, k: _weighted(sorted(l), _chances(l, k + 1)), "one draw too many"),
        (lambda l, k: _weighted(l, _chances(l, k)), "were not sorted"),
        (lambda l, k: round(reference_expected_best(l, k), 3), "a simulation converges slowly"),
        (lambda l, k: 1.0, "with which chance"),
    ],
}
# Other ways to the same mistakes: they get the same hints.
VARIANTS = {
    "triangular": [
        (_triangular(lambda s, h: abs(s % (2 * h) / h - 1)), "begins at the top"),
        (_triangular(lambda s, h: math.sin(math.pi * s / (2 * h)) ** 2), "cosine wave"),
    ],
    "halving": [
        (_halving(grow=lambda steps, eta: steps * eta ** 2), "eta times as many"),
        (_halving(keep=lambda ranked, eta: ranked[:1]), "only one round"),
    ],
}
