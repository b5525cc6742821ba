"""What a team wants to adapt a model to, drawn from a student's id, and a rate that a colleague has used."""

from __future__ import annotations

import random
from typing import NamedTuple

#: Libraries that the models of the book have never seen.
LIBRARIES = ("networkx", "matplotlib")
#: How many documents there are to train on: with few of them a run goes through all more than once.
DOCUMENTS = (16, 24, 48, 96)
#: The colleague's rates: one is low, one is high.
RATES = (1e-4, 2e-3)


class Adaptation(NamedTuple):
    """A library, how many of its documents there are, and the learning rate that a colleague has used."""

    library: str
    documents: int
    rate: float


def adaptation(student: str) -> Adaptation:
    """What a student adapts a model to."""
    rng = random.Random(f"adaptation of {student}")
    return Adaptation(rng.choice(LIBRARIES), rng.choice(DOCUMENTS), rng.choice(RATES))
