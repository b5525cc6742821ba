"""Homework 3: augment text, find what leaks, and see whether the model does better on text that it has not seen."""

import math
import re
import statistics

import numpy as np

from lmtune.grading.homework import Homework, Part

# Part 1: filed_before


def reference_filed_before(train, test, threshold):
    def marks(text):
        words = re.findall(r"[a-z0]+", re.sub(r"\d+", "0", text.lower()))
        return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))} if words else set()

    known, found = [marks(text) for text in train], []
    for i, text in enumerate(test):
        mine = marks(text)
        if any(a and mine and len(a & mine) / min(len(a), len(mine)) >= threshold for a in known):
            found.append(i)
    return found


def marks_of(text, *, width=3, numbers=True, case=True, signs=True, gone=" ", short=True, last=True):
    """The marks of a text, word by word; the options are known mistakes."""
    text = text.casefold() if case else text
    kept = "".join(c if c.isalnum() or c == " " else gone for c in text) if signs else text
    words = kept.split()
    if numbers:
        words = ["".join("0" if piece.isdigit() else piece for piece in re.split(r"(\d+)", word)) for word in words]
    runs = {" ".join(words[i : i + width]) for i in range(len(words) - width + last)}
    return runs or ({" ".join(words)} if words and short else set())


#: What the shared marks of a training and a test text are divided by.
OVER = {
    "fewer": lambda old, new: min(len(old), len(new)),
    "more": lambda old, new: max(len(old), len(new)),
    "either": lambda old, new: len(old | new),
    "old": lambda old, new: len(old),
    "new": lambda old, new: len(new),
}


def truth_filed(train, test, threshold, *, over="fewer", strict=False, **how):
    """The largest likeness of each test text; the options are the known mistakes."""
    known, found = [old for text in train if (old := marks_of(text, **how))], []
    for i, new in enumerate(marks_of(text, **how) for text in test):
        best = max((sum(mark in old for mark in new) / OVER[over](old, new) for old in known), default=0) if new else 0
        found += [i] if (best > threshold if strict else best >= threshold) else []
    return found


def _filed(**mistake):
    return lambda *case: truth_filed(*case, **mistake)


def _empty_leaks(train, test, threshold):
    empty = [i for i, text in enumerate(test) if not re.search(r"\w", text)]
    return sorted({*truth_filed(train, test, threshold), *empty})


def _joined(train, test, threshold):
    """All training texts as one."""
    return truth_filed([" ".join(train)], test, threshold, over="new")


#: Words of the training texts, and others that stand in none.
HEARD = (
    "map stops when i open it again today nothing moves for long on my phone since version came out soon wait".split()
)
FRESH = "blue door seven never lamps quick river stone cloud paper green under above table winter garden".split()


def filed_inputs(rng):
    """For each way to be alike, or not quite, a test text."""

    def case(threshold):
        words = rng.sample(HEARD, 10)  # eight marks, of which these are as many as the threshold asks for:
        first = round(8 * threshold)
        new = rng.sample(FRESH, 14)
        twice = rng.sample(HEARD, 4)
        number = f"error {{}} in line {{}} of {{}} {rng.choice(HEARD)}"
        short = rng.choice(["ok then", "thank you", "hello"])
        train = [
            " ".join(words),
            number.format(*rng.sample(range(10, 99), 3)),
            " ".join([*twice, *twice, *rng.sample(HEARD, 3)]),
            " ".join(rng.sample(HEARD, 9)),
            short,
            "",
        ]
        test = [
            number.format(*rng.sample(range(100, 999), 3)),
            " ".join(words).upper(),
            ", ".join(words) + "!",
            "/".join(words),
            " ".join([*words[: first + 2], *new[: 8 - first]]),  # exactly the threshold
            " ".join([*new[: 8 - first], *words[-first - 2 :]]),  # the same at the end
            " ".join([*words[: first + 1], *new[: 9 - first]]),  # one mark less
            " ".join(words[1:7]),
            " ".join([*words, *new]),
            " ".join(sorted(words)),
            " ".join([*words[:2], new[0], *words[2:4], new[1], *words[4:6], new[2], *words[6:8]]),  # pairs of words
            " ".join(words[2:4]),
            rng.choice(["", " ... "]),
            " ".join([*twice, *new[:6]]),
            " ".join([*words[:3], *words[6:9], *train[3].split()[:3], *train[3].split()[5:8]]),  # pieces of several
            short.upper(),
            f"{short} {new[3]} {new[4]}",
            " ".join(new[5:]),
        ]
        rng.shuffle(train)
        rng.shuffle(test)
        return [train, test, threshold]

    return [case(threshold) for threshold in (0.25, 0.5, 0.75, 0.5)]


