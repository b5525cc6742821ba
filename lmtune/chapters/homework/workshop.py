"""Repair notes of a made-up workshop, for the homework "adapt": its parts have names that no model has read.

Each of four desks mends six kinds of parts.  A note names a part that fails and one that does not, and
belongs to the desk of the first.  What fails and how is drawn from the student's id.
"""

from __future__ import annotations

import random
from typing import NamedTuple

DESKS = ("mechanics", "power", "cooling", "control")
PARTS_OF_A_DESK = 6
#: How often a note complains of what is usual at its desk, and how often it lies on another desk by mistake.
USUAL, MISPLACED = 0.5, 0.05

_BEGINNINGS = "bra cro dru fle gri kla plo sku stro tre vla zwi".split()
_MIDDLES = "bento dami feru goli kasu lomi mopa nelu pira rudo suve tuka".split()
_ENDINGS = "dex gard lisk mord nix perl quist rund spar trix vane zorn".split()
_COMPLAINTS = (
    ("grinds at every turn", "has too much play", "is worn on one side", "jams when it is loaded"),
    ("trips the fuse", "gives no current", "smells burnt", "sparks when it starts"),
    ("drips on the floor", "runs too hot", "loses pressure overnight", "is clogged with lime"),
    ("shows a wrong value", "does not answer", "restarts by itself", "forgets its settings"),
)
_NOTES = (
    "Customer says that the {bad} {complaint}. The {fine} was checked and is in order.",
    "Checked the {fine} first and found nothing; the {bad} {complaint}.",
    "Since the {fine} was changed, the {bad} {complaint}.",
    "The {bad} {complaint}, although the {fine} is new.",
    "Not the {fine}, as the form says: the {bad} {complaint}.",
    "The {fine} can stay. Please look at the {bad}, which {complaint}.",
)


class Note(NamedTuple):
    """What was written, and the number of the desk where it lies, an index of ``DESKS``."""

    text: str
    desk: int


def part_names(student: str) -> list[list[str]]:
    """The names of the parts in a student's workshop: a list of six for each desk."""
    rng = random.Random(f"parts of {student}")
    made = [a + b + c for a in _BEGINNINGS for b in _MIDDLES for c in _ENDINGS]
    names = rng.sample(made, PARTS_OF_A_DESK * len(DESKS))
    return [names[i :: len(DESKS)] for i in range(len(DESKS))]


def notes(student: str, what: str, number: int) -> list[Note]:
    """``number`` notes from a student's workshop; another ``what`` gives others."""
    names, rng = part_names(student), random.Random(f"{what} notes of {student}")
    return [_note(names, rng) for _ in range(number)]


def _note(names: list[list[str]], rng: random.Random) -> Note:
    desk, other = rng.sample(range(len(DESKS)), 2)
    complaints = _COMPLAINTS[desk if rng.random() < USUAL else rng.randrange(len(DESKS))]
    text = rng.choice(_NOTES).format(
        bad=rng.choice(names[desk]), fine=rng.choice(names[other]), complaint=rng.choice(complaints)
    )
    return Note(text, rng.randrange(len(DESKS)) if rng.random() < MISPLACED else desk)
