"""Adding words to a tokenizer, and rows for them to a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import torch

from lmtune.arguments import one_of

STARTS = ("pieces", "mean", "random")


def add_tokens(model, tokenizer, words: Sequence[str], start: str = "pieces", seed: int = 0) -> list[int]:
    """Make each of ``words`` one token, and give the model rows for them; returns the new ids.

    A word that follows a blank is given with it, as ``" digraph"``.  The new rows of the embeddings,
    and of a head that is not tied to them, begin as the mean of the rows of the word's old
    ``"pieces"``, as the ``"mean"`` of all rows, or ``"random"`` with the model's own spread.

    Works in place.  Raises ``ValueError`` for a word that is one token already.
    """
    if isinstance(words, str):
        raise TypeError("A list of words is needed, and one string was given; write [word].")
    one_of("start", start, STARTS)
    pieces = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    for word, ids in zip(words, pieces):
        if len(ids) < 2:
            raise ValueError(f"{word!r} is one token already, number {ids}; leave it out.")
    if len(set(words)) < len(words):
        raise ValueError("A word is given twice; give each once.")
    known = len(tokenizer)
    tokenizer.add_tokens([_token(word) for word in words])
    # Some models have spare rows, which a resize would cut off.
    if len(tokenizer) > len(model.get_input_embeddings().weight):
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    ids = list(range(known, len(tokenizer)))
    generator = torch.Generator().manual_seed(seed)
    for table in _tables(model):
        _fill(table, ids, pieces, known, start, generator)
    return ids


def words_to_add(texts: Sequence[str], tokenizer, count: int) -> list[str]:
    """The ``count`` words, each with the blank before it, that would save most tokens in the texts.

    A word is a run of letters.  What it saves is its number of pieces less one, each time it occurs.
    """
    if isinstance(texts, str):
        raise TypeError("A list of texts is needed, and one string was given; write [text].")
    found = Counter(word for text in texts for word in re.findall(r" [A-Za-z]+\b", text))
    words = sorted(found)
    coded = tokenizer(words, add_special_tokens=False)["input_ids"] if words else []
    saved = {word: found[word] * (len(ids) - 1) for word, ids in zip(words, coded) if len(ids) > 1}
    return sorted(saved, key=lambda word: (-saved[word], word))[:count]


def _token(word: str):
    from transformers import AddedToken

    # Not normalized: found in the text as it stands, with the blank before it.
    return AddedToken(word, normalized=False, special=False)


def _tables(model) -> list[torch.Tensor]:
    """The embeddings' weights, and the head's where they are not the same tensor."""
    head = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight]
    if head is not None and head.weight is not tables[0]:
        tables.append(head.weight)
    return tables


@torch.no_grad()
def _fill(table: torch.Tensor, ids: list[int], pieces: list[list[int]], known: int, start: str, generator) -> None:
    old = table[:known].clone()
    for new, parts in zip(ids, pieces):
        if start == "pieces":
            table[new] = old[parts].mean(0)
        elif start == "mean":
            table[new] = old.mean(0)
        else:
            drawn = torch.randn(old.shape[1], generator=generator)
            table[new] = drawn.to(old) * old.std()