FILED_BEFORE = Part(
    id="filed-before",
    level="core",
    minutes=18,
    aim="Find the test texts that stood in the training data already, also where words, numbers or capitals differ.",
    stub='''\
def filed_before(train, test, threshold):
    """The positions, in rising order, of the test texts that nearly repeat a training text.

    A text is read as words: in small letters, each run of digits as 0, and all that is
    neither letter nor digit as a blank.  Its marks are the different runs of three words
    side by side; a text of one or two words has one mark, all its words, and one without
    words has none.  A test text nearly repeats a training text when the marks that both have
    are at least `threshold` of the marks of the one that has fewer.  A text without marks
    repeats nothing.  All letters are from a to z.
    """
    ...  # your code here
''',
    hints=(
        "Write marks(text) first, and print it for a text with a number, a capital and a comma.",
        "A set of tuples of three words; two such sets have & and len. Mind the text that has fewer than three words.",
        're.findall(r"[a-z0]+", re.sub(r"\\d+", "0", text.lower())) are the words; divide by min of the two lengths.',
    ),
    inputs=filed_inputs,
    truth=truth_filed,
    reference=reference_filed_before,
    gives="a list of positions of test texts",
    mistakes=[
        (
            lambda train, test, threshold: [i for i, text in enumerate(test) if text and text in train],
            "only texts that are equal letter for letter were found: compare their marks",
        ),
        (_filed(case=False), "the same word in capitals counted as another: read the texts in small letters"),
        (
            _filed(numbers=False),
            "texts that differ in their numbers alone were let through: each run of digits is read as 0",
        ),
        (
            _filed(signs=False),
            "a comma or an exclamation mark made another word: what is no letter and no digit is a blank",
        ),
        (_filed(gone=""), "a sign was taken out, so two words became one: what is no letter and no digit is a blank"),
        (_filed(last=False), "the last three words of a text made no mark: there are len(words) - 2 runs of three"),
        (_filed(width=1), "single words were compared, so the same words in another order count: take runs of three"),
        (_filed(width=2), "runs of two words were compared: take three"),
        (_filed(over="either"), "divided by the marks of either text: divide by the marks of the one that has fewer"),
        (
            _filed(over="old"),
            "divided by the marks of the training text: a test text that is a part of it has fewer; divide by the fewer",
        ),
        (
            _filed(over="new"),
            "divided by the marks of the test text: one that has all of a training text and more was let through; "
            "divide by the fewer",
        ),
        (_filed(over="more"), "divided by the marks of the text that has more: divide by the fewer"),
        (_filed(strict=True), "a text of which exactly the threshold is shared was let through: at least means >="),
        (_filed(short=False), "texts of one or two words had no mark: all their words together are one"),
        (_empty_leaks, "a text without words was found as a repetition: it has no marks and repeats nothing"),
        (_joined, "the marks of all training texts were put together: compare with one training text after another"),
        (
            lambda train, test, threshold: truth_filed(test, train, threshold),
            "these are positions of training texts: give those of the test texts",
        ),
        (
            lambda *case: [i for i in range(len(case[1])) if i not in truth_filed(*case)],
            "these are the test texts that stay: give those that repeat",
        ),
    ],
)


# Part 2: recombined


def reference_recombined(reports, kinds, strength, draws):
    made = []
    for i, sentences in enumerate(reports):
        same = [other for j, other in enumerate(reports) if j != i and kinds[j] == kinds[i]]
        donated = [sentence for other in same for sentence in other]
        row = []
        for sentence, (u, v) in zip(sentences, draws[i]):
            taken = donated and u < strength
            row.append(donated[int(v * len(donated))] if taken else sentence)
        made.append(row)
    return made


