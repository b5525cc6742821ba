"""The capstone: schedule, early stopping, augmentation and dropout on summarization."""

import math
from functools import cache

from lmtune.grading.homework import Homework, Part

# Part 1: planned_rates


def reference_planned_rates(total, warmup, peak, floor, stopped):
    made = []
    for step in range(stopped):
        if step < warmup:
            made.append(peak * (step + 1) / warmup)
        else:
            share = (step - warmup) / (total - 1 - warmup)
            made.append(floor + (peak - floor) * (1 + math.cos(math.pi * share)) / 2)
    return made


def truth_planned(total, warmup, peak, floor, stopped, *, planned=None, late=0, lowest=True, first=1):
    """The squared half-angle form of the cosine; the options are the known mistakes."""
    length, floor = planned or total, floor if lowest else 0.0

    def rate(step):
        if step < warmup:
            return peak * (step + first) / warmup
        angle = math.pi * (step - warmup) / (length - 1 + late - warmup)
        return floor + (peak - floor) * math.cos(angle / 2) ** 2

    return [rate(step) for step in range(stopped)]


def planned_inputs(rng):
    return [
        [
            total := rng.randint(20, 40),
            rng.randint(2, 5),
            rng.choice([1e-3, 2e-3]),
            rng.choice([1e-5, 1e-4]),
            rng.randint(8, total - 2) if i else total,
        ]
        for i in range(4)
    ]


PLANNED_RATES = Part(
    id="planned-rates",
    level="core",
    minutes=12,
    aim="Combine a schedule with early stopping: the plan stays, the run ends sooner.",
    stub='''\
def planned_rates(total, warmup, peak, floor, stopped):
    """The learning rates of a run that was planned for `total` updates and made `stopped`.

    The first `warmup` rates rise in equal steps from peak / warmup to peak.  Then half a
    cosine leads from peak, at update number `warmup` (counted from 0), to floor at
    update number total - 1.  Early stopping only cuts the list off.
    """
    ...  # your code here
''',
    hints=(
        "Does the schedule know that the run will be stopped?",
        "Write the list for all of `total` and cut it, then see what the cosine runs over.",
        "The share of the cosine is (step - warmup) / (total - 1 - warmup).",
    ),
    inputs=planned_inputs,
    truth=truth_planned,
    reference=reference_planned_rates,
    mistakes=[
        (
            lambda *c: truth_planned(*c, planned=c[4]),
            "the cosine was squeezed into the updates that were made: nobody knew before where the run would stop",
        ),
        (
            lambda *c: truth_planned(*c, late=1),
            "the cosine reaches floor one update after the last: it is reached at total - 1",
        ),
        (lambda *c: truth_planned(*c, lowest=False), "the cosine leads to 0: it leads to floor"),
        (lambda *c: truth_planned(*c, first=0), "the first rate is 0: the warm-up begins with peak / warmup"),
        (lambda *c: truth_planned(*c[:4], c[0]), "the run made fewer updates: cut the list off"),
    ],
)


# Part 2: stop_on_rouge


def reference_stop_on_rouge(scores, patience, min_gain):
    best, kept, waited = scores[0], 0, 0
    for i, score in enumerate(scores[1:], 1):
        if score > best + min_gain:
            best, kept, waited = score, i, 0
        else:
            waited += 1
            if waited == patience:
                return [i, kept]
    return [len(scores) - 1, kept]


def truth_stop(scores, patience, min_gain, *, less=False, last=False, extra=0):
    """From the list of evaluations that improved; the options are the known mistakes."""
    scores = [-s for s in scores] if less else scores
    improved = [0]
    for i, score in enumerate(scores):
        if i - improved[-1] > patience + extra:
            break
        if score - scores[improved[-1]] > min_gain:
            improved.append(i)
    stopped = min(len(scores) - 1, improved[-1] + patience + extra)
    return [stopped, stopped if last else improved[-1]]


def stop_inputs(rng):
    drawn = [[[10.0, 12.0, 12.3, 12.6, 12.9, 13.2, 13.5, 16.0], 3, 0.5]]
    for _ in range(5):
        level, scores = 10.0, []
        for _ in range(10):
            level += rng.choice([2.0, 1.0, 0.3, -0.5, -1.0])
            scores.append(round(level, 2))
        drawn.append([scores, rng.choice([2, 3]), rng.choice([0.5, 0.7])])
    return drawn


