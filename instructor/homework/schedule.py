"""Homework 2: a schedule against a constant rate, each at a rate that a search has found for it."""

import math
import statistics

import numpy as np

from lmtune.grading.homework import Homework, Part

# Part 1: next_rates


def reference_next_rates(runs, ratio):
    losses = {}
    for rate, loss in runs:
        losses.setdefault(rate, []).append(math.inf if loss is None else loss)
    means = {rate: sum(found) / len(found) for rate, found in losses.items()}
    best = min(sorted(means), key=means.get)
    if means[best] == math.inf:
        return [best / ratio]
    return [near for near in (best / ratio, best * ratio) if all(abs(near / rate - 1) > 0.01 for rate in means)]


def _known(rates, wanted, close=0.01):
    return any(abs(rate / wanted - 1) < close for rate in rates)


def truth_next_rates(
    runs, ratio, *, mean=statistics.fmean, lost="never", tie=min, near=None, close=0.01, skip=True, none=None
):
    """The neighbours of the best rate that were not run; the options are the known mistakes."""
    table = {}
    for rate, loss in runs:
        table.setdefault(rate, []).append(loss)
    if lost == "never":
        scores = {rate: mean(found) for rate, found in table.items() if None not in found}
    elif lost == "left out":
        kept = {rate: [x for x in found if x is not None] for rate, found in table.items()}
        scores = {rate: mean(found) for rate, found in kept.items() if found}
    else:  # the number that a diverged run was taken for
        scores = {rate: mean([lost if x is None else x for x in found]) for rate, found in table.items()}
    if not scores:
        return (none or (lambda rates: [min(rates) / ratio]))(table)
    best = tie(rate for rate in scores if scores[rate] == min(scores.values()))
    around = (near or (lambda best, rates: [best / ratio, best * ratio]))(best, sorted(table))
    ran = list(table) if skip is True else [rate for rate in table if skip != "good" or rate in scores]
    return [rate for rate in sorted(around) if skip is False or not _known(ran, rate, close)]


def _next(**mistake):
    return lambda *case: truth_next_rates(*case, **mistake)


def _worst(runs, ratio):
    return truth_next_rates([[rate, None if loss is None else -loss] for rate, loss in runs], ratio)


def _beyond(runs, ratio):
    """Beyond the list alone, and only where its end is the best."""
    ends = [min(rate for rate, _ in runs), max(rate for rate, _ in runs)]
    return [rate for rate in truth_next_rates(runs, ratio, skip=False) if not ends[0] * 0.99 < rate < ends[1] * 1.01]


def _stretched(runs, ratio):
    rates = [rate for rate, _ in runs]
    return [min(rates) / ratio, max(rates) * ratio] if truth_next_rates(runs, ratio) else []


def _step(best, rates):
    """The distance between two rates of the list that stand side by side."""
    at = rates.index(best)
    other = rates[at - 1] if at else rates[1]
    return [best - abs(best - other) / 2, best + abs(best - other)]


def next_rates_inputs(rng):
    """Lists whose best is at either end, inside, beside a gap, beside a diverged rate, or shared; and no best."""
    ratio, first = rng.choice([2, 3, 10**0.5]), rng.choice([1e-4, 2.5e-4, 3e-5])
    rates = [first * ratio**k for k in range(6)]
    rates[3:] = [float(f"{rate * rng.uniform(0.997, 1.003):.4g}") for rate in rates[3:]]  # as somebody typed them

    def runs(curve, lost=()):
        """Two seeds for each rate; ``lost`` are the rates of which one diverged."""
        made = []
        for k, loss in curve.items():
            apart = round(rng.uniform(0.05, 0.3), 3)
            made += [[rates[k], round(loss - apart, 3)], [rates[k], None if k in lost else round(loss + apart, 3)]]
        rng.shuffle(made)
        return made

    low = round(rng.uniform(2.5, 3.0), 3)
    return [
        [runs({0: low, 1: low + 0.4, 2: low + 0.5}), ratio],
        [runs({1: low + 0.9, 2: low + 0.5, 3: low}), ratio],
        [runs({0: low + 0.4, 1: low, 2: low + 0.7}), ratio],
        [runs({0: low + 0.5, 2: low, 4: low + 0.4, 5: low + 0.6}), ratio],
        [runs({1: low + 0.4, 2: low + 0.2, 3: low}, lost=[3]), ratio],
        [runs({1: low + 0.7, 2: low + 0.4, 3: low + 0.2, 4: low - 0.4}, lost=[4]), ratio],
        [[[rates[1], low + 0.5], [rates[4], low], [rates[2], low], [rates[3], low + 0.1]], ratio],
        [[[rates[3], None], [rates[2], None], [rates[4], None]], ratio],
        [runs({1: low, 2: low + 0.3, 3: low + 0.6}, lost=[3]), ratio],
        [[[rates[2], low - 0.3], [rates[1], low + 0.2], [rates[1], low + 0.3], [rates[2], low + 0.9]], ratio],
        [[[rates[1], low], [rates[2], low + 0.35], [rates[2], low + 0.4], [rates[1], low + 0.5]], ratio],
    ]


