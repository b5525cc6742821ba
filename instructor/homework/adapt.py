"""Homework 4: heads, LoRA and new tokens, on a device that stores few numbers for each customer."""

import math
import re
from collections import Counter
from itertools import islice

import numpy as np

from lmtune.grading.homework import Homework, Part

# Part 1: trained_numbers


def reference_trained_numbers(tensors, rank, targets, biases, whole):
    trained = {}
    for name, shape, store in tensors:
        layer, kind = name.split(".")[-2:]
        if layer in whole:
            trained[store, "itself"] = math.prod(shape)
        elif kind == "weight" and layer in targets and len(shape) == 2:
            trained[store, "pair"] = rank * (shape[0] + shape[1])
        elif kind == "bias" and (biases == "all" or (biases == "targets" and layer in targets)):
            trained[store, "itself"] = shape[0]
    return sum(trained.values())


def truth_trained(tensors, rank, targets, biases, whole, *, pair=None, named=None, once=True, twice=False, norms=False):
    """By sets of stores, one for each reason to be trained; the options are the known mistakes."""
    named = named or (lambda name, layers: name.split(".")[-2] in layers)
    pair = pair or (lambda m, n: rank * m + rank * n)
    shapes = {store if once else (store, i): shape for i, (_, shape, store) in enumerate(tensors)}
    by_name = {name: store if once else (store, i) for i, (name, _, store) in enumerate(tensors)}

    def stores(kind, layers):
        return {s for n, s in by_name.items() if n.endswith(kind) and named(n, layers)}

    full = stores("", whole)
    paired = {s for s in stores(".weight", targets) if norms or len(shapes[s]) == 2} - full
    free = {"none": set(), "targets": stores(".bias", targets)}.get(biases)
    free = {s for n, s in by_name.items() if n.endswith(".bias")} if free is None else free
    itself = [*full, *free] if twice else full | free
    return sum(math.prod(shapes[s]) for s in itself) + sum(pair(*[*shapes[s], 1][:2]) for s in paired)


def _whole_without_biases(tensors, rank, targets, biases, whole):
    kept = [t for t in tensors if not (t[0].endswith(".bias") and t[0].split(".")[-2] in whole)]
    return truth_trained(kept, rank, targets, biases, whole)


def _frozen_too(tensors, rank, targets, biases, whole):
    return truth_trained(tensors, rank, targets, biases, whole, pair=lambda m, n: rank * (m + n) + m * n)


def _whole_paired(tensors, rank, targets, biases, whole):
    return truth_trained(tensors, rank, [*targets, *whole], biases, [])


def trained_inputs(rng):
    drawn = []
    for biases in ("none", "all", "targets", "targets", "all"):
        width, tensors = rng.choice([8, 12, 16]), []
        inner, classes = rng.choice([20, 24, 36]), rng.randint(3, 7)
        shapes = {
            "q": [width, width],
            "q_mix": [width, 3],
            "proj": [inner, width],
            "up": [width, inner],
            "up_gate": [inner, 2],
            "norm": [width],
        }
        for block in range(2):
            for layer, shape in shapes.items():
                tensors.append([f"h.{block}.{layer}.weight", shape, len(tensors)])
                tensors.append([f"h.{block}.{layer}.bias", [shape[0]], len(tensors)])
        words = [rng.randint(40, 60), width]
        tensors.append(["body.wte.weight", words, len(tensors)])
        tensors.append(["lm_head.weight", words, len(tensors) - 1])
        tensors.append(["top.score.weight", [classes, width], len(tensors)])
        tensors.append(["top.score.bias", [classes], len(tensors)])
        targets = rng.sample(["q", "up", "proj"], 2) + ["norm"] * (len(drawn) % 2)
        drawn.append(
            [tensors, rng.randint(2, 5), targets, biases, ["score"] + ["wte", "lm_head"] * (len(drawn) in (1, 4))]
        )
    return drawn


