"""The exercise "nearest base": rank bases by the divergence of their words from yours."""
from __future__ import annotations

import math
from numbers import Real
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown

_FORM = "nearest_base(target, bases)"
_CASES = (
    ({"graph": 6, "node": 3, "the": 3}, {"middle": {"the": 5, "node": 2, "axis": 4}, "near": {"graph": 30, "node": 12,
                                         "the": 30}, "far": {"axis": 5, "the": 4}}),
    ({"plot": 2, "the": 2}, {"one": {"the": 9, "plot": 1}, "two": {"the": 3, "plot": 3, "sum": 3},
                             "three": {"sum": 1}}),
)


def _shares(counts, total: bool = True):
    return {w: n / (sum(counts.values()) if total else 1) for w, n in counts.items()}


def _jensen_shannon(p, q, log=math.log2, halves=(0.5, 0.5)) -> float:
    found = 0.0
    for word in {*p, *q}:
        a, b = p.get(word, 0.0), q.get(word, 0.0)
        found += sum(half * x * log(2 * x / (a + b)) for half, x in zip(halves, (a, b)) if x)
    return found


def _ranked(target, bases, measure, total: bool = True, far: bool = False):
    p = _shares(target, total)
    pairs = [(name, measure(p, _shares(counts, total))) for name, counts in bases.items()]
    return sorted(pairs, key=lambda pair: -pair[1] if far else pair[1])


def _same(a, b) -> bool:
    return [n for n, _ in a] == [n for n, _ in b] and all(abs(x - y) < 1e-6 for (_, x), (_, y) in zip(a, b))


def _mistakes(target, bases):
    def overlap(p, q):
        return 1 - len({*p} & {*q}) / len({*p, *q})

    js = _jensen_shannon
    return [
        (_ranked(target, bases, js, far=True), "the farthest stands first: sort so that the least divergence is first"),
        ([(n, js(_shares(target), _shares(c))) for n, c in bases.items()], "the divergences are right and not "
         "sorted: the nearest base comes first"),
        (_ranked(target, bases, lambda p, q: js(p, q, math.log)), "the logarithm is the natural one: in bits it is "
         "log2, so that 1 means no word in common"),
        (_ranked(target, bases, js, total=False), "counts were taken for frequencies: divide each by the sum of its "
         "own text first, or a long text is far from everything"),
        (_ranked(target, bases, lambda p, q: js(p, q, halves=(1, 0))), "only the target's divergence from the mixture "
         "was taken: the base's belongs to it, half and half"),
        (_ranked(target, bases, lambda p, q: js(p, q, halves=(0, 1))), "only the base's divergence from the mixture "
         "was taken: the target's counts for the other half"),
        (_ranked(target, bases, lambda p, q: js(p, q, halves=(1, 1))), "the two divergences were added: take half "
         "of each"),
        (_ranked(target, bases, lambda p, q: math.sqrt(js(p, q))), "that is its root, which scipy calls the "
         "Jensen-Shannon distance: square it"),
        (_ranked(target, bases, overlap), "that counts which words are shared, and not how often they stand there"),
    ]


def _judge(answer: Any) -> Feedback | None:
    for target, bases in _CASES:
        truth = _ranked(target, bases, _jensen_shannon)
        value = call(answer, target, bases, form=_FORM)
        pairs = list(value) if isinstance(value, (list, tuple)) else None
        if pairs is None or not all(isinstance(p, (list, tuple)) and len(p) == 2 and isinstance(p[0], str)
                                    and isinstance(p[1], Real) for p in pairs):
            return Feedback(shown(value), "a list of pairs (name, divergence)", "give a list of pairs back, a name "
                            "and a number each, the nearest base first")
        if not _same(pairs, truth):
            hint = recognise(lambda wrong: _same(pairs, wrong), _mistakes(target, bases),
                             "with p and q the frequencies and m their mean: half the sum of p * log2(p / m) and half "
                             "that of q * log2(q / m), words with frequency 0 left out")
            said, wanted = ([f"{n} {x:.3f}" for n, x in rows] for rows in (pairs, truth))
            return Feedback(", ".join(said), ", ".join(wanted), hint, f"target {target}")
    return None


EXERCISE = Exercise(
    id="nearest-base", level="challenge", minutes=15, judge=_judge,
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
''')