def truth_recombined(
    reports,
    kinds,
    strength,
    draws,
    *,
    own=False,
    any_kind=False,
    turned=False,
    at=False,
    place=lambda v, n: int(v * n),
    from_made=False,
    distinct=False,
    alone="stays",
    one_draw=False,
    whole=False,
    by_report=False,
):
    """Sentence by sentence; the options are the known mistakes."""
    made = [list(sentences) for sentences in reports]
    for i in range(len(reports)):
        source = made if from_made else reports
        donors = [j for j in range(len(reports)) if (own or j != i) and (any_kind or kinds[j] == kinds[i])]
        offered = [sentence for j in donors for sentence in source[j]]
        offered = list(dict.fromkeys(offered)) if distinct else offered
        for k, (u, v) in enumerate(draws[i]):
            u, v = draws[i][0] if one_draw else (u, v)
            if (u < strength or (at and u == strength)) == turned:
                continue
            if not offered:
                made[i][k] = "" if alone == "empties" else made[i][k]
            elif by_report:  # a report first, then the sentence at the same place in it
                other = reports[donors[int(v * len(donors))]]
                made[i][k] = other[min(k, len(other) - 1)]
            else:
                made[i][k] = offered[place(v, len(offered))]
    if whole:
        return [*reports, *made]
    return [[s for s in row if s] for row in made] if alone == "empties" else made


def _mix(**mistake):
    return lambda *case: truth_recombined(*case, **mistake)


def recombined_inputs(rng):
    drawn = []
    for _ in range(4):
        shared = ["Regards.", "I have version 3.", "It was raining."]
        kinds = rng.sample(["crash", "crash", "crash", "slow", "slow", "slow", "wish"], 7)
        reports = []
        for i, kind in enumerate(kinds):
            own = [f"{kind.capitalize()} number {i}{letter}." for letter in "ab"[: rng.randint(1, 2)]]
            reports.append([*own, *rng.sample(shared, rng.randint(1, 2))])
        draws = [[[rng.randrange(1000) / 1000 for _ in range(2)] for _ in report] for report in reports]
        lone = kinds.index("wish")
        draws[lone][0][0] = 0.01
        strength = rng.choice([0.4, 0.5, 0.6])
        draws[kinds.index("slow")][-1][0] = strength
        drawn.append([reports, kinds, strength, draws])
    return drawn


RECOMBINED = Part(
    id="recombined",
    level="challenge",
    minutes=20,
    aim="Make new reports out of the sentences of others of the same kind, so that the label stays true.",
    stub='''\
def recombined(reports, kinds, strength, draws):
    """The reports with some of their sentences exchanged, a list of lists of sentences.

    reports: lists of sentences.  kinds: the kind of each report.  draws[i][k]: a pair [u, v]
    of numbers from 0 up to but not including 1 for sentence k of report i.  Where u < strength
    the sentence gives way to one of the sentences of the *other* reports of its kind, as they
    were given: with n of them, report after report, it is number int(v * n), from 0.  The same
    sentence in two reports counts twice.  Where no other report is of the kind, it stays.
    """
    ...  # your code here
''',
    hints=(
        "For one report: which sentences could be taken instead? Collect these first, in a list.",
        "Make new lists and leave the reports as they are, for the next report takes from what was given.",
        "offered = [s for j, other in enumerate(reports) if j != i and kinds[j] == kinds[i] for s in other]",
    ),
    inputs=recombined_inputs,
    truth=truth_recombined,
    reference=reference_recombined,
    gives="a list with a list of sentences for each report",
    mistakes=[
        (_mix(any_kind=True), "sentences came from reports of another kind too, so the label is no longer true"),
        (_mix(own=True), "a report's own sentences were offered to it: take those of the others"),
        (
            _mix(turned=True),
            "a sentence was exchanged where u is not below strength: that makes 1 - strength the share",
        ),
        (_mix(at=True), "a sentence was exchanged where u is equal to strength: it must be below"),
        (_mix(from_made=True), "sentences were taken from reports already changed: take them as they were given"),
        (_mix(distinct=True), "a sentence that stands in two reports was offered once: it counts twice"),
        (
            _mix(place=lambda v, n: round(v * (n - 1))),
            "rounding makes the first and the last half as likely: int(v * n)",
        ),
        (_mix(place=lambda v, n: int(v * (n - 1))), "the last of the sentences never comes: int(v * n)"),
        (_mix(place=lambda v, n: -1 - int(v * n)), "the sentences were counted from the end: number 0 is the first"),
        (_mix(one_draw=True), "each sentence of a report got the draws of its first one: sentence k has draws[i][k]"),
        (
            _mix(by_report=True),
            "a report was drawn, and its sentence at the same place taken: v draws among all sentences",
        ),
        (_mix(alone="empties"), "the only report of its kind lost sentences: where there is no other, they stay"),
        (
            lambda reports, kinds, strength, draws: [
                row
                for i, row in enumerate(truth_recombined(reports, kinds, strength, draws))
                if kinds.count(kinds[i]) > 1
            ],
            "the only report of its kind was left out: give a list for each report",
        ),
        (_mix(whole=True), "the reports themselves were given back as well: give the new ones alone"),
        (
            lambda *case: [" ".join(row) for row in truth_recombined(*case)],
            "the sentences were joined to a text: give them as a list",
        ),
    ],
)