TRAINED_NUMBERS = Part(
    id="trained-numbers",
    level="core",
    minutes=15,
    aim="Count what a fine-tune trains, and so what must be stored for each customer.",
    stub='''\
def trained_numbers(tensors, rank, targets, biases, whole):
    """How many numbers a fine-tune with LoRA trains.

    tensors: [name, shape, store] for each tensor of the model.  A name ends in
    ".weight" or ".bias", and the part before that is its layer: "q" in "h.0.q.weight".
    Tensors with the same store are one tensor with several names (tied), and count once.

    Layers in `whole` are trained as they are, weight and bias.  A weight of two dimensions (m, n) whose
    layer is in `targets` is frozen, and beside it a pair of m x rank and rank x n
    numbers is trained.  Of the biases "none" are trained, or those of the layers in
    "targets", or "all".  A layer is never in both lists.  All else is frozen.
    """
    ...  # your code here
''',
    hints=(
        "Go through the tensors and ask of each why it would be trained: there are three reasons.",
        "Keep what you have counted in a dictionary by store, so that a second name adds nothing.",
        'layer, kind = name.split(".")[-2:], and a pair has rank * (m + n) numbers.',
    ),
    inputs=trained_inputs,
    truth=truth_trained,
    reference=reference_trained_numbers,
    mistakes=[
        (
            lambda *c: truth_trained(*c, pair=lambda m, n: c[1] * m * n),
            "a pair was counted as rank times the whole matrix: it has m x rank and rank x n numbers",
        ),
        (lambda *c: truth_trained(*c, pair=lambda m, n: c[1] * n), "of each pair the half with m x rank is missing"),
        (lambda *c: truth_trained(*c, pair=lambda m, n: c[1] * m), "of each pair the half with rank x n is missing"),
        (
            lambda *c: truth_trained(*c, pair=lambda m, n: c[1] * c[1] * (m + n)),
            "the rank was multiplied in twice: a pair has rank * (m + n) numbers",
        ),
        (_frozen_too, "the matrices beside the pairs were counted too: they are frozen"),
        (
            lambda *c: truth_trained(*c, once=False),
            "a tensor with two names was counted twice: the same store is the same tensor",
        ),
        (
            lambda *c: truth_trained(*c, named=lambda name, layers: any(one in name for one in layers)),
            "a layer was taken because a target's name stands somewhere in its own, as q in q_mix: compare the whole part",
        ),
        (
            lambda *c: truth_trained(*c, named=lambda name, layers: name.rpartition(".")[0] in layers),
            "no layer inside a block was found: compare the last part before .weight or .bias, not all that stands before it",
        ),
        (
            lambda *c: truth_trained(*c, norms=True),
            "a vector was given a pair: only a weight of two dimensions gets one",
        ),
        (lambda t, r, g, b, w: truth_trained(t, r, g, "none", w), "no bias was counted, whatever biases says"),
        (
            lambda t, r, g, b, w: truth_trained(t, r, g, b.replace("all", "targets"), w),
            'with "all" only the biases of the targets were counted',
        ),
        (
            lambda t, r, g, b, w: truth_trained(t, r, g, b.replace("targets", "all"), w),
            'with "targets" the biases of all layers were counted',
        ),
        (
            lambda *c: truth_trained(*c, twice=True),
            'the bias of a layer that is trained whole was counted again among "all" biases',
        ),
        (lambda t, r, g, b, w: truth_trained(t, r, g, b, []), "the layers in `whole` are missing"),
        (_whole_without_biases, "of the layers in `whole` the biases are missing: a layer is its weight and its bias"),
        (_whole_paired, "the layers in `whole` were given pairs: they are trained as they are"),
    ],
)


# Part 2: fold


def reference_fold(layers, updates):
    folded = []
    for name, weight, transposed in layers:
        made = [list(row) for row in weight]
        for target, a, b, alpha, strength in updates:
            if target != name:
                continue
            scale, ranks = strength * alpha / len(a), range(len(a))
            for i in range(len(b)):
                for j in range(len(a[0])):
                    change = scale * sum(b[i][r] * a[r][j] for r in ranks)
                    row, column = (j, i) if transposed else (i, j)
                    made[row][column] += change
        folded.append(made)
    return folded


