"""Homework 3: augment text and see whether the model does better on text that it has not seen."""

import math

from lmtune.grading.homework import Homework, Part

# Part 1: replace_words


def reference_replace_words(words, synonyms, p, draws):
    made = []
    for word, draw in zip(words, draws):
        other = synonyms.get(word.lower())
        if other is None or draw >= p:
            made.append(word)
        else:
            made.append(other.capitalize() if word[0].isupper() else other)
    return made


def truth_words(words, synonyms, p, draws, *, capital=True, own=False, turned=False, lower=True):
    """Word by word with the position; the options are the known mistakes."""
    made, used = list(words), 0
    for i, word in enumerate(words):
        key = word.lower() if lower else word
        if key not in synonyms:
            continue
        draw = draws[used] if own else draws[i]
        used += 1
        if (draw > p) if turned else (draw < p):
            other = synonyms[key]
            made[i] = other[0].upper() + other[1:] if capital and word[:1].isupper() else other
    return made


def _words(**mistake):
    return lambda *case: truth_words(*case, **mistake)


SYNONYMS = {
    "fast": "quick",
    "error": "fault",
    "file": "document",
    "begin": "start",
    "large": "big",
    "show": "display",
    "wrong": "false",
    "end": "finish",
}


def words_inputs(rng):
    drawn = []
    for _ in range(5):
        words = [rng.choice([*SYNONYMS, "the", "of", "model", "a", "run"]) for _ in range(14)]
        words = [w.capitalize() if i == 0 or rng.random() < 0.3 else w for i, w in enumerate(words)]
        some = dict(rng.sample(sorted(SYNONYMS.items()), 6))
        drawn.append([words, some, rng.choice([0.3, 0.5, 0.6]), [round(rng.random(), 3) for _ in words]])
    return drawn


REPLACE_WORDS = Part(
    id="replace-words",
    level="core",
    minutes=12,
    aim="Replace words by others that mean the same, at random and so that it can be repeated.",
    stub='''\
def replace_words(words, synonyms, p, draws):
    """The words, some of them replaced, as a list of the same length.

    synonyms: words in small letters and what may stand for them.  draws: one number from
    0 to 1 for each word.  Word i is replaced when it has a synonym and draws[i] < p.
    A word is looked up in small letters; when it began with a capital, so does what
    replaces it.
    """
    ...  # your code here
''',
    hints=(
        "Every word has its own draw, also one without a synonym.",
        "zip(words, draws) gives each word with its draw.",
        "word[0].isupper() asks, and other.capitalize() answers.",
    ),
    inputs=words_inputs,
    truth=truth_words,
    reference=reference_replace_words,
    mistakes=[
        (_words(capital=False), "the capital was lost: what replaces a word with a capital begins with one too"),
        (_words(own=True), "the draws were used up only by words that have a synonym: word i belongs to draws[i]"),
        (_words(turned=True), "replaced where the draw is above p: that makes 1 - p the probability"),
        (_words(lower=False), "a word with a capital was not found: look it up in small letters"),
    ],
)


# Part 2: leaks


def reference_leaks(train, validation, threshold):
    seen = [set(text.lower().split()) for text in train]
    found = []
    for i, text in enumerate(validation):
        words = set(text.lower().split())
        if any(len(words & other) / len(words | other) >= threshold for other in seen):
            found.append(i)
    return found


def truth_leaks(train, validation, threshold, *, case=False, strict=False, inside=False, swapped=False):
    """The largest likeness of each text; the options are the known mistakes."""
    if swapped:
        train, validation = validation, train

    def bag(text):
        return frozenset(w if case else w.casefold() for w in text.split())

    def likeness(a, b):
        shared = sum(w in b for w in a)
        return shared / len(a) if inside else shared / (len(a) + len(b) - shared)

    best = [max(likeness(bag(v), bag(t)) for t in train) for v in validation]
    return [i for i, x in enumerate(best) if (x > threshold if strict else x >= threshold)]


def leaks_inputs(rng):
    vocabulary = "Loads a model from disk and returns the rows of each table sorted by name or date".split()
    drawn = []
    for _ in range(6):
        train = [" ".join(rng.sample(vocabulary, 8)) for _ in range(4)]
        validation = [" ".join(rng.sample(vocabulary, 8)) for _ in range(3)]
        copy = rng.choice(train).split()
        validation.append(" ".join([*(w.upper() for w in copy[:6]), "new", "words"]))  # 6 of 10 shared
        validation.append(" ".join(rng.choice(train).split()[:4]))  # 4 of 8, all inside
        validation.append(" ".join(rng.choice(train).split()[:7]))  # 7 of 8
        rng.shuffle(validation)
        drawn.append([train, validation, rng.choice([0.6, 0.875])])
    return drawn


