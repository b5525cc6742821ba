"""The exercise "drop words": an augmentation that keeps the label."""
from __future__ import annotations

from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown

_FORM = "drop_words(words, u, rate, keep)"


def _drop(words, u, rate, keep, *, case=True, code=True, empty=True, above=False) -> list[str]:
    """What is left; the options are the known mistakes."""
    left = [w for w, x in zip(words, u)
            if (x < rate if above else x >= rate) or (w.lower() if case else w) in keep
            or (code and not w.isalpha())]
    return left if left or not empty else list(words)


_CASES = (
    ("the graph is not connected".split(), [0.1, 0.9, 0.1, 0.1, 0.6], 0.3, {"not", "no"}),
    ("Not every edge of `G` has x_1 or weight".split(), [0.1, 0.1, 0.8, 0.1, 0.2, 0.7, 0.05, 0.2, 0.9], 0.3, {"not", "no"}),
    (["graph"], [0.1], 0.5, {"not"}), ([], [], 0.5, {"not"}),
    ("שלום עולם".split() + ["🎉"], [0.9, 0.1, 0.1], 0.4, {"not"}),
    ("drop both".split(), [0.2, 0.1], 0.3, set()),
)


def _mistakes(words, u, rate, keep) -> list[tuple[list[str], str]]:
    return [
        (_drop(words, u, rate, keep, case=False), "a kept word was not recognised at the start of a "
         "sentence: compare in "
         "lower case"),
        (_drop(words, u, rate, set()), "a word in keep was dropped: without its 'not' a sentence says "
         "the contrary, "
         "and its label is wrong"),
        (_drop(words, u, rate, keep, code=False), "something that is not of letters alone was dropped "
         "(code, a name, an "
         "emoji): only words for which word.isalpha() holds may go"),
        (_drop(words, u, rate, keep, empty=False), "nothing is left of the text: then give all of its "
         "words back"),
        (_drop(words, u, rate, keep, above=True), "dropped where u is above the rate: a word goes "
         "where u is below it"),
        ([w.lower() for w in _drop(words, u, rate, keep)], "the words came back in lower case: compare "
         "in lower case, but "
         "give back the words themselves"),
        (list(words), "nothing was dropped"),
        (sorted(_drop(words, u, rate, keep)), "the words came back in another order"),
    ]


def _judge(answer: Any) -> Feedback | None:
    for words, u, rate, keep in _CASES:
        truth = _drop(words, u, rate, keep)
        value = call(answer, words, u, rate, keep, form=_FORM)
        if not isinstance(value, list) or not all(isinstance(w, str) for w in value):
            return Feedback(shown(value), "a list of words",
                            "give a list back: the words that are left, in their order, not joined")
        if value != truth:
            hint = recognise(lambda wrong: value == wrong, _mistakes(words, u, rate, keep),
                             "for each word: it stays if its u is at least the rate, if it is in keep, "
                             "or if it is not of "
                             "letters alone")
            return Feedback(str(value), str(truth), hint, f"words {words}, u {u}, rate {rate}, keep "
                f"{sorted(keep)}")
    return None


EXERCISE = Exercise(
    id="drop-words", level="core", minutes=10, judge=_judge,
    aim="Write an augmentation that keeps the label, also on code and on one word.",
    stub='''\
def drop_words(words, u, rate, keep):
    """Word dropout that keeps the label.

    words: a list of str; u: one random number from [0, 1) for each; a word is
    dropped where its u is below rate, unless its lower-case form is in the set
    keep, or it is not of letters alone (word.isalpha()).  Where nothing would be
    left, all words come back.  Returns a list.
    """
    ...  # your code here
''')
