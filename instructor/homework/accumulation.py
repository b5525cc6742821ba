"""Homework 4: large batches on little memory."""

import math

from lmtune.grading.homework import Homework, Part

# Part 1: accumulated


def reference_accumulated(w, micro_batches):
    examples = sum(len(batch) for batch in micro_batches)
    gradient = [0.0] * len(w)
    for batch in micro_batches:
        for x, y in batch:
            error = sum(a * b for a, b in zip(w, x)) - y
            for i in range(len(w)):
                gradient[i] += 2 * error * x[i] / examples
    return gradient


def truth_accumulated(w, micro_batches, step=1e-2):
    """By central differences of the mean loss, which are exact for a quadratic."""
    rows = [row for batch in micro_batches for row in batch]

    def loss(at):
        return math.fsum((math.fsum(a * b for a, b in zip(at, x)) - y) ** 2 for x, y in rows) / len(rows)

    slopes = []
    for i in range(len(w)):
        up, down = list(w), list(w)
        up[i], down[i] = up[i] + step, down[i] - step
        slopes.append((loss(up) - loss(down)) / (2 * step))
    return slopes


def _weighted(weights):
    """Gradients of the summed loss of each micro-batch, added with these weights."""

    def wrong(w, batches):
        each = [[g * len(b) for g in truth_accumulated(w, [b])] for b in batches]
        return [math.fsum(weight * g[i] for weight, g in zip(weights(batches), each)) for i in range(len(w))]

    return wrong


def _count(batches):
    return sum(map(len, batches))


def accumulated_inputs(rng):
    drawn = []
    for sizes in ([2, 5, 3], [4, 1, 2, 2], [6, 2]):
        w = [round(rng.uniform(-2, 2), 2) for _ in range(3)]
        drawn.append(
            [
                w,
                [
                    [[[round(rng.uniform(-3, 3), 2) for _ in w], round(rng.uniform(-4, 4), 2)] for _ in range(n)]
                    for n in sizes
                ],
            ]
        )
    return drawn


ACCUMULATED = Part(
    id="accumulated",
    level="core",
    minutes=15,
    aim="Add up gradients of unequal micro-batches to the gradient of the whole batch, exactly.",
    stub='''\
def accumulated(w, micro_batches):
    """The gradient with respect to w of the mean loss of all examples, a list of numbers.

    Each micro-batch is a list of examples [x, y]; the model predicts the sum of
    w[i] * x[i], and the loss of an example is the square of (prediction - y).
    Micro-batches have different numbers of examples.  Go through them one at a time, as
    if no two fitted into memory together.
    """
    ...  # your code here
''',
    hints=(
        "What is the loss of the whole batch divided by? Each example's gradient is divided by the same.",
        "Count the examples of all micro-batches first.",
        "The derivative of (prediction - y)**2 with respect to w[i] is 2 * (prediction - y) * x[i].",
    ),
    inputs=accumulated_inputs,
    truth=truth_accumulated,
    reference=reference_accumulated,
    mistakes=[
        (
            _weighted(lambda b: [1 / (len(x) * len(b)) for x in b]),
            "the means of the micro-batches were averaged, so an example of a short one weighs more: divide by all examples",
        ),
        (_weighted(lambda b: [1.0] * len(b)), "the sum was never divided by the number of all examples"),
        (
            _weighted(lambda b: [1 / len(x) for x in b]),
            "the means of the micro-batches were added up and never divided",
        ),
        (
            _weighted(lambda b: [0.0] * (len(b) - 1) + [1 / len(b[-1])]),
            "only the last micro-batch is in there: begin with zeros once, before the first",
        ),
        (_weighted(lambda b: [0.5 / _count(b)] * len(b)), "half of it: the derivative of a square brings a factor 2"),
        (
            _weighted(lambda b: [1 / len(b)] * len(b)),
            "divided by the number of micro-batches: divide by that of examples",
        ),
    ],
)


# Part 2: split_batch


