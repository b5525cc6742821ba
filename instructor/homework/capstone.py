"""The capstone: a text of one's own, three parts that are kept apart, and what each piece of a recipe gives."""

import math
from collections import Counter
from statistics import stdev, variance

import numpy as np

from lmtune.grading.homework import Homework, Part

# Part 1: three_parts


def reference_three_parts(documents, draws):
    triples = []
    for text in documents:
        words = text.lower().split()
        triples.append({tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))})
    group = list(range(len(documents)))
    for j in range(len(documents)):
        for i in range(j):
            if len(triples[i] & triples[j]) > min(len(triples[i]), len(triples[j])) / 2:
                first, other = sorted((group[i], group[j]))
                group = [first if g == other else g for g in group]
    parts = [[], [], []]
    for i, g in enumerate(group):
        parts[0 if draws[g] < 0.5 else 1 if draws[g] < 0.75 else 2].append(i)
    return parts


def _triples(text, size=3, fold=str.lower):
    words = fold(text).split()
    return Counter(" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1)))


def _alike(a, b, *, least=min, enough=lambda shared, size: 2 * shared > size):
    shared = len(set(a) & set(b))
    return enough(shared, least(len(a), len(b)))


def truth_parts(
    documents, draws, *, marks=_triples, alike=_alike, leader=None, borders=(0.5, 0.75), name=None, kept=None
):
    """By powers of the matrix of direct repeats; the options are the known mistakes."""
    found = [marks(text) for text in documents]
    n = len(found)
    direct = np.array([[i == j or alike(found[i], found[j]) for j in range(n)] for i in range(n)])
    linked = np.linalg.matrix_power(direct.astype(float), n) > 0
    who = leader(direct, linked) if leader else linked.argmax(1)
    place = [int(draws[w] >= borders[0]) + int(draws[w] >= borders[1]) for w in who]
    keep = kept(place, direct) if kept else [True] * n
    parts = [[i for i in range(n) if place[i] == p and keep[i]] for p in range(3)]
    return name(parts) if name else parts


def _last(direct, linked):
    return len(linked) - 1 - linked[:, ::-1].argmax(1)


def _neighbours(direct, linked):
    """Only a document and the one before it were compared."""
    who = list(range(len(direct)))
    for i in range(1, len(direct)):
        who[i] = who[i - 1] if direct[i, i - 1] else i
    return who


def _dropped(place, direct):
    return [p != 0 or not any(direct[i, j] and q != 0 for j, q in enumerate(place)) for i, p in enumerate(place)]


def _once_each(place, direct):
    return [not direct[i, :i].any() for i in range(len(place))]


def _one_pass(documents, draws):
    """Each document goes where the first earlier one went that it repeats, and no two groups are ever joined."""
    found, parts = [_triples(text) for text in documents], []
    for i, mine in enumerate(found):
        near = [j for j in range(i) if _alike(mine, found[j])]
        parts.append(parts[near[0]] if near else (draws[i] >= 0.5) + (draws[i] >= 0.75))
    return [[i for i, p in enumerate(parts) if p == part] for part in range(3)]


def _family(rng, kind):
    """Texts that belong together, or nearly do."""
    words = [
        f"{w}{kind}" for w in rng.sample("graph node edge path tree list value key map loop file line text".split(), 13)
    ]
    more = [f"{letter}{kind}" for letter in "bcdefghi"]
    texts = {
        "chain": [words, words[4:] + more[:4], words[8:] + more],  # the first and the last are not alike
        "inside": [words[:7], words],
        "half": [words[:10], words[:6] + more[:4]],
        "close": [words, words[:12] + more[:1]],
        "once": [words[:8], more[:4] + words[:3] + more[4:5]],
        "pairs": [words[:11], words[:3] + more[:1] + words[4:7] + more[1:2] + words[8:11]],
        "order": [words[:9], rng.sample(words[:9], 9)],
        "capitals": [words[:9], [w.upper() for w in words[:9]]],
        "short": [words[:2], words[2:4]],
    }
    return [" ".join(text) for text in texts[kind]]


def parts_inputs(rng):
    drawn = []
    for _ in range(4):
        pairs = []
        for kind in ("chain", "inside", "half", "close", "once", "pairs", "order", "capitals", "short"):
            ranges = rng.sample([(0, 0.5), (0.5, 0.75), (0.75, 1)], 3)
            pairs += [(text, round(rng.uniform(*between), 3)) for text, between in zip(_family(rng, kind), ranges)]
        rng.shuffle(pairs)
        drawn.append([list(column) for column in zip(*pairs)])
    return drawn


THREE_PARTS = Part(
    id="three-parts",
    level="challenge",
    minutes=20,
    aim="Divide documents into three parts so that none repeats a document of another part.",
    stub='''\
def three_parts(documents, draws):
    """[training, choosing, reporting]: three lists of numbers of documents, each rising.

    The words of a document are text.lower().split(), and its triples are the different
    runs of three words in a row; a document of fewer words has one, all its words.  Two
    documents repeat each other when they share more than half of the triples of the
    one that has fewer.  What repeats each other stays together, also through a third
    document that both repeat.

    A group goes as the draw of its first document says: below 0.5 to training, else
    below 0.75 to choosing, else to reporting.  No document is left out.
    """
    ...  # your code here
''',
    hints=(
        "First find out which documents belong together. Only then ask where each group goes.",
        "Give each document its own number as group. For each pair that repeats, make one group of their two.",
        "A set of tuples for each document; more than half of min(len(a), len(b)) in a & b.",
    ),
    inputs=parts_inputs,
    truth=truth_parts,
    reference=reference_three_parts,
    mistakes=[
        (
            lambda *c: truth_parts(*c, leader=lambda direct, linked: range(len(direct))),
            "each document went by its own draw, so that near-repeats stand on several sides",
        ),
        (
            lambda *c: truth_parts(*c, leader=lambda direct, linked: direct.argmax(1)),
            "a document went with the first that it repeats itself: that one may belong to an earlier one through a third",
        ),
        (
            _one_pass,
            "a document that repeats two earlier ones joined one of them: it makes one group of theirs, wherever they went",
        ),
        (
            lambda *c: truth_parts(*c, leader=_last),
            "the draw of the last document of a group decided: it is that of the first",
        ),
        (
            lambda *c: truth_parts(*c, leader=_neighbours),
            "only neighbours in the list were compared: any two documents may repeat each other",
        ),
        (
            lambda *c: truth_parts(*c, alike=lambda a, b: _alike(a, b, least=max)),
            "the share was taken of the document with more triples: a short one that stands whole in a long one repeats it",
        ),
        (
            lambda *c: truth_parts(*c, alike=lambda a, b: 2 * len(set(a) & set(b)) > len(set(a) | set(b))),
            "the share was taken of the triples of both: take that of the one that has fewer",
        ),
        (
            lambda *c: truth_parts(*c, alike=lambda a, b: _alike(a, b, enough=lambda n, size: 2 * n >= size)),
            "exactly half of the triples was taken for a repeat: more than half is",
        ),
        (
            lambda *c: truth_parts(*c, alike=lambda a, b: set(a) == set(b)),
            "only documents that are the same were kept together: near-repeats are too",
        ),
        (
            lambda *c: truth_parts(*c, alike=lambda a, b: bool(set(a) & set(b))),
            "one shared triple was taken for a repeat: more than half is",
        ),
        (
            lambda *c: truth_parts(*c, marks=lambda text: _triples(text, fold=str)),
            "capitals were told apart: the words are those of text.lower()",
        ),
        (
            lambda *c: truth_parts(*c, marks=lambda text: _triples(text, size=1)),
            "single words were compared, so that the same words in another order count as a repeat: take three in a row",
        ),
        (
            lambda *c: truth_parts(*c, marks=lambda text: _triples(text, size=2)),
            "pairs of words were compared: take three in a row",
        ),
        (
            lambda *c: truth_parts(*c, leader=lambda direct, linked: range(len(direct)), kept=_dropped),
            "documents of training that repeat another part were left out: keep them, on one side",
        ),
        (
            lambda *c: truth_parts(*c, kept=_once_each),
            "of documents that repeat each other only the first was kept: keep all, on one side",
        ),
        (lambda *c: truth_parts(*c, borders=(0.5, 0.9)), "the second border is wrong: choosing is from 0.5 up to 0.75"),
        (
            lambda *c: truth_parts(*c, name=lambda parts: [parts[0], parts[2], parts[1]]),
            "choosing and reporting stand the wrong way round",
        ),
    ],
)


# Part 2: unigram_bits


def reference_unigram_bits(training, reported, vocabulary, characters):
    counts = Counter(token for row in training for token in row)
    total = sum(counts.values()) + vocabulary
    return sum(-math.log2((counts[token] + 1) / total) for row in reported for token in row) / characters


def truth_unigram(
    training, reported, vocabulary, characters, *, plus=1, size=None, log=np.log2, by=None, seen=False, once=False
):
    """With counts in an array; the options are the known mistakes."""
    counts = np.bincount(np.concatenate(training), minlength=vocabulary)
    asked = np.bincount(np.concatenate(reported), minlength=vocabulary)
    asked = np.where(counts > 0, asked, 0) if seen else asked
    asked = np.minimum(asked, 1) if once else asked
    share = (counts + plus) / (counts.sum() + (size(counts) if size else plus * vocabulary))
    bits = asked[asked > 0] @ -log(share[asked > 0])
    return float(bits / (by(asked) if by else characters))


def unigram_inputs(rng):
    drawn = []
    for _ in range(4):
        vocabulary = rng.choice([30, 40, 60])
        weights = [1 / (i + 2) for i in range(vocabulary)]

        rows = [rng.choices(range(vocabulary), weights, k=rng.randint(4, 9)) for _ in range(8)]
        training, reported = rows[:5], rows[5:]
        characters = sum(map(len, reported)) * 3 + rng.randint(1, 9)
        drawn.append([training, reported, vocabulary, characters])
    return drawn


UNIGRAM_BITS = Part(
    id="unigram-bits",
    level="warm-up",
    minutes=10,
    aim="Make the baseline of a language model: one that knows how frequent each token is, and nothing else.",
    stub='''\
def unigram_bits(training, reported, vocabulary, characters):
    """Bits per character that a model of single tokens needs for reported documents.

    training, reported: documents as lists of token ids, below `vocabulary`.  The model
    gives every token the same probability wherever it stands: its count in training
    plus 1, divided by the sum of that over the whole vocabulary.  `characters` is the
    number of characters that the reported documents have together.
    """
    ...  # your code here
''',
    hints=(
        "What is the sum of (count + 1) over a whole vocabulary of V tokens, when training has N?",
        "A token costs -log2 of its probability, each time it stands in a reported document.",
        "(counts[token] + 1) / (N + vocabulary); add up, then divide by characters.",
    ),
    inputs=unigram_inputs,
    truth=truth_unigram,
    reference=reference_unigram_bits,
    mistakes=[
        (
            lambda *c: truth_unigram(*c, plus=0, seen=True),
            "nothing was added to the counts, and tokens that training lacks cost nothing: add 1 to each",
        ),
        (
            lambda *c: truth_unigram(*c, seen=True),
            "tokens that training lacks were left out: they have probability 1 / (N + vocabulary)",
        ),
        (
            lambda *c: truth_unigram(*c, size=lambda counts: 0),
            "1 was added above and nothing below: the probabilities must sum to 1",
        ),
        (
            lambda *c: truth_unigram(*c, size=lambda counts: (counts > 0).sum()),
            "the vocabulary is all tokens that there are, not those that training has",
        ),
        (
            lambda *c: truth_unigram(*c, size=lambda counts: 1),
            "below, 1 is added for each token of the vocabulary, not once",
        ),
        (lambda *c: truth_unigram(*c, plus=0.5), "one half was added to each count: add 1"),
        (lambda *c: truth_unigram(*c, log=np.log), "those are nats: bits take log2"),
        (
            lambda *c: truth_unigram(*c, by=np.sum),
            "that is the mean over tokens: divide by the characters, so that other tokenizers can be compared",
        ),
        (lambda *c: truth_unigram(*c, by=lambda asked: 1), "the sum was not divided by the characters"),
        (
            lambda *c: truth_unigram(*c, by=lambda asked: len(c[1])),
            "divided by the number of documents: divide by that of characters",
        ),
        (
            lambda t, r, v, n: truth_unigram(r, r, v, n),
            "the counts were taken from the reported documents, which the model has never seen",
        ),
        (
            lambda t, r, v, n: truth_unigram([*t, *r], r, v, n),
            "the reported documents were counted with those of training",
        ),
        (
            lambda *c: truth_unigram(*c, once=True),
            "each token of the reported documents was paid for once: it costs each time",
        ),
        (lambda t, r, v, n: truth_unigram(t, r[:1], v, n), "only the first reported document was added up"),
        (lambda t, r, v, n: truth_unigram(t[:1], r, v, n), "only the first document of training was counted"),
    ],
)


# Part 3: smallest_gain


def reference_smallest_gain(before, after, labels):
    n, gained = len(labels), [b - a for b, a in zip(before, after)]
    gain = sum(gained) / sum(labels)
    rest = [g - gain * m for g, m in zip(gained, labels)]
    return 2 * math.sqrt(n / (n - 1) * sum(e * e for e in rest)) / sum(labels)


def truth_smallest(before, after, labels, *, rest=None, ddof=1, times=2.0, root=math.sqrt, by=None, sums=None):
    """By the variance of what each document gained beyond its share; the options are the known mistakes."""
    n, total = len(labels), math.fsum(labels)
    gained = [b - a for b, a in zip(before, after)]
    gain = math.fsum(gained) / total
    beyond = [g - gain * m for g, m in zip(gained, labels)]
    spread = variance(beyond) * n * (n - 1) / (n - ddof)  # their mean is 0
    if rest:
        spread = sum(e * e for e in rest(gained, gain)) * n / (n - 1)
    if sums:
        spread = sums(beyond)
    return times * root(spread) / (by(n) if by else total)


def _unpaired(before, after, labels):
    """As if the two evaluations had been on different documents."""
    one, other = (truth_smallest(x, [0.0] * len(x), labels) for x in (before, after))
    return math.hypot(one, other)


def _of_ratios(before, after, labels):
    each = [(b - a) / m for b, a, m in zip(before, after, labels)]
    return 2 * stdev(each) / math.sqrt(len(each))


def _with_the_gain(before, after, labels):
    return truth_smallest(before, after, labels) + (sum(before) - sum(after)) / sum(labels)


def smallest_inputs(rng):
    drawn = []
    for _ in range(4):
        labels = [rng.randint(20, 300) for _ in range(rng.randint(5, 9))]
        before = [round(m * rng.uniform(3, 5), 1) for m in labels]
        after = [round(b - m * rng.uniform(-0.4, 1.2), 1) for b, m in zip(before, labels)]
        drawn.append([before, after, labels])
    return drawn


SMALLEST_GAIN = Part(
    id="smallest-gain",
    level="core",
    minutes=15,
    aim="Compute how large a gain must be before early stopping may believe it.",
    stub='''\
def smallest_gain(before, after, labels):
    """Twice the standard error of a gain between two evaluations, in nats per label.

    before, after: for each document the summed loss in nats at the two evaluations;
    labels: how many labels it has.  The gain is the sum of before - after over all
    documents, divided by all labels.  Document i gained before[i] - after[i], and its
    share was gain * labels[i]; what it gained beyond its share is e[i].  With n
    documents the standard error is the root of n / (n - 1) times the sum of e[i] ** 2,
    divided by the sum of all labels (the standard error of a ratio, as in any survey).
    """
    ...  # your code here
''',
    hints=(
        "The two evaluations saw the same documents, so take the differences first.",
        "A long document gains more than a short one without any luck: take off its share.",
        "2 * sqrt(n / (n - 1) * sum(e * e)) / sum(labels)",
    ),
    inputs=smallest_inputs,
    truth=truth_smallest,
    reference=reference_smallest_gain,
    mistakes=[
        (
            _unpaired,
            "the two evaluations were taken for different documents: take the difference of each document first",
        ),
        (lambda *c: truth_smallest(*c, times=1.0), "that is one standard error: two are asked for"),
        (lambda *c: truth_smallest(*c, times=1.96), "1.96 standard errors: two are asked for"),
        (
            lambda *c: truth_smallest(*c, ddof=0),
            "n / (n - 1) is missing: the gain was estimated from the same documents",
        ),
        (
            lambda *c: truth_smallest(*c, rest=lambda gained, gain: gained),
            "the shares were not taken off: what is left holds the gain itself",
        ),
        (
            lambda *c: truth_smallest(*c, rest=lambda gained, gain: [g - sum(gained) / len(gained) for g in gained]),
            "the mean gain of a document was taken off each: take off its share, gain * labels, for a long one gains more",
        ),
        (
            lambda *c: truth_smallest(*c, rest=lambda gained, gain: [g - gain for g in gained]),
            "the gain of one label was taken off each document: take it off for each of its labels",
        ),
        (_of_ratios, "the gain was averaged over documents: a document counts with its labels"),
        (lambda *c: truth_smallest(*c, root=float), "the root is missing: that is a variance"),
        (
            lambda *c: truth_smallest(*c, by=lambda n: n),
            "divided by the number of documents: the gain is one for each label",
        ),
        (lambda *c: truth_smallest(*c, by=lambda n: 1), "not divided by the labels: the gain is one for each label"),
        (
            lambda *c: truth_smallest(*c, by=lambda n: math.sqrt(n) * sum(c[2]) / n),
            "that is the spread of single documents: the sum over n of them spreads less for each label",
        ),
        (
            lambda *c: truth_smallest(*c, by=lambda n: math.sqrt(n) * sum(c[2])),
            "divided by the root of n as well: the sum of squares is not a mean, and needs no further division",
        ),
        (
            lambda *c: truth_smallest(*c, root=lambda x: x, sums=lambda e: sum(abs(x) for x in e)),
            "the sizes of e were added up: add up their squares and take the root",
        ),
        (_with_the_gain, "the gain itself was added: the smallest gain worth believing is the noise alone"),
    ],
)


# Part 4: contribution


def reference_contribution(with_it, without, characters, resamples):
    def value(documents):
        gained = sum(b[i] - a[i] for a, b in zip(with_it, without) for i in documents) / len(with_it)
        return gained / sum(characters[i] for i in documents)

    values = sorted(map(value, resamples))
    cut = len(values) // 40
    return [value(range(len(characters))), values[cut], values[-1 - cut]]


def truth_contribution(
    with_it, without, characters, resamples, *, sign=1.0, gains=None, value=None, ends=None, shown=list
):
    """By how often each document stands in a resample; the options are the known mistakes."""
    each = sign * (np.array(without) - np.array(with_it))
    each = gains(each) if gains else each.mean(0)
    length = np.array(characters, dtype=float)
    value = value or (lambda times: (times @ each) / (times @ length))
    times = np.array([np.bincount(one, minlength=len(length)) for one in resamples])
    middle = value(np.ones(len(length)))
    values = np.array([value(one) for one in times])
    cut = len(values) // 40
    low, high = ends(values, middle) if ends else (np.sort(values)[cut], np.sort(values)[len(values) - 1 - cut])
    return shown([float(middle), float(low), float(high)])


def _ends(cut):
    return lambda values, middle: np.sort(values)[[cut(len(values)), len(values) - 1 - cut(len(values))]]


def _of_documents(with_it, without, characters, resamples):
    """The mean of each document's own figure."""
    each = (np.array(without) - np.array(with_it)).mean(0) / np.array(characters)
    ones = [1] * len(characters)
    return truth_contribution([[0.0] * len(ones)], [each.tolist()], ones, resamples)


def contribution_inputs(rng):
    drawn = []
    for _ in range(2):
        n, seeds = rng.randint(5, 8), rng.randint(2, 4)
        characters = [rng.randint(50, 900) for _ in range(n)]
        with_it = [[round(c * rng.uniform(1.6, 2.4), 1) for c in characters] for _ in range(seeds)]
        without = [[round(b + c * rng.uniform(-0.3, 0.5), 1) for b, c in zip(row, characters)] for row in with_it]
        resamples = [[rng.randrange(n) for _ in range(n)] for _ in range(80)]
        drawn.append([with_it, without, characters, resamples])
    return drawn


CONTRIBUTION = Part(
    id="contribution",
    level="challenge",
    minutes=15,
    aim="Say what a piece of a recipe contributes, with an interval over the documents.",
    stub='''\
def contribution(with_it, without, characters, resamples):
    """[value, low, high]: what a piece of the recipe saves, in bits per character.

    with_it[s][i], without[s][i]: bits that document i costs after the run of seed s, of
    the recipe with the piece and without it; characters[i]: its length.  The value is
    the bits saved (without less with), summed over the documents, as a mean over the
    seeds, divided by the characters of these documents.

    Each resample is a list of documents, drawn with repeats, and has such a value of
    its own.  Sort these, leave away the len(resamples) // 40 least and as many of the
    greatest: low and high are the least and the greatest that are left.
    """
    ...  # your code here
''',
    hints=(
        "Write a function of a list of documents first. You need it for all documents and for each resample.",
        "A document that stands twice in a resample counts twice, in the bits and in the characters.",
        "values = sorted(...), cut = len(values) // 40, then values[cut] and values[-1 - cut].",
    ),
    inputs=contribution_inputs,
    truth=truth_contribution,
    reference=reference_contribution,
    mistakes=[
        (
            lambda *c: truth_contribution(*c, sign=-1.0),
            "the sign is turned round: a piece that saves bits contributes a number above zero",
        ),
        (_of_documents, "each document's own figure was averaged: divide the sum of bits by the sum of characters"),
        (lambda *c: truth_contribution(*c, gains=lambda each: each.sum(0)), "the seeds were added up: take their mean"),
        (
            lambda *c: truth_contribution(*c, gains=lambda each: each[0]),
            "only the first seed is in there: take the mean over all",
        ),
        (
            lambda *c: truth_contribution(*c, gains=lambda each: np.median(each, 0) if len(each) > 2 else each.max(0)),
            "the middle or the best seed was taken: take the mean over all",
        ),
        (
            lambda w, o, n, r: truth_contribution(w, o, n, [sorted(set(one)) for one in r]),
            "a document that was drawn twice counted once: repeats are what a bootstrap lives on",
        ),
        (
            lambda *c: truth_contribution(
                *c, value=lambda times: times @ (np.array(c[1]) - np.array(c[0])).mean(0) / sum(c[2])
            ),
            "every resample was divided by the characters of all documents: divide by those that it drew",
        ),
        (
            lambda *c: truth_contribution(*c, ends=lambda values, middle: (values.min(), values.max())),
            "nothing was left away: the least and greatest resamples are luck",
        ),
        (
            lambda *c: truth_contribution(*c, ends=_ends(lambda n: n // 20)),
            "a twentieth was left away on each side, which makes an interval of 90 %: leave away a fortieth",
        ),
        (
            lambda *c: truth_contribution(*c, ends=_ends(lambda n: n // 40 - 1)),
            "one value too few was left away on each side",
        ),
        (
            lambda *c: truth_contribution(
                *c, ends=lambda values, middle: values[[len(values) // 40, -1 - len(values) // 40]]
            ),
            "the values of the resamples were not sorted",
        ),
        (
            lambda *c: truth_contribution(
                *c, ends=lambda values, middle: (middle - 1.96 * values.std(ddof=1), middle + 1.96 * values.std(ddof=1))
            ),
            "that is 1.96 standard deviations to each side: take the values that were found",
        ),
        (
            lambda *c: truth_contribution(
                *c, ends=lambda values, middle: 2 * middle - np.array(_ends(lambda n: n // 40)(values, middle))[::-1]
            ),
            "the interval was mirrored at the value, as in the basic bootstrap: take the values as they are",
        ),
        (
            lambda *c: truth_contribution(*c, shown=lambda three: [three[0], three[2], three[1]]),
            "low and high stand the wrong way round",
        ),
        (
            lambda *c: truth_contribution(*c, shown=lambda three: [(three[1] + three[2]) / 2, *three[1:]]),
            "the value is the middle of the interval: take that of all documents, each once",
        ),
    ],
)

HOMEWORK = Homework(
    name="capstone",
    title="Capstone: a recipe on a text of your own",
    parts=[THREE_PARTS, UNIGRAM_BITS, SMALLEST_GAIN, CONTRIBUTION],
    question="The falling rate, the warm-up, the moving average, training all weights: which piece of the recipe would you "
    "leave out for your text, and which not? Give what each contributed, and what your figures do not show.",
    rubric=[
        (
            3,
            "gives each piece's contribution with its interval, and beside it the model before training and the unigrams",
        ),
        (3, "keeps or leaves out by the interval and the spread over seeds, and calls what holds zero not resolved"),
        (2, "says what is not shown: pieces were taken out one at a time, at one budget, on one text"),
    ],
)


# Right answers in another dress, and other forms of the mistakes.


def _spread_by_flooding(documents, draws):
    """Groups by walking from each document to all that repeat it."""
    sets = [set(_triples(text)) for text in documents]
    home = {}
    for start in range(len(sets)):
        waiting = [start]
        while waiting:
            i = waiting.pop()
            if i not in home:
                home[i] = home.get(start, start)
                waiting += [j for j in range(len(sets)) if 2 * len(sets[i] & sets[j]) > min(len(sets[i]), len(sets[j]))]
    return tuple(
        [i for i in range(len(sets)) if low <= draws[home[i]] < high]
        for low, high in ((0, 0.5), (0.5, 0.75), (0.75, 2))
    )


DRESSES = {
    "three-parts": [_spread_by_flooding, truth_parts],
    "unigram-bits": [
        lambda *c: np.float32(reference_unigram_bits(*c)),
        lambda *c: np.array(reference_unigram_bits(*c)),
    ],
    "smallest-gain": [lambda *c: np.float64(reference_smallest_gain(*c)), truth_smallest],
    "contribution": [lambda *c: np.array(reference_contribution(*c)), lambda *c: tuple(reference_contribution(*c))],
}
