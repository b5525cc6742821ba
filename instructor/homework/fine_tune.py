"""Homework 1: fine-tune a pretrained model on a task of one's own, and split it fairly."""

from collections import Counter

import numpy as np
from sklearn.metrics import f1_score

from lmtune.grading.homework import Homework, Part

# Part 1: hold_out


def reference_hold_out(customers, boxes, share, first):
    total = Counter(boxes)
    wrote = {name: Counter() for name in sorted(set(customers))}
    for name, box in zip(customers, boxes):
        wrote[name][box] += 1

    def distance(names):
        have = sum((wrote[name] for name in names), Counter())
        return sum((have[box] / total[box] - share) ** 2 for box in total)

    held = [first]
    while len(held) < len(wrote):
        nearest = min((name for name in wrote if name not in held), key=lambda name: distance([*held, name]))
        if distance([*held, nearest]) >= distance(held):
            break
        held.append(nearest)
    return [i for i, name in enumerate(customers) if name in held]


#: What a customer who brings the boxes from `have` to `would` leaves to be wished for, of `total` of each.
DISTANCES = {
    "squares": lambda would, total, share, have: sum((w / t - share) ** 2 for w, t in zip(would, total)),
    "absolute": lambda would, total, share, have: sum(abs(w / t - share) for w, t in zip(would, total)),
    "signed": lambda would, total, share, have: abs(sum(w / t - share for w, t in zip(would, total))),
    "counts": lambda would, total, share, have: sum((w - share * t) ** 2 for w, t in zip(would, total)),
    "alone": lambda would, total, share, have: sum(((w - h) / t - share) ** 2 for w, t, h in zip(would, total, have)),
    "even": lambda would, total, share, have: sum(
        (w / sum(total) - share / len(total)) ** 2 for w, t in zip(would, total)
    ),
}


def chosen(customers, boxes, share, first, *, distance="squares", last=False, stop="nearer", begin=True, careful=False):
    """The customers held out, in the order in which they were taken; the options are the known mistakes.

    When ``careful`` it raises ``ValueError`` where rounding would decide which of two customers is nearer.
    """
    kinds, table = sorted(set(boxes)), Counter(zip(customers, boxes))
    rows = {name: [table[name, kind] for kind in kinds] for name in sorted(set(customers), reverse=last)}
    total = [boxes.count(kind) for kind in kinds]
    held, have = ([first], rows[first]) if begin else ([], [0] * len(kinds))
    while others := [name for name in rows if name not in held]:
        would = {name: [h + r for h, r in zip(have, rows[name])] for name in others}
        far = {name: DISTANCES[distance](would[name], total, share, have) for name in others}
        best, now = min(others, key=lambda name: round(far[name], 9)), DISTANCES[distance](have, total, share, have)
        for name in others:
            tied = rows[name] != rows[best] and abs(far[name] - far[best]) < 1e-9
            if careful and (tied or abs(far[name] - now) < 1e-9):
                raise ValueError("two customers are equally near")
        enough = {
            "nearer": far[best] >= now,
            "share": sum(have) >= share * sum(total),
            "one box": any(h >= share * t for h, t in zip(have, total)),
            "every box": all(h >= share * t for h, t in zip(have, total)),
        }[stop]
        if enough and (distance != "alone" or sum(have) >= share * sum(total)):
            break
        held, have = [*held, best], would[best]
    return held


def truth_hold_out(customers, boxes, share, first, **mistake):
    held = chosen(customers, boxes, share, first, **mistake)
    return [i for i in range(len(customers)) if customers[i] in held]


def _held(**mistake):
    return lambda *case: truth_hold_out(*case, **mistake)


def _by_name(customers, boxes, share, first):
    """Whole customers in the order of their names, whatever they write about."""
    held = [first]
    for name in sorted(set(customers) - {first}):
        if sum(customers.count(h) for h in held) < share * len(customers):
            held.append(name)
    return [i for i, name in enumerate(customers) if name in held]


def _by_ticket(customers, boxes, share, first):
    """The first tickets of each box."""
    room = {box: round(share * n) for box, n in Counter(boxes).items()}
    held = []
    for i, box in enumerate(boxes):
        if room[box]:
            held, room[box] = [*held, i], room[box] - 1
    return held


def _in_order_taken(*case):
    return [i for held in chosen(*case) for i, name in enumerate(case[0]) if name == held]


