"""Homework 2: implement a learning-rate schedule and evaluate what it does."""

import math
import statistics

from lmtune.grading.homework import Homework, Part

# Part 1: rates


def reference_rates(total, warmup, decay, peak, floor):
    made = []
    for step in range(total):
        if step < warmup:
            made.append(peak * (step + 1) / warmup)
        elif step < total - decay:
            made.append(peak)
        else:
            done = (step - (total - decay) + 1) / decay
            made.append(floor + (peak - floor) * (1 - math.sqrt(done)))
    return made


def truth_rates(total, warmup, decay, peak, floor, *, first=1, last=1, root=0.5, lowest=True, warm=True):
    """Three pieces put together; the options are the known mistakes."""
    floor = floor if lowest else 0.0
    up = [peak * ((k + first) / warmup if warm else 1) for k in range(warmup)]
    down = [peak - (peak - floor) * ((k + last) / decay) ** root for k in range(decay)]
    return up + [peak] * (total - warmup - decay) + down


def _rates(**mistake):
    return lambda *case: truth_rates(*case, **mistake)


def rates_inputs(rng):
    return [
        [
            rng.randint(18, 30),
            rng.randint(3, 6),
            rng.randint(4, 9),
            rng.choice([1e-3, 3e-3, 5e-4]),
            rng.choice([1e-5, 2e-5, 5e-5]),
        ]
        for _ in range(5)
    ]


RATES = Part(
    id="rates",
    level="core",
    minutes=15,
    aim="Write a schedule with warm-up, a long plateau and a short decay.",
    stub='''\
def rates(total, warmup, decay, peak, floor):
    """The learning rate of each of `total` updates, a list.

    The first `warmup` rates rise in equal steps and the last of these is `peak` (the
    first is peak / warmup, not 0).  The last `decay` rates fall: when a share s of the
    decay is done, counting the present update, the rate is
    floor + (peak - floor) * (1 - sqrt(s)), so the very last rate is `floor`.
    All between are `peak`.
    """
    ...  # your code here
''',
    hints=(
        "Write the three pieces apart and join them.",
        "How many updates of the decay are done, counting the present one? For the first of them it is one.",
        "s = k / decay for k from 1 to decay.",
    ),
    inputs=rates_inputs,
    truth=truth_rates,
    reference=reference_rates,
    mistakes=[
        (_rates(first=0), "the first rate is 0, so the first update changes nothing: begin with peak / warmup"),
        (_rates(last=0), "the decay ends above floor: count the present update, so that s is 1 at the last one"),
        (_rates(root=1), "the decay is a straight line: take the square root of the share that is done"),
        (_rates(lowest=False), "the decay ends at 0: it must end at floor"),
        (_rates(warm=False), "there is no warm-up: the first rates must rise to peak"),
    ],
)


# Part 2: updates


def reference_updates(examples, batch_size, accumulate, epochs):
    micro_batches = math.ceil(examples / batch_size)
    return epochs * math.ceil(micro_batches / accumulate)


def truth_updates(examples, batch_size, accumulate, epochs):
    """Counted by walking through the epochs."""
    made = 0
    for _ in range(epochs):
        waiting = 0
        for _ in range(0, examples, batch_size):
            waiting += 1
            if waiting == accumulate:
                made, waiting = made + 1, 0
        made += waiting > 0
    return made


def updates_inputs(rng):
    return [
        [rng.randint(90, 140), rng.choice([4, 7, 8]), rng.choice([2, 3, 4]), rng.randint(2, 5)] for _ in range(5)
    ] + [[10, 4, 2, 3]]