STOP_ON_ROUGE = Part(
    id="stop-on-rouge",
    level="core",
    minutes=12,
    aim="Stop a run by a score that should rise, and ignore gains that are noise.",
    stub='''\
def stop_on_rouge(scores, patience, min_gain):
    """When the run ends and which evaluation's weights are kept: [stopped, kept].

    scores: ROUGE-L at each evaluation, counted from 0, more is better.  An evaluation
    improves when it is more than min_gain above the best so far, where the best is the
    score of the last evaluation that improved (at first number 0).  After `patience`
    evaluations in a row without improvement the run ends; otherwise with the last one.
    """
    ...  # your code here
''',
    hints=(
        "ROUGE is no loss: which way is better?",
        "Keep three variables: the best score, where it was, and how many evaluations have passed since.",
        "A small gain below min_gain changes none of the three but the last.",
    ),
    inputs=stop_inputs,
    truth=truth_stop,
    reference=reference_stop_on_rouge,
    mistakes=[
        (lambda *c: truth_stop(*c, less=True), "less was taken for better: ROUGE should rise"),
        (lambda s, p, g: truth_stop(s, p, 0), "min_gain was ignored: a gain that is not above it is no improvement"),
        (lambda *c: truth_stop(*c, last=True), "the weights of the last evaluation are kept: keep those of the best"),
        (lambda *c: truth_stop(*c, extra=1), "it waits one evaluation too long"),
        (lambda *c: truth_stop(*c)[::-1], "the two numbers stand in the wrong order"),
    ],
)


# Part 3: drop_sentences


def reference_drop_sentences(sentences, names, p, draws):
    kept = [s for s, draw in zip(sentences, draws) if draw >= p or any(name in s for name in names)]
    return kept or sentences[:1]


def truth_dropped(sentences, names, p, draws, *, keeps=any, turned=False, empty=False):
    """By the positions that go; the options are the known mistakes."""
    gone = {i for i, draw in enumerate(draws) if (draw >= p if turned else draw < p)}
    if keeps:
        gone -= {i for i, s in enumerate(sentences) if keeps([s.count(n) > 0 for n in names])}
    left = [s for i, s in enumerate(sentences) if i not in gone]
    return left if left or empty else [sentences[0]]


def dropped_inputs(rng):
    subjects = ["The parser", "A cache", "The loader", "This class", "The graph"]
    verbs = ["reads rows", "keeps values", "sorts names", "opens files", "counts nodes"]
    drawn = [
        [
            ["The parser reads rows.", "A cache keeps values."],
            ["graph"],
            0.5,
            [round(rng.uniform(0, 0.4), 3), round(rng.uniform(0, 0.4), 3)],
        ]
    ]
    for _ in range(5):
        sentences = [f"{s} {v}." for s, v in zip(rng.sample(subjects, 5), rng.sample(verbs, 5))]
        drawn.append(
            [
                sentences,
                rng.sample(["parser", "cache", "loader", "rows", "files", "nodes"], 2),
                rng.choice([0.5, 0.6]),
                [round(rng.random(), 3) for _ in sentences],
            ]
        )
    return drawn


DROP_SENTENCES = Part(
    id="drop-sentences",
    level="core",
    minutes=12,
    aim="Augment a document so that its summary stays true.",
    stub='''\
def drop_sentences(sentences, names, p, draws):
    """The sentences of a document without some of them, in their order, as a list.

    Sentence i is dropped when draws[i] < p, but a sentence that contains at least one of
    `names` (what the summary speaks of) always stays.  A document is never empty: when
    all would go, the first sentence stays.
    """
    ...  # your code here
''',
    hints=(
        "What would the model learn if the summary spoke of something the document no longer says?",
        "Ask for each sentence whether it stays: the draw says so, or a name does.",
        "any(name in sentence for name in names)",
    ),
    inputs=dropped_inputs,
    truth=truth_dropped,
    reference=reference_drop_sentences,
    mistakes=[
        (lambda *c: truth_dropped(*c, keeps=None), "a sentence that the summary needs was dropped: names protect it"),
        (
            lambda *c: truth_dropped(*c, keeps=all),
            "a sentence was protected only when it holds all the names: one is enough",
        ),
        (lambda *c: truth_dropped(*c, turned=True), "dropped where the draw is p or more: drop where it is below p"),
        (
            lambda *c: truth_dropped(*c, empty=True),
            "the document is empty: when all would go, the first sentence stays",
        ),
    ],
)


# Part 4: dropout


def reference_dropout(values, p, draws, training):
    if not training:
        return values
    return [0.0 if draw < p else value / (1 - p) for value, draw in zip(values, draws)]


def truth_dropout(values, p, draws, training, *, scale=None, always=False, later=None):
    """By a mask; the options are the known mistakes."""
    if not training and not always:
        return [v * (later(p) if later else 1) for v in values]
    mask = [float(d >= p) for d in draws]
    return [m * v * (scale(p) if scale else 1 / (1 - p)) for m, v in zip(mask, values)]


def dropout_inputs(rng):
    return [
        [
            [round(rng.uniform(-2, 2), 2) for _ in range(8)],
            rng.choice([0.1, 0.2, 0.3]),
            [round(rng.random() * (0.6 if i else 1), 3) for _ in range(8)],
            i != 2,
        ]
        for i in range(5)
    ]