def hold_out_inputs(rng):
    drawn = []
    while len(drawn) < 6:
        names = rng.sample(["Ada", "Bo", "Cem", "Dunja", "Efe", "Femi", "Gil", "Hana", "Ivo", "Jun"], 9)
        wrote = {name: rng.choices(["billing", "delivery", "praise"], [5, 3, 2], k=rng.randint(1, 5)) for name in names}
        wrote[names[1]], wrote[names[3]] = wrote[names[0]], wrote[names[2]]  # two pairs who bring the same
        rows = [(name, box) for name in names for box in wrote[name]]
        rng.shuffle(rows)
        case = [[r[0] for r in rows], [r[1] for r in rows], rng.choice([0.25, 0.3, 0.4]), names[-1]]
        try:
            chosen(*case, careful=True)
        except ValueError:
            continue
        drawn.append(case)
    return drawn


HOLD_OUT = Part(
    id="hold-out",
    level="challenge",
    minutes=20,
    aim="Hold customers out as a whole, and keep every box in proportion all the same.",
    stub='''\
def hold_out(customers, boxes, share, first):
    """The positions of the tickets to hold out, in rising order.

    customers, boxes: who wrote each ticket, and the box that it belongs in.  A customer's
    tickets are held out together.  The customer `first` is held out to begin with; then,
    one after another, the one with whom the split comes nearest to the aim: `share` of
    the tickets of every box.  The distance is the sum over boxes of
    (tickets of the box held out / all tickets of the box - share) ** 2.
    Of customers that are equally near, the first in the alphabet comes.  Stop where no
    further customer makes the distance smaller.
    """
    ...  # your code here
''',
    hints=(
        "Write a function that gives the distance for any customers that are held out, and try it on a few.",
        "In each round, work out the distance that every customer left over would lead to, and take the least.",
        "min(sorted(left), key=...) takes the first name of equals; stop when that distance is not below the present one.",
    ),
    inputs=hold_out_inputs,
    truth=truth_hold_out,
    reference=reference_hold_out,
    gives="a list of positions",
    mistakes=[
        (_by_ticket, "each box is in proportion, but a customer stands on both sides: hold out whole customers"),
        (_by_name, "whole customers were held out in the order of their names: take the one that brings it nearest"),
        (
            _held(distance="counts"),
            "the distance is in numbers of tickets, in which a frequent box outweighs a rare one: divide by the "
            "tickets of the box",
        ),
        (_held(distance="absolute"), "the distance adds up differences without their square"),
        (
            _held(distance="signed"),
            "too much of one box and too little of another cancelled out: square each difference before adding up",
        ),
        (_held(distance="even"), "every box was to be held out equally often: the aim is the share of its own tickets"),
        (
            _held(distance="alone"),
            "each customer was looked at alone: what counts is all that is held out, with this customer's tickets",
        ),
        (_held(begin=False), "`first` was not held out to begin with: the others are chosen beside it"),
        (_held(last=True), "of customers that are equally near, the first in the alphabet comes"),
        (_held(stop="share"), "it stopped once the share of all tickets was reached: stop where no customer helps"),
        (_held(stop="one box"), "it stopped once one box had its share: stop where no customer helps"),
        (_held(stop="every box"), "it went on until every box had its share: stop where no customer helps"),
        (
            lambda *case: [i for i in range(len(case[0])) if i not in truth_hold_out(*case)],
            "these are the tickets to train on: give those held out",
        ),
        (_in_order_taken, "the positions stand in the order in which customers were taken: sort them"),
        (chosen, "these are the customers: give the positions of their tickets"),
    ],
)


# Part 2: without_reading


def reference_without_reading(trained, asked):
    def usual(boxes):
        return min(sorted(set(boxes)), key=lambda box: -boxes.count(box))

    anybody = usual([box for _, box in trained])
    own = {customer: usual([box for c, box in trained if c == customer]) for customer, _ in trained}
    return [own.get(customer, anybody) for customer in asked]


def truth_without_reading(trained, asked, *, rank=None, nobody=None, own=True):
    """From the table of counts; the options are the known mistakes."""
    table, boxes = Counter(map(tuple, trained)), [box for _, box in trained]
    total = Counter(boxes)
    rank = rank or (lambda counts, boxes: min(counts, key=lambda box: (-counts[box], box)))
    said = {}
    for customer, _ in trained:
        mine = Counter({box: n for (c, box), n in table.items() if c == customer})
        said[customer] = rank(mine, [box for c, box in trained if c == customer])
    common = rank(total, boxes) if nobody is None else nobody(said, boxes)
    return [said[c] if own and c in said else common for c in asked]


