"""The exercise "nearest base": rank bases by the divergence of their words from yours."""

from __future__ import annotations

import math
import random

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.plain import ANY


def _inputs(rng: random.Random) -> list:
    news, maps = {"axis": 5, "the": 4}, {"graph": 30, "node": 12, "the": 30, "edge": 2}
    return [
        [{"graph": 6, "node": 3, "the": 3}, {"wiki": {"the": 5, "node": 2, "axis": 4}, "maps": maps, "news": news}],
        [{"plot": 2, "the": 2}, {"a": {"the": 9, "plot": 1}, "c": {"the": 3, "plot": 3, "sum": 3}, "b": {"sum": 1}}],
        [{"plot": 5, "the": 3, "sum": 0}, {"n": {"the": 7, "sum": 2}, "o": {"plot": 1, "the": 1, "node": 0}}],
    ]


def _shares(counts):
    return {word: n / sum(counts.values()) for word, n in counts.items()}


def _entropy(shares):
    return -sum(x * math.log2(x) for x in shares if x)


def _truth(target, bases):
    """By entropies: that of the mixture less the mean of the two."""
    p, found = _shares(target), []
    for name, counts in bases.items():
        q = _shares(counts)
        mixture = _entropy((p.get(w, 0) + q.get(w, 0)) / 2 for w in {*p, *q})
        found.append((mixture - (_entropy(p.values()) + _entropy(q.values())) / 2, name))
    return [(name, divergence) for divergence, name in sorted(found)]


def _ranked(measure, shares=_shares):
    """Bases sorted by ``measure(p, q)``; p and q are what ``shares`` makes of the counts."""

    def wrong(target, bases):
        pairs = [(name, measure(shares(target), shares(counts))) for name, counts in bases.items()]
        return sorted(pairs, key=lambda pair: pair[1])

    return wrong


def _sums(halves=(0.5, 0.5), log=math.log2, words=set.union, mixed=lambda a, b: (a + b) / 2):
    """The divergence word by word, with one thing wrong."""

    def measure(p, q):
        terms = [(p.get(w, 0), q.get(w, 0)) for w in words({*p}, {*q})]
        return sum(half * x * log(x / mixed(*term)) for term in terms for half, x in zip(halves, term) if x)

    return measure


def _not_numbers(target, bases):
    """What 0 * log2(0) makes of them: each base of the cases has a word alone, or lacks one."""
    return [(ANY, math.nan)] * len(bases)


EXERCISE = Exercise(
    id="nearest-base",
    level="challenge",
    minutes=15,
    aim="Predict from the distance of the domains which base to take.",
    stub='''\
def nearest_base(target, bases):
    """Rank bases by the Jensen-Shannon divergence of their words from the target's.

    target: word -> count; bases: name -> (word -> count).  With p and q the
    word frequencies of target and base and m = (p + q) / 2, the divergence is
    half the sum of p * log2(p / m) plus half the sum of q * log2(q / m); a word
    with frequency 0 adds nothing.  Returns a list of pairs (name, divergence),
    the nearest base first.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="a list of pairs, a name and a number each, the nearest base first",
    otherwise="with p and q the frequencies and m their mean: half the sum of p * log2(p / m) and half "
    "that of q * log2(q / m), words with frequency 0 left out",
    mistakes=[
        (
            lambda target, bases: _truth(target, bases)[::-1],
            "the farthest stands first: sort so that the least divergence is first",
        ),
        (
            lambda target, bases: [(name, dict(_truth(target, bases))[name]) for name in bases],
            "the divergences are right and not sorted: the nearest base comes first",
        ),
        (
            lambda target, bases: sorted(_truth(target, bases)),
            "the bases are sorted by name: sort by the second part of each pair",
        ),
        (
            _ranked(_sums(log=math.log)),
            "the logarithm is the natural one: in bits it is log2, so that 1 means no word in common",
        ),
        (
            _ranked(_sums(), shares=dict),
            "counts were taken for frequencies: divide each by the sum of its "
            "own text first, or a long text is far from everything",
        ),
        (
            _ranked(_sums((1, 0))),
            "only the target's divergence from the mixture was taken: the base's belongs to it, half and half",
        ),
        (
            _ranked(_sums((0, 1))),
            "only the base's divergence from the mixture was taken: the target's counts for the other half",
        ),
        (_ranked(_sums((1, 1))), "the two divergences were added: take half of each"),
        (_ranked(_sums(mixed=lambda a, b: a + b)), "m is the sum of p and q: it is their mean, so halve it"),
        (
            _ranked(_sums((1, 0), words=set.intersection, mixed=lambda a, b: b)),
            "that is p * log2(p / q) over shared words: compare each of p and q with their mean m",
        ),
        (
            _ranked(_sums(words=lambda p, q: p)),
            "only the words of the target were gone through: those that the base alone has add to its half",
        ),
        (
            _ranked(_sums(words=lambda p, q: q)),
            "only the words of the base were gone through: those that the target alone has add to its half",
        ),
        (
            _ranked(_sums(words=set.intersection)),
            "only shared words were gone through: those of one text alone are what sets the two apart",
        ),
        (_not_numbers, "0 * log2(0) is not a number on a computer: leave words with frequency 0 out of each sum"),
        (
            _ranked(lambda p, q: math.sqrt(_sums()(p, q))),
            "that is its root, which scipy calls the Jensen-Shannon distance: square it",
        ),
        (
            _ranked(lambda p, q: 1 - len({*p} & {*q}) / len({*p, *q})),
            "that counts which words are shared, and not how often they stand there",
        ),
    ],
)