DROPOUT = Part(
    id="dropout",
    level="warm-up",
    minutes=8,
    aim="Write dropout that changes nothing in the mean and nothing at evaluation.",
    stub='''\
def dropout(values, p, draws, training):
    """The values after dropout, a list of the same length.

    In training value i becomes 0 when draws[i] < p, and the others are scaled so that
    the mean over all draws stays the value itself.  Without training nothing changes.
    """
    ...  # your code here
''',
    hints=(
        "With which probability does a value survive?",
        "Survivors must make up for those that are gone.",
        "Divide by 1 - p.",
    ),
    inputs=dropout_inputs,
    truth=truth_dropout,
    reference=reference_dropout,
    mistakes=[
        (lambda *c: truth_dropout(*c, scale=lambda p: 1), "the survivors were not scaled: divide them by 1 - p"),
        (
            lambda *c: truth_dropout(*c, scale=lambda p: 1 / p),
            "scaled by 1 / p: a value survives with probability 1 - p",
        ),
        (
            lambda *c: truth_dropout(*c, scale=lambda p: 1 - p),
            "the survivors were made smaller: divide by 1 - p instead of multiplying",
        ),
        (lambda *c: truth_dropout(*c, always=True), "values were dropped without training: then nothing changes"),
        (
            lambda *c: truth_dropout(*c, later=lambda p: 1 - p),
            "scaled at evaluation: the survivors of the training were scaled already",
        ),
    ],
)


# Part 5: rouge_l


def reference_rouge_l(reference, written):
    a, b = reference.lower().split(), written.lower().split()
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longest[i + 1][j + 1] = longest[i][j] + 1 if x == y else max(longest[i][j + 1], longest[i + 1][j])
    return 2 * longest[-1][-1] / (len(a) + len(b))


def _common(a, b):
    """The longest common subsequence, from the front."""

    @cache
    def of(i, j):
        if i == len(a) or j == len(b):
            return 0
        return 1 + of(i + 1, j + 1) if a[i] == b[j] else max(of(i + 1, j), of(i, j + 1))

    return of(0, 0)


def _score(count, shape=lambda p, r: 2 * p * r / (p + r) if p + r else 0.0, fold=str.lower):
    def score(reference, written):
        a, b = fold(reference).split(), fold(written).split()
        n = count(a, b)
        return shape(n / len(b), n / len(a))

    return score


def _unordered(a, b):
    return sum(min(a.count(w), b.count(w)) for w in set(a))


def _in_a_row(a, b):
    runs = [
        n
        for n in range(1, len(a) + 1)
        for i in range(len(a) - n + 1)
        if any(b[j : j + n] == a[i : i + n] for j in range(len(b) - n + 1))
    ]
    return max(runs, default=0)


def rouge_inputs(rng):
    words = "return the shortest path between two nodes of a weighted graph".split()
    drawn = []
    for _ in range(5):
        reference = [w for w in words if rng.random() < 0.8] or words
        written = [w for w in words if rng.random() < 0.6] + [rng.choice(["quickly", "or", "list"])]
        i = rng.randrange(len(written) - 1)
        written[i], written[i + 1] = written[i + 1], written[i]
        drawn.append([" ".join(reference).capitalize(), " ".join(written)])
    return drawn


ROUGE_L = Part(
    id="rouge-l",
    level="challenge",
    minutes=20,
    aim="Score a summary by the longest sequence of words that it shares with the reference.",
    stub='''\
def rouge_l(reference, written):
    """ROUGE-L as F1, one number from 0 to 1.

    Words are what split() gives, in small letters.  The longest common subsequence keeps
    the order of the words and may leave words out.  With its length n, precision is n by
    the words written and recall n by the words of the reference; F1 is 2PR / (P + R), and 0 where
    nothing is shared.  (Lin 2004: https://aclanthology.org/W04-1013/)
    """
    ...  # your code here
''',
    hints=(
        "Solve it for the first i words of one text and the first j of the other.",
        "If the last words agree, it is one more than without both; if not, the better of leaving one out.",
        "F1 is also 2n / (number of words of both texts).",
    ),
    inputs=rouge_inputs,
    truth=_score(_common),
    reference=reference_rouge_l,
    mistakes=[
        (_score(_unordered), "the order of the words was ignored: a subsequence keeps it"),
        (_score(_in_a_row), "only words in a row were counted: a subsequence may leave words out"),
        (_score(_common, lambda p, r: r), "that is the recall alone: F1 takes precision in as well"),
        (_score(_common, lambda p, r: p), "that is the precision alone: F1 takes recall in as well"),
        (
            _score(_common, lambda p, r: (p + r) / 2),
            "that is the plain mean of precision and recall: F1 is the harmonic one",
        ),
        (_score(_common, fold=str), "capitals were told apart: compare in small letters"),
    ],
)

HOMEWORK = Homework(
    name="capstone",
    title="Capstone: four tools together, on summarization",
    parts=[PLANNED_RATES, STOP_ON_ROUGE, DROP_SENTENCES, DROPOUT, ROUGE_L],
    question="You combined a schedule, early stopping, augmentation and dropout. Which of them changed ROUGE-L on unseen "
    "documents by more than two runs with different seeds differ, and how would you find out which to leave away?",
    rubric=[
        (3, "gives ROUGE-L on unseen documents with and without one of the tools, beside a spread over seeds"),
        (3, "proposes an ablation: one tool left away at a time, same updates, same seeds, and says what it costs"),
        (2, "says what ROUGE-L does not see: whether a summary is true"),
    ],
)