UPDATES = Part(
    id="updates",
    level="warm-up",
    minutes=8,
    aim="Know how many updates a run makes, before a schedule is stretched over them.",
    stub='''\
def updates(examples, batch_size, accumulate, epochs):
    """How many times a run changes the weights, a whole number.

    Each epoch goes through all examples in micro-batches of batch_size, the last of
    which may be smaller.  After `accumulate` micro-batches comes an update; what is left
    at the end of an epoch makes one more update, and nothing is carried over.
    """
    ...  # your code here
''',
    hints=(
        "Count the micro-batches of one epoch first; a smaller last one counts too.",
        "Then the updates of one epoch, where a smaller last group counts too.",
        "math.ceil, twice, and times epochs.",
    ),
    inputs=updates_inputs,
    truth=truth_updates,
    reference=reference_updates,
    mistakes=[
        (
            lambda n, b, a, e: e * math.ceil(n / b),
            "every micro-batch was taken for an update: one comes after `accumulate` of them",
        ),
        (
            lambda n, b, a, e: e * (math.ceil(n / b) // a),
            "the micro-batches left at the end of an epoch make an update too",
        ),
        (
            lambda n, b, a, e: e * (n // b // a),
            "what does not fill a micro-batch or a group was dropped: it makes an update too",
        ),
        (
            lambda n, b, a, e: math.ceil(e * math.ceil(n / b) / a),
            "micro-batches were carried over into the next epoch: each epoch ends with an update",
        ),
        (lambda n, b, a, e: math.ceil(n / b / a), "that is one epoch: multiply by the number of epochs"),
    ],
)


# Part 3: paired_difference


def reference_paired_difference(a, b, t):
    differences = [x - y for x, y in zip(a, b)]
    mean = sum(differences) / len(differences)
    variance = sum((d - mean) ** 2 for d in differences) / (len(differences) - 1)
    return [mean, t * math.sqrt(variance / len(differences))]


def truth_paired(a, b, t):
    differences = [x - y for x, y in zip(a, b)]
    return [statistics.fmean(differences), t * statistics.stdev(differences) / len(differences) ** 0.5]


def _unpaired(a, b, t):
    n = len(a)
    return [
        statistics.fmean(a) - statistics.fmean(b),
        t * ((statistics.variance(a) + statistics.variance(b)) / n) ** 0.5,
    ]


def paired_inputs(rng):
    drawn = []
    for _ in range(4):
        base = [3 + rng.gauss(0, 0.3) for _ in range(rng.randint(4, 7))]
        drawn.append(
            [
                [round(x + rng.gauss(0.1, 0.05), 4) for x in base],
                [round(x, 4) for x in base],
                round(rng.uniform(2.2, 3.2), 3),
            ]
        )
    return drawn


PAIRED = Part(
    id="paired-difference",
    level="challenge",
    minutes=15,
    aim="Say by how much two schedules differ, and how sure that is.",
    stub='''\
def paired_difference(a, b, t):
    """The mean of a - b and the half-width of its 95% interval, a list of two numbers.

    a, b: final losses of two schedules; a[i] and b[i] come from the same seed, so each
    seed gives one difference.  The half-width is t * s / sqrt(n), with s the standard
    deviation of the n differences (divided by n - 1) and t given.
    """
    ...  # your code here
''',
    hints=(
        "What do two runs with the same seed have in common, and where does it cancel?",
        "Make the list of differences first, and forget a and b then.",
        "statistics.stdev divides by n - 1; divide once more by sqrt(n).",
    ),
    inputs=paired_inputs,
    truth=truth_paired,
    reference=reference_paired_difference,
    mistakes=[
        (_unpaired, "the spreads of a and b were added up: seeds are shared, so take the spread of the differences"),
        (
            lambda a, b, t: [truth_paired(a, b, t)[0], truth_paired(a, b, t)[1] * ((len(a) - 1) / len(a)) ** 0.5],
            "the standard deviation was divided by n: with few seeds divide by n - 1",
        ),
        (
            lambda a, b, t: [truth_paired(a, b, t)[0], truth_paired(a, b, t)[1] * len(a) ** 0.5],
            "that is the spread of one difference: the mean of n is surer by sqrt(n)",
        ),
        (lambda a, b, t: [-truth_paired(a, b, t)[0], truth_paired(a, b, t)[1]], "the sign is turned round: take a - b"),
        (lambda a, b, t: [truth_paired(a, b, t)[0], truth_paired(a, b, t)[1] / t], "the factor t is missing"),
    ],
)

HOMEWORK = Homework(
    name="schedule",
    title="A learning-rate schedule, and what it does",
    parts=[RATES, UPDATES, PAIRED],
    question="Compare your schedule with a constant rate from the runs that you made. Is the difference larger than its "
    "half-width? Say what you would conclude if it were not, and which comparison would be unfair.",
    rubric=[
        (2, "gives the difference and its half-width from the own runs, and on which text"),
        (2, "concludes rightly: not larger than the half-width means not shown, not that they are equal"),
        (2, "names an unfair comparison: other peak rates searched, other numbers of updates, or chosen seeds"),
    ],
)
