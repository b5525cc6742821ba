"""Made-up bug reports of an app, sorted by kind, in three parts; some reports were filed twice.

A report has a few sentences.  Two of them tell its kind; the others, the chatter, tell of the phone,
of the day and of the writer.  Drawn from the student's id are how much chatter there is, which may be none,
and how many reports of the test part nearly repeat one of the training part, which may be none too.
"""

from __future__ import annotations

import random
from typing import NamedTuple


class Report(NamedTuple):
    """The sentences of a report, and its kind."""

    sentences: list[str]
    kind: str

    @property
    def text(self) -> str:
        """The report as it was written."""
        return " ".join(self.sentences)


class Reports(NamedTuple):
    """What may be labelled and trained on, what chooses, and what is read at the end."""

    train: list[Report]
    validation: list[Report]
    test: list[Report]


#: What tells the kind of a report; ``{}`` becomes a part of the app.
TELLING = {
    "crash": [
        "it closes by itself when I open {}", "the screen is gone as soon as I tap {}", "{} takes the whole app down",
        "it is back at the home screen once {} loads", "it dies in {}", "it quits whenever {} is shown",
    ],
    "slow": [
        "I wait a minute for {}", "{} needs ages to come up", "nothing moves for a long time in {}",
        "{} stutters and lags", "I can make tea until {} is ready", "it is sluggish in {}",
    ],
    "wrong": [
        "{} shows numbers that are not mine", "the total in {} does not add up", "{} mixes up two dates",
        "what I typed comes out as something else in {}", "{} counts one day twice", "the result of {} is false",
    ],
    "wish": [
        "I would like {} in dark colours", "I would sort {} by name", "it would be great to search in {}",
        "I want to hide {}", "I miss a way to print {}", "a shortcut to {} would help me",
    ],
}  # fmt: skip
#: When, or for whom, something is so.
WHEN = [
    "Since the update", "Every morning", "On my old phone", "At work", "When I travel", "For two weeks now",
    "Like my colleagues say", "After a call", "In the evening", "With many entries", "As a new customer", "To be brief",
]  # fmt: skip
PLACES = [
    "the calendar", "my list", "the map", "the report", "the settings", "the chart", "the inbox", "the export",
    "the photo page", "the second tab", "the price table", "the login page", "the archive", "the diary",
]  # fmt: skip
#: What tells nothing of the kind; ``{}`` becomes a number.
AROUND = [
    "I have version {}.", "My phone is {} years old.", "I use it on the train.", "My sister has it too.",
    "I pay for {} seats.", "This was on Monday.", "I have written to you before.", "Otherwise I am content.",
    "We are {} people in the office.", "I restarted it {} times.", "My account is number {}.", "It was raining.",
    "Nobody answered at the hotline.", "I am on wireless.", "Thank you for your time.", "Regards from the coast.",
    "Line {} of the manual says nothing.", "I took a picture of it.", "The update came at {} in the night.",
]  # fmt: skip
#: How many sentences of chatter a report has at most; one of these is drawn.
CHATTER = (0, 1, 2, 3)
#: How many reports of the test part were filed before; one of these is drawn.
TWICE = (0, 0, 6, 14, 24)


def reports(student: str, train: int = 160, validation: int = 100, test: int = 200) -> Reports:
    """The reports of a student's app; of the test part some nearly repeat one of the training part."""
    rng = random.Random(f"reports of {student}")
    chatter, twice = rng.choice(CHATTER), rng.choice(TWICE)
    parts = Reports(*([_written(rng, chatter) for _ in range(n)] for n in (train, validation, test)))
    for place in rng.sample(range(test), twice):
        parts.test[place] = _again(rng, rng.choice(parts.train))
    return parts


def _written(rng: random.Random, chatter: int) -> Report:
    kind = rng.choice(list(TELLING))
    said = [one.format(rng.choice(PLACES)) for one in rng.sample(TELLING[kind], 2)]
    telling = [f"{when}, {one}." for when, one in zip(rng.sample(WHEN, 2), said)]
    around = [one.format(rng.randint(2, 999)) for one in rng.sample(AROUND, rng.randint(chatter // 2, chatter))]
    return Report(rng.sample([*telling, *around], len(telling) + len(around)), kind)


def _again(rng: random.Random, report: Report) -> Report:
    """The same report, filed once more: other numbers, perhaps no capitals, one more sentence."""
    changed = ["".join(str(rng.randint(0, 9)) if c.isdigit() else c for c in one) for one in report.sentences]
    changed = [rng.choice([str, str.lower])(one) for one in changed]
    return Report([*changed, rng.choice(AROUND).format(rng.randint(2, 999))], report.kind)