LEAKS = Part(
    id="leaks",
    level="core",
    minutes=12,
    aim="Find validation texts that are nearly the same as a training text.",
    stub='''\
def leaks(train, validation, threshold):
    """The positions, in rising order, of the validation texts that leak.

    The likeness of two texts is the number of words in both divided by the number of
    words in either, words in small letters and each counted once.  A validation text
    leaks when its likeness with some training text is at least `threshold`.
    """
    ...  # your code here
''',
    hints=(
        "Text becomes a set of words; sets have & and |.",
        "Ask for each validation text whether any training text is too like it.",
        "set(text.lower().split()), and >=.",
    ),
    inputs=leaks_inputs,
    truth=truth_leaks,
    reference=reference_leaks,
    mistakes=[
        (
            lambda *case: truth_leaks(*case, case=True),
            "the same word in capitals counted as another: compare in small letters",
        ),
        (
            lambda *case: truth_leaks(*case, strict=True),
            "a likeness of exactly the threshold was let through: at least means >=",
        ),
        (
            lambda *case: truth_leaks(*case, inside=True),
            "divided by the words of one text: divide by the words in either of the two",
        ),
        (
            lambda *case: truth_leaks(*case, swapped=True),
            "these are positions of training texts: give those of the validation texts",
        ),
        (
            lambda train, validation, threshold: [i for i, v in enumerate(validation) if v in train],
            "only texts that are equal letter for letter were found: compare sets of words",
        ),
    ],
)


# Part 3: unseen_gain


def reference_unseen_gain(plain, augmented):
    means = [
        sum(loss * tokens for loss, tokens in rows) / sum(tokens for _, tokens in rows) for rows in (plain, augmented)
    ]
    return [*means, math.exp(means[1] - means[0])]


def truth_gain(plain, augmented):
    """From the sums, by perplexities."""
    nats = [sum(math.prod(row) for row in rows) for rows in (plain, augmented)]
    tokens = [sum(row[1] for row in rows) for rows in (plain, augmented)]
    a, b = (n / t for n, t in zip(nats, tokens))
    return [a, b, math.exp(b) / math.exp(a)]


def _flat(plain, augmented):
    a, b = (sum(row[0] for row in rows) / len(rows) for rows in (plain, augmented))
    return [a, b, math.exp(b - a)]


def gain_inputs(rng):
    drawn = []
    for _ in range(4):
        sizes = [rng.randint(20, 300) for _ in range(5)]
        base = [rng.uniform(2, 5) for _ in sizes]
        drawn.append(
            [
                [[round(x, 4), n] for x, n in zip(base, sizes)],
                [[round(x - rng.uniform(-0.1, 0.4), 4), n] for x, n in zip(base, sizes)],
            ]
        )
    return drawn


UNSEEN_GAIN = Part(
    id="unseen-gain",
    level="core",
    minutes=10,
    aim="Say by what factor augmentation changed the perplexity on unseen text.",
    stub='''\
def unseen_gain(plain, augmented):
    """The two losses and the ratio of the perplexities, a list of three numbers.

    plain, augmented: for each unseen document a pair [loss, tokens], the loss being the
    mean over the document's tokens.  The loss of all documents is the mean over all
    their tokens.  A perplexity is exp(loss); the ratio is augmented by plain, so below 1
    means that augmentation helped.
    """
    ...  # your code here
''',
    hints=(
        "A document with more tokens has more to say in the mean.",
        "Nats are loss times tokens: add them up, and divide once by all tokens.",
        "exp(b) / exp(a) is exp(b - a).",
    ),
    inputs=gain_inputs,
    truth=truth_gain,
    reference=reference_unseen_gain,
    mistakes=[
        (_flat, "every document counted the same: weight its loss by its tokens"),
        (
            lambda a, b: [*truth_gain(a, b)[:2], truth_gain(a, b)[1] / truth_gain(a, b)[0]],
            "the ratio is of the losses: take it of the perplexities, exp(loss)",
        ),
        (
            lambda a, b: [*truth_gain(a, b)[:2], 1 / truth_gain(a, b)[2]],
            "the ratio is upside down: augmented divided by plain",
        ),
        (
            lambda a, b: [*truth_gain(a, b)[:2], truth_gain(a, b)[1] - truth_gain(a, b)[0]],
            "the third number is the difference of the losses: its exp is the ratio of the perplexities",
        ),
    ],
)

HOMEWORK = Homework(
    name="augmentation",
    title="Augmentation, and text that the model has not seen",
    parts=[REPLACE_WORDS, LEAKS, UNSEEN_GAIN],
    question="Did augmentation help on unseen text in your runs? Say what you measured on which text, why the training "
    "loss alone could not have answered, and one augmentation that would change what a text means.",
    rubric=[
        (2, "answers with the own ratio of perplexities and the text on which it was measured"),
        (
            2,
            "explains that training loss is measured on text that the model was fitted to, and that augmentation raises it",
        ),
        (2, "gives an example of an augmentation that changes the meaning, and why that harms the label"),
    ],
)