NEXT_RATES = Part(
    id="next-rates",
    level="core",
    minutes=18,
    aim="Widen a list of rates until its best lies inside, so that no arm is judged at the edge of what was tried.",
    stub='''\
def next_rates(runs, ratio):
    """The rates to run next, in rising order; an empty list where the search is done.

    runs: a pair [rate, loss] for each run, in any order; a rate may have several, one for
    each seed, and loss is None where a run diverged.  The best rate has the least mean
    loss; of equal means, the smaller rate.  A rate of which a run diverged cannot be best.
    To be run are rate / ratio and rate * ratio of the best, as far as they were not: a
    rate counts as run when it is within 1 % of one in runs, diverged or not.  Where no rate
    can be best, the least one divided by ratio is to be run.
    """
    ...  # your code here
''',
    hints=(
        "Three steps: one loss for each rate, the best rate, and which of its two neighbours are missing.",
        "Collect the losses of each rate in a dictionary; put math.inf where a run diverged, and its mean is inf too.",
        "Rates are floats, so never ask whether two are equal: abs(a / b - 1) <= 0.01.",
    ),
    inputs=next_rates_inputs,
    truth=truth_next_rates,
    reference=reference_next_rates,
    gives="a list of rates",
    mistakes=[
        (
            _next(mean=min),
            "the best rate is that of the single least loss, one lucky seed: take the mean over the seeds",
        ),
        (_next(mean=max), "the best rate is that whose worst seed is best: take the mean over the seeds"),
        (
            _next(mean=lambda found: found[-1]),
            "only the last run of each rate was looked at: take the mean over the seeds",
        ),
        (
            _next(lost="left out"),
            "the seeds that diverged were left out of the mean: a rate of which a run diverged cannot be best",
        ),
        (_next(lost=0.0), "a diverged run was taken for a loss of 0, the best of all: such a rate cannot be best"),
        (_next(tie=max), "of equal means the larger rate was taken: take the smaller"),
        (_worst, "the rate with the greatest loss was taken: the least loss is the best"),
        (
            _beyond,
            "only what lies beyond the ends of the list was looked at: where the list has a gap beside the best, "
            "that neighbour is missing as well",
        ),
        (_stretched, "the list was stretched at both ends: what is missing are the neighbours of the best rate"),
        (_next(skip=False), "both neighbours were given although some were run: leave out those"),
        (
            _next(close=1e-9),
            "a rate that was run is asked for again because it differs in its last digits: within 1 % is the same",
        ),
        (_next(skip="good"), "a neighbour that diverged is asked for again: it was run, and we know how it ended"),
        (_next(near=_step), "the steps are differences: divide and multiply by ratio"),
        (lambda *case: truth_next_rates(*case)[::-1], "the rates stand in falling order: give the smaller first"),
        (lambda *case: truth_next_rates(*case)[-1:], "one neighbour is given at most: the best rate may lack both"),
        (_next(none=lambda rates: []), "all rates diverged, and the search ended: go on below the least one"),
        (
            _next(none=lambda rates: sorted(rates)[:1]),
            "all rates diverged, and one of them is asked for again: go below",
        ),
    ],
)


