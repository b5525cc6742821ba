"""Adding words to a tokenizer, and rows for them to a model."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Sequence

import torch

from lmtune.arguments import one_of, refuse_wrong_texts

STARTS = ("pieces", "mean", "random")


def add_tokens(model, tokenizer, words: Sequence[str], start: str = "pieces", seed: int = 0) -> list[int]:
    """Make each of ``words`` one token, and give the model rows for them; returns the new ids.

    A word that follows a blank is given with it, as ``" digraph"``.  The new rows of the embeddings,
    and of a head that is not tied to them, begin as the mean of the rows of the word's old
    ``"pieces"``, as the ``"mean"`` of all rows, or ``"random"`` with the model's own spread.

    Works in place.  Raises ``ValueError`` for a word that is one token already, or an entry of the vocabulary
    that no text reaches, and changes nothing then.
    """
    refuse_wrong_texts(words, "word")
    one_of("start", start, STARTS)
    pieces = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    for word, ids in zip(words, pieces):
        if len(ids) < 2:
            raise ValueError(f"{word!r} is one token already, number {ids}; leave it out.")
    if len(set(words)) < len(words):
        raise ValueError("A word is given twice; give each once.")
    known = sorted(tokenizer.get_vocab().values())
    ids = _new_ids(copy.deepcopy(tokenizer), words, set(known))  # a tokenizer cannot forget what was added
    _new_ids(tokenizer, words, set(known))
    # Some models have spare rows, which a resize would cut off.
    if ids and max(ids) >= len(model.get_input_embeddings().weight):
        model.resize_token_embeddings(max(ids) + 1, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    for table in _tables(model):
        _fill(table, ids, pieces, known, start, generator)
    return ids


def words_to_add(texts: Sequence[str], tokenizer, count: int) -> list[str]:
    """The ``count`` words, each with the blank before it, that would save most tokens in the texts.

    A word is a run of letters.  What it saves is its number of pieces less one, each time it occurs.
    """
    refuse_wrong_texts(texts)
    found = Counter(word for text in texts for word in re.findall(r" [A-Za-z]+\b", text))
    words = sorted(found)
    coded = tokenizer(words, add_special_tokens=False)["input_ids"] if words else []
    saved = {word: found[word] * (len(ids) - 1) for word, ids in zip(words, coded) if len(ids) > 1}
    return sorted(saved, key=lambda word: (-saved[word], word))[:count]


def _new_ids(tokenizer, words: Sequence[str], known: set[int]) -> list[int]:
    """Add words to a tokenizer and ask it for their ids."""
    tokenizer.add_tokens([_token(word) for word in words])
    ids = tokenizer.convert_tokens_to_ids(list(words))
    for word, number in zip(words, ids):
        if number in known:
            raise ValueError(
                f"The tokenizer gives {word!r} the id {number}, which it has given before, perhaps to this very word as "
                "an entry that no text reaches; leave it out."
            )
    return ids


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
def _fill(table: torch.Tensor, ids: list[int], pieces: list[list[int]], known: list[int], start: str, gen) -> None:
    old = table[known]  # a copy
    for new, parts in zip(ids, pieces):
        if start == "pieces":
            table[new] = table[parts].mean(0)
        elif start == "mean":
            table[new] = old.mean(0)
        else:
            drawn = torch.randn(old.shape[1], generator=gen)
            table[new] = drawn.to(old) * old.std()