# Part 3: least_strength


def reference_least_strength(runs):
    losses = {}
    for strength, loss in runs:
        losses.setdefault(strength, []).append(loss)
    best = min(losses, key=lambda s: (statistics.fmean(losses[s]), s))
    allowed = statistics.fmean(losses[best]) + statistics.stdev(losses[best]) / math.sqrt(len(losses[best]))
    return [min(s for s, found in losses.items() if statistics.fmean(found) <= allowed), allowed, best]


def truth_strength(
    runs, *, error=None, choose=min, whose="best", mean=statistics.fmean, wanted="mean", nearest=False, strict=False
):
    """By going through the sorted table; the options are the known mistakes."""
    table = {}
    for strength, loss in sorted(runs):
        table[strength] = [*table.get(strength, []), loss]
    means = {s: mean(found) for s, found in table.items()}
    best = min(means, key=means.get) if wanted == "mean" else min(table, key=lambda s: min(table[s]))
    error = error or (lambda found: statistics.stdev(found) / len(found) ** 0.5)
    errors = {s: error(found) for s, found in table.items()}
    spread = {
        "best": lambda: errors[best],
        "all": lambda: error([loss for _, loss in runs]),
        "mean": lambda: statistics.fmean(errors.values()),
        "none": lambda: errors[min(errors)],
        "least": lambda: min(errors.values()),
        "most": lambda: max(errors.values()),
    }[whose]()
    allowed = means[best] + spread
    if whose == "own":
        allowed = means[best] + errors[best]
    within = [s for s in means if means[s] <= allowed]
    if nearest:
        within = [s for s in within if s < best][-1:] or [best]
    return [choose(within), allowed, best]


def _strength(**mistake):
    return lambda runs: truth_strength(runs, **mistake)


def strength_inputs(rng):
    drawn = []
    for _ in range(5):
        strengths = [0, 0.1, 0.2, 0.4, 0.8]
        best = rng.choice([2, 3, 3])
        spread, low = rng.uniform(0.06, 0.1), rng.uniform(0.8, 1.4)
        # in standard errors above the best: some within one, in no order of strength
        above = {s: rng.choice([0.3, 0.6, 0.8, 1.3, 1.6, 2.5]) for s in strengths}
        above[strengths[best]] = 0
        runs = []
        for s in strengths:
            n = rng.randint(3, 6)
            noise = [rng.gauss(0, 1) for _ in range(n)]
            centre, scale = statistics.fmean(noise), statistics.stdev(noise)
            mine = spread * (1 if s == strengths[best] else rng.uniform(0.5, 2.5))
            runs += [[s, round(low + above[s] * spread / 2 + mine * (x - centre) / scale, 4)] for x in noise]
        rng.shuffle(runs)
        means = truth_strength(runs)
        near = [statistics.fmean([x for q, x in runs if q == s]) - means[1] for s in strengths]
        if all(abs(x) > 1e-3 for x in near):
            drawn.append([runs])
    return drawn or strength_inputs(rng)