def reference_split_batch(batch, fixed_mb, example_mb, budget_mb):
    for micro in range(batch, 0, -1):
        if batch % micro == 0 and fixed_mb + micro * example_mb <= budget_mb:
            return [micro, batch // micro]
    return [0, 0]


def truth_split(batch, fixed_mb, example_mb, budget_mb):
    fits = [m for m in range(1, batch + 1) if batch / m == batch // m and budget_mb - fixed_mb >= m * example_mb]
    return [max(fits), batch // max(fits)] if fits else [0, 0]


def _not_a_divisor(batch, fixed, each, budget):
    micro = min(batch, (budget - fixed) // each)
    return [micro, math.ceil(batch / micro)]


def split_inputs(rng):
    drawn = [[64, 1000, 100, 1000 + 100 * rng.choice([8, 16, 32])], [32, 900, 200, rng.randint(500, 1050)]]
    for _ in range(4):
        batch = rng.choice([24, 48, 60, 96])
        drawn.append([batch, rng.randint(500, 1500), rng.randint(60, 120), rng.randint(2200, 4000)])
    return drawn


SPLIT_BATCH = Part(
    id="split-batch",
    level="core",
    minutes=10,
    aim="Choose the micro-batch for a given batch and a given memory.",
    stub='''\
def split_batch(batch, fixed_mb, example_mb, budget_mb):
    """The largest micro-batch that fits, and the number of them, as a list of two numbers.

    All micro-batches are equally large and make up the batch exactly.  The run takes
    fixed_mb for weights, gradients and the optimizer, and example_mb for each example of
    the micro-batch; all this may be budget_mb at most.  [0, 0] when not even one fits.
    """
    ...  # your code here
''',
    hints=(
        "Which numbers of examples divide the batch without a rest?",
        "Try them from the largest down; the first that fits is it.",
        "fixed_mb + micro * example_mb <= budget_mb",
    ),
    inputs=split_inputs,
    truth=truth_split,
    reference=reference_split_batch,
    mistakes=[
        (_not_a_divisor, "this micro-batch does not divide the batch: the last one would be smaller"),
        (
            lambda b, f, e, m: truth_split(b, 0, e, m),
            "weights, gradients and optimizer were forgotten: take fixed_mb off the budget",
        ),
        (lambda b, f, e, m: truth_split(b, f, e, m - 1e-9), "memory that fits exactly was refused: at most means <="),
        (lambda *case: truth_split(*case)[::-1], "the two numbers stand in the wrong order"),
        (
            lambda *case: truth_split(*case) if any(truth_split(*case)) else [1, case[0]],
            "not even one example fits here: give [0, 0] back",
        ),
    ],
)


# Part 3: padding_share


def reference_padding_share(lengths, micro):
    places = 0
    for start in range(0, len(lengths), micro):
        group = lengths[start : start + micro]
        places += max(group) * len(group)
    return 1 - sum(lengths) / places


def truth_padding(lengths, micro):
    groups = [lengths[i : i + micro] for i in range(0, len(lengths), micro)]
    empty = sum(max(g) - n for g in groups for n in g)
    return empty / (empty + sum(lengths))


def _mean_of_shares(lengths, micro):
    groups = [lengths[i : i + micro] for i in range(0, len(lengths), micro)]
    return sum(truth_padding(g, len(g)) for g in groups) / len(groups)


def padding_inputs(rng):
    return [[[rng.randint(5, 128) for _ in range(rng.choice([10, 13, 17]))], rng.choice([3, 4])] for _ in range(4)]


PADDING_SHARE = Part(
    id="padding-share",
    level="core",
    minutes=10,
    aim="Measure how much of the work is done on padding.",
    stub='''\
def padding_share(lengths, micro):
    """The share of all places that holds padding, one number from 0 to 1.

    lengths: the number of tokens of each example, in the order of training.  Each
    `micro` of them in a row make a micro-batch (the last may be smaller), padded to its
    own longest example.  The share is padding by all places of all micro-batches.
    """
    ...  # your code here
''',
    hints=(
        "How many places has one micro-batch? Rows times its longest.",
        "Add up the places of all micro-batches before you divide.",
        "1 - sum(lengths) / places",
    ),
    inputs=padding_inputs,
    truth=truth_padding,
    reference=reference_padding_share,
    mistakes=[
        (
            lambda n, m: truth_padding(n, len(n)),
            "padded to the longest example of all: each micro-batch has its own longest",
        ),
        (_mean_of_shares, "the shares of the micro-batches were averaged: they have different numbers of places"),
        (
            lambda n, m: truth_padding(n, m) / (1 - truth_padding(n, m)),
            "divided by the real tokens: divide by all places",
        ),
        (lambda n, m: truth_padding(sorted(n), m), "the examples were sorted first: keep the order of training"),
        (lambda n, m: 1 - truth_padding(n, m), "that is the share of real tokens: padding is the rest"),
    ],
)

HOMEWORK = Homework(
    name="accumulation",
    title="Large batches on little memory",
    parts=[ACCUMULATED, SPLIT_BATCH, PADDING_SHARE],
    question="You trained with one large batch and with micro-batches. Which of loss, memory and time should agree, and "
    "which differ? Say what your runs showed, and when accumulation is the wrong remedy.",
    rubric=[
        (2, "says that the losses agree up to rounding when the mean is over all tokens, and shows the own figures"),
        (2, "says that memory of activations falls and that time does not, with a reason"),
        (
            2,
            "names a case where it does not help: weights or optimizer alone do not fit, or the batch need not be large",
        ),
    ],
)