def truth_fold(layers, updates, *, scale=None, turned=None, back=False, chosen=None, start=None, kept=None, base=1.0):
    """With NumPy's outer products, all updates of a layer added first; the options are the known mistakes."""
    scale = scale or (lambda a, b, alpha, strength: strength * alpha / len(a))
    made = []
    for name, weight, transposed in layers:
        mine = [u for u in updates if u[0] == name]
        mine = chosen(mine) if chosen else mine
        weight = base * np.array(weight)
        if kept and not kept(mine):
            continue
        turn = transposed if turned is None else turned
        for _, a, b, alpha, strength in mine:
            a, b = np.array(a), np.array(b)
            update = sum(np.outer(b[:, r], a[r]) for r in range(len(a))) * scale(a, b, alpha, strength)
            weight = (start(weight, strength) if start else weight) + (update.T if turn else update)
        made.append((weight.T if back and transposed else weight).tolist())
    return made


def _scaled_as_the_first(layers, updates):
    """The scale of a layer's first update for all of its updates."""
    folded = []
    for layer in layers:
        first = next(([strength * alpha / len(a)] for name, a, _, alpha, strength in updates if name == layer[0]), [0])
        folded += truth_fold([layer], updates, scale=lambda *_, value=first[0]: value)
    return folded


def fold_inputs(rng):
    def matrix(m, n):
        return [[round(rng.uniform(-2, 2), 2) for _ in range(n)] for _ in range(m)]

    drawn = []
    for k in range(3):
        layers, updates = [], []
        # Square, so that whoever forgets to transpose gives a value and not an error.
        shapes = [(3, 3, True), (3, 3, False), (4, 4, True), (2, 2, False), (3, 2, k == 1)]
        for i, (out, into, transposed) in enumerate(shapes):
            name = f"layer {i}"
            layers.append([name, matrix(*((into, out) if transposed else (out, into))), transposed])
            for _ in range((2, 2, 1, 1, 0)[i]):
                rank = rng.choice([1, 2, 4])
                updates.append(
                    [name, matrix(rank, into), matrix(out, rank), rng.choice([3, 6, 8]), rng.choice([0.5, 0.7, 1.5])]
                )
        rng.shuffle(updates)
        drawn.append([layers, updates])
    return drawn


FOLD = Part(
    id="fold",
    level="core",
    minutes=15,
    aim="Add several updates of low rank to the matrices of a model, whichever way round these are stored.",
    stub='''\
def fold(layers, updates):
    """The weights of a model with updates of low rank added, as a list of matrices.

    layers: [name, weight, transposed] for each, a weight as a list of rows.  It has the
    shape (out, in), as in torch.nn.Linear, and (in, out) where transposed is True, as
    in GPT-2's Conv1D.  updates: [name, a, b, alpha, strength], with a of (rank, in) and
    b of (out, rank).  Each adds strength * alpha / rank * b @ a to its layer; a
    layer can have none, one or several, of different ranks.

    One matrix for each layer, in the order and the shape of `layers`.
    """
    ...  # your code here
''',
    hints=(
        "b @ a has the shape (out, in). When does the weight have another one?",
        "For each layer begin with a copy of its weight, and add every update that has its name.",
        "The number in row j and column i of a transposed weight changes by scale * sum(b[i][r] * a[r][j]).",
    ),
    inputs=fold_inputs,
    truth=truth_fold,
    reference=reference_fold,
    mistakes=[
        (
            lambda *c: truth_fold(*c, turned=False),
            "no square update was transposed: a weight that is stored as (in, out) takes the transpose of b @ a, and of a "
            "square one the shape does not tell",
        ),
        (
            lambda *c: truth_fold(*c, turned=True),
            "every update was transposed: a weight of the shape (out, in) takes b @ a as it is",
        ),
        (
            lambda *c: truth_fold(*c, back=True),
            "transposed weights came back as (out, in): give each back in the shape that it had",
        ),
        (lambda *c: truth_fold(*c, scale=lambda a, b, alpha, s: s), "alpha / rank is missing from the scale"),
        (lambda *c: truth_fold(*c, scale=lambda a, b, alpha, s: s * alpha), "the scale was not divided by the rank"),
        (lambda *c: truth_fold(*c, scale=lambda a, b, alpha, s: s / len(a)), "alpha is missing from the scale"),
        (
            lambda *c: truth_fold(*c, scale=lambda a, b, alpha, s: s * alpha / len(b)),
            "divided by the width of the matrix: the rank is the number of rows of a and of columns of b",
        ),
        (lambda *c: truth_fold(*c, scale=lambda a, b, alpha, s: alpha / len(a)), "strength was left out"),
        (
            lambda *c: truth_fold(*c, start=lambda weight, strength: strength * weight),
            "strength multiplied the frozen weight as well: it belongs to the update alone",
        ),
        (
            lambda *c: truth_fold(*c, start=lambda weight, strength: (1 - strength) * weight),
            "weight and update were mixed as by (1 - strength) and strength: the weight stays whole and the update is added",
        ),
        (
            lambda *c: truth_fold(*c, chosen=lambda mine: mine[-1:]),
            "of several updates of a layer only the last one is in its weight: add to what is there already",
        ),
        (
            lambda *c: truth_fold(*c, chosen=lambda mine: mine[:1]),
            "of several updates of a layer only the first one is in its weight: go on looking after you found one",
        ),
        (
            _scaled_as_the_first,
            "every update of a layer was scaled as its first one: each has its own rank, alpha and strength",
        ),
        (lambda *c: truth_fold(*c, kept=bool), "a layer without an update is missing: its weight stays as it is"),
        (lambda *c: truth_fold(*c, base=0.0), "those are the updates alone: add them to the weights"),
        (
            lambda *c: truth_fold(*c, scale=lambda a, b, alpha, s: -s * alpha / len(a)),
            "the updates were taken off: they are added",
        ),
    ],
)