# Part 2: random_settings


def reference_random_settings(draws, low, high, most, budget):
    kept = []
    for u, v in draws:
        peak, warmup = low * (high / low) ** u, math.floor(v * (most + 1))
        new = all(warmup != w or max(peak / p, p / peak) >= 1.1 for p, w in kept)
        if new and len(kept) < budget:
            kept.append([peak, warmup])
    return kept


def truth_settings(
    draws, low, high, most, budget, *, peak=None, warmup=None, same="both", against="kept", counted="kept", extra=0
):
    """Settings drawn one after another; the options are the known mistakes."""
    rise = math.log(high) - math.log(low)
    peak = peak or (lambda u: math.exp(math.log(low) + u * rise))
    warmup = warmup or (lambda v: int(v * (most + 1)))
    kept, seen = [], []
    for u, v in draws[: budget if counted == "draws" else None]:
        if len(kept) == budget + extra:
            break
        one = [peak(u), warmup(v)]
        others = {"kept": kept, "all": seen, "last": kept[-1:], "none": []}[against]
        close = [abs(math.log(one[0] / other[0])) < math.log(1.1) for other in others]
        alike = [one[1] == other[1] for other in others]
        again = {"both": [a and b for a, b in zip(close, alike)], "peak": close, "warmup": alike}[same]
        seen.append(one)
        if not any(again):
            kept.append(one)
    return kept


def _drawn(**mistake):
    return lambda *case: truth_settings(*case, **mistake)


def _warm(value):
    """A mistake in the warm-up, from the draw and the most."""
    return lambda draws, low, high, most, budget: truth_settings(
        draws, low, high, most, budget, warmup=lambda v: value(v, most)
    )


def _peak(value):
    return lambda draws, low, high, most, budget: truth_settings(
        draws, low, high, most, budget, peak=lambda u: value(u, low, high)
    )


def settings_inputs(rng):
    """Among the draws three of one warm-up whose peaks lie side by side: the second is too near, the third is not."""
    drawn = []
    while len(drawn) < 4:
        most, budget = rng.randint(3, 6), rng.randint(6, 8)
        low, high = rng.choice([1e-5, 3e-5, 1e-4]), rng.choice([3e-3, 1e-2])
        near = math.log(1.1) / math.log(high / low)  # peaks of draws nearer than this differ by less than 1.1

        def value(most=most):
            return (rng.randrange(most + 1) + rng.uniform(0.1, 0.9)) / (most + 1)

        draws = [[rng.random(), value()] for _ in range(13)]
        for at in (0, 5):
            u, v = rng.uniform(0.05, 0.85), value()
            draws[at], draws[at + 2], draws[at + 4] = [u, v], [u + 0.6 * near, v], [u + 1.3 * near, v]
        draws[7] = [draws[6][0] + 0.4 * near, draws[6][1]]  # nearly the one before
        draws[8] = [draws[1][0] + 0.5 * near, value()]  # the peak of an earlier one, and maybe another warm-up
        draws = [[round(u, 4), round(v, 4)] for u, v in draws]
        apart = [abs(a[0] - b[0]) / near for i, a in enumerate(draws) for b in draws[:i]]
        if all(abs(x - 1) > 1e-2 for x in apart):  # rounding decides nothing
            drawn.append([draws, low, high, most, budget])
    return drawn