def _guess(**mistake):
    return lambda *case: truth_without_reading(*case, **mistake)


def _most(boxes):
    counts = Counter(boxes)
    return min(counts, key=lambda box: (-counts[box], box))


def _lifted(trained, asked):
    """The box of which a customer wrote the largest part."""
    table, total = Counter(map(tuple, trained)), Counter(box for _, box in trained)
    known = {c for c, _ in trained}
    return [
        min(total, key=lambda box: (-table[c, box] / total[box], box)) if c in known else _most([b for _, b in trained])
        for c in asked
    ]


def without_reading_inputs(rng):
    drawn = []
    for _ in range(5):
        names = rng.sample(["Ada", "Bo", "Cem", "Dunja", "Efe", "Femi", "Gil"], 6)
        trained = [[n, box] for n in names[:4] for box in rng.choices(["login", "billing", "praise", "delivery"], k=6)]
        trained += [[names[4], box] for box in rng.sample(["praise", "login", "praise", "login", "billing"], 5)]
        rng.shuffle(trained)
        asked = rng.choices(names, k=4) + rng.sample(names, 6)
        drawn.append([trained, asked])
    return drawn


WITHOUT_READING = Part(
    id="without-reading",
    level="core",
    minutes=12,
    aim="Write the baseline that gives a leak away: one that knows the customer and never reads the ticket.",
    stub='''\
def without_reading(trained, asked):
    """The box that is guessed for each customer of `asked`, a list of as many names of boxes.

    trained: a pair [customer, box] for each ticket that was trained on.  asked: the
    customers of the tickets to be sorted.  A customer of `trained` gets the box that it
    wrote for most often there, any other the most frequent box of all tickets in `trained`.
    Of equally frequent boxes, the first in the alphabet.
    """
    ...  # your code here
''',
    hints=(
        "Two questions: which box is most frequent in a list, and which list belongs to a customer?",
        "Collect the boxes of each customer in a dictionary of lists first.",
        "max(sorted(set(boxes)), key=boxes.count) takes the first in the alphabet of equals.",
    ),
    inputs=without_reading_inputs,
    truth=truth_without_reading,
    reference=reference_without_reading,
    gives="a list with one box for each customer asked for",
    mistakes=[
        (_guess(own=False), "everybody got the most frequent box: who is in `trained` gets the customer's own"),
        (
            _guess(nobody=lambda said, boxes: _most(list(said.values()))),
            "an unknown customer got the box that most customers favour: count tickets, not customers",
        ),
        (
            _guess(nobody=lambda said, boxes: boxes[-1]),
            "an unknown customer got the box of the last ticket: take the most frequent one of all tickets",
        ),
        (
            _guess(nobody=lambda said, boxes: min(boxes)),
            "an unknown customer got the first box in the alphabet: take the most frequent one of all tickets",
        ),
        (
            _guess(nobody=lambda said, boxes: ""),
            "an unknown customer got no box: take the most frequent one of all tickets",
        ),
        (
            lambda trained, asked: truth_without_reading(trained, [c for c in asked if c in {k for k, _ in trained}]),
            "customers that are not in `trained` were left out: they get the most frequent box of all tickets",
        ),
        (
            _guess(rank=lambda counts, boxes: boxes[-1], nobody=lambda said, boxes: _most(boxes)),
            "a customer got the box of its latest ticket: take the box that it wrote for most often",
        ),
        (
            _guess(rank=lambda counts, boxes: boxes[0], nobody=lambda said, boxes: _most(boxes)),
            "a customer got the box of its first ticket: take the box that it wrote for most often",
        ),
        (
            _guess(rank=lambda counts, boxes: Counter(boxes).most_common(1)[0][0]),
            "of equally frequent boxes the one that came first was taken: take the first in the alphabet",
        ),
        (
            _guess(rank=lambda counts, boxes: max(counts, key=lambda box: (counts[box], box))),
            "of equally frequent boxes the last in the alphabet was taken: take the first",
        ),
        (
            _lifted,
            "each count was divided by how frequent the box is among all: count the customer's own tickets alone",
        ),
        (
            lambda trained, asked: truth_without_reading(trained, sorted(set(asked))),
            "each customer was answered for once: give one box for each entry of `asked`, in its order",
        ),
    ],
)