# Part 3: words_to_store


def reference_words_to_store(texts, pieces, least, numbers, width):
    times, texts_with = Counter(), Counter()
    for text in texts:
        found = re.findall("[a-z]+", text)
        times.update(found)
        texts_with.update(set(found))
    saved = {w: n * (pieces[w] - 1) for w, n in times.items() if texts_with[w] >= least and pieces[w] > 1}
    return sorted(saved, key=lambda w: (-saved[w], w))[: numbers // width]


def truth_stored(
    texts, pieces, least, numbers, width, *, worth=None, common=None, order=sorted, room=None, alike=False, shown=list
):
    """Word by word, over the list of all words of each text; the options are the known mistakes."""
    split = [re.split("[^a-z]+", text) for text in texts]
    count = (lambda w, words, text: text.count(w)) if alike else (lambda w, words, text: words.count(w))
    worth = worth or (lambda n, inside, k: n * (k - 1))
    common = common or (lambda n, inside: inside >= least)
    kept = []
    for word in order(pieces):
        each = [count(word, words, text) for words, text in zip(split, texts)]
        n, inside = sum(each), sum(1 for x in each if x)
        value = worth(n, inside, pieces[word])
        if n and common(n, inside) and value > 0:
            kept.append((-value, word))
    ranked = [word for _, word in sorted(kept, key=lambda pair: pair[0])]
    return shown(list(islice(ranked, numbers // width if room is None else room(numbers, width))))


def _by_first_text(texts):
    """Words in the order in which they are met."""
    met = [w for text in texts for w in re.findall("[a-z]+", text)]
    return lambda pieces: sorted(pieces, key=lambda w: (met.index(w) if w in met else len(met), w))


def stored_inputs(rng):
    drawn = []
    for k in range(6):
        names = rng.sample("brento crolim drupax flegar grinol klasut plomer skutri stralo vlanix".split(), 8)
        names += [names[0] + "er", "of", "the"]  # one name stands inside another
        rng.shuffle(names)
        weights = [rng.choice([2, 2, 3, 4]) for _ in names]
        texts = []
        for _ in range(rng.randint(9, 12)):
            words = rng.choices(names, weights, k=rng.randint(4, 7))
            words += [rng.choice(words)] * rng.choice([0, 1, 3])
            texts.append(", ".join(words) + rng.choice([".", "!", " (again)."]))
        pieces = {w: 1 if w in ("of", "the") else rng.choice([2, 3, 3, 5]) for w in sorted({*names, "again"})}
        width, room = rng.choice([16, 64]), 12 if k == 0 else rng.randint(3, 5)
        drawn.append([texts, pieces, rng.randint(3, 5), room * width + width // 2, width])
    return drawn


WORDS_TO_STORE = Part(
    id="words-to-store",
    level="core",
    minutes=12,
    aim="Choose the words that deserve a token of their own, under a limit on what is stored.",
    stub='''\
def words_to_store(texts, pieces, least, numbers, width):
    """The words that become tokens of their own, the most useful first, as a list.

    The words of a text are re.findall("[a-z]+", text); pieces[word] says into how many
    tokens a word is cut now.  A word saves pieces[word] - 1 tokens each time it occurs;
    a word of one piece saves nothing and is never chosen.  A word that stands in fewer
    than `least` different texts is left out, for nothing could be learned of it.  Each
    word costs `width` numbers, and at most `numbers` may be stored.  Words that save
    equally much stand in the order of the alphabet.
    """
    ...  # your code here
''',
    hints=(
        "Two counts are needed for each word: how often it occurs, and in how many texts.",
        "Leave out the rare and the uncut words first, then sort the rest by what they save.",
        "sorted(saved, key=lambda word: (-saved[word], word)), and then the first numbers // width.",
    ),
    inputs=stored_inputs,
    truth=truth_stored,
    reference=reference_words_to_store,
    mistakes=[
        (
            lambda *c: truth_stored(*c, worth=lambda n, inside, k: n * (k > 1)),
            "the words were ranked by how often they occur: one that is cut into more pieces saves more each time",
        ),
        (
            lambda *c: truth_stored(*c, worth=lambda n, inside, k: k - 1),
            "the words were ranked by their pieces: what counts is the saving over all their occurrences",
        ),
        (
            lambda *c: truth_stored(*c, worth=lambda n, inside, k: n * k * (k > 1)),
            "a word of k pieces saves k - 1 tokens, for one is still needed",
        ),
        (
            lambda *c: truth_stored(*c, worth=lambda n, inside, k: n * (k - 1) or 1e-3),
            "a word of one piece was chosen where there was room: it saves nothing",
        ),
        (
            lambda *c: truth_stored(*c, worth=lambda n, inside, k: inside * (k - 1)),
            "a word that stands twice in a text saves twice: count occurrences for the saving, texts for `least`",
        ),
        (
            lambda *c: truth_stored(*c, common=lambda n, inside: n >= c[2]),
            "`least` was held against the occurrences: it is a number of different texts",
        ),
        (
            lambda *c: truth_stored(*c, common=lambda n, inside: inside > c[2]),
            "a word that stands in exactly `least` texts is left out: it is common enough",
        ),
        (lambda *c: truth_stored(*c, common=lambda n, inside: True), "`least` was ignored: rare words are left out"),
        (
            lambda *c: truth_stored(*c, room=lambda numbers, width: numbers),
            "the limit was not kept: `numbers` are numbers, and each word costs `width` of them",
        ),
        (
            lambda *c: truth_stored(*c, room=lambda numbers, width: -(-numbers // width)),
            "one word too many: it would not be stored whole, so round down",
        ),
        (
            lambda *c: truth_stored(*c, room=lambda numbers, width: numbers // width - 1),
            "one word fewer than there is room for",
        ),
        (
            lambda *c: truth_stored(*c, order=_by_first_text(c[0])),
            "words that save equally much stand in the order in which they were met: take that of the alphabet",
        ),
        (
            lambda *c: truth_stored(*c, order=lambda pieces: sorted(pieces, reverse=True)),
            "words that save equally much stand in the alphabet's order turned round",
        ),
        (
            lambda *c: truth_stored(*c, shown=sorted),
            "the chosen words stand by the alphabet: the most useful comes first",
        ),
        (
            lambda *c: truth_stored(*c, shown=lambda chosen: chosen[::-1]),
            "the chosen words are right and stand the wrong way round: the most useful comes first",
        ),
        (
            lambda *c: truth_stored(*c, alike=True),
            "a word was also counted inside a longer one: count whole words, as re.findall gives them",
        ),
    ],
)


# Part 4: bits_by_place

BITS = math.log2(math.e)


def reference_bits_by_place(tokens, spans, length):
    sums = [0.0, 0.0]
    for begin, end, loss in tokens:
        inside = any(begin < stop and start < end for start, stop in spans)
        sums[0 if inside else 1] += loss
    return [nats / math.log(2) / length for nats in sums]


def truth_places(tokens, spans, length, *, touches=None, log=BITS, per=None, shown=list, drop=False):
    """By the sets of characters that tokens and spans cover; the options are the known mistakes."""
    marked = {at for start, stop in spans for at in range(start, stop)}
    touches = touches or (lambda begin, end: bool(marked & set(range(begin, end))))
    kept = [(b, e, x) for b, e, x in tokens if e > b or not drop]
    named = [t for t in kept if touches(t[0], t[1])]
    others = [t for t in kept if not touches(t[0], t[1])]
    by = per or (lambda group: length)
    return shown([sum(x * log for _, _, x in group) / by(group) for group in (named, others)])


def _marked(spans):
    return {at for start, stop in spans for at in range(start, stop)}


def _twice(tokens, spans, length):
    """Once for each span that a token touches."""
    inside = sum(truth_places(tokens, [span], length)[0] for span in spans)
    return [inside, truth_places(tokens, spans, length)[1]]


def places_inputs(rng):
    drawn = []
    for _ in range(5):
        borders = sorted(rng.sample(range(1, 40), 12))
        ends = [0, *borders, 40]
        tokens = [[a, b, round(rng.uniform(0.2, 6), 2)] for a, b in zip(ends, ends[1:])]
        tokens.append([40, 40, round(rng.uniform(0.2, 3), 2)])  # the end of the text
        i, j, k = borders[2], borders[5], borders[9]
        spans = [[k, k + 2], [i + 1, i + rng.randint(3, 6)], [j - 1, j + 1]]
        if len(drawn) % 2:  # two words in one token
            a, b = max(((t[0], t[1]) for t in tokens), key=lambda pair: pair[1] - pair[0])
            spans += [[a, a + 1], [b - 1, b]]
        rng.shuffle(spans)
        drawn.append([tokens, spans, 40])
    return drawn


BITS_BY_PLACE = Part(
    id="bits-by-place",
    level="core",
    minutes=12,
    aim="Say where in a text a model spends its bits, so that two tokenizers can be compared there.",
    stub='''\
def bits_by_place(tokens, spans, length):
    """What a text costs at some places and elsewhere: [inside, outside].

    tokens: [begin, end, loss] for each, with the characters begin up to but not
    including end that it spells, and its loss in nats.  spans: the places, as [begin,
    end] in the same way, in any order.  A token belongs to the places if it spells at
    least one of their characters.  The token that ends a text spells none.

    Both numbers are bits per character of the whole text of `length` characters, so
    that their sum is the model's bits per character.
    """
    ...  # your code here
''',
    hints=(
        "Each token belongs to one of the two sums, and to one only.",
        "When do the stretches begin .. end and start .. stop share a character?",
        "begin < stop and start < end; nats become bits by dividing by log(2).",
    ),
    inputs=places_inputs,
    truth=truth_places,
    reference=reference_bits_by_place,
    mistakes=[
        (lambda *c: truth_places(*c, log=1.0), "those are nats: divide by log(2) for bits"),
        (lambda *c: truth_places(*c, log=math.log(2)), "nats were multiplied by log(2): divide"),
        (
            lambda *c: truth_places(*c, touches=lambda b, e: b in _marked(c[1])),
            "a token was judged by its first character alone: it may begin before a place and reach into it",
        ),
        (
            lambda *c: truth_places(*c, touches=lambda b, e: e - 1 in _marked(c[1])),
            "a token was judged by its last character alone: it may reach out of a place",
        ),
        (
            lambda *c: truth_places(*c, touches=lambda b, e: e > b and set(range(b, e)) <= _marked(c[1])),
            "only tokens that lie wholly within a place were taken: one shared character is enough",
        ),
        (
            lambda *c: truth_places(*c, touches=lambda b, e: any(b <= stop and start <= e for start, stop in c[1])),
            "a token that only borders on a place was taken: begin and stop may not be equal",
        ),
        (_twice, "a token that touches two places was counted twice"),
        (lambda t, s, n: truth_places(t, sorted(s)[:1], n), "only the first place was looked at"),
        (
            lambda *c: truth_places(*c, per=lambda group: sum(e - b for b, e, _ in group)),
            "each sum was divided by its own characters: divide both by those of the whole text, so that they add up",
        ),
        (
            lambda *c: truth_places(*c, per=len),
            "that is a mean over tokens, which another tokenizer has more or fewer of: divide by the characters",
        ),
        (
            lambda *c: truth_places(*c, per=lambda group: len(c[0])),
            "divided by the number of tokens: divide by the number of characters",
        ),
        (lambda *c: truth_places(*c, per=lambda group: 1), "the sums were not divided by the number of characters"),
        (
            lambda *c: truth_places(*c, drop=True),
            "the token that ends the text is missing: it spells nothing and costs something, outside of the places",
        ),
        (
            lambda *c: truth_places(*c, shown=lambda two: two[::-1]),
            "the two stand in the wrong order: inside comes first",
        ),
        (
            lambda *c: truth_places(*c, shown=lambda two: [x / sum(two) for x in two]),
            "those are shares of the whole: bits per character are asked for",
        ),
    ],
)

HOMEWORK = Homework(
    name="adapt",
    title="A head, LoRA or new tokens",
    parts=[TRAINED_NUMBERS, FOLD, WORDS_TO_STORE, BITS_BY_PLACE],
    question="Your device can store 20,000 numbers for each customer. What would you train with 48 notes, and what with "
    "384: a head, LoRA of which rank, tokens of their own for some names, or everything?",
    rubric=[
        (2, "gives for both numbers of notes the own errors with their ±, and what each way stores"),
        (
            2,
            "does not call one way better where the interval of the difference holds zero, and says what would settle it",
        ),
        (2, "judges the new tokens by bits per character, and says why the loss per token says the opposite"),
    ],
)


# What students write too: other forms of the mistakes, and right answers in another dress.


def _largest_first(texts, pieces, least, numbers, width):
    """Counter.most_common keeps the order in which words were met."""
    times = Counter(w for text in texts for w in re.findall("[a-z]+", text))
    saved = Counter({w: n * (pieces[w] - 1) for w, n in times.items()})
    common = [w for w, n in saved.most_common() if n and sum(w in re.findall("[a-z]+", t) for t in texts) >= least]
    return common[: numbers // width]


def _overlap_summed(tokens, spans, length):
    """A loop over places and tokens, without leaving it at the first place."""
    inside = sum(x for b, e, x in tokens for start, stop in spans if max(b, start) < min(e, stop))
    outside = sum(x for b, e, x in tokens if not any(max(b, s) < min(e, t) for s, t in spans))
    return [inside / math.log(2) / length, outside / math.log(2) / length]


def _with_arrays(layers, updates):
    folded = {name: np.array(weight) for name, weight, _ in layers}
    turned = {name: transposed for name, _, transposed in layers}
    for name, a, b, alpha, strength in updates:
        update = strength * alpha / len(a) * np.array(b) @ np.array(a)
        folded[name] = folded[name] + (update.T if turned[name] else update)
    return list(folded.values())


VARIANTS = {
    "words-to-store": [(_largest_first, "in the order in which they were met")],
    "bits-by-place": [(_overlap_summed, "counted twice")],
}
DRESSES = {
    "trained-numbers": [
        lambda *c: np.int64(reference_trained_numbers(*c)),
        lambda *c: float(reference_trained_numbers(*c)),
        truth_trained,
    ],
    "fold": [_with_arrays, lambda *c: tuple(reference_fold(*c))],
    "words-to-store": [lambda *c: tuple(reference_words_to_store(*c)), truth_stored],
    "bits-by-place": [lambda *c: np.array(reference_bits_by_place(*c)), lambda *c: tuple(truth_places(*c))],
}
