"""The exercise "bits per character": the unit in which models can be compared."""

from __future__ import annotations

import random
from math import e, exp, log, log2

from lmtune.exercises.exercise import Exercise

_LN2 = log(2)


def _inputs(rng: random.Random) -> list:
    # The third has more tokens than characters, as when tokens are bytes: there // shows itself.
    return [[3.2, 1000, 4100], [1.7, 731, 2950], [2.1, 2500, 900]]


def _truth(loss, tokens, characters):
    return loss * log2(e) * tokens / characters


def _telling(number: float) -> float:
    """A number without what was behind its point; 0 or 1 would say nothing, for any answer may be that."""
    if number < 2:
        raise ValueError("the mistake does not show here")
    return number


_ROUNDED = [
    (
        lambda *case, digits=digits: round(_truth(*case), digits),
        f"close, but not exact: it was rounded to {digits} behind the point; give the number itself, and round where "
        "you print it",
    )
    for digits in (1, 2, 3, 4)
]
_LOGARITHMS = [
    (wrong, f"log2 was taken of {what}: a loss is made of logarithms already, and its unit changes by a division alone")
    for wrong, what in (
        (lambda loss, t, c: log2(loss), "the loss"),
        (lambda loss, t, c: log2(loss) * t / c, "the loss before the total was made"),
        (lambda loss, t, c: log2(loss * t), "the total"),
        (lambda loss, t, c: log2(loss * t) / c, "the total before the characters shared it"),
        (lambda loss, t, c: log2(loss * t / c), "the loss of a character"),
    )
]
_NEARLY = [
    (
        lambda loss, t, c, ln2=ln2: loss * t / c / ln2,
        f"close, but not exact: {ln2} is only nearly ln 2; use math.log(2)",
    )
    for ln2 in (0.69, 0.693, 0.6931)
]

EXERCISE = Exercise(
    id="bits-per-character",
    level="warm-up",
    minutes=8,
    aim="Turn a loss per token into a figure that compares models with other tokenizers.",
    stub='''\
def bits_per_character(loss, tokens, characters):
    """How many bits the model needs for one character of the text.

    loss: the mean loss in nats per token; tokens: how many tokens were
    predicted; characters: how many characters they spell.  Returns one number.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="one number for all of the text: a float, or a tensor or array that holds nothing else",
    otherwise="go in two steps: the nats of the whole text, then the bits of one character",
    tolerance=1e-5,
    mistakes=[
        (lambda loss, t, c: loss * t / c, "that is nats per character: one bit is ln 2 nats"),
        (
            lambda loss, t, c: loss * t / c * _LN2,
            "multiplied by ln 2 where it should be divided: a nat is more than a bit, so the number of bits is the "
            "larger one",
        ),
        (
            lambda loss, t, c: loss * c / t / _LN2,
            "tokens and characters are the wrong way round: the total is loss times tokens, and the characters share "
            "it",
        ),
        (
            lambda loss, t, c: loss / _LN2,
            "that is per token: the characters share the bits of the whole text, and there are not as many characters "
            "as tokens",
        ),
        (
            lambda loss, t, c: loss,
            "that is the loss as it came, in nats per token: both the unit and what it is counted for must change",
        ),
        (lambda loss, t, c: loss * t / _LN2, "that is the bits of the whole text: divide by its characters"),
        (
            lambda loss, t, c: loss / _LN2 / c,
            "loss is the mean over tokens: multiply by the tokens for the total first",
        ),
        (lambda loss, t, c: exp(loss), "exp gives a perplexity: bits are nats divided by ln 2, without an exp"),
        (
            lambda loss, t, c: exp(loss * t / c),
            "exp gives a perplexity, here that of a character: bits are nats divided by ln 2, without an exp",
        ),
        (
            lambda loss, t, c: exp(loss) * t / c,
            "exp gives a perplexity, which characters cannot share: bits are nats divided by ln 2, without an exp",
        ),
        (lambda loss, t, c: 2**loss, "2 to the power of the loss is no number of bits: divide the nats by ln 2"),
        (
            lambda loss, t, c: loss * t / c / log(10),
            "divided by ln 10, which gives decimal digits: for bits divide by ln 2",
        ),
        (lambda loss, t, c: loss * t / c / 2, "divided by 2: one bit is ln 2 nats, math.log(2)"),
        (lambda loss, t, c: _truth(loss, t, c) / 8, "that is bytes: the bits were divided by 8 once too often"),
        *_LOGARITHMS,
        (
            lambda loss, t, c: loss * _telling(t // c) / _LN2,
            "something behind the point was lost: tokens // characters drops it, so use / and keep the fraction",
        ),
        (
            lambda loss, t, c: _telling(loss * t // c) / _LN2,
            "something behind the point was lost: dividing the nats with // drops it, so use / and keep the fraction",
        ),
        (
            lambda loss, t, c: _telling(loss * t / _LN2 // c),
            "what is behind the point was lost at the end: // and int() drop it, so use / and keep the fraction",
        ),
        (lambda *case: -_truth(*case), "bits cannot be negative: look for a minus, or a logarithm of a number below 1"),
        (lambda loss, t, c: loss * t / c * 1.44, "close, but not exact: 1.44 is only nearly 1 / ln 2; use math.log(2)"),
        *_NEARLY,
        *_ROUNDED,
    ],
)