RANDOM_SETTINGS = Part(
    id="random-settings",
    level="core",
    minutes=15,
    aim="Draw a random search over a rate and a warm-up, waste no run on a repetition, and keep a budget.",
    stub='''\
def random_settings(draws, low, high, most, budget):
    """At most `budget` settings, each a list [peak, warmup], in the order of the draws.

    draws: pairs [u, v] of numbers from 0 up to but not including 1.  u gives the peak, drawn
    log-uniformly from low to high: equal steps of u multiply it by equal factors.  v gives
    the warm-up, one of the whole numbers 0, 1, ..., most, each equally likely; u and v rise
    with what they give.  A draw is skipped when a setting kept before has the same warm-up
    and a peak that differs by a factor of less than 1.1.  Skipped draws cost nothing.
    """
    ...  # your code here
''',
    hints=(
        "Write down what u = 0, u = 0.5 and u = 1 must give: low, the square root of low * high, and high.",
        "There are most + 1 warm-ups, so cut the line from 0 to 1 into most + 1 equal pieces.",
        "low * (high / low) ** u and int(v * (most + 1)); compare each draw with all that were kept.",
    ),
    inputs=settings_inputs,
    truth=truth_settings,
    reference=reference_random_settings,
    gives="a list of settings, each [peak, warmup]",
    mistakes=[
        (
            _peak(lambda u, low, high: low + u * (high - low)),
            "the peaks are drawn evenly, nearly all near high: log-uniform",
        ),
        (
            _peak(lambda u, low, high: low * high**u),
            "the peak for u = 1 is low * high: the whole factor from low is high / low",
        ),
        (_peak(lambda u, low, high: high * (low / high) ** u), "the peak falls as u rises: it goes from low to high"),
        (
            _peak(lambda u, low, high: 10 ** math.floor(math.log10(low) + u * math.log10(high / low))),
            "the exponent was cut to a whole number: peaks between the powers of ten never come",
        ),
        (_warm(lambda v, most: int(v * most)), "a warm-up of `most` never comes: there are most + 1 values"),
        (
            _warm(lambda v, most: round(v * most)),
            "rounding makes 0 and `most` half as likely as the others: cut instead",
        ),
        (_warm(lambda v, most: 1 + int(v * most)), "a warm-up of 0 never comes: there are most + 1 values from 0"),
        (_warm(lambda v, most: v * most), "the warm-up is no whole number: it counts updates"),
        (
            _drawn(against="none"),
            "nothing was skipped: a draw nearly like a setting kept before costs a run for nothing",
        ),
        (_drawn(same="peak"), "a draw was skipped for its peak although its warm-up is another: both must be alike"),
        (_drawn(same="warmup"), "a draw was skipped for its warm-up although its peak is another: both must be alike"),
        (
            _drawn(against="last"),
            "each draw was compared with the last setting alone: compare it with all that were kept",
        ),
        (
            _drawn(against="all"),
            "a draw was skipped for being like one that was skipped itself: compare it with those kept",
        ),
        (_drawn(counted="draws"), "skipped draws were counted as well: go on until `budget` settings are kept"),
        (_drawn(extra=1), "one setting too many: stop when there are `budget`"),
        (lambda *case: sorted(truth_settings(*case)), "the settings were sorted: keep the order of the draws"),
        (lambda *case: [s[::-1] for s in truth_settings(*case)], "the two are the wrong way round: [peak, warmup]"),
    ],
)


# Part 3: paired_seeds


def reference_paired_seeds(a, b, quantiles):
    first, second = dict(map(tuple, a)), dict(map(tuple, b))
    shared = [s for s in first if first[s] is not None and second.get(s) is not None]
    differences = [first[s] - second[s] for s in shared]
    n = len(shared)
    spread = statistics.stdev(differences)
    return [sum(differences) / n, quantiles[n - 2] * spread / math.sqrt(n), n, len({*first, *second}) - n]


def _latest(runs):
    table = {}
    for seed, loss in runs:
        table[seed] = loss
    return table


def _earliest(runs):
    return _latest(runs[::-1])


def _averaged(runs):
    table = {}
    for seed, loss in runs:
        table.setdefault(seed, []).append(loss)
    return {s: None if None in found else statistics.fmean(found) for s, found in table.items()}


def _rescued(runs):
    """The latest run that did not diverge."""
    return _latest([run for run in runs if run[1] is not None])


def _zero(runs):
    return {seed: loss or 0.0 for seed, loss in _latest(runs).items()}


