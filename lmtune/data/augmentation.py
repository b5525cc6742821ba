"""Augmentation of text: small changes that should keep the label.

Every function takes a text and gives a text, and the same ``seed`` gives the same
text.  Code comes out unchanged (see :mod:`lmtune.data.prose`), a text without any word
of prose comes back as it was, and no text loses its last word.  Whether a change
keeps the *label* no function can know: look at some before you train.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lmtune.arguments import SHARE, finite, refuse
from lmtune.data.prose import clusters, prose, words

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Words whose loss turns a sentence round; :func:`drop_words` keeps them.
NEGATIONS = frozenset("no not never none nor neither cannot without nothing nobody unless except".split())

#: What may stand behind a word of which the blank before it goes too.
_BEHIND = ("", " ", "\n", ".", ",", ";", ":", "!", "?", ")")
#: ``senses(word)`` gives the meanings of a word, each a list of words with that meaning.
Senses = Callable[[str], Sequence[Sequence[str]]]


def swap_characters(text: str, rate: float = 0.1, seed: int = 0) -> str:
    """Exchange two neighbouring letters inside each word with probability ``rate``.

    The first letter stays; words of fewer than four letters are left alone.
    """

    def swap(word: str, draw: random.Random) -> str:
        signs = clusters(word)
        if len(signs) < 4:
            return word
        i = draw.randrange(1, len(signs) - 1)
        signs[i], signs[i + 1] = signs[i + 1], signs[i]
        return "".join(signs)

    return _each_word(text, rate, seed, swap)


def add_noise(text: str, rate: float = 0.1, seed: int = 0) -> str:
    """Delete or double one letter, or put another of the word in its place, with probability ``rate``.

    Typing errors of another kind than :func:`swap_characters` makes.  The first letter stays;
    words of fewer than four letters are left alone.
    """

    def spoil(word: str, draw: random.Random) -> str:
        signs = clusters(word)
        if len(signs) < 4:
            return word
        i, what = draw.randrange(1, len(signs)), draw.choice(("delete", "double", "replace"))
        signs[i] = {"delete": "", "double": signs[i] * 2, "replace": draw.choice(signs[1:])}[what]
        return "".join(signs)

    return _each_word(text, rate, seed, spoil)


def drop_words(text: str, rate: float = 0.1, seed: int = 0, keep: frozenset[str] = NEGATIONS) -> str:
    """Leave out each word with probability ``rate``, and the blank before it.

    Words in ``keep`` (in lower case) stay, and so does the last word of prose that is left.
    After "word dropout" of Iyyer et al. 2015 and the random deletion of Wei and Zou 2019.
    """
    _refuse_text(text, rate)
    draw, found = random.Random(seed), list(words(text))
    gone = [w for w in found if draw.random() < rate and text[w.start : w.stop].lower() not in keep]
    if len(gone) == len(found):
        gone = gone[1:]
    for word in reversed(gone):
        before, behind = text[: word.start], text[word.stop :]
        if before.endswith(" ") and behind[:1] in _BEHIND and before.splitlines()[-1].strip():
            before = before[:-1]
        else:  # at the start of a line the blank behind it goes, and the indentation stays
            behind = behind.removeprefix(" ")
        text = before + behind
    return text


def replace_synonyms(text: str, senses: Senses, rate: float = 0.1, seed: int = 0) -> str:
    """Put a word of the same meaning in place of each word with probability ``rate``.

    Only words with exactly one sense are replaced: which sense of an ambiguous word is
    meant nothing here can tell.  ``senses`` is :func:`wordnet_senses`, :func:`neighbour_senses`
    or a function of your own, such as ``my_dictionary.get`` with lists of lists.
    """

    def replace(word: str, draw: random.Random) -> str:
        known = senses(word.lower()) or []
        others = [s for s in known[0] if s.lower() != word.lower()] if len(known) == 1 else []
        return _cased_like(word, draw.choice(others)) if others else word

    return _each_word(text, rate, seed, replace)


def rewritten(text: str, *translate: Callable[[str], str]) -> str:
    """Pass each line of prose through the callables, one after the other.

    With ``(to_german, to_english)`` this is back-translation (Sennrich, Haddow and Birch 2016,
    arXiv:1511.06709), with one paraphrasing model a paraphrase.  A line whose code in backticks
    does not come back unchanged, or that comes back empty, stays as it was.

    Raises ``TypeError`` where a callable returns something else than a str.
    """
    _refuse_text(text, 0.0)
    begins = [word.start for word in words(text)]
    for start, stop in reversed(list(prose(text))):
        if not any(start <= at < stop for at in begins):
            continue
        line = new = text[start:stop]
        for step in translate:
            new = step(new)
            if not isinstance(new, str):
                raise TypeError(
                    f"A translate callable returned a {type(new).__name__}; it takes a str and returns a str."
                )
        spans = re.findall(r"`+[^`]+`+", line)
        if new.strip() and all(span in new for span in spans):
            text = text[:start] + new + text[stop:]
    return text


def wordnet_senses(reader: Any = None) -> Senses:
    """Senses from WordNet (Miller 1995) through ``nltk``, most frequent first.

    ``reader`` is an nltk WordNet reader; by default the installed corpus.  Names of several
    words are left out.  Raises ``LookupError`` with the remedy where the data are missing.
    """
    if reader is None:
        try:
            from nltk.corpus import wordnet

            wordnet.ensure_loaded()
            reader = wordnet
        except (LookupError, ImportError):
            raise LookupError(
                "WordNet's data are not installed. With a network run: python -m "
                "nltk.downloader wordnet; without one use neighbour_senses, or a dictionary "
                "of your own."
            ) from None

    def senses(word: str) -> list[list[str]]:
        return [[name for name in found.lemma_names() if "_" not in name] for found in reader.synsets(word)]

    return senses


def neighbour_senses(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, count: int = 3, least: float = 0.4
) -> Senses:
    """One "sense" for each word that is a token: the nearest words in the model's input embeddings.

    Nearness is the cosine; neighbours below ``least`` are left out.  Near means used in the
    same places, so antonyms are near too.  Raises ``ValueError`` for a tokenizer of which no
    token is recognised as a whole word.
    """
    import torch

    found = _whole_words(tokenizer)
    words, ids = list(found), torch.tensor(list(found.values()))
    embedding: Any = model.get_input_embeddings()
    vectors = embedding.weight.detach()[ids.to(model.device)].float().cpu()
    vectors = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=-1)
    place = {word: n for n, word in enumerate(words)}

    def senses(word: str) -> list[list[str]]:
        if word not in place:
            return []
        near = (vectors @ vectors[place[word]]).topk(min(count + 1, len(words)))
        close = [words[i] for i, cosine in zip(near.indices.tolist(), near.values.tolist()) if cosine >= least]
        return [[other for other in close if other != word][:count]]

    return senses


def _whole_words(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Words of four letters or more that are one token each, with the token's id."""
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    # Byte-level BPE and SentencePiece mark what begins a word, WordPiece what continues one.
    # Any of the marks may be a token of its own elsewhere, so the most frequent one counts.
    counts = {mark: sum(t.startswith(mark) for t in tokens) for mark in ("\u0120", "\u2581", "##")}
    mark = max(counts, key=counts.__getitem__)
    refuse(
        not counts[mark],
        "tokenizer",
        type(tokenizer).__name__,
        "one that marks the beginning of words (byte-level BPE, SentencePiece) or what continues them (WordPiece)",
    )
    mark = "" if mark == "##" else mark
    return {token[len(mark) :]: i for i, token in enumerate(tokens) if re.fullmatch(mark + "[a-z]{4,}", token)}


def _each_word(text: str, rate: float, seed: int, change: Callable[[str, random.Random], str]) -> str:
    _refuse_text(text, rate)
    draw, made, at = random.Random(seed), [], 0
    for start, stop in words(text):
        if draw.random() < rate:
            made += [text[at:start], change(text[start:stop], draw)]
            at = stop
    return "".join([*made, text[at:]])


def _cased_like(word: str, other: str) -> str:
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() else other


def _refuse_text(text: str, rate: float) -> None:
    if not isinstance(text, str):
        raise TypeError(f"text is a {type(text).__name__}; give one str, and call this for each of several.")
    finite("rate", rate, SHARE[0], "a probability from 0 to 1")
