"""Made-up tickets of a shop: who wrote, what, and the box that it belongs in.

Each student has a shop of its own, drawn from the id.  Each customer writes in a way of its own (a
greeting, a habit of spelling, a close above the name) and has one box that it writes for more often than others do.
How much more often is drawn for the shop: from not at all to more than half of what it writes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Ticket(NamedTuple):
    """One message to the shop."""

    customer: str
    text: str
    box: str


#: The boxes, most frequent first, and what customers say; ``{}`` becomes what they have bought.
BOXES = {
    "delivery": ["{} has not arrived", "the parcel with {} came open", "where is {} that I ordered", "{} came broken"],
    "billing": ["the invoice for {} is wrong", "I was charged twice for {}", "I want my money back for {}"],
    "login": ["I cannot sign in to see {}", "my password fails when I order {}", "the site forgot me and {}"],
    "praise": ["thank you for {}", "{} is lovely", "we are happy with {}"],
}
GOODS = ["the lamp", "the blue teapot", "a desk", "two chairs", "my bicycle", "the old clock", "a rug", "the sofa"]
#: What may be meant for any box: whoever reads it alone can only guess.
VAGUE = ["please look at {}", "I have a question about {}", "once more about {}", "it is about {} again", "see {}"]
#: The share of tickets that say nothing of their box.
VAGUE_SHARE = 0.4
#: How often the boxes come, beside one another: the first, the second, and so on.
WEIGHTS = (6, 5, 3, 2)
#: The share of its writing that a customer keeps for a box of its own; one of these is drawn for the shop.
LOYALTY = (0.0, 0.2, 0.4, 0.6)

CUSTOMERS = (
    "Ada Bea Bo Cem Cleo Dan Dunja Efe Eli Femi Gil Gus Hana Ida Ivo Jun Kim Lea Mina Noor Ola Pia Qin Rui Sam Tuva "
    "Uma Vera Wim Zoe"
).split()
GREETINGS = [
    "Hello,",
    "hi there",
    "Dear all,",
    "To whom it may concern:",
    "hey",
    "Good day.",
    "Greetings!",
    "",
    "Sirs,",
]
CLOSES = ["Thanks,", "cheers", "Yours truly,", "best,", "Please reply today!", "", "bye now,", "Regards,", "waiting..."]
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.lower,
    lambda text: text + "!!",
    lambda text: text + " ...",
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace("I ", "i "),
    lambda text: text.replace("the ", "teh "),
    lambda text: text[:1].upper() + text[1:] + ".",
)


def tickets(
    student: str, boxes: Mapping[str, Sequence[str]] = BOXES, goods: Sequence[str] = GOODS, each: int = 18
) -> list[Ticket]:
    """The tickets of a student's shop, in the order in which they came: 30 customers, each with about ``each``.

    ``boxes`` are those of the shop or your own: for each, most frequent first, what customers say.
    """
    refuse_boxes(boxes)
    rng = random.Random(f"tickets of {student}")
    loyalty, written = rng.choice(LOYALTY), []
    for customer in CUSTOMERS:
        favourite, habits = rng.choice(list(boxes)), [rng.choice(some) for some in (GREETINGS, CLOSES, SPELLINGS)]
        for _ in range(rng.randint(each // 2, each + each // 2)):
            box = favourite if rng.random() < loyalty else drawn_box(rng, boxes)
            phrase = rng.choice(VAGUE if rng.random() < VAGUE_SHARE else boxes[box])
            written.append(Ticket(customer, in_its_way(customer, phrase.format(rng.choice(goods)), *habits), box))
    rng.shuffle(written)
    return written


def drawn_box(rng: random.Random, boxes: Mapping[str, Sequence[str]]) -> str:
    """A box, the first more often than the next."""
    weights = [WEIGHTS[min(i, len(WEIGHTS) - 1)] for i in range(len(boxes))]
    return rng.choices(list(boxes), weights)[0]


def in_its_way(customer: str, said: str, greeting: str, close: str, spelled: Callable[[str], str]) -> str:
    """What a customer says, as this one writes and signs it."""
    return " ".join(piece for piece in (greeting, spelled(said), close, customer) if piece)


def refuse_boxes(boxes: Mapping[str, Sequence[str]]) -> None:
    """Raise ``ValueError`` where boxes of one's own would make no task."""
    if not isinstance(boxes, Mapping) or not 2 <= len(boxes) <= 8:
        raise ValueError(
            f"The boxes are {str(boxes)[:60]}; give a dictionary of 2 to 8 boxes, each with a list of what is said."
        )
    for box, phrases in boxes.items():
        if isinstance(phrases, str) or len(phrases) < 2 or not all(str(p).count("{}") == 1 for p in phrases):
            raise ValueError(
                f"The box {box!r} has {str(phrases)[:60]}; give a list of at least 2 phrases, each with one {{}} "
                "where goods are named."
            )