# Part 3: beside_constant


def reference_beside_constant(labels, predicted):
    def macro_f1(labels, predicted):
        scores = []
        for one in set(labels) | set(predicted):
            right = sum(a == b == one for a, b in zip(labels, predicted))
            scores.append(2 * right / (labels.count(one) + predicted.count(one)))
        return sum(scores) / len(scores)

    usual = max(sorted(set(labels)), key=labels.count)
    score, constant = macro_f1(labels, predicted), macro_f1(labels, [usual] * len(labels))
    return [score, constant, (score - constant) / (1 - constant)]


def _rates(labels, predicted, classes):
    """Precision, recall and F1 of each class from its table of counts."""
    table = Counter(zip(labels, predicted))
    for c in classes:
        hit = table[c, c]
        said = sum(n for (_, p), n in table.items() if p == c)
        real = sum(n for (t, _), n in table.items() if t == c)
        precision, recall = (hit / said if said else 0.0), (hit / real if real else 0.0)
        yield precision, recall, 2 * precision * recall / (precision + recall) if hit else 0.0


def _mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


def _macro(labels, predicted, which=2):
    return _mean(row[which] for row in _rates(labels, predicted, sorted({*labels, *predicted})))


def _accuracy(labels, predicted):
    return _mean(a == b for a, b in zip(labels, predicted))


def _weighted(labels, predicted):
    rows = dict(zip(sorted(set(labels)), _rates(labels, predicted, sorted(set(labels)))))
    return _mean(rows[label][2] for label in labels)


def _of_means(labels, predicted):
    precision, recall = _macro(labels, predicted, 0), _macro(labels, predicted, 1)
    return 2 * precision * recall / (precision + recall)


def truth_beside(labels, predicted, *, score=_macro, constant=_macro, usual=None, gain=None):
    """The score, that of the constant answer, and the gain; the options are the known mistakes."""
    usual = usual or (lambda labels, predicted: Counter(labels).most_common(1)[0][0])
    mine = score(labels, predicted)
    theirs = constant(labels, [usual(labels, predicted)] * len(labels))
    return [mine, theirs, (gain or (lambda s, c: (s - c) / (1 - c)))(mine, theirs)]


def _both(score):
    return lambda *case: truth_beside(*case, score=score, constant=score)


def _beside(**mistake):
    return lambda *case: truth_beside(*case, **mistake)


def beside_inputs(rng):
    classes, drawn = ["billing", "delivery", "login", "praise"], []
    for i in range(5):
        labels = rng.choices(classes, weights=[6, 4, 2, 2], k=22) + classes
        predicted = [c if rng.random() < 0.5 else rng.choice(classes[1:]) for c in labels]
        if i % 2:
            predicted[rng.randrange(22)] = "refund"  # a box that is named and never right
        if i == 2:
            predicted = ["login" if c == "praise" else c for c in predicted]  # a box that is never named
        drawn.append([labels, predicted])
    return drawn


