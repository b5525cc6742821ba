"""How far two kinds of text are from each other, measured before anything is trained."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lmtune.arguments import refuse_wrong_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WORD = re.compile(r"[A-Za-z]+")


def word_counts(texts: Sequence[str]) -> Counter[str]:
    """How often each word, in lower case, stands in the texts; a word is a run of letters."""
    refuse_wrong_texts(texts)
    return Counter(word.lower() for text in texts for word in _WORD.findall(text))


def divergence(some: Sequence[str], others: Sequence[str]) -> float:
    """Jensen-Shannon divergence of the words of two kinds of text, in bits: 0 alike, 1 no word shared.

    The mean of the two Kullback-Leibler divergences from the mean of both distributions (Lin 1991,
    IEEE Transactions on Information Theory 37).  It grows where a text is short: compare equal sizes.
    """
    p, q = word_counts(some), word_counts(others)
    if not p or not q:
        raise ValueError("One of the two kinds of text has no word; give texts with letters in them.")
    total_p, total_q, bits = sum(p.values()), sum(q.values()), 0.0
    for word in p.keys() | q.keys():
        a, b = p[word] / total_p, q[word] / total_q
        for share in (a, b):
            if share:
                bits += share * math.log2(2 * share / (a + b)) / 2
    return bits


def tokens_per_word(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """How many tokens the tokenizer makes of a word on average, all tokens between blanks counted.

    Near 1 the tokenizer knows the vocabulary of the texts; where it is 3, a context holds a third
    of the words and the model has to spell.
    """
    refuse_wrong_texts(texts)
    words = sum(len(text.split()) for text in texts)
    if not words:
        raise ValueError("The texts have no word; give texts that are not empty.")
    coded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return sum(map(len, coded)) / words
