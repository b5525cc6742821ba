"""The exercise "drop words": an augmentation that keeps the label."""

from __future__ import annotations

import random

from lmtune.chapters.regularization.drop_words_mistakes import MISTAKES, stays
from lmtune.exercises.exercise import Exercise

_KEEP = ["not", "no", "never"]


def _inputs(rng: random.Random) -> list:
    return [
        ["the graph is not connected".split(), [0.1, 0.9, 0.1, 0.1, 0.6], 0.3, _KEEP],
        ["Not every edge of `G` has x_1 weight".split(), [0.1, 0.1, 0.8, 0.1, 0.2, 0.7, 0.05, 0.9], 0.3, _KEEP],
        ["No node never knots nothing cannot".split(), [0.1, 0.4, 0.2, 0.1, 0.05, 0.3], 0.3, _KEEP],
        ["a b a c b a c".split(), [0.9, 0.1, 0.1, 0.8, 0.3, 0.2, 0.7], 0.3, _KEEP],
        ["then (maybe) stop, at v2 now.".split(), [0.1, 0.2, 0.1, 0.9, 0.2, 0.1], 0.5, _KEEP],
        [["graph"], [0.1], 0.5, ["not"]],
        [[], [], 0.5, ["not"]],
        [["שלום", "עולם", "🎉"], [0.9, 0.1, 0.1], 0.4, ["not"]],
        ["drop both".split(), [0.2, 0.1], 0.3, []],
    ]


def _truth(words, u, rate, keep):
    dropped = {i for i in range(len(words)) if not stays(words[i], u[i], rate, keep)}
    return [word for i, word in enumerate(words) if len(dropped) == len(words) or i not in dropped]


EXERCISE = Exercise(
    id="drop-words",
    level="core",
    minutes=10,
    aim="Write an augmentation that keeps the label, also on code and on one word.",
    stub='''\
def drop_words(words, u, rate, keep):
    """Word dropout that keeps the label.

    words: a list of str; u: one random number from [0, 1) for each; a word is
    dropped where its u is below rate, unless its lower-case form is in the list
    keep, or it is not of letters alone (word.isalpha()).  Where nothing would be
    left, all words come back.  Returns a list.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="a list: the words that are left, in their order, not joined",
    otherwise="for each word: it stays if its u is at least the rate, if it is in keep, or if it is not of letters "
    "alone",
    mistakes=MISTAKES,
)