BESIDE_CONSTANT = Part(
    id="beside-constant",
    level="core",
    minutes=15,
    aim="Score a classifier so that the rare box counts, and read the score beside an answer that never looks.",
    stub='''\
def beside_constant(labels, predicted):
    """Three numbers, a list [score, constant, gain].

    labels, predicted: names of the true and of the predicted boxes.  score: macro-F1, the
    mean of F1 over every box that occurs in labels or in predicted.  F1 of a box is
    2h / (t + p): h of its tickets were predicted rightly, t have the box, p were predicted
    to have it.  constant: macro-F1 of always answering the most frequent box of labels.
    gain: the share that the score goes of the way from constant to 1.
    """
    ...  # your code here
''',
    hints=(
        "You need macro-F1 twice, so make it a function: once for `predicted`, once for the constant answer.",
        "The constant answer is a list as long as labels; of its boxes, all but one are never named.",
        "The way from constant to 1 is 1 - constant long. scikit-learn's f1_score with average='macro' is allowed.",
    ),
    inputs=beside_inputs,
    truth=truth_beside,
    reference=reference_beside_constant,
    gives="a list of three numbers: score, constant and gain",
    mistakes=[
        (_both(_accuracy), "those are accuracies, in which a frequent box counts more: average F1 over the boxes"),
        (_both(_weighted), "the boxes were weighted by how frequent they are: in macro-F1 each counts the same"),
        (
            _both(_of_means),
            "F1 was taken of the mean precision and the mean recall: take F1 of each box, then the mean",
        ),
        (
            _both(lambda a, b: _macro(a, b, 1)),
            "that is the mean recall: F1 asks as well how often a box was named in vain",
        ),
        (
            _both(lambda a, b: _macro(a, b, 0)),
            "that is the mean precision: F1 asks as well how much of a box was found",
        ),
        (
            _both(lambda a, b: _mean(row[2] for row in _rates(a, b, sorted(set(a))))),
            "a box that was predicted but is never the label was left out: it counts with an F1 of 0",
        ),
        (
            _both(lambda a, b: _mean(row[2] for row in _rates(a, b, sorted({*a, *b})) if row[2])),
            "boxes that were never right were left out of the mean: they count with an F1 of 0",
        ),
        (
            _beside(constant=_accuracy),
            "the constant answer was scored by its accuracy: score it as the model, by macro-F1",
        ),
        (
            _beside(constant=lambda a, b: max(row[2] for row in _rates(a, b, sorted(set(a))))),
            "the constant answer's F1 of one box is not its macro-F1: the boxes that it never names count with 0",
        ),
        (
            _beside(usual=lambda labels, predicted: Counter(predicted).most_common(1)[0][0]),
            "the constant answer was the box most often predicted: take the most frequent one of the labels",
        ),
        (
            _beside(usual=lambda labels, predicted: labels[0]),
            "the constant answer was the box of the first ticket: take the most frequent one of the labels",
        ),
        (_beside(gain=lambda s, c: s - c), "the gain is not the difference: divide it by what there was to gain"),
        (_beside(gain=lambda s, c: s / c), "the gain is not the ratio of the two scores"),
        (
            _beside(gain=lambda s, c: (s - c) / c),
            "the gain was divided by the constant answer's score: divide by 1 - constant",
        ),
        (
            _beside(gain=lambda s, c: (s - c) / (1 - s)),
            "the gain was divided by what is still missing: divide by 1 - constant",
        ),
    ],
)


def _sklearn(average):
    """The three numbers with scikit-learn's F1."""

    def answer(labels, predicted):
        usual = [max(sorted(set(labels)), key=labels.count)] * len(labels)
        score, constant = (f1_score(labels, said, average=average, zero_division=0) for said in (predicted, usual))
        return np.array([score, constant, (score - constant) / (1 - constant)])

    return answer


#: Other forms of the mistakes, and right answers in another dress.
VARIANTS = {
    "hold-out": [(lambda *case: np.array(chosen(*case)), "these are the customers")],
    "without-reading": [
        (lambda trained, asked: [Counter(b for _, b in trained).most_common(1)[0][0]] * len(asked), "everybody got")
    ],
    "beside-constant": [
        (_sklearn("micro"), "those are accuracies"),
        (_sklearn("weighted"), "weighted by how frequent"),
    ],
}
DRESSES = {
    "hold-out": [lambda *case: tuple(reference_hold_out(*case)), lambda *case: np.array(reference_hold_out(*case))],
    "without-reading": [
        lambda *case: tuple(reference_without_reading(*case)),
        lambda *case: np.array(reference_without_reading(*case)),
    ],
    "beside-constant": [
        _sklearn("macro"),
        lambda *case: np.array(reference_beside_constant(*case), dtype=np.float32),
        lambda *case: tuple(reference_beside_constant(*case)),
    ],
}

HOMEWORK = Homework(
    name="fine-tune",
    title="Fine-tune a pretrained model on a task of your own",
    parts=[HOLD_OUT, WITHOUT_READING, BESIDE_CONSTANT],
    question="By how much did the split at random flatter the model in your shop, and is that more than the interval? "
    "Say how the baseline that never reads bears on it, and for which use of the model each of the two splits would "
    "be the right one.",
    rubric=[
        (2, "gives the own difference of macro-F1 with its half-width, and says whether it is resolved"),
        (
            2,
            "reads it beside the baselines of the own run: what the customer alone tells, the constant answer, the "
            "model before training",
        ),
        (
            2,
            "names a use for each split: customers who have not written before, and further tickets of known ones; and "
            "one thing that was not varied",
        ),
    ],
)