def truth_paired(a, b, quantiles, *, table=_latest, spread=None, degrees=None, left=None, mean=None):
    """From the two tables of seeds; the options are the known mistakes."""
    one, two = table(a), table(b)
    pairs = [(one[s], two[s]) for s in sorted({*one} & {*two}) if None not in (one[s], two[s])]
    d, n = [x - y for x, y in pairs], len(pairs)
    half = (spread or (lambda pairs, d: statistics.stdev(d)))(pairs, d) / n**0.5
    t = quantiles[(degrees or (lambda n, a, b: n - 1))(n, a, b) - 1]
    missing = (left or (lambda one, two, n: len({*one, *two}) - n))(one, two, n)
    return [statistics.fmean(d) if mean is None else mean(a, b), t * half, n, missing]


def _pairs(**mistake):
    return lambda *case: truth_paired(*case, **mistake)


def _in_places(key):
    """Pairs of what stands at the same place, after each list was put in an order of its own."""

    def wrong(a, b, quantiles):
        lists = [sorted((run for run in runs if run[1] is not None), key=key) for runs in (a, b)]
        rows = list(zip(*lists))
        one, two = ([[i, row[k][1]] for i, row in enumerate(rows)] for k in (0, 1))
        return [*truth_paired(one, two, quantiles)[:3], truth_paired(a, b, quantiles)[3]]

    return wrong


def _means_apart(a, b):
    one, two = ([x for x in _latest(runs).values() if x is not None] for runs in (a, b))
    return statistics.fmean(one) - statistics.fmean(two)


def _unpaired(pairs, d):
    return sum(statistics.variance(side) for side in zip(*pairs)) ** 0.5


def paired_inputs(rng):
    drawn = []
    quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179]
    for _ in range(4):
        seeds = rng.sample(range(20), 10)
        luck = {s: rng.gauss(3, 0.3) for s in seeds}
        a = [[s, round(luck[s] + rng.gauss(0.15, 0.06), 4)] for s in seeds[:8]]
        b = [[s, round(luck[s] + rng.gauss(0, 0.06), 4)] for s in seeds[1:10]]
        rng.shuffle(a)
        rng.shuffle(b)
        b[rng.randrange(3)][1] = None
        again = rng.sample(a[:4], 2)  # two seeds were run once more, and one of these diverged
        a += [[again[0][0], round(again[0][1] + rng.uniform(0.2, 0.4), 4)], [again[1][0], None]]
        drawn.append([a, b, quantiles])
    return drawn


