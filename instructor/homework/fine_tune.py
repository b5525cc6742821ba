"""Homework 1: fine-tune a pretrained model on a task of one's own."""

from collections import Counter

from lmtune.grading.homework import Homework, Part

# Part 1: build_example


def reference_build_example(prompt, answer, end_id, length):
    kept = prompt[max(0, len(prompt) + len(answer) + 1 - length) :]
    ids = kept + answer + [end_id]
    labels = [-100] * len(kept) + answer + [end_id]
    return [ids, labels]


def truth_example(prompt, answer, end_id, length, *, masked=True, end="both", cut="front", shift=0):
    """The example position by position; the options are the known mistakes."""
    learned = list(answer) + ([end_id] if end != "none" else [])
    rows = [(i, -100 if masked else i) for i in prompt] + [(i, i) for i in learned]
    if end == "ids only":
        rows[-1] = (end_id, -100)
    surplus = max(0, len(rows) - length)
    rows = rows[surplus:] if cut == "front" else rows[: len(rows) - surplus]
    labels = [label for _, label in rows]
    return [[i for i, _ in rows], labels[shift:] + [-100] * shift]


def _example(**mistake):
    return lambda *case: truth_example(*case, **mistake)


def example_inputs(rng):
    drawn = []
    for i in range(6):
        prompt = [rng.randint(10, 4000) for _ in range(rng.randint(5, 9))]
        answer = [rng.randint(10, 4000) for _ in range(rng.randint(1, 3))]
        whole = len(prompt) + len(answer) + 1
        drawn.append([prompt, answer, rng.randint(0, 5), whole + 3 if i % 2 else whole - rng.randint(1, 3)])
    return drawn


BUILD_EXAMPLE = Part(
    id="build-example",
    level="core",
    minutes=15,
    aim="Turn a prompt and an answer into token ids and labels that train the answer alone.",
    stub='''\
def build_example(prompt, answer, end_id, length):
    """The ids and labels of one training example, as a list [ids, labels].

    prompt, answer: lists of token ids.  The answer is followed by end_id.  Labels stand
    at the same positions as the ids (the loss shifts them itself); prompt tokens have
    the label -100, which the loss leaves out.  At most `length` ids: where there are
    more, the prompt loses tokens at its beginning.
    """
    ...  # your code here
''',
    hints=(
        "Which tokens should the model learn to write? Only these have a label that is not -100.",
        "Decide first how many prompt tokens there is room for, then put three lists together.",
        "The room for the prompt is length - len(answer) - 1; take that many from its end.",
    ),
    inputs=example_inputs,
    truth=truth_example,
    reference=reference_build_example,
    mistakes=[
        (_example(masked=False), "the prompt is trained as well: give its tokens the label -100"),
        (_example(end="none"), "end_id is missing behind the answer: without it the model never learns to stop"),
        (
            _example(end="ids only"),
            "end_id stands among the ids, but its label is -100: the end is part of what is learned",
        ),
        (
            _example(cut="back"),
            "the example was cut at its end, where the answer stands: cut the beginning of the prompt",
        ),
        (_example(shift=1), "the labels are shifted by one already: the loss does this itself"),
    ],
)


# Part 2: hold_out


def reference_hold_out(customers, share):
    held = set()
    for name in sorted(set(customers)):
        held.add(name)
        if sum(c in held for c in customers) >= share * len(customers):
            break
    return [i for i, c in enumerate(customers) if c in held]


def truth_held(customers, share, *, order="name", stop="reached", count="tickets"):
    """Held-out positions from the counts of each customer; the options are the known mistakes."""
    counts = Counter(customers)
    names = sorted(counts) if order == "name" else list(counts)
    wanted = share * (len(customers) if count == "tickets" else len(names))
    taken, total = [], 0
    for name in names:
        if total >= wanted and taken:
            break
        more = counts[name] if count == "tickets" else 1
        if stop == "before" and total + more > wanted:
            break
        taken.append(name)
        total += more
    return [i for i, c in enumerate(customers) if c in taken]


def held_inputs(rng):
    names = ["Ada", "Bo", "Cem", "Dunja", "Efe", "Femi", "Gil", "Hana"]
    drawn = []
    for _ in range(6):
        some = rng.sample(names, 6)
        customers = [n for n in some for _ in range(rng.randint(1, 5))]
        rng.shuffle(customers)
        drawn.append([customers, rng.choice([0.2, 0.25, 0.3, 0.4])])
    return drawn


