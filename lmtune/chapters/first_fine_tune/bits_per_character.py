"""The exercise "bits per character": the unit in which models can be compared."""
from __future__ import annotations

import math
from typing import Any

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise
from lmtune.exercises.numeric import differs, near, not_a_number, number

_FORM = "bits_per_character(loss, tokens, characters)"


def _bits_mistakes(loss: float, tokens: int, characters: int) -> list[tuple[float, str]]:
    """What each known mistake makes of these inputs, and its hint."""
    ln2, nats = math.log(2), loss * tokens
    per_token = ("that is per token: the characters share the bits of the whole text, and there "
                 "are not as many characters as tokens")
    perplexity = "exp gives a perplexity: bits are nats divided by ln 2, without an exp"
    log2 = ("log2 was taken of the loss, which is made of logarithms already: its unit changes "
            "by a division alone")
    floor = ("something behind the point was lost: // and int() drop it, so use / and keep the "
             "fraction")
    # A floor of 0 or 1 says nothing: any answer may be 0 or 1.
    floors = ([loss * (tokens // characters) / ln2, nats // characters / ln2,
               nats / ln2 // characters] if tokens > characters else
              [loss / ln2 / (characters // tokens)])
    return [
        (nats / characters, "that is nats per character: one bit is ln 2 nats"),
        (nats / characters * ln2,
         "multiplied by ln 2 where it should be divided: a nat is more than a bit, so the "
         "number of bits is the larger one"),
        (loss * characters / tokens / ln2,
         "tokens and characters are the wrong way round: the total is loss times tokens, and "
         "the characters share it"),
        (loss / ln2, per_token), (loss, per_token),
        (nats / ln2, "that is the bits of the whole text: divide by its characters"),
        (loss / ln2 / characters,
         "loss is the mean over tokens: multiply by the tokens for the total first"),
        (math.exp(loss), perplexity), (math.exp(nats / characters), perplexity),
        (math.exp(loss) * tokens / characters, perplexity), (2 ** loss, perplexity),
        (nats / characters / math.log(10),
         "divided by ln 10, which gives decimal digits: for bits divide by ln 2"),
        (nats / characters / ln2 / 8, "that is bytes: the bits were divided by 8 once too often"),
        (math.log2(loss), log2), (math.log2(loss) * tokens / characters, log2),
        (math.log2(nats), log2), (math.log2(nats) / characters, log2),
        (math.log2(nats / characters), log2),
    ] + [(value, floor) for value in floors]


def _judge_bits(answer: Any) -> Feedback | None:
    unknown = None
    # The last has more tokens than characters, as when tokens are bytes: there // shows itself.
    for loss, tokens, characters in ((3.2, 1000, 4100), (1.7, 731, 2950), (2.1, 2500, 900)):
        truth = loss * tokens / characters / math.log(2)
        value = call(answer, loss, tokens, characters, form=_FORM)
        produced = number(value)
        if produced is None:
            return not_a_number(value)
        if near(produced, truth):
            continue
        hint = recognise(lambda wrong: near(produced, wrong),
                         _bits_mistakes(loss, tokens, characters), "")
        if not hint and unknown is None and abs(produced - truth) < 0.05:
            hint = "close, but not exact: use math.log(2), and do not round"
        if not hint and produced < 0:
            hint = ("bits cannot be negative: look for a minus, or a logarithm of a number "
                    "below 1")
        given = f"loss {loss}, {tokens} tokens, {characters} characters"
        feedback = differs(
            produced, truth, "bits per character",
            hint or "go in two steps: the nats of the whole text, then the bits of one character",
            given)
        if hint:
            return feedback
        unknown = unknown or feedback  # the next example may tell the mistake
    return unknown


EXERCISE = Exercise(
    id="bits-per-character", level="warm-up", minutes=8, judge=_judge_bits,
    aim="Turn a loss per token into a figure that compares models with other tokenizers.",
    stub='''\
def bits_per_character(loss, tokens, characters):
    """How many bits the model needs for one character of the text.

    loss: the mean loss in nats per token; tokens: how many tokens were
    predicted; characters: how many characters they spell.  Returns one number.
    """
    ...  # your code here
''')