PAIRED_SEEDS = Part(
    id="paired-seeds",
    level="challenge",
    minutes=20,
    aim="Compare two arms from the log of a search as it is: seeds in no order, some missing, some run again.",
    stub='''\
def paired_seeds(a, b, quantiles):
    """A list of four numbers: mean, half-width, pairs, left over.

    a, b: the runs of two arms in the order in which they were made, each a pair
    [seed, loss], loss None where the run diverged.  A seed that was run again counts with
    its last run.  A pair is a seed with a loss in both arms; it gives the difference a - b.
    mean: of these n differences.  half-width: of their 95 % interval, t * s / sqrt(n), with s
    their standard deviation (dividing by n - 1) and t for n - 1 degrees of freedom;
    quantiles[0] is t for 1 degree of freedom, quantiles[1] for 2, and so on.  left over: how
    many seeds occur in a or b and make no pair.
    """
    ...  # your code here
''',
    hints=(
        "Turn each log into a dictionary from seed to loss first; what happens to a seed that comes twice?",
        "The seeds to compare are those of both dictionaries, without those whose loss is None in either.",
        "dict(a) keeps the last run; n - 1 degrees of freedom stand at quantiles[n - 2].",
    ),
    inputs=paired_inputs,
    truth=truth_paired,
    reference=reference_paired_seeds,
    gives="a list of four numbers: mean, half-width, pairs, left over",
    mistakes=[
        (_in_places(lambda run: 0), "runs were paired by their place in the lists: pair those with the same seed"),
        (_in_places(lambda run: run[1]), "the losses were sorted before pairing: pair those with the same seed"),
        (
            _pairs(mean=_means_apart),
            "the mean is of all runs of a less that of all runs of b: take it over the pairs alone",
        ),
        (_pairs(spread=_unpaired), "the spreads of a and b were added up: take the spread of the differences"),
        (
            _pairs(spread=lambda pairs, d: statistics.pstdev(d)),
            "the standard deviation was divided by n: with few seeds divide by n - 1",
        ),
        (
            _pairs(spread=lambda pairs, d: statistics.stdev(d) * len(d) ** 0.5),
            "that is the spread of one difference: the mean of n is surer by sqrt(n)",
        ),
        (_pairs(spread=lambda pairs, d: statistics.stdev(d) / len(d) ** 0.5), "divided by n where sqrt(n) belongs"),
        (_pairs(degrees=lambda n, a, b: n), "t was read one place too far: n pairs have n - 1 degrees of freedom"),
        (
            _pairs(degrees=lambda n, a, b: n - 2),
            "t was read one place too early: quantiles[0] is for 1 degree of freedom",
        ),
        (
            _pairs(degrees=lambda n, a, b: len(a) - 1),
            "t was taken for as many degrees of freedom as a has runs: count the pairs",
        ),
        (lambda *case: [-truth_paired(*case)[0], *truth_paired(*case)[1:]], "the sign is turned round: take a - b"),
        (_pairs(table=_earliest), "a seed that was run again counted with its first run: the last one replaces it"),
        (_pairs(table=_averaged), "the runs of one seed were averaged: the last one replaces those before"),
        (
            _pairs(table=_rescued),
            "a run that diverged was overlooked for an earlier one of its seed: the last run counts",
        ),
        (_pairs(table=_zero), "a diverged run was taken for a loss of 0: it makes no pair"),
        (
            _pairs(left=lambda one, two, n: len(one) - n),
            "left over were counted in a alone: b has seeds without a partner too",
        ),
        (
            _pairs(left=lambda one, two, n: len({*one} ^ {*two})),
            "a seed that diverged makes no pair either: count it among those left over",
        ),
        (
            _pairs(left=lambda one, two, n: len(one) + len(two) - 2 * n),
            "a seed that both arms have and that diverged in one was counted twice: count seeds, not runs",
        ),
    ],
)

#: Other forms of the mistakes, and right answers in another dress.
VARIANTS = {
    "random-settings": [(_warm(lambda v, most: math.floor(v * most)), "a warm-up of `most` never comes")],
    "paired-seeds": [(_pairs(spread=lambda pairs, d: float(np.std(d))), "divided by n: with few seeds")],
}
DRESSES = {
    "next-rates": [
        lambda *case: tuple(reference_next_rates(*case)),
        lambda *case: np.array(reference_next_rates(*case), dtype=np.float32),
        lambda *case: [np.float64(rate) for rate in reference_next_rates(*case)],
    ],
    "random-settings": [
        lambda *case: [tuple(one) for one in reference_random_settings(*case)],
        lambda *case: np.array(reference_random_settings(*case)),
        lambda draws, low, high, most, budget: truth_settings(
            draws, low, high, most, budget, peak=lambda u: 10 ** (math.log10(low) * (1 - u) + math.log10(high) * u)
        ),
    ],
    "paired-seeds": [
        lambda *case: np.array(reference_paired_seeds(*case)),
        lambda *case: tuple(reference_paired_seeds(*case)),
        _pairs(spread=lambda pairs, d: np.std(d, ddof=1)),
    ],
}

HOMEWORK = Homework(
    name="schedule",
    title="Warm-up and decay against a constant rate, each at its best",
    parts=[NEXT_RATES, RANDOM_SETTINGS, PAIRED_SEEDS],
    question="At your colleague's rate, which arm won and by how much? Say what became of this difference when each arm "
    "had a rate of its own, what searching the warm-up as well added for the same number of runs, and which of the "
    "three comparisons you would show to your team.",
    rubric=[
        (
            2,
            "gives the difference with its half-width at the colleague's rate and at the tuned rates, from the own runs",
        ),
        (
            2,
            "explains the change: one rate suits one arm, and a decay spends less on the same peak; not resolved is not "
            "called equal",
        ),
        (
            2,
            "reads the random search at equal cost, on the text that chose nothing, and says what was not varied: the "
            "model, the number of updates, the documents",
        ),
    ],
)
