"""What goes wrong in the exercise "drop words": functions of its arguments, each with its hint."""

from __future__ import annotations

from collections.abc import Callable


def stays(word, x, rate, keep) -> bool:
    return x >= rate or word.lower() in keep or not word.isalpha()


def _by(stays: Callable) -> Callable:
    """A mistake in which words stay."""
    return lambda words, u, rate, keep: [w for w, x in zip(words, u) if stays(w, x, rate, keep)] or words


def _kept(kept: Callable) -> Callable:
    """A mistake in which words are kept whatever their number is; it gets a word and keep."""
    return _by(lambda w, x, rate, keep: x >= rate or kept(w, keep) or not w.isalpha())


def _letters(letters: Callable) -> Callable:
    """A mistake in which words may go at all."""
    return _by(lambda w, x, rate, keep: x >= rate or w.lower() in keep or not letters(w))


def _numbered(number: Callable) -> Callable:
    """A mistake in which number belongs to a word; it gets the words, the numbers and the word."""
    return lambda words, u, rate, keep: [w for w in words if stays(w, number(words, u, w), rate, keep)] or words


def _left(change: Callable) -> Callable:
    """A mistake in what becomes of the words that are left; it gets all words too."""
    return lambda words, u, rate, keep: change([w for w, x in zip(words, u) if stays(w, x, rate, keep)], words)


def _removed(words, u, rate, keep):
    left = list(words)
    for w, x in zip(words, u):
        if not stays(w, x, rate, keep):
            left.remove(w)
    return left or words


MISTAKES = [
    (
        _kept(lambda w, keep: w in keep),
        "a kept word was not recognised at the start of a sentence: compare in lower case",
    ),
    (
        _kept(lambda w, keep: False),
        "a word in keep was dropped: without its 'not' a sentence says the contrary, and its label is wrong",
    ),
    (
        _kept(lambda w, keep: w.lower() == "not"),
        "only 'not' is protected, and another word of keep was dropped: ask whether the word is in keep",
    ),
    (
        _kept(lambda w, keep: w.lower().startswith(tuple(keep))),
        "a word that only begins like one in keep was kept ('nothing', as 'not'): compare whole words",
    ),
    (
        _kept(lambda w, keep: any(k in w.lower() for k in keep)),
        "a word that only has one of keep in it was kept ('knots', as 'not'): compare whole words",
    ),
    (
        _letters(lambda w: True),
        "something that is not of letters alone was dropped (code, a name, an emoji): only words for which "
        "word.isalpha() holds may go",
    ),
    (
        _letters(lambda w: w.strip("(),.").isalpha()),
        "a word with punctuation was dropped: with its comma it is not of letters alone, so leave it as it is",
    ),
    (
        _letters(str.isalnum),
        "a word with a digit was dropped: isalnum lets digits pass, and only word.isalpha() asks for letters alone",
    ),
    (
        _letters(lambda w: w.isalpha() and w.isascii()),
        "a word of other letters than a to z was never dropped: word.isalpha() knows those of all languages",
    ),
    (
        _letters(lambda w: any(c.isalpha() for c in w)),
        "a word was dropped for one letter in it: all of its characters must be letters, so ask word.isalpha()",
    ),
    (_left(lambda left, words: left), "nothing is left of the text: then give all of its words back"),
    (
        _left(lambda left, words: left or words[:1]),
        "only one word came back where nothing would be left: give all of its words back",
    ),
    (
        _by(lambda w, x, rate, keep: x < rate or w.lower() in keep or not w.isalpha()),
        "dropped where u is above the rate: a word goes where its u is below it",
    ),
    (
        _by(lambda w, x, rate, keep: x > rate or w.lower() in keep or not w.isalpha()),
        "a word whose u equals the rate was dropped: it goes only where its u is below",
    ),
    (
        _numbered(lambda words, u, w: u[words.index(w)]),
        "a word that stands more than once always got the number of its first place: go through words and u side by "
        "side, with zip",
    ),
    (
        _numbered(lambda words, u, w: dict(zip(words, u))[w]),
        "a word that stands more than once always got the number of its last place: a dictionary holds one number for "
        "each word, so use zip",
    ),
    (
        _removed,
        "of a word that stands more than once the first was removed instead of the one that goes: remove looks for the "
        "first that is equal, so build a new list",
    ),
    (
        _left(lambda left, words: list(dict.fromkeys(left)) or words),
        "a repeated word came back only once: each place is judged on its own",
    ),
    (
        _left(lambda left, words: [w.lower() for w in left or words]),
        "the words came back in lower case: compare in lower case, but give back the words themselves",
    ),
    (
        _by(lambda w, x, rate, keep: not stays(w, x, rate, keep)),
        "the words that go came back: those that stay are asked for",
    ),
    (lambda words, u, rate, keep: words, "nothing was dropped"),
    (_left(lambda left, words: sorted(left or words)), "the words came back in another order"),
]