HOLD_OUT = Part(
    id="hold-out",
    level="core",
    minutes=15,
    aim="Hold data out so that nobody stands on both sides of the split.",
    stub='''\
def hold_out(customers, share):
    """The positions of the tickets to validate on, in rising order.

    customers: the name of the customer of each ticket.  Customers are held out as a
    whole, in alphabetical order, until the tickets held out are at least `share` of all
    tickets; no more customers than that takes.
    """
    ...  # your code here
''',
    hints=(
        "What would a model know about a validation ticket if the same customer wrote a training ticket?",
        "Go through the sorted names, and stop as soon as enough tickets are held out.",
        "Enough means: tickets of the names so far >= share * len(customers).",
    ),
    inputs=held_inputs,
    truth=truth_held,
    reference=reference_hold_out,
    mistakes=[
        (
            lambda customers, share: list(range(-int(-share * len(customers) // 1))),
            "tickets were held out one by one, so a customer stands on both sides: hold out whole customers",
        ),
        (
            lambda customers, share: list(range(int(share * len(customers)))),
            "tickets were held out one by one, and rounded down: hold out whole customers",
        ),
        (
            lambda *case: truth_held(*case, order="appearance"),
            "the customers were taken in the order in which they appear: take them in alphabetical order",
        ),
        (
            lambda *case: truth_held(*case, stop="before"),
            "too few tickets: go on until at least the share is reached, not as long as it is not passed",
        ),
        (
            lambda *case: truth_held(*case, count="customers"),
            "the share was counted in customers: count the tickets that they wrote",
        ),
    ],
)


# Part 3: macro_f1


def reference_macro_f1(labels, predicted):
    scores = []
    for one in set(labels) | set(predicted):
        right = sum(a == b == one for a, b in zip(labels, predicted))
        scores.append(2 * right / (labels.count(one) + predicted.count(one)))
    return sum(scores) / len(scores)


def _rates(labels, predicted, classes):
    """Precision, recall and F1 of each class from its table of counts."""
    table = Counter(zip(labels, predicted))
    for c in classes:
        hit = table[c, c]
        said = sum(n for (_, p), n in table.items() if p == c)
        real = sum(n for (t, _), n in table.items() if t == c)
        precision, recall = (hit / said if said else 0.0), (hit / real if real else 0.0)
        yield precision, recall, 2 * precision * recall / (precision + recall) if hit else 0.0


def truth_macro(labels, predicted):
    found = [f for _, _, f in _rates(labels, predicted, sorted({*labels, *predicted}))]
    return sum(found) / len(found)


def _known_classes(labels, predicted):
    found = [f for _, _, f in _rates(labels, predicted, sorted(set(labels)))]
    return sum(found) / len(found)


def _weighted(labels, predicted):
    classes = sorted(set(labels))
    return sum(f * labels.count(c) for c, (_, _, f) in zip(classes, _rates(labels, predicted, classes))) / len(labels)


def _of_means(labels, predicted):
    rows = list(_rates(labels, predicted, sorted({*labels, *predicted})))
    precision, recall = (sum(r[i] for r in rows) / len(rows) for i in (0, 1))
    return 2 * precision * recall / (precision + recall)


def macro_inputs(rng):
    classes, drawn = ["billing", "delivery", "login", "praise", "refund"], []
    for i in range(5):
        labels = rng.choices(classes[:4], weights=[6, 3, 2, 1], k=24)
        predicted = [c if rng.random() < 0.6 else rng.choice(classes[:4]) for c in labels]
        if i % 2:
            predicted[rng.randrange(24)] = "refund"  # a class that is predicted and never right
        drawn.append([labels, predicted])
    return drawn


MACRO_F1 = Part(
    id="macro-f1",
    level="core",
    minutes=12,
    aim="Score a classifier so that rare classes count as much as frequent ones.",
    stub='''\
def macro_f1(labels, predicted):
    """The mean over classes of F1, one number from 0 to 1.

    labels, predicted: the names of the true and the predicted classes.  Every class that
    occurs in either list counts once, however rare.  F1 of a class is 2h / (t + p): h of
    its tickets were predicted rightly, t have the class, p were predicted to have it.
    """
    ...  # your code here
''',
    hints=(
        "Work out F1 of one class alone first, then loop over the classes.",
        "The classes are those in labels together with those in predicted.",
        "set(labels) | set(predicted), and list.count for t and p.",
    ),
    inputs=macro_inputs,
    truth=truth_macro,
    reference=reference_macro_f1,
    mistakes=[
        (
            lambda a, b: sum(x == y for x, y in zip(a, b)) / len(a),
            "that is the accuracy, in which a frequent class counts more: take F1 of each class and then the mean",
        ),
        (_weighted, "the classes were weighted by how frequent they are: in macro-F1 each counts the same"),
        (_known_classes, "a class that was predicted but never is the label was left out: it counts with an F1 of 0"),
        (_of_means, "F1 was taken of the mean precision and the mean recall: take F1 of each class, then the mean"),
    ],
)

HOMEWORK = Homework(
    name="fine-tune",
    title="Fine-tune a pretrained model on a task of your own",
    parts=[BUILD_EXAMPLE, HOLD_OUT, MACRO_F1],
    question="Your model was fine-tuned on the tickets of one shop. Name one figure that you measured, the baseline "
    "beside which it must be read, and one thing that this experiment cannot tell about another shop.",
    rubric=[
        (2, "names a figure from the own run, with its unit, and on which tickets it was measured"),
        (2, "reads it beside a baseline: the most frequent class, or the model before training"),
        (2, "says what was not varied (one shop, one seed, generated tickets) and what follows from it"),
    ],
)