LEAST_STRENGTH = Part(
    id="least-strength",
    level="core",
    minutes=15,
    aim="Choose how strongly to augment, and take no more of it than the measurement supports.",
    stub='''\
def least_strength(runs):
    """A list of three numbers: chosen strength, allowed loss, best strength.

    runs: a pair [strength, validation loss] for each run, in no order; a strength has
    several runs, not all equally many; strength 0 is no augmentation.  The best strength has
    the least mean loss.  The allowed loss is that mean plus one standard error of it: the
    standard deviation of the losses of the best strength (dividing by n - 1), divided by
    sqrt(n), n being how many they are.  Chosen is the least strength whose mean loss is not
    above the allowed one.
    """
    ...  # your code here
''',
    hints=(
        "Collect the losses of each strength first; then you need their means, and the standard error of one of them.",
        "Which strengths are as good as the best within its error? The least of these is chosen, which may be 0.",
        "statistics.stdev divides by n - 1; the error of a mean of n is stdev / sqrt(n).",
    ),
    inputs=strength_inputs,
    truth=truth_strength,
    reference=reference_least_strength,
    gives="a list of three numbers: chosen strength, allowed loss, best strength",
    mistakes=[
        (
            lambda runs: [truth_strength(runs)[2], *truth_strength(runs)[1:]],
            "the best strength itself was chosen: take the least whose mean is allowed",
        ),
        (_strength(choose=max), "the greatest strength that is allowed was chosen: take the least"),
        (_strength(nearest=True), "the next strength below the best was chosen at most: look at all that are allowed"),
        (
            _strength(error=statistics.stdev),
            "the allowed loss has the standard deviation of one run: the mean of n is surer, by sqrt(n)",
        ),
        (
            _strength(error=lambda found: statistics.pstdev(found) / len(found) ** 0.5),
            "the standard deviation was divided by n: with few runs divide by n - 1",
        ),
        (
            _strength(error=lambda found: statistics.stdev(found) / len(found)),
            "the standard deviation is divided by sqrt(n), not by n",
        ),
        (
            _strength(error=lambda found: 1.96 * statistics.stdev(found) / len(found) ** 0.5),
            "that is 1.96 standard errors: one is allowed",
        ),
        (
            _strength(error=lambda found: 0.0),
            "no error was added: the allowed loss is the least mean plus one standard error",
        ),
        (_strength(whose="all"), "the error was taken over all runs together: take that of the best strength's runs"),
        (_strength(whose="mean"), "the errors of all strengths were averaged: take that of the best strength"),
        (_strength(whose="none"), "the error of strength 0 was taken: take that of the best strength"),
        (_strength(whose="most"), "the greatest error was taken: take that of the best strength"),
        (
            _strength(wanted="single"),
            "the best strength is that of the single least loss, one lucky run: take the mean",
        ),
        (_strength(mean=statistics.median), "medians were compared: take means"),
        (
            lambda runs: [truth_strength(runs)[2], truth_strength(runs)[1], truth_strength(runs)[0]],
            "the chosen and the best strength are exchanged: chosen, allowed loss, best",
        ),
    ],
)

#: Other forms of the mistakes, and right answers in another dress.
VARIANTS = {
    "filed-before": [(lambda *case: list(np.flatnonzero([t in case[0] for t in case[1]])), "letter for letter")],
    "least-strength": [
        (_strength(error=lambda found: np.std(found) / len(found) ** 0.5), "divided by n: with few runs")
    ],
}
DRESSES = {
    "filed-before": [
        lambda *case: np.array(reference_filed_before(*case), dtype=int),
        lambda *case: tuple(reference_filed_before(*case)),
    ],
    "recombined": [lambda *case: tuple(tuple(row) for row in reference_recombined(*case))],
    "least-strength": [
        lambda runs: np.array(reference_least_strength(runs), dtype=np.float32),
        lambda runs: tuple(reference_least_strength(runs)),
        lambda runs: reference_least_strength([[float(s), np.float64(x)] for s, x in runs]),
    ],
}

HOMEWORK = Homework(
    name="augmentation",
    title="Augmentation, and text that the model has not seen",
    parts=[FILED_BEFORE, RECOMBINED, LEAST_STRENGTH],
    question="With few labels and with more, did augmentation lower the error in your runs, and is that more than the "
    "interval? Say what the reports that were filed before changed, why the training loss could not have answered, and "
    "one augmentation of these reports that would make a label false.",
    rubric=[
        (
            2,
            "gives both differences with their half-widths and the strengths that were chosen, and says which is resolved",
        ),
        (
            2,
            "says how many test reports were left out and, where there were any, what the error on them was; and that "
            "training loss is measured on text that the model was fitted to",
        ),
        (2, "gives an augmentation that changes what a report says, and why that harms its label"),
    ],
)
